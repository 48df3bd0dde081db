// The web UI of a running platform in headless Chromium.
//
//   MUST_PROGRAM=target/debug/must node --test tests/web/ui.test.mjs
//
// MUST_WEB_DIST=1 serves core/web in front of a program that does not serve it. MUST_SHOTS names a folder for screenshots of every page.
// A test fails if the browser reports an error, such as a violation of the page's policy.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { launch } from "./devtools.mjs";
import { ADMIN_KEY, POLICY, serveInFront, serveUi } from "./serving.mjs";

// Workers on this machine, where nothing listens, so that their checks fail immediately.
const settings = {
  workers: { networks: ["127.0.0.0/8"], deploy_command: ["echo", "deployed {workspace}"], health_tries: 2, health_pause_seconds: 0.1 },
};

let ui, browser, page;

before(async () => {
  ui = await serveUi(settings);
  browser = await launch();
  page = await browser.open();
});

after(async () => {
  await browser?.close();
  await ui?.stop();
});

/** A test that fails if the page reports a problem that contains none of the texts in `expected`. */
const quiet = (name, work, expected = []) =>
  test(name, async (context) => {
    page.problems.length = 0;
    page.requests.length = 0;
    await work(context);
    assert.deepEqual(
      page.problems.filter((problem) => !expected.some((known) => problem.includes(known))),
      [],
    );
  });

const tasks = (which = page) =>
  which.evaluate(() => JSON.parse(localStorage.getItem((location.pathname === "/" ? "" : location.pathname) + "must.tasks") ?? "[]"));
const ended = (which = page) =>
  which.until(() => {
    const [task] = JSON.parse(localStorage.getItem((location.pathname === "/" ? "" : location.pathname) + "must.tasks") ?? "[]");
    return ["done", "failed"].includes(task?.state?.status) && task;
  });

async function choose(name, which = page) {
  await which.click(".model-button");
  await which.click(".model-choice", name);
  await which.until((name) => document.querySelector(".model-button strong")?.textContent === name, name);
}

async function submit(prompt, which = page) {
  const count = (await tasks(which)).length;
  await which.fill('[data-field="prompt"] textarea', prompt);
  await which.click(".generate");
  await which.until(
    (count) => JSON.parse(localStorage.getItem((location.pathname === "/" ? "" : location.pathname) + "must.tasks") ?? "[]").length > count,
    count,
  );
}

const go = (hash, which = page) =>
  which.evaluate((hash) => {
    location.hash = hash;
  }, hash);

test("the page has its policy and contains no inline code", async () => {
  const answer = await fetch(`${ui.url}/`);
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get("content-type"), /^text\/html/);
  const policy = answer.headers.get("content-security-policy");
  const parts = (text) =>
    text
      .split(";")
      .map((part) => part.trim())
      .filter(Boolean)
      .sort();
  assert.deepEqual(parts(policy), parts(POLICY));
  const html = await answer.text();
  assert.ok(!/<style|style=|<script(?![^>]*src=)|\son\w+=/.test(html));
  for (const [, address] of html.matchAll(/(?:src|href)="([^"]+)"/g)) {
    assert.match(address, /^\.\/assets\//, "addresses are relative to the page");
    assert.equal((await fetch(new URL(address, `${ui.url}/`))).status, 200);
  }
});

quiet("a picture is generated and shown", async () => {
  await page.goto(`${ui.url}/`);
  await submit("a red circle");
  const task = await ended();
  assert.equal(task.state.status, "done");
  const width = await page.until(() => document.querySelector("img.media")?.naturalWidth);
  assert.equal(width, 64);
  await page.until(() => document.querySelector(".shown .badge")?.textContent === "Done");
  const sent = page.requests.find(({ path }) => path === "/generate");
  assert.match(sent.headers["Idempotency-Key"], /^[0-9a-f]{32}$/);
  assert.ok(
    page.requests.some(({ path, status }) => path === `/events/${task.id}` && status === 200),
    "it was followed by events",
  );
  assert.ok(page.requests.every(({ headers }) => !Object.keys(headers).some((name) => name.toLowerCase() === "x-api-key")));
  assert.equal(page.requests.filter(({ path }) => path === "/auth/session").length, 1);
});

