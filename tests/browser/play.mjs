// Plays clips in headless Chromium and fails unless each one decodes, runs to its end and shows the right colours.
//
//   node play.mjs clip.mp4 clip.webm ...
//
// The clips are those of `cargo test -p must --test media_external -- --ignored samples`: 64x64, 17 frames at 16 a second,
// a red disc on a light background. Needs only Node and Chromium (`chromium`, or the program in CHROMIUM).

import { readFileSync } from "node:fs";
import { extname } from "node:path";
import { report } from "./chromium.mjs";

const types = { ".mp4": "video/mp4", ".webm": "video/webm" };

const page = `<!doctype html><meta charset="utf-8"><video muted playsinline src="/clip"></video>
<script>
const video = document.querySelector("video");
const finish = (value) => fetch("/result", { method: "POST", body: JSON.stringify(value) });
const next = () => new Promise(requestAnimationFrame);
// The colours of the first frame. loadeddata may come before the frame can be drawn: the canvas then stays transparent.
const first = async () => {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const pixel = (x, y) => [...context.getImageData(x, y, 1, 1).data];
  for (;;) {
    context.drawImage(video, 0, 0);
    const colours = { disc: pixel(16, 32), ground: pixel(60, 4) };
    if (colours.disc[3] === 255) return colours;
    await next();
  }
};
video.onerror = () => finish({ error: video.error.message || "code " + video.error.code });
let colours;
video.onloadeddata = async () => {
  try {
    colours = await first();
    await video.play();
  } catch (reason) {
    finish({ error: String(reason) });
  }
};
video.onended = () => finish({
  width: video.videoWidth, height: video.videoHeight, duration: video.duration, time: video.currentTime, ...colours,
});
</script>`;

const play = (file) => report(page, { files: { "/clip": { type: types[extname(file)], bytes: readFileSync(file) } } });

const near = (a, b, by) => a.every((value, index) => Math.abs(value - b[index]) <= by);
const files = process.argv.slice(2);
if (files.length === 0) throw new Error("name at least one clip");
let failed = false;
for (const file of files) {
  const seen = await play(file);
  const wrong = [];
  if (seen.error) wrong.push(seen.error);
  else {
    if (seen.width !== 64 || seen.height !== 64) wrong.push("size");
    if (Math.abs(seen.duration - 17 / 16) > 0.002) wrong.push("duration");
    if (seen.time < 1) wrong.push("did not run to its end");
    if (!near(seen.disc, [220, 40, 40, 255], 6)) wrong.push("colour of the disc");
    if (!near(seen.ground, [240, 240, 235, 255], 6)) wrong.push("colour of the ground");
  }
  console.log(`${wrong.length ? "FAIL" : "ok"} ${file} ${JSON.stringify(seen)} ${wrong.join(", ")}`);
  failed ||= wrong.length > 0;
}
process.exit(failed ? 1 : 0);
