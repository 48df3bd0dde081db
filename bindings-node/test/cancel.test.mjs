// Cancelling tasks, abandoning waits, and timeouts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { getEventListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { long, platform, quick, rejects } from "./support.mjs";

test("a cancelled task ends with its own error", async (t) => {
  const opened = await platform(t);
  const task = await opened.submit(long);
  for await (const state of task) if (state.status === "processing") break;
  await rejects(opened.delete(task.id), "invalid_state");
  await rejects(task.result(), "result_not_ready");
  assert.equal(await task.cancel(), true);
  await rejects(task.wait(), "cancelled");
  assert.equal(await task.cancel(), false);
  const state = await task.status();
  assert.equal(state.status, "failed");
  assert.equal(state.error.code, "cancelled");
  await rejects(task.result(), "result_gone");
  await opened.delete(task.id);
});

test("a signal given to submit cancels the task", async (t) => {
  const opened = await platform(t);
  const stop = new AbortController();
  const task = await opened.submit(long, { signal: stop.signal });
  const ended = rejects(task.wait(), "cancelled");
  stop.abort();
  await ended;
});

test("with an aborted signal no task is made", async (t) => {
  const opened = await platform(t);
  await assert.rejects(opened.submit(long, { signal: AbortSignal.abort() }), { name: "AbortError" });
  assert.equal((await opened.tasks()).total, 0);
});

test("a signal that is aborted while the task is made cancels it", async (t) => {
  const opened = await platform(t);
  const stop = new AbortController();
  const reason = new Error("changed my mind");
  const submitted = opened.submit(long, { signal: stop.signal });
  stop.abort(reason);
  await assert.rejects(submitted, reason);
  const { items } = await opened.tasks();
  assert.equal(items.length, 1);
  await rejects(opened.task(items[0].id).wait(), "cancelled");
});

test("the listener on a signal is removed when its task has ended", async (t) => {
  const opened = await platform(t);
  const { signal } = new AbortController();
  const tasks = [];
  for (let seed = 0; seed < 12; seed++) tasks.push(await opened.submit({ ...quick, seed }, { signal }));
  await Promise.all(tasks.map((task) => task.wait({ signal })));
  for (let tries = 0; tries < 200 && getEventListeners(signal, "abort").length > 0; tries++) await sleep(50);
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

test("abandoning a wait does not change the task", async (t) => {
  const opened = await platform(t);
  const task = await opened.submit(long);
  const stop = new AbortController();
  const reason = new Error("no more patience");
  const waiting = task.wait({ signal: stop.signal });
  stop.abort(reason);
  await assert.rejects(waiting, reason);
  await assert.rejects(task.wait({ signal: stop.signal }), reason);
  const state = await task.wait({ timeoutSeconds: 0.02 });
  assert.ok(["pending", "processing"].includes(state.status), state.status);
  for (const timeoutSeconds of [NaN, -1, "1"]) await rejects(task.wait({ timeoutSeconds }), "validation_error", /timeoutSeconds/);
  await task.cancel();
});

test("a full queue makes a submission wait, then refuses it, and blocks nothing else", async (t) => {
  const opened = await platform(t, { queueDepth: 1, queueWaitSeconds: 4, paused: true });
  const tasks = [await opened.submit(long), await opened.submit(long)];
  let ticks = 0;
  const ticking = setInterval(() => ticks++, 10);
  t.after(() => clearInterval(ticking));
  const began = performance.now();
  const refused = Array.from({ length: 400 }, () => rejects(opened.submit(long), "queue_overloaded"));
  assert.equal((await tasks[0].status()).id, tasks[0].id);
  assert.ok(performance.now() - began < 3000, "a read stood behind the submissions");
  // Meanwhile an invalid submission is refused at once, and valid ones wait at the same time, not one after another.
  await rejects(opened.submit({ ...long, prompt: "" }), "validation_error");
  assert.ok(performance.now() - began < 3900, "a refusal stood behind the submissions");
  await Promise.all(refused);
  assert.ok(performance.now() - began < 30_000, "submissions stood behind each other");
  assert.ok(ticks > 20, `the event loop came round ${ticks} times`);
  assert.equal((await opened.tasks()).total, 2);
  await Promise.all(tasks.map((task) => task.cancel()));
});
