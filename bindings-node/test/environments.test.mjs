// Worker threads, and the ways in which a process can end.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { Platform } from "must";
import { folder, program } from "./support.mjs";

test("50 worker threads load, generate and are terminated", async (t) => {
  const { code, signal, stdout, stderr } = await program("workers.mjs", [await folder(t), "50"], { timeoutMs: 400_000 });
  assert.deepEqual({ code, signal }, { code: 7, signal: null }, stderr);
  assert.match(stdout, /50 workers/);
});

for (const [end, expected] of Object.entries({ exit: 3, throw: 1, reject: 1, idle: 0, worker: 4 })) {
  test(`a process that ends by "${end}" with a task running keeps its exit code, and loses no task`, async (t) => {
    const dataDir = join(await folder(t), "data");
    const { code, signal, stdout, stderr } = await program("end.mjs", [dataDir, end]);
    assert.deepEqual({ code, signal }, { code: expected, signal: null }, stderr);
    const opened = await Platform.open({ dataDir, device: "cpu" });
    try {
      const task = opened.task(stdout.trim());
      const { status } = await task.status();
      assert.ok(status === "pending" || status === "processing", status);
      await task.cancel();
    } finally {
      await opened.close();
    }
  });
}

test("a killed process loses no task", async (t) => {
  const dataDir = join(await folder(t), "data");
  const { signal, stdout } = await program("end.mjs", [dataDir, "kill"]);
  assert.equal(signal, "SIGKILL");
  const opened = await Platform.open({ dataDir, device: "cpu" });
  const task = opened.task(stdout.trim());
  assert.ok(["pending", "processing"].includes((await task.status()).status));
  await task.cancel();
  await opened.close();
});

test("Ctrl-C ends a wait", async (t) => {
  const dataDir = join(await folder(t), "data");
  const { signal } = await program("end.mjs", [dataDir, "interrupt"], { timeoutMs: 30_000 });
  assert.equal(signal, "SIGINT");
});
