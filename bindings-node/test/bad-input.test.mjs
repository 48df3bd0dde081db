// Requests that must be refused: each with its code and an action for the reader, and without a stored task.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Platform } from "must";
import { bomb, dataUri, png, quick, rejects } from "./support.mjs";

const video = { model: "tiny-video", prompt: "a red circle" };
const anisora = { model: "anisora", prompt: "a red circle" };
const i2i = { ...quick, mode: "img2img" };
const cyclic = { ...quick };
cyclic.itself = cyclic;
const jpegHeader = Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16, 0x4a, 0x46, 0x49, 0x46, 0, 1]);

const refused = {
  "a blank prompt": [{ ...quick, prompt: " \t\n" }, /prompt must not be blank/],
  "no prompt": [{ model: "tiny-image" }, /prompt is required/],
  "2001 characters": [{ ...quick, prompt: "é".repeat(2001) }, /2000 characters.*2001/],
  "an unknown model": [{ ...quick, model: "imaginary" }, /imaginary/],
  "no model": [{ prompt: "a red circle" }, /model is required/],
  "a model that is no string": [{ ...quick, model: 7 }, /model must be a string/],
  "an unknown mode": [{ ...quick, mode: "t2v" }, /mode.*t2v/],
  "a mode that is no string": [{ ...quick, mode: 1 }, /mode must be a string/],
  "an unknown parameter": [{ ...quick, colour: "red" }, /colour/],
  "another spelling of a parameter": [{ ...i2i, referenceImage: png() }, /referenceImage/],
  "a wrong type": [{ ...quick, steps: "many" }, /steps must be a whole number, not a string/],
  "a prompt that is no string": [{ ...quick, prompt: 7 }, /prompt must be a string/],
  "a fraction for a whole number": [{ ...quick, steps: 4.5 }, /steps must be a whole number/],
  NaN: [{ ...quick, guidance_scale: NaN }, /guidance_scale must be a finite number, not NaN/],
  Infinity: [{ ...quick, guidance_scale: -Infinity }, /guidance_scale must be a finite number, not -Infinity/],
  "a function": [{ ...quick, steps: () => 4 }, /steps must be a JSON value or an image, not a function/],
  "a BigInt": [{ ...quick, seed: 7n }, /seed must be a JSON value or an image, not a bigint/],
  "a symbol": [{ ...quick, seed: Symbol("7") }, /seed must be a JSON value or an image, not a symbol/],
  "a date": [{ ...quick, seed: new Date() }, /seed must be a JSON value or an image, not an instance of Date/],
  "floats for bytes": [{ ...i2i, reference_image: new Float32Array(8) }, /not an instance of Float32Array/],
  "an object in itself": [cyclic, /nested too deeply/],
  "half a character": [{ ...quick, prompt: "a red \ud83d circle" }, /prompt.*surrogate/],
  "a value out of bounds": [{ ...quick, steps: 1000 }, /steps must be from 4 to 50, and is 1000/],
  "a width off the step": [{ ...anisora, width: 700 }, /width must be .* in steps of 64, and is 700/],
  "a locked value changed": [{ ...anisora, steps: 9 }, /steps is fixed at 8/],
  "a value that is not one of the choices": [{ ...quick, output_format: "gif" }, /output_format must be one of png, jpeg, webp/],
  "a missing required image": [i2i, /reference_image is required/],
  "one of two images missing": [{ ...video, mode: "first_last_frame", first_frame_image: png() }, /last_frame_image is required/],
  "an image in a mode without one": [{ ...quick, reference_image: png() }, /reference_image does not apply/],
  "no bytes": [{ ...i2i, reference_image: Buffer.alloc(0) }, /reference_image/],
  "bytes that are no image": [{ ...i2i, reference_image: Buffer.from("<svg xmlns='http://www.w3.org/2000/svg'/>") }, /reference_image/],
  "a number for an image": [{ ...i2i, reference_image: 7 }, /reference_image must be an image/],
  "text for an image": [{ ...i2i, reference_image: "picture.png" }, /reference_image/],
  "a data URI that lies about its format": [{ ...i2i, reference_image: dataUri(png(), "image/jpeg") }, /reference_image/],
  "a data URI of another kind": [{ ...i2i, reference_image: "data:text/html;base64,PGI+" }, /reference_image/],
  "a data URI with broken base64": [{ ...i2i, reference_image: "data:image/png;base64,@@@" }, /reference_image/],
  "an image that only begins like one": [{ ...i2i, reference_image: jpegHeader }, /reference_image/],
  "an image cut short": [{ ...i2i, reference_image: png().subarray(0, 60) }, /reference_image/],
  "a frame that is out of the clip": [
    { ...anisora, mode: "arbitrary_frame", arbitrary_frames: [{ frame_index: 90, image: png() }] },
    /arbitrary_frames\[0\]\.frame_index/,
  ],
  "a frame without its image": [
    { ...anisora, mode: "arbitrary_frame", arbitrary_frames: [{ frame_index: 0 }] },
    /arbitrary_frames\[0\]\.image/,
  ],
};

let dataDir;
let opened;
before(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "must-node-"));
  opened = await Platform.open({ dataDir, device: "cpu" });
});
after(async () => {
  await opened.close();
  await rm(dataDir, { recursive: true, force: true });
});

for (const [name, [request, pattern]] of Object.entries(refused)) {
  test(`${name} is refused`, async () => {
    await rejects(opened.submit(request), "validation_error", pattern);
    assert.equal((await opened.tasks()).total, 0);
  });
}

for (const [name, request] of Object.entries({ undefined: undefined, null: null, text: "a red circle", list: [quick], map: new Map() })) {
  test(`a request that is ${name} is refused`, async () => {
    await rejects(opened.submit(request), "validation_error", /the request must be an object/);
  });
}

for (const [form, image] of Object.entries({ bytes: bomb(), "a data URI": dataUri(bomb()) })) {
  test(`a decompression bomb as ${form} is refused, without the memory for it`, async () => {
    const before = process.memoryUsage().rss;
    await rejects(opened.submit({ ...i2i, reference_image: image }), "validation_error", /reference_image.*50000x50000/);
    assert.ok(process.memoryUsage().rss - before < 200e6);
    assert.equal((await opened.tasks()).total, 0);
  });
}

test("an image of too many bytes is refused", async () => {
  const padded = Buffer.concat([png(), Buffer.alloc(64 << 20)]);
  await rejects(opened.submit({ ...i2i, reference_image: padded }), "payload_too_large");
  assert.equal((await opened.tasks()).total, 0);
});

test("a model without weights is refused, and the error says which files to put where", async () => {
  const error = await rejects(opened.submit({ model: "pony", prompt: "a red circle" }), "model_unavailable", /pony/i);
  assert.match(error.userAction, /pony/);
  assert.equal((await opened.tasks()).total, 0);
});
