// `pony` and `flux` from small files in real layouts, which the tests of the inference crate write into MUST_SMALL_MODELS.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { platform, png, rejects } from "./support.mjs";

const small = process.env.MUST_SMALL_MODELS;
const skip = small ? false : "MUST_SMALL_MODELS names no folder; tests/models/small.py says how to make one";
if (skip && process.env.MUST_REQUIRE_TOOLS) throw new Error(skip);

const prompt = "score_9, a (red:1.3) cat on a blue chair";
const own = { pony: { clip_skip: 3, sampler: "DPM++ SDE Karras", cfg_scale: 3 }, flux: { guidance_scale: 1.5, sampler: "flow-matching" } };

const open = (t) => platform(t, { catalog: join(small, "catalog.json"), modelsDir: small });

test("both models make pictures from text and from a picture, the same from the same seed", { skip }, async (t) => {
  const opened = await open(t);
  for (const model of Object.keys(own)) {
    const entry = (await opened.models()).find(({ id }) => id === model);
    assert.equal(entry.available, true, JSON.stringify(entry));
    const make = async (more = {}) => {
      const task = await opened.submit({ model, prompt, seed: 1, ...more });
      assert.equal((await task.wait()).status, "done", JSON.stringify(await task.status()));
      return task.result();
    };
    const picture = await make();
    assert.equal(picture.subarray(1, 4).toString("latin1"), "PNG");
    assert.deepEqual([picture.readUInt32BE(16), picture.readUInt32BE(20)], [64, 64]);
    assert.deepEqual(await make(), picture);
    for (const [name, value] of Object.entries(own[model])) assert.notDeepEqual(await make({ [name]: value }), picture, name);
    const wide = await make({ width: 96, height: 48 });
    assert.deepEqual([wide.readUInt32BE(16), wide.readUInt32BE(20)], [96, 48]);
    const changed = { mode: "img2img", reference_image: png({ width: 40, height: 40 }), denoising_strength: 0.4 };
    assert.notDeepEqual(await make(changed), await make({ ...changed, denoising_strength: 0.8 }));
  }
});

test("parameters and values that a model does not support are refused by name", { skip }, async (t) => {
  const opened = await open(t);
  await rejects(opened.submit({ model: "pony", prompt, clip_skip: 5 }), "validation_error", /clip_skip/);
  await rejects(opened.submit({ model: "flux", prompt, clip_skip: 2 }), "validation_error", /clip_skip/);
});