quiet("a clip is generated, shown, and plays", async () => {
  await choose("Tiny video");
  await page.fill('[data-field="steps"] .number-box', "50");
  await submit("a red circle moving left");
  await page.find(".developing");
  await page.find('[role="progressbar"]');
  assert.equal((await ended()).state.status, "done");
  await page.until(() => document.querySelector("video.media")?.readyState >= 2);
  const first = await page.evaluate(() => document.querySelector("video").currentTime);
  await page.until((first) => {
    const video = document.querySelector("video");
    return !video.paused && video.currentTime !== first && video.videoWidth === 64;
  }, first);
});

quiet("the frame that a clip shows becomes the reference of the next one", async () => {
  await page.click(".actions button", "Use as reference");
  await page.until(() => document.querySelector('[role="tab"][aria-selected="true"]')?.textContent === "From a picture");
  await page.until(() => document.querySelector(".picture-shown img")?.naturalWidth === 64);
  await submit("a blue circle moving left");
  const task = await ended();
  assert.deepEqual([task.state.status, task.mode], ["done", "i2v"]);
  await page.click('[role="tab"]', "From text");
});

quiet("an invalid value is reported next to its field, and nothing is sent", async () => {
  await page.fill('[data-field="prompt"] textarea', "");
  await page.fill('[data-field="steps"] .number-box', "3");
  await page.click(".generate");
  await page.find('[data-field="prompt"] .issue');
  await page.find('[data-field="steps"] .issue', "4");
  await page.until(() => document.activeElement === document.querySelector('[data-field="prompt"] textarea'));
  assert.ok(!page.requests.some(({ path }) => path === "/generate"));
  await page.click('[data-field="steps"] .field-head button');
  await page.until(() => document.querySelector('[data-field="steps"] .issue') === null);
});

quiet("the page says which files a missing model needs, and the model cannot be used", async () => {
  await choose("FLUX.1-dev");
  await page.find(".unavailable", "models/flux");
  assert.ok(await page.evaluate(() => document.querySelector(".generate").disabled));
  await choose("Tiny video");
});

quiet("a running task is cancelled", async () => {
  await page.fill('[data-field="steps"] .number-box', "50");
  await submit("a green square moving right");
  await page.click(".shown-foot button", "Cancel");
  const task = await ended();
  assert.deepEqual([task.state.status, task.state.error_code], ["failed", "cancelled"]);
  await page.find(".ended", "Cancelled");
});

quiet("a task can be submitted with only the keyboard, and is still followed after a reload", async () => {
  await page.fill('[data-field="prompt"] textarea', "a yellow circle moving up");
  const count = (await tasks()).length;
  await page.key("Enter", 2);
  await page.until((count) => JSON.parse(localStorage.getItem("must.tasks")).length > count, count);
  await page.reload();
  await page.until(() => document.querySelector('[data-field="prompt"] textarea')?.value === "a yellow circle moving up");
  assert.equal((await ended()).state.status, "done");
  await page.find("video.media");
});

quiet(
  "a lost session is renewed automatically",
  async () => {
    await page.send("Network.clearBrowserCookies");
    await go("#/gallery");
    await page.until(() => document.querySelectorAll(".card").length === 4);
    assert.equal(page.requests.filter(({ path }) => path === "/auth/session").length, 1);
    await go("#/");
    // The browser reports the calls that were refused first.
  },
  ["/gallery?", "/preview/"],
);

