// From a request to bytes, and every call of a task.

import assert from "node:assert/strict";
import { readFile, readdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { test } from "node:test";
import { dataUri, folder, long, platform, png, quick, rejects } from "./support.mjs";

const fields = [
  "id",
  "workspace",
  "owner",
  "model",
  "type",
  "mode",
  "prompt",
  "negative_prompt",
  "parameters",
  "seed",
  "width",
  "height",
  "status",
  "progress",
  "stage",
  "stage_detail",
  "result_path",
  "preview_path",
  "error",
  "created_at",
  "updated_at",
  "started_at",
  "finished_at",
];

test("a picture: every call of a task", async (t) => {
  const opened = await platform(t);
  const task = await opened.submit(quick);
  const done = await task.wait();
  assert.deepEqual(Object.keys(done).sort(), [...fields].sort());
  assert.equal(done.status, "done");
  assert.equal(done.progress, 100);
  assert.equal(done.seed, 7);
  assert.equal(done.error, null);
  assert.equal(done.parameters.steps, 4);
  assert.ok(Date.parse(done.finished_at) >= Date.parse(done.created_at));
  assert.deepEqual(await task.status(), done);
  assert.deepEqual(await opened.task(task.id).wait({ timeoutSeconds: 0 }), done);

  const result = await task.result();
  assert.ok(Buffer.isBuffer(result));
  assert.equal(result.subarray(1, 4).toString("latin1"), "PNG");
  const preview = await task.preview();
  assert.deepEqual([...preview.subarray(0, 3)], [0xff, 0xd8, 0xff]);

  const out = await folder(t);
  await writeFile(join(out, "picture.png"), "old");
  await task.save(join(out, "picture.png"));
  assert.deepEqual(await readFile(join(out, "picture.png")), result);
  assert.deepEqual(await readdir(out), ["picture.png"]);
  const own = await task.save(out);
  assert.match(basename(own), new RegExp(`^tiny-image-${done.seed}-[\\p{L}\\d-]+-[0-9a-f]{8}\\.png$`, "u"));
  assert.deepEqual(await readFile(own), result);
  assert.deepEqual((await readdir(out)).sort(), ["picture.png", basename(own)].sort());
  await rejects(task.save(join(out, "missing", "picture.png")), "dependency_unavailable");
  await rejects(task.save(undefined), "validation_error", /path must be a string/);

  assert.equal(await task.cancel(), false);
  const gallery = await opened.gallery();
  assert.deepEqual(gallery.items, [done]);
  await opened.delete(task.id);
  assert.equal((await opened.gallery()).total, 0);
  await rejects(task.status(), "task_not_found");
});

test("a clip: its states come in order and end with the last", async (t) => {
  const opened = await platform(t);
  const task = await opened.submit(long);
  const states = [];
  for await (const state of task) states.push(state);
  assert.equal(states.at(-1).status, "done");
  assert.ok(states.slice(0, -1).every(({ status }) => status === "pending" || status === "processing"));
  assert.ok(states.every(({ progress }, n) => n === 0 || progress >= states[n - 1].progress));
  assert.ok(
    states.some(({ stage }) => stage === "denoising"),
    JSON.stringify(states.map(({ stage }) => stage)),
  );
  assert.equal((await task.result()).subarray(4, 8).toString("latin1"), "ftyp");
  const again = [];
  for await (const state of task) again.push(state.status);
  assert.deepEqual(again, ["done"]);
});

test("following can stop early, and the task continues", async (t) => {
  const opened = await platform(t);
  const task = await opened.submit(long);
  for await (const state of task) if (state.status === "processing") break;
  const stop = new AbortController();
  const reason = new Error("enough");
  await assert.rejects(
    (async () => {
      for await (const state of task.events({ signal: stop.signal })) if (state) stop.abort(reason);
    })(),
    reason,
  );
  assert.equal((await task.wait()).status, "done");
});

test("the same seed gives the same bytes, another seed does not", async (t) => {
  const opened = await platform(t);
  const [first, same, other] = await Promise.all(
    [7, 7, 8].map(async (seed) => {
      const task = await opened.submit({ ...quick, seed });
      await task.wait();
      return task.result();
    }),
  );
  assert.ok(first.equals(same));
  assert.ok(!first.equals(other));
});

test("a seed that is left out is random, and the state has it", async (t) => {
  const opened = await platform(t);
  const { seed: _, ...request } = quick;
  const task = await opened.submit(request);
  const { seed } = await task.status();
  assert.ok(Number.isInteger(seed) && seed >= 0);
  await task.wait();
});

test("an image may be a Buffer, other bytes, or a data URI", async (t) => {
  const opened = await platform(t);
  const picture = png();
  const shared = new Uint8Array(new SharedArrayBuffer(picture.length));
  shared.set(picture);
  const view = new Uint8Array(picture.length + 8).subarray(5, 5 + picture.length);
  view.set(picture);
  const forms = [picture, view, shared, Uint8Array.from(picture).buffer, dataUri(picture)];
  const results = await Promise.all(
    forms.map(async (reference_image) => {
      const task = await opened.submit({ ...quick, mode: "img2img", reference_image });
      assert.equal(typeof (await task.status()).parameters, "object");
      await task.wait();
      return task.result();
    }),
  );
  assert.ok(results.every((result) => result.equals(results[0])));
});

test("the bytes of a request may be reused at once", async (t) => {
  const opened = await platform(t);
  const picture = png();
  const submitted = opened.submit({ ...quick, mode: "img2img", reference_image: picture });
  picture.fill(0);
  assert.equal((await (await submitted).wait()).status, "done");
});

test("a clip between two frames", async (t) => {
  const opened = await platform(t);
  const frames = { first_frame_image: png(), last_frame_image: dataUri(png({ colour: [0, 0, 200] })) };
  const task = await opened.submit({ ...long, steps: 4, num_frames: 5, mode: "first_last_frame", ...frames });
  assert.equal((await task.wait()).status, "done");
});
