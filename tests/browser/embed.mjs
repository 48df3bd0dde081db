// Results in a browser: in a tab, and in pages of other sites as pictures, clips and frames; and the file name of a download.
//
//   node embed.mjs SERVER_URL ALLOWED_PORT API_KEY
//
// The server is at 127.0.0.1. It allows the other site http://localhost:ALLOWED_PORT, also with cookies. The site that is not allowed
// is at another port of localhost. Prints the results as one line of JSON.

import { createServer } from "node:http";
import { PROFILE, launch } from "../web/devtools.mjs";

const [server, port, key] = process.argv.slice(2);

const api = async (path, options = {}) => {
  const answer = await fetch(server + path, { ...options, headers: { "X-API-Key": key, "Content-Type": "application/json" } });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
};

async function make(model, prompt) {
  const { task_id: task } = await api("/generate", { method: "POST", body: JSON.stringify({ model, prompt, seed: 1 }) });
  for (;;) {
    const state = await api(`/status/${task}`);
    if (state.status === "done") return state.result_url;
    if (state.status === "failed") throw new Error(JSON.stringify(state));
    await new Promise((wait) => setTimeout(wait, 100));
  }
}

function serve(wanted) {
  const site = createServer((_, response) =>
    response.writeHead(200, { "Content-Type": "text/html" }).end("<!doctype html><title>a site</title><body>"),
  );
  return new Promise((resolve) =>
    site.listen(wanted, "127.0.0.1", () => resolve({ site, url: `http://localhost:${site.address().port}` })),
  );
}

/** Errors and warnings of a page, without the one about a missing icon. */
const problems = (page) => page.problems.filter((problem) => !problem.includes("favicon"));

const newSession = (page, server) =>
  page.evaluate(async (server) => (await fetch(`${server}/auth/session`, { method: "POST", credentials: "include" })).status, server);

/** Opens a result's address in a tab. */
async function inTab(page, picture, clip) {
  await page.goto(server + picture);
  const width = await page.until(() => document.images[0]?.naturalWidth);
  await page.goto(server + clip);
  await page.until(() => document.querySelector("video")?.readyState >= 2);
  const clipWidth = await page.evaluate(() => document.querySelector("video").videoWidth);
  const plays = await page.evaluate(async () => {
    const video = document.querySelector("video");
    // The tab plays the video, so pause it first.
    video.pause();
    video.currentTime = 0.5;
    await new Promise((resolve) => video.addEventListener("seeked", resolve, { once: true }));
    return video.currentTime === 0.5;
  });
  return { picture: width, clip: clipWidth, plays, problems: problems(page) };
}

/** Shows the results in elements of a page without `crossorigin`. */
async function inPage(page, picture, clip) {
  const seen = await page.evaluate(
    async (picture, clip) => {
      const shown = (kind, source, event) =>
        new Promise((resolve) => {
          const element = document.createElement(kind);
          element.addEventListener(event, () => resolve(element), { once: true });
          element.addEventListener("error", () => resolve(null), { once: true });
          element.muted = true;
          element.src = source;
          document.body.append(element);
        });
      const image = await shown("img", picture, "load");
      const video = await shown("video", clip, "loadeddata");
      let plays = false;
      if (video) {
        video.currentTime = 0.5;
        await new Promise((resolve) => video.addEventListener("seeked", resolve, { once: true }));
        plays = video.currentTime === 0.5;
      }
      return { picture: image?.naturalWidth ?? "refused", clip: video?.videoWidth ?? "refused", plays };
    },
    picture,
    clip,
  );
  const before = page.problems.length;
  await page.evaluate(
    async (addresses) => {
      for (const address of addresses) {
        const frame = document.createElement("iframe");
        const loaded = new Promise((resolve) => frame.addEventListener("load", resolve, { once: true }));
        frame.src = address;
        document.body.append(frame);
        await loaded;
      }
      await new Promise((wait) => setTimeout(wait, 500));
    },
    [picture, clip],
  );
  const refused = page.problems.slice(before).filter((problem) => /frame/i.test(problem));
  return { ...seen, framed: refused.length === 0, problems: problems(page) };
}

const sites = [await serve(Number(port)), await serve(0)];
// The user's setting decides whether a site inside another one keeps its cookies; here it does.
const browser = await launch({ preferences: { profile: { cookie_controls_mode: 0 } } });
try {
  const picture = await make("tiny-image", "a red circle");
  const clip = await make("tiny-video", "красный круг");
  const withKey = (path) => `${path}?api_key=${key}`;
  const seen = {};

  const own = await browser.open();
  await own.goto(`${server}/health`);
  await newSession(own, server);
  seen.tab = await inTab(own, picture, clip);
  seen["tab by key"] = await inTab(await browser.open(), withKey(picture), withKey(clip));
  const framing = await browser.open({ context: own.context });
  await framing.goto(`${server}/health`);
  seen["own page"] = await inPage(framing, picture, clip);

  const allowed = await browser.open({ context: PROFILE });
  await allowed.goto(`${sites[0].url}/`);
  await newSession(allowed, server);
  seen["allowed site"] = await inPage(allowed, server + picture, server + clip);
  const stranger = await browser.open({ context: PROFILE });
  await stranger.goto(`${sites[1].url}/`);
  seen.stranger = await inPage(stranger, server + picture, server + clip);
  const keyed = await browser.open();
  await keyed.goto(`${sites[1].url}/`);
  seen["stranger by key"] = await inPage(keyed, server + withKey(picture), server + withKey(clip));

  seen.saved = {};
  await framing.goto(`${server}/health`);
  for (const [name, address] of Object.entries({ picture, clip })) {
    const saved = framing.download();
    await framing.evaluate((address) => {
      document.body.append(Object.assign(document.createElement("a"), { href: address, download: "" }));
      document.querySelector("a:last-of-type").click();
      document.querySelector("a:last-of-type").remove();
    }, address);
    seen.saved[name] = await saved;
  }
  console.log(JSON.stringify(seen));
} finally {
  await browser.close();
  for (const { site } of sites) {
    site.closeAllConnections();
    site.close();
  }
}