quiet("the history shows every state after a reload", async () => {
  await go("#/history");
  await page.reload();
  await page.until(() => document.querySelectorAll(".entry").length === 5);
  const badges = await page.evaluate(() => [...document.querySelectorAll(".entry .badge")].map((badge) => badge.textContent));
  assert.deepEqual(badges, ["Done", "Cancelled", "Done", "Done", "Done"]);
  await page.click(".entry-actions button", "Reuse settings");
  await page.until(
    () => location.hash === "#/" && document.querySelector('[data-field="prompt"] textarea')?.value === "a yellow circle moving up",
  );
});

quiet("the gallery shows results by type, and deletes them", async () => {
  await go("#/gallery");
  await page.until(() => document.querySelectorAll(".card").length === 4);
  await page.until(() => [...document.querySelectorAll(".card img")].every((image) => image.naturalWidth > 0));
  await page.evaluate(() => document.querySelector('input[name="type"][value="image"]').click());
  await page.until(() => document.querySelectorAll(".card").length === 1 && location.hash === "#/gallery?type=image");
  await page.click(".card button");
  await page.find("dialog .detail-words", "a red circle");
  await page.until(() => document.querySelector("dialog img.media")?.naturalWidth === 64);
  const saved = page.download();
  await page.click("dialog a.button", "Download");
  assert.match(await saved, /^tiny-image-\d+-a-red-circle-[0-9a-f]{8}\.png$/);
  await page.click("dialog button", "Delete");
  await page.click("dialog.narrow button", "Delete");
  await page.until(() => document.querySelector("dialog") === null && document.querySelectorAll(".card").length === 0);
  await page.click(".empty button", "Show all");
  await page.until(() => document.querySelectorAll(".card").length === 3);
  const { items } = await page.evaluate(async () => (await fetch("gallery")).json());
  assert.ok(!items.some(({ prompt }) => prompt === "a red circle"));
  assert.ok((await tasks()).find(({ request }) => request.prompt === "a red circle").gone);
});

quiet("Russian can be chosen and is remembered", async () => {
  await page.click(".languages button", "RU");
  await page.until(() => document.querySelector("h1").textContent === "Галерея" && document.documentElement.lang === "ru");
  await page.reload();
  await page.until(() => document.querySelector("h1")?.textContent === "Галерея");
  await go("#/");
  await page.find(".generate", "Создать");
  await page.click(".languages button", "EN");
  await page.find(".generate", "Generate");
});

quiet(
  "an administrator signs in with only the key",
  async () => {
    await go("#/admin");
    await page.fill("#admin-key", "not-the-admin-key");
    await page.click(".login button[type=submit]");
    await page.find(".problem", "admin_key_invalid");
    await page.fill("#admin-key", ADMIN_KEY);
    await page.click(".login button[type=submit]");
    await page.find(".verdict", "Everything works");
    await page.find("tbody th", "Shared lane");
    const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
    assert.ok(!kept.includes(ADMIN_KEY));
    // The browser reports the call with the refused key.
  },
  ["/admin/session"],
);

quiet("accounts are added, checked, disabled, enabled and removed", async () => {
  await page.click(".subnavigation a", "Accounts");
  await page.click("button", "Add an account");
  for (const [name, value] of [
    ["label", "Team A"],
    ["workspace", "team-a"],
    ["address", "http://127.0.0.1:9"],
    ["token_id", "ak-1"],
    ["token_secret", "as-secret"],
  ]) {
    await page.fill(`dialog [name=${name}]`, value);
  }
  await page.click("dialog button[type=submit]");
  await page.find(".feedback", "Team A was added");
  const card = (words) => page.find('[data-workspace="team-a"] .badge', words);
  await card("Pending");
  await page.click('[data-workspace="team-a"] button', "Check");
  await page.find(".feedback", "Team A was checked: Failed.");
  await card("Failed");
  await page.click('[data-workspace="team-a"] button', "Disable");
  await page.find(".feedback", "Team A is disabled.");
  await card("Disabled");
  await page.click('[data-workspace="team-a"] button', "Enable");
  await page.find(".feedback", "Team A was enabled and checked: Failed.");
  await page.click('[data-workspace="team-a"] button', "Deploy");
  await page.find(".feedback", "Team A");
  await page.find('[data-workspace="team-a"] .deployment', "succeeded");
  await page.find('[data-workspace="team-a"] .deployment pre', "deployed team-a");
  await card("Failed");
  assert.ok(!(await page.evaluate(() => document.documentElement.outerHTML)).includes("as-secret"));
  await page.click('[data-workspace="team-a"] button', "Remove");
  await page.click("dialog button", "Remove");
  await page.find(".feedback", "Team A was removed.");
  await page.find(".empty", "No accounts");
});

