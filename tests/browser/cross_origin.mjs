// A page of another origin calls a server, in headless Chromium. All calls work if the origin is allowed, and none otherwise.
//
//   node cross_origin.mjs SERVER_URL ALLOWED_PORT
//
// The server allows http://127.0.0.1:ALLOWED_PORT. The page that is not allowed is at http://localhost:PORT, which is another site. Prints
// the results of both pages as one line of JSON.

import { report } from "./chromium.mjs";

const [server, port] = process.argv.slice(2);

// Each step records its result or its error. The error of a blocked call only says that it failed.
const page = (steps) => `<!doctype html><meta charset="utf-8"><script type="module">
const server = ${JSON.stringify(server)};
const seen = {};
const ask = (path, options = {}) => fetch(server + path, { credentials: "include", ...options });
const json = (value) => ({ method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value) });
const step = async (name, work) => {
  try { seen[name] = await work(); } catch (reason) { seen[name] = "failed: " + reason.name; }
};
const event = (target, good, bad) => new Promise((resolve, reject) => {
  target.addEventListener(good, () => resolve(target));
  target.addEventListener(bad, () => reject(new DOMException("refused", "NotAllowedError")));
});
const follow = (task) => new Promise((resolve, reject) => {
  const source = new EventSource(server + "/events/" + task, { withCredentials: true });
  source.addEventListener("status", ({ data }) => {
    const state = JSON.parse(data);
    if (["done", "failed"].includes(state.status)) { source.close(); resolve(state.status); }
  });
  source.onerror = () => { source.close(); reject(new DOMException("refused", "NotAllowedError")); };
});
const shown = (kind, path, cross) => {
  const element = document.createElement(kind);
  if (cross) element.crossOrigin = "use-credentials";
  const loaded = event(element, kind === "img" ? "load" : "loadeddata", "error");
  element.src = server + path;
  return loaded;
};
const make = async (model) => (await (await ask("/generate", json({ model, prompt: "a red circle moving left", seed: 1 }))).json()).task_id;
${steps}
await fetch("/result", { method: "POST", body: JSON.stringify(seen) });
</script>`;

const allowed = page(`
await step("session", async () => (await ask("/auth/session", { method: "POST" })).status);
await step("models", async () => (await (await ask("/models")).json()).models.length);
await step("wrong", async () => (await (await ask("/status/nothing")).json()).code);
let picture, clip;
await step("submitted", async () => { picture = await make("tiny-image"); clip = await make("tiny-video"); return typeof clip; });
await step("followed", async () => [await follow(picture), await follow(clip)].join());
await step("status", async () => (await (await ask("/status/" + picture)).json()).progress);
await step("image", async () => (await shown("img", "/results/" + picture, true)).naturalWidth);
await step("pixel", async () => {
  const image = await shown("img", "/results/" + picture, true);
  const context = Object.assign(document.createElement("canvas"), { width: 64, height: 64 }).getContext("2d");
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, 1, 1).data.length;
});
await step("video", async () => {
  const video = await shown("video", "/results/" + clip, true);
  const sought = event(video, "seeked", "error");
  video.currentTime = video.duration / 2;
  await sought;
  return video.currentTime > 0.3;
});
await step("part", async () => (await ask("/results/" + clip, { headers: { Range: "bytes=0-9" } })).status);
await step("deleted", async () => (await ask("/gallery/" + picture, { method: "DELETE" })).status);
await step("signed out", async () => (await ask("/auth/session", { method: "DELETE" })).status);
await step("after", async () => (await ask("/models")).status);
seen.clip = clip;
`);

const seen = await report(allowed, { port: Number(port) });
const stranger = page(`
await step("health", async () => (await ask("/health")).status);
await step("session", async () => (await ask("/auth/session", { method: "POST" })).status);
await step("models", async () => (await ask("/models")).status);
await step("submitted", async () => make("tiny-image"));
await step("simple", async () => (await ask("/generate", {
  method: "POST", mode: "no-cors", headers: { "Content-Type": "text/plain" }, body: '{"model": "tiny-image", "prompt": "a red circle"}',
})).type);
await step("followed", async () => follow(${JSON.stringify(seen.clip)}));
await step("image", async () => (await shown("img", "/preview/" + ${JSON.stringify(seen.clip)}, true)).naturalWidth);
await step("plain image", async () => (await shown("img", "/preview/" + ${JSON.stringify(seen.clip)}, false)).naturalWidth);
await step("admin", async () => (await ask("/admin/session", { method: "POST", headers: { "X-Admin-Key": "guess" } })).status);
`);
console.log(JSON.stringify({ allowed: seen, stranger: await report(stranger, { host: "localhost" }) }));
