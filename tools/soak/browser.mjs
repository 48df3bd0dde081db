// Pages in headless Chromium that stay open for the whole run: pages of other origins, with sessions and event streams, and the web UI of
// each server.
//
//   node browser.mjs '{"servers": {"first": URL, ...}, "ports": {"first": PORT, ...}, "hosts": {...}, "pause": SECONDS}'
//
// Prints the events, one JSON value on each line. Ends when its standard input ends.

import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { PROFILE, launch } from "../../tests/web/devtools.mjs";

const { servers, ports, hosts, pause } = JSON.parse(process.argv[2]);
const now = () => Date.now() / 1000;
const tell = (kind, server, more) => console.log(JSON.stringify({ kind, server, ...more }));

/** The present step of each page. */
const at = {};
let stopped = false;
process.stdin.resume().on("end", () => {
  stopped = true;
  setTimeout(() => {
    tell("fault", "", { what: "a page does not come to its end", detail: JSON.stringify(at) });
    process.exit(1);
  }, 270_000).unref();
});

function site(host, port) {
  const page = "<!doctype html><meta charset=utf-8><link rel=icon href=data:,><title>a site</title><body>";
  const listener = createServer((_, response) => response.writeHead(200, { "Content-Type": "text/html" }).end(page));
  return new Promise((resolve) => listener.listen(port, "127.0.0.1", () => resolve(`http://${host}:${port}/`)));
}