quiet("secrets are listed and rotated", async () => {
  await page.click(".subnavigation a", "Secrets");
  await page.find("tbody th", "master_key");
  await page.click("tbody button", "Rotate");
  await page.click("dialog button[type=submit]", "Rotate");
  await page.find(".feedback", "master_key was rotated.");
  await page.until(() => document.querySelectorAll("tbody .badge.wait").length === 1);
});

quiet("the audit log is read, filtered and verified", async () => {
  await page.click(".subnavigation a", "Audit log");
  await page.find(".event", "account_create");
  await page.click(".verify button", "Verify");
  await page.find(".verdict.good", "The log is whole");
  await page.fill("[name=action]", "account_create");
  await page.click(".filters button", "Filter");
  await page.until(() => document.querySelectorAll(".event").length === 1);
  await page.click(".event summary");
  await page.find(".event .rows", "Correlation id");
});

quiet("every page fits a small telephone, and every button and field has a name", async () => {
  const shots = process.env.MUST_SHOTS;
  if (shots) mkdirSync(shots, { recursive: true });
  const views = {
    light: { width: 1440, height: 900 },
    dark: { width: 1440, height: 900, dark: true },
    small: { width: 390, height: 844, mobile: true },
    "small-dark": { width: 390, height: 844, mobile: true, dark: true },
    least: { width: 360, height: 740, mobile: true },
  };
  await page.send("Accessibility.enable");
  for (const [name, hash] of Object.entries({
    studio: "#/",
    gallery: "#/gallery",
    history: "#/history",
    overview: "#/admin",
    results: "#/admin/results",
    accounts: "#/admin/accounts",
    secrets: "#/admin/secrets",
    audit: "#/admin/audit",
  })) {
    await go(hash);
    await page.until((hash) => location.hash === hash && document.querySelector("h1") !== null, hash);
    for (const language of ["ru", "en"]) {
      await page.click(`.languages [lang=${language}]`);
      for (const [view, options] of Object.entries(views)) {
        await page.view(options);
        await sleep(shots ? 350 : 60);
        const sizes = () => page.evaluate(() => ({ wide: document.documentElement.scrollWidth, inside: innerWidth }));
        let { wide, inside } = await sizes();
        // On a busy machine the page takes its new size later.
        for (let tries = 0; tries < 40 && (wide > inside || inside !== options.width); tries++) {
          await sleep(50);
          ({ wide, inside } = await sizes());
        }
        assert.ok(wide <= inside && inside === options.width, `${name} in ${language} and ${view}: ${wide} of ${inside}`);
        if (shots) await page.shot(join(shots, `${name}-${language}-${view}.png`));
      }
    }
    const { nodes } = await page.send("Accessibility.getFullAXTree");
    const roles = ["button", "link", "textbox", "combobox", "slider", "radio", "tab", "checkbox", "progressbar", "image"];
    const nameless = nodes.filter(({ ignored, role, name: said }) => !ignored && roles.includes(role?.value) && !said?.value);
    assert.deepEqual(
      nameless.map(({ role }) => `${name}: ${role.value}`),
      [],
    );
  }
  await page.view({ width: 1280, height: 860 });
});

