// Many calls: memory that does not grow, threads that do not multiply.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Platform } from "must";
import { folder, long, platform, program, quick } from "./support.mjs";

test("1,000 waits do not need 1,000 threads", { skip: process.platform !== "linux" }, async (t) => {
  const opened = await platform(t);
  const task = await opened.submit(long);
  await task.status();
  const threads = () => Number(/^Threads:\s+(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))[1]);
  const before = threads();
  const waits = Array.from({ length: 1000 }, () => task.wait().catch((error) => error.code));
  await opened.models();
  const during = threads();
  assert.ok(during - before <= 32, `${before} threads became ${during}`);
  await task.cancel();
  assert.deepEqual(new Set(await Promise.all(waits)), new Set(["cancelled"]));
});

test("thousands of calls of each kind do not grow the process", { skip: process.platform !== "linux" }, async (t) => {
  const { code, stdout, stderr } = await program("memory.mjs", [await folder(t)], { timeoutMs: 300_000 });
  assert.equal(code, 0, stderr);
  const { grown, thousands } = JSON.parse(stdout);
  assert.ok(grown < 1e6, `${grown} bytes in the last thousand of ${thousands} thousand`);
});

test("closed platforms leave no handles behind", async (t) => {
  const dataDir = await folder(t);
  const handles = () => process.getActiveResourcesInfo().length;
  const cycle = async () => (await Platform.open({ dataDir, device: "cpu" })).close();
  await cycle();
  const before = handles();
  for (let n = 0; n < 20; n++) await cycle();
  assert.ok(handles() <= before, process.getActiveResourcesInfo().join());
});

test("many requests at once all end well", async (t) => {
  const opened = await platform(t, { queueDepth: 100 });
  const tasks = await Promise.all(Array.from({ length: 30 }, (_, seed) => opened.submit({ ...quick, seed })));
  assert.equal(new Set(tasks.map(({ id }) => id)).size, 30);
  const states = await Promise.all(tasks.map((task) => task.wait()));
  assert.ok(states.every(({ status }) => status === "done"));
});
