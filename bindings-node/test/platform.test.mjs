// Opening, the catalog, listings, closing.

import assert from "node:assert/strict";
import { chmod, mkdir, readdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { MustError, Platform, errorCodes } from "must";
import { folder, platform, program, quick, rejects } from "./support.mjs";

test("the package is the same from import and from require", () => {
  const required = createRequire(import.meta.url)("must");
  assert.equal(required.Platform, Platform);
  assert.equal(required.MustError, MustError);
});

test("models are those of the catalog", async (t) => {
  const models = await (await platform(t)).models();
  const byId = new Map(models.map((model) => [model.id, model]));
  assert.deepEqual([...byId.keys()].sort(), ["anisora", "flux", "phr00t", "pony", "tiny-image", "tiny-video"]);
  const tiny = byId.get("tiny-video");
  assert.equal(tiny.available, true);
  assert.equal(tiny.type, "video");
  assert.deepEqual(tiny.modes, ["t2v", "i2v", "first_last_frame"]);
  assert.equal(tiny.parameters_schema.prompt.required, true);
  const pony = byId.get("pony");
  assert.equal(pony.available, false);
  assert.ok(pony.unavailable_reason && pony.user_action);
  assert.equal(byId.get("anisora").fixed_parameters.steps, 8);
});

test("every error code has a status, a user action and whether it is retryable", () => {
  assert.ok(Object.keys(errorCodes).length >= 31);
  for (const [name, { httpStatus, retryable, userAction }] of Object.entries(errorCodes)) {
    const error = new MustError(name, "something happened");
    assert.equal(error.name, "MustError");
    assert.equal(error.userAction, userAction);
    assert.equal(error.retryable, retryable);
    assert.equal(error.httpStatus, httpStatus);
    assert.ok(httpStatus >= 400 && httpStatus < 600);
  }
});

test("listings have pages, filters and orders", async (t) => {
  const opened = await platform(t);
  const tasks = [];
  for (const seed of [1, 2, 3]) tasks.push(await opened.submit({ ...quick, seed }));
  await Promise.all(tasks.map((task) => task.wait()));
  const first = await opened.tasks({ per_page: 2, sort: "oldest" });
  assert.deepEqual(
    first.items.map(({ id }) => id),
    tasks.slice(0, 2).map(({ id }) => id),
  );
  assert.deepEqual([first.total, first.page, first.per_page, first.has_more], [3, 1, 2, true]);
  const second = await opened.gallery({ per_page: 2, page: 2, sort: "oldest", model: "tiny-image", type: "image" });
  assert.deepEqual(
    second.items.map(({ id }) => id),
    [tasks[2].id],
  );
  assert.equal((await opened.tasks({ type: "video" })).total, 0);
  assert.equal((await opened.tasks({ status: "failed" })).total, 0);
  await rejects(opened.tasks({ model: "nothing" }), "validation_error", /nothing/);
  await rejects(opened.tasks({ per_page: 101 }), "validation_error", /per_page/);
  await rejects(opened.tasks({ per_page: NaN }), "validation_error", /per_page/);
  await rejects(opened.tasks({ unknown: 1 }), "validation_error", /unknown/);
  await rejects(opened.gallery({ status: "sleeping" }), "validation_error", /sleeping/);
  await rejects(opened.tasks("all"), "validation_error", /the query must be an object, not a string/);
});

test("unknown tasks are not found, by every call", async (t) => {
  const opened = await platform(t);
  const task = opened.task("00000000-0000-7000-8000-000000000000");
  await rejects(task.status(), "task_not_found");
  await rejects(task.wait(), "task_not_found");
  await rejects(task.cancel(), "task_not_found");
  await rejects(task.result(), "task_not_found");
  await rejects(task.preview(), "task_not_found");
  await rejects(task.save(join(await folder(t), "x.png")), "task_not_found");
  await rejects(task.events().next(), "task_not_found");
  await rejects(opened.delete(task.id), "task_not_found");
  assert.throws(() => opened.task(7), { code: "validation_error" });
  await rejects(opened.delete(undefined), "validation_error", /task id/);
});

test("settings are checked before anything is opened", async (t) => {
  const dataDir = join(await folder(t), "data");
  await rejects(Platform.open(), "validation_error", /the settings must be an object/);
  await rejects(Platform.open({}), "validation_error", /dataDir is required/);
  await rejects(Platform.open({ dataDir: "" }), "validation_error", /dataDir is required/);
  await rejects(Platform.open({ dataDir: 7 }), "validation_error", /dataDir must be a string/);
  await rejects(Platform.open({ dataDir: "a\0b" }), "validation_error", /dataDir must be a string of valid Unicode without NUL/);
  await rejects(Platform.open({ dataDir, data_dir: dataDir }), "validation_error", /no setting data_dir/);
  await rejects(Platform.open({ dataDir, threads: 1.5 }), "validation_error", /threads must be a whole number/);
  await rejects(Platform.open({ dataDir, queueWaitSeconds: NaN }), "validation_error", /queueWaitSeconds must be a number of seconds/);
  await rejects(Platform.open({ dataDir, lanes: "tiny-image" }), "validation_error", /lanes must be an array of strings/);
  await rejects(Platform.open({ dataDir, lanes: ["nothing"] }), "validation_error", /nothing/);
  await rejects(Platform.open({ dataDir, device: "abacus" }), "validation_error", /abacus/);
  await rejects(Platform.open({ dataDir, catalog: join(dataDir, "none.json") }), "validation_error", /none\.json/);
  await (await Platform.open({ dataDir, device: "cpu", lanes: ["tiny-image"], queueDepth: 3, queueWaitSeconds: 0.05, threads: 1 })).close();
});

test("a refused setting is named, without a position in the generated JSON", async (t) => {
  const dataDir = join(await folder(t), "data");
  const error = await rejects(Platform.open({ dataDir, device: "abacus" }), "validation_error", /device: unknown variant/);
  assert.doesNotMatch(error.detail, /line|column/);
  await rejects(Platform.open({ dataDir, logLevel: "loud" }), "validation_error", /log_level: unknown variant `loud`/);
  await rejects(Platform.open({ dataDir, log: "loud" }), "validation_error", /log must be a function, not a string/);
});

test("load gives the state of the lanes", async (t) => {
  const opened = await platform(t, { lanes: ["tiny-video"] });
  await (await opened.submit(quick)).wait();
  const { lanes, waiting } = await opened.load();
  assert.equal(waiting, 0);
  assert.deepEqual(
    lanes.map(({ model }) => model),
    ["tiny-video", null],
  );
  const { loaded, hits, misses, loads, evictions, memory_bytes } = lanes[1];
  assert.deepEqual({ loaded, hits, misses, loads, evictions }, { loaded: ["tiny-image"], hits: 0, misses: 1, loads: 1, evictions: 0 });
  assert.ok(memory_bytes > 1_000_000);
  const paused = await platform(t, { paused: true });
  await paused.submit(quick);
  assert.equal((await paused.load()).waiting, 1);
});

test("a paused platform accepts tasks and runs none", async (t) => {
  const opened = await platform(t, { paused: true });
  const task = await opened.submit(quick);
  assert.equal((await task.wait({ timeoutSeconds: 0.3 })).status, "pending");
  await rejects(Platform.open({ dataDir: "x", paused: "yes" }), "validation_error", /paused must be true or false/);
});

test("closing is idempotent and ends open calls", async (t) => {
  const dataDir = await folder(t);
  const opened = await Platform.open({ dataDir, device: "cpu" });
  const task = await opened.submit({ model: "tiny-video", prompt: "a red circle", steps: 50 });
  const waiting = rejects(task.wait(), "invalid_state");
  const following = rejects(
    (async () => {
      for await (const state of task) assert.ok(state);
    })(),
    "invalid_state",
  );
  await Promise.all([opened.close({ deadlineSeconds: 20 }), opened.close()]);
  await Promise.all([waiting, following]);
  await opened.close();
  await rejects(opened.models(), "invalid_state", /closed/);
  await rejects(opened.submit(quick), "invalid_state", /closed/);
  await rejects(task.status(), "invalid_state", /closed/);
  await rejects(opened.close({ deadlineSeconds: -1 }), "validation_error", /deadlineSeconds/);
  const again = await Platform.open({ dataDir, device: "cpu" });
  await again.task(task.id).cancel();
  await again[Symbol.asyncDispose]();
});

test("a folder can only be opened once at a time", async (t) => {
  const dataDir = await folder(t);
  const opened = await Platform.open({ dataDir, device: "cpu" });
  await rejects(Platform.open({ dataDir, device: "cpu" }), "data_dir_locked");
  const { code, stdout, stderr } = await program("open.mjs", [dataDir]);
  assert.equal(code, 0, stderr);
  const answer = JSON.parse(stdout);
  assert.equal(answer.code, "data_dir_locked");
  assert.ok(answer.detail && answer.userAction);
  await opened.close();
  assert.deepEqual(JSON.parse((await program("open.mjs", [dataDir])).stdout), { opened: true });
});

test("a read-only folder is reported", async (t) => {
  const dataDir = join(await folder(t), "data");
  await mkdir(dataDir, { mode: 0o555 });
  await chmod(dirname(dataDir), 0o755);
  const { code, stdout, stderr } = await program("open.mjs", [dataDir, "as-nobody"]);
  assert.equal(code, 0, stderr);
  const answer = JSON.parse(stdout);
  assert.equal(answer.code, "dependency_unavailable");
  assert.ok(answer.detail.includes(dataDir), answer.detail);
  assert.match(answer.userAction, /write/);
  assert.deepEqual(await readdir(dataDir), []);
});

test("a folder that cannot be created is reported", async (t) => {
  const file = join(await folder(t), "file");
  await writeFile(file, "not a folder");
  await rejects(Platform.open({ dataDir: file }), "dependency_unavailable");
  await rejects(Platform.open({ dataDir: join(file, "below") }), "dependency_unavailable");
  await rejects(Platform.open({ dataDir: "/proc/must" }), "dependency_unavailable");
});