quiet(
  "an administrator signs out",
  async () => {
    await page.click("button", "Sign out");
    await page.find("#admin-key");
    assert.equal(await page.evaluate(async () => (await fetch("admin/session")).status), 401);
    // The browser reports the call above.
  },
  ["/admin/session"],
);

test("a page mounted at a path makes all its requests below this path", async () => {
  const front = await serveInFront(ui.api, { mount: "/deep/studio/" });
  const other = await browser.open({ language: "ru-RU" });
  try {
    await other.goto(front.url);
    await other.find(".generate", "Создать");
    await submit("a red circle", other);
    assert.equal((await ended(other)).state.status, "done");
    await other.until(() => document.querySelector("img.media")?.naturalWidth === 64);
    assert.ok(other.requests.every(({ path }) => path.startsWith("/deep/studio/")));
    assert.deepEqual(other.problems, []);
  } finally {
    await other.close();
    await front.stop();
  }
});

test("a submission whose answers are lost makes one task, which is followed without streams", async () => {
  let lost = 0;
  const broken = ({ method, url }) => {
    if (url.startsWith("/events/")) return "unsent";
    if (method !== "POST" || url !== "/generate") return null;
    lost += 1;
    return lost <= 4 ? "unanswered" : null;
  };
  const front = await serveInFront(ui.api, { broken });
  const other = await browser.open();
  try {
    await other.goto(front.url);
    await submit("a white triangle", other);
    const task = await ended(other);
    assert.equal(task.state.status, "done");
    await other.until(() => document.querySelector("img.media")?.naturalWidth === 64);
    const keys = other.requests.filter(({ path }) => path === "/generate").map(({ headers }) => headers["Idempotency-Key"]);
    // The browser repeats some calls by itself. The page does not notice it.
    assert.equal(lost, 5);
    assert.equal(new Set(keys).size, 1);
    assert.ok(other.requests.some(({ path }) => path === `/status/${task.id}`));
    const { items } = await other.evaluate(async () => (await fetch("gallery?per_page=100")).json());
    assert.equal(items.filter(({ prompt }) => prompt === "a white triangle").length, 1);
  } finally {
    await other.close();
    await front.stop();
  }
});

test("a result that is requested during a restart is shown when the platform runs again", async () => {
  let lost = 0;
  // The browser repeats some calls by itself.
  const broken = ({ url }) => (url.startsWith("/results/") && (lost += 1) <= 6 ? "unsent" : null);
  const front = await serveInFront(ui.api, { broken });
  const other = await browser.open();
  try {
    await other.goto(front.url);
    await submit("a white circle", other);
    assert.equal((await ended(other)).state.status, "done");
    await other.until(() => document.querySelector("img.media")?.naturalWidth === 64);
    assert.ok(lost > 6);
  } finally {
    await other.close();
    await front.stop();
  }
});

test("the eleventh visitor can fill in the studio while waiting, and the session then starts with the text kept", async () => {
  const crowded = await serveUi();
  const late = await browser.open();
  try {
    for (let visitor = 0; visitor < 10; visitor += 1)
      assert.equal((await fetch(`${crowded.api}/auth/session`, { method: "POST" })).status, 201);
    await late.goto(`${crowded.url}/`);
    await late.find(".waiting", "Your session begins by itself in");
    await late.find(".model-button", "Tiny image");
    await late.fill('[data-field="prompt"] textarea', "a red circle");
    await late.click(".generate");
    await late.find(".generate", "Handing in…");
    // The limit counts sessions in one minute.
    const end = Date.now() + 90_000;
    while ((await tasks(late)).length === 0 && Date.now() < end) await sleep(500);
    assert.equal((await ended(late)).state.status, "done");
    assert.equal(await late.evaluate(() => document.querySelector('[data-field="prompt"] textarea').value), "a red circle");
    assert.equal(await late.evaluate(() => document.querySelector(".waiting")), null);
    const starts = late.requests.filter(({ path }) => path === "/auth/session");
    assert.deepEqual(
      starts.map(({ status }) => status),
      [429, 201],
    );
    await late.reload();
    await late.until(() => document.querySelector("img.media")?.naturalWidth === 64);
    assert.equal(late.requests.filter(({ path }) => path === "/auth/session").length, 2, "the session is used again");
    assert.deepEqual(
      late.problems.filter((problem) => !problem.includes("/auth/session")),
      [],
    );
  } finally {
    await late.close();
    await crowded.stop();
  }
});

