// The pictures of tests/golden/pictures: those that the table calls readable are accepted, and the others are refused with their fault.

import assert from "node:assert/strict";
import { test } from "node:test";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { packageFolder, platform, quick, rejects } from "./support.mjs";

const pictures = join(dirname(packageFolder), "tests", "golden", "pictures");
const table = (await readFile(join(pictures, "table.tsv"), "utf8"))
  .trim()
  .split("\n")
  .map((line) => line.split("\t"));
const request = async (name) => ({ ...quick, mode: "img2img", reference_image: await readFile(join(pictures, name)) });

test("a picture is accepted, or refused with its fault", async (t) => {
  const paused = await platform(t, { paused: true, queueDepth: 1000 });
  assert.ok(table.length > 100);
  for (const [name, verdict, words] of table) {
    if (verdict === "read") {
      assert.equal((await (await paused.submit(await request(name))).status()).status, "pending", name);
    } else {
      const error = await rejects(paused.submit(await request(name)), "validation_error");
      assert.ok(error.detail.startsWith("reference_image: ") && error.detail.includes(words), `${name}: ${error.detail}`);
    }
  }
});

test("pictures that look the same give the same result", async (t) => {
  const opened = await platform(t);
  const made = [];
  for (const name of ["palette-alpha-4-bit.png", "palette-alpha.png"]) {
    const task = await opened.submit(await request(name));
    await task.wait();
    made.push(await task.result());
  }
  assert.deepEqual(made[0], made[1]);
});
