// Fills the small file system of the data folder, submits, frees space and submits again.

import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { Platform } from "must";

const dataDir = process.argv[2];
const platform = await Platform.open({ dataDir, device: "cpu" });
const request = { model: "tiny-image", prompt: "a red circle", steps: 4 };
const rows = { before: (await platform.tasks()).total };

const ballast = openSync(join(dataDir, "ballast"), "w");
try {
  for (;;) writeSync(ballast, Buffer.alloc(4096));
} catch (error) {
  if (error.code !== "ENOSPC") throw error;
}
closeSync(ballast);

let refused;
const accepted = [];
for (let n = 0; n < 50 && !refused; n++) {
  try {
    accepted.push(await platform.submit({ ...request, prompt: "x".repeat(2000) }));
  } catch ({ code, detail, userAction }) {
    refused = { code, detail, userAction };
  }
}
rows.after = (await platform.tasks()).total - accepted.length;
rmSync(join(dataDir, "ballast"));
const later = await (await platform.submit(request)).wait();
await platform.close();
console.log(JSON.stringify({ refused, rows, later: later.status }));