test("people sign in with a key, see only their own results, and sign out; an administrator sees all", async () => {
  const house = await serveUi({ sign_in_required: true }, ["anna", "boris"]);
  const [anna, boris] = [await browser.open(), await browser.open({ language: "ru-RU" })];
  const signIn = async (which, key) => {
    await which.fill("#access-key", key);
    await which.click(".login button[type=submit]");
  };
  const cards = async (which) => {
    await go("#/gallery", which);
    return which.until(
      () =>
        document.querySelector(".gallery .page-note")?.textContent.trim() &&
        [...document.querySelectorAll(".card-prompt")].map((card) => card.textContent),
    );
  };
  try {
    await anna.goto(`${house.url}/`);
    await anna.find(".login", "Sign in");
    assert.equal(await anna.evaluate(() => document.querySelector(".generate")), null);
    await signIn(anna, "must_api_nonsense");
    await anna.find(".problem", "invalid_api_key");
    await signIn(anna, house.keys[0]);
    await anna.find(".person-name", "anna");
    await anna.fill('[data-field="prompt"] textarea', "a red circle");
    await anna.click(".generate");
    assert.equal(
      (
        await anna.until(() => {
          const [task] = JSON.parse(
            localStorage.getItem(Object.keys(localStorage).find((name) => name.startsWith("must.tasks.key:"))) ?? "[]",
          );
          return ["done", "failed"].includes(task?.state?.status) && task;
        })
      ).state.status,
      "done",
    );
    const kept = await anna.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
    assert.ok(!kept.includes(house.keys[0]));

    await boris.goto(`${house.url}/`);
    await boris.find(".login", "Ключ доступа");
    await signIn(boris, house.keys[1]);
    await boris.find(".person-name", "boris");
    await boris.view({ width: 360, height: 740, mobile: true });
    assert.ok(await boris.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
    await boris.view({ width: 1280, height: 860 });
    assert.deepEqual(await cards(boris), []);
    assert.deepEqual(await cards(anna), ["a red circle"]);
    await anna.find(".gallery .page-note", "made with the key anna");

    await go("#/admin", boris);
    await boris.fill("#admin-key", ADMIN_KEY);
    await boris.click(".login button[type=submit]");
    await boris.click(".subnavigation a", "Результаты");
    await boris.find("tbody th", "a red circle");
    await boris.click("tbody .task-prompt", "a red circle");
    await boris.until(() => document.querySelector("dialog img.media")?.naturalWidth === 64);
    await boris.click("dialog button", "Закрыть");
    await boris.click("tbody td .link", "anna");
    await boris.until(() => document.querySelector(".results-filters [name=owner]")?.value.startsWith("key:"));
    await boris.click("tbody .row-actions button", "Удалить");
    await boris.click("dialog.narrow button", "Удалить");
    await boris.find(".feedback", "Задача удалена.");
    await go("#/admin/audit", boris);
    await boris.find(".event", "task_delete");
    await anna.reload();
    assert.deepEqual(await cards(anna), []);

    await anna.click(".person button");
    await anna.find("#access-key");
    assert.equal(await anna.evaluate(async () => (await fetch("gallery")).status), 401);
    assert.ok(!(await anna.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]))).includes("a red circle"));
    const expected = ["/auth/session", "/gallery"];
    for (const which of [anna, boris])
      assert.deepEqual(
        which.problems.filter((problem) => !expected.some((known) => problem.includes(known))),
        [],
      );
  } finally {
    await anna.close();
    await boris.close();
    await house.stop();
  }
});
