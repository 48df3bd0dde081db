// Makes every call a thousand times, and repeats that until the process stops growing. Prints the last growth.

import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Platform } from "must";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc");
const resident = async () => {
  for (let n = 0; n < 4; n++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))[1]) * 1024;
};

const platform = await Platform.open({ dataDir: process.argv[2], device: "cpu" });
const task = await platform.submit({ model: "tiny-image", prompt: "a red circle", steps: 4 });
await task.wait();
const picture = Buffer.alloc(1 << 20);
const round = async () => {
  await Promise.all([
    task.status(),
    task.wait(),
    task.result(),
    task.preview(),
    task.cancel(),
    platform.tasks(),
    platform.gallery(),
    platform.models(),
  ]);
  for await (const state of task) if (!state) break;
  await platform.submit({ model: "tiny-image", prompt: " " }).catch(() => {});
  await platform.submit({ model: "tiny-image", prompt: "x", mode: "img2img", reference_image: picture }).catch(() => {});
};

// Memory that is kept for reuse (V8's heap, memory of the pool's threads, SQLite's caches) reaches its full size in the first
// thousands of rounds. A leak continues for ever.
let before = await resident();
let grown = Infinity;
let thousands = 0;
for (; grown >= 1e6 && thousands < 12; thousands++) {
  for (let n = 0; n < 1000; n++) await round();
  const now = await resident();
  grown = now - before;
  before = now;
}
await platform.close();
console.log(JSON.stringify({ grown, thousands }));
