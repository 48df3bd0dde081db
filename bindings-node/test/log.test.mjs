// What a platform logs, and that log functions do no harm.

import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { folder, platform, program, quick } from "./support.mjs";

const long = "a red circle ".repeat(40);

/** Waits until `found` gives something. */
async function until(found) {
  for (let n = 0; n < 200; n++) {
    const value = found();
    if (value) return value;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  assert.fail("nothing came");
}

test("a cut prompt is a warning; lanes log at debug", async (t) => {
  const records = [];
  const opened = await platform(t, { log: (record) => records.push(record), logLevel: "debug" });
  const task = await opened.submit({ ...quick, prompt: long });
  await task.wait();
  const cut = await until(() => records.find(({ level }) => level === "warn"));
  assert.equal(cut.fields.task, task.id);
  assert.equal(cut.fields.kept, 16);
  assert.ok(cut.fields.tokens > 100 && cut.message.length > 8 && cut.target.startsWith("must"), JSON.stringify(cut));
  assert.ok(Math.abs(Date.now() - Date.parse(cut.time)) < 600_000);
  assert.ok(records.some(({ fields }) => fields.event === "loaded"));
  assert.ok(!JSON.stringify(records).includes("circle"), "no prompt is logged");
});

test("the level is info by default, and a failed task is a warning", async (t) => {
  const records = [];
  const opened = await platform(t, { log: (record) => records.push(record), imageLimitSeconds: 0 });
  const task = await opened.submit(quick);
  await assert.rejects(task.wait(), { code: "task_timeout" });
  const [record] = await until(() => records.length > 0 && records);
  assert.deepEqual([record.level, record.fields.code, record.fields.task], ["warn", "task_timeout", task.id]);
  assert.ok(records.every(({ level }) => level !== "debug"));
});

test("a log function that throws becomes a warning of the process", async (t) => {
  const warned = once(process, "warning");
  const opened = await platform(t, {
    imageLimitSeconds: 0,
    log: () => {
      throw new Error("on purpose");
    },
  });
  await assert.rejects((await opened.submit(quick)).wait(), { code: "task_timeout" });
  const [warning] = await warned;
  assert.equal(warning.name, "MustWarning");
  assert.match(warning.message, /on purpose/);
});

test("a log function does not keep the process alive, however it ends", async (t) => {
  for (const [end, expected] of Object.entries({ idle: 0, exit: 3, throw: 1, worker: 4 })) {
    const { code, signal, stderr } = await program("end.mjs", [join(await folder(t), "data"), end, "log"]);
    assert.deepEqual({ end, code, signal }, { end, code: expected, signal: null }, stderr);
  }
});