/** One round in a page of another origin. Returns the outcome of each step. Runs in the page. */
async function round(server, body, deletes) {
  const told = [];
  const now = () => Date.now() / 1000;
  const tell = (kind, more) => told.push({ kind, ...more });
  const wait = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const ask = async (path, options, good) => {
    const began = now();
    let seen;
    try {
      const answer = await fetch(server + path, { credentials: "include", ...options });
      if (answer.status === 429) await wait(Number(answer.headers.get("Retry-After") ?? 5));
      if (good.includes(answer.status)) {
        tell("call", { what: `${options?.method ?? "GET"} ${path.split("/")[1]}` });
        return answer;
      }
      seen = `${answer.status} ${(await answer.text()).slice(0, 100)}`;
    } catch (reason) {
      // nginx's own pages have no CORS headers, so the page cannot read them.
      seen = reason.name;
    }
    tell("failed", { what: `${options?.method ?? "GET"} ${path}`, began, ended: now(), seen });
    return null;
  };
  const session = async () => {
    const answer = await ask("/auth/session", { method: "POST" }, [201, 429]);
    if (answer?.status === 201) tell("note", { what: "sessions started" });
    return answer?.status === 201;
  };
  const models = await ask("/models", {}, [200, 401]);
  if (models === null || (models.status === 401 && !(await session()))) return told;

  const key = crypto.randomUUID();
  const headers = { "Content-Type": "application/json", "Idempotency-Key": key };
  let submitted = null;
  for (let tries = 0; tries < 60 && submitted === null; tries += 1) {
    submitted = await ask("/generate", { method: "POST", headers, body: JSON.stringify(body) }, [202]);
    if (submitted === null) await wait(1);
  }
  if (submitted === null) return told;
  const id = (await submitted.json()).task_id;
  tell("task", { id, key, model: body.model });

  // EventSource reconnects by itself unless the answer is not a stream. In that case the page makes a new one.
  const until = Date.now() + 240_000;
  let state = null;
  while (state === null && Date.now() < until) {
    const began = now();
    const source = new EventSource(`${server}/events/${id}`, { withCredentials: true });
    let cuts = 0;
    state = await new Promise((resolve) => {
      const timer = setTimeout(() => resolve(null), Math.max(until - Date.now(), 1));
      const done = (value) => {
        clearTimeout(timer);
        resolve(value);
      };
      source.addEventListener("status", ({ data }) => {
        const told = JSON.parse(data);
        if (["done", "failed"].includes(told.status)) done(told);
      });
      source.addEventListener("error", () => {
        cuts += 1;
        if (source.readyState === EventSource.CLOSED) done(null);
      });
    });
    source.close();
    tell("stream", { began, how: state === null ? "EventSource gave up" : "task" });
    if (cuts > 0) tell("note", { what: "times that EventSource connected again or gave up", count: cuts });
    if (state === null) await wait(1);
  }
  if (state === null) return [...told, { kind: "fault", what: "a task did not end", detail: id }];
  tell("ended", { id, state: state.status });
  if (state.status !== "done") return [...told, { kind: "fault", what: "a task of a page failed", detail: JSON.stringify(state) }];

  const whole = await ask(`/results/${id}`, {}, [200]);
  if (whole) {
    const digest = await crypto.subtle.digest("SHA-256", await whole.arrayBuffer());
    tell("result", {
      id,
      asked: body.asked,
      sha256: [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join(""),
    });
  }
  const began = now();
  // A browser does not load clips in pages in the background, but it loads pictures.
  const element = new Image();
  element.crossOrigin = "use-credentials";
  const loaded = await new Promise((resolve) => {
    element.addEventListener("load", () => resolve(true));
    element.addEventListener("error", () => resolve(false));
    element.src = `${server}/${body.model === "tiny-video" ? "preview" : "results"}/${id}`;
  });
  if (loaded) tell("call", { what: "a result shown by the page" });
  else tell("failed", { what: "a result shown by the page", began, ended: now(), seen: "refused" });
  if (deletes) {
    tell("deleted", { id });
    await ask(`/gallery/${id}`, { method: "DELETE" }, [200]);
  }
  return told;
}

const body = (number) => ({
  model: number % 5 === 4 ? "tiny-video" : "tiny-image",
  prompt: "a red circle moving left",
  seed: number % 3,
  steps: 4,
});

async function rest() {
  for (let rested = 0; rested < pause * (0.5 + Math.random()) && !stopped; rested += 0.2) await sleep(200);
}

/** A page of another origin. */
async function elsewhere(browser, server) {
  const page = await browser.open({ context: PROFILE, newWindow: true });
  await page.goto(await site(hosts[server], ports[server]));
  for (let number = 0; !stopped; number += 1) {
    at[`page for ${server}`] = `round ${number}, ${new Date().toISOString()}`;
    for (const { kind, ...more } of await page.evaluate(round, servers[server], body(number), number % 7 === 6)) tell(kind, server, more);
    page.requests.length = page.problems.length = 0;
    await rest();
  }
  delete at[`page for ${server}`];
}

/** The tasks that the web UI stores, newest first. Runs in the page. */
const kept = () => JSON.parse(localStorage.getItem((location.pathname === "/" ? "" : location.pathname) + "must.tasks") ?? "[]");

/** The web UI of a server, which stays open. A picture is made in it from time to time. */
async function studio(browser, server) {
  const page = await browser.open({ context: PROFILE, newWindow: true });
  await page.goto(`${servers[server]}/`);
  for (let number = 0; !stopped; number += 1) {
    const began = now();
    at[`web UI of ${server}`] = `round ${number}, ${new Date().toISOString()}`;
    try {
      const before = (await page.evaluate(kept))[0]?.id;
      await page.fill('[data-field="prompt"] textarea', `a red circle, number ${number}`);
      await page.click(".generate");
      let pressed = Date.now();
      for (const until = Date.now() + 240_000; ; await sleep(500)) {
        const [task] = await page.evaluate(kept);
        if (task && task.id !== before) {
          if (task.gone) throw new Error(`${task.id} is gone`);
          if (["done", "failed"].includes(task.state?.status)) {
            tell("task", server, { id: task.id });
            tell("ended", server, { id: task.id, state: task.state.status });
            if (task.state.status === "failed")
              tell("fault", server, { what: "a task of the web UI failed", detail: JSON.stringify(task.state) });
            break;
          }
        } else if (Date.now() - pressed > 15_000) {
          // The UI tries a few times and then says that the platform cannot be reached, so press the button again.
          await page.click(".generate");
          pressed = Date.now();
          tell("note", server, { what: "times that somebody pressed Generate again" });
        }
        if (Date.now() > until) throw new Error(`nothing after four minutes: ${await page.text()}`);
      }
      await page.until(() => document.querySelector("img.media")?.naturalWidth);
      tell("call", server, { what: "a picture made in the web UI" });
    } catch (error) {
      tell("fault", server, { what: "the web UI", detail: `from ${new Date(began * 1000).toISOString()}: ${error.message.slice(0, 400)}` });
      await page.goto(`${servers[server]}/`).catch(() => {});
    }
    page.requests.length = page.problems.length = 0;
    await rest();
  }
  delete at[`web UI of ${server}`];
}

// Whether a site within another one keeps its cookies is a person's choice; here it does.
const browser = await launch({ preferences: { profile: { cookie_controls_mode: 0 } } });
try {
  await Promise.all(Object.keys(servers).flatMap((server) => [elsewhere(browser, server), studio(browser, server)]));
} finally {
  await browser.close();
}
process.exit(0);
