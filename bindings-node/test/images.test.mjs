// Pictures in every supported form; everything else is a MustError.

import assert from "node:assert/strict";
import { createReadStream, openAsBlob } from "node:fs";
import { open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { runInNewContext } from "node:vm";
import { dataUri, folder, long, platform, png, quick, rejects } from "./support.mjs";

const picture = png();
const maxImageBytes = 20 * 1024 * 1024;
let opened;
let files;
let expected;
const cleanups = [];
before(async () => {
  const t = { after: (cleanup) => cleanups.unshift(cleanup) };
  opened = await platform(t);
  files = await folder(t);
  expected = await resultOf(picture);
});
after(async () => {
  for (const cleanup of cleanups) await cleanup();
});

async function resultOf(reference_image, options) {
  const task = await opened.submit({ ...quick, mode: "img2img", reference_image }, options);
  await task.wait();
  return task.result();
}

async function written(name) {
  const path = join(files, name);
  await writeFile(path, picture);
  return path;
}

function shared() {
  const bytes = new Uint8Array(new SharedArrayBuffer(picture.length));
  bytes.set(picture);
  return bytes;
}

/** The picture as bytes of another realm, as in jest and Electron. */
function foreign(expression) {
  return runInNewContext(`const bytes = Uint8Array.from(values); ${expression}`, { values: [...picture] });
}

async function* inPieces(size = 7) {
  for (let at = 0; at < picture.length; at += size) yield picture.subarray(at, at + size);
}

/** A stream that uses the same memory for every chunk. */
async function* inTheSameMemory() {
  const memory = Buffer.alloc(7);
  for await (const piece of inPieces()) {
    piece.copy(memory);
    yield memory.subarray(0, piece.length);
  }
}

class OtherBlob {
  get size() {
    return picture.length;
  }
  async arrayBuffer() {
    return Uint8Array.from(picture).buffer;
  }
}

/** A web stream without an iterator, like browsers' polyfills. */
class OtherStream {
  getReader() {
    const pieces = inPieces();
    return { read: () => pieces.next(), cancel: async () => {} };
  }
}

const forms = {
  "a Buffer": () => picture,
  "a Uint8Array": () => Uint8Array.from(picture),
  "a Uint8ClampedArray": () => Uint8ClampedArray.from(picture),
  "a DataView": () => viewOf(DataView),
  "an ArrayBuffer": () => Uint8Array.from(picture).buffer,
  "a SharedArrayBuffer": () => shared().buffer,
  "bytes in shared memory": shared,
  "a Uint8Array of another realm": () => foreign("bytes"),
  "an ArrayBuffer of another realm": () => foreign("bytes.buffer"),
  "a part of a buffer of another realm": () =>
    foreign("const all = new Uint8Array(bytes.length + 5); all.set(bytes, 2); all.subarray(2, 2 + bytes.length)"),
  "a data URI": () => dataUri(picture),
  "a path": () => written("ein Bild ü.png"),
  "a file: URL": async () => pathToFileURL(await written("url ü.png")),
  "a file: URL of another kind": async () => ({ href: String(pathToFileURL(await written("url.png"))), protocol: "file:" }),
  "a Blob": () => new Blob([picture.subarray(0, 50), picture.subarray(50)]),
  "a File": () => new (globalThis.File ?? Blob)([picture], "picture.png"),
  "a file as a Blob": async () => openAsBlob(await written("blob.png")),
  "a Blob of somebody else": () => new OtherBlob(),
  "a Response": () => new Response(picture),
  "a stream of a file": async () => createReadStream(await written("stream.png")),
  "a Readable": () => Readable.from([picture.subarray(0, 50), picture.subarray(50)]),
  "a PassThrough": () => Readable.from([picture]).pipe(new PassThrough()),
  "a stream of the web": () => new Blob([picture]).stream(),
  "a stream of the web of somebody else": () => new OtherStream(),
  "an async iterable": () => inPieces(),
  "an async iterable that uses its memory again": () => inTheSameMemory(),
  "an object that is iterated": () => ({ [Symbol.asyncIterator]: () => inPieces() }),
};

function viewOf(View) {
  const all = Buffer.concat([Buffer.alloc(3), picture, Buffer.alloc(3)]);
  return new View(all.buffer, all.byteOffset + 3, picture.length);
}

for (const [form, make] of Object.entries(forms)) {
  test(`a picture as ${form}`, async () => {
    assert.ok((await resultOf(await make())).equals(expected));
  });
}

test("an open file is read from its start and stays open", async () => {
  const file = await open(await written("open.png"));
  try {
    await file.read(Buffer.alloc(10), 0, 10);
    for (const _ of [1, 2]) assert.ok((await resultOf(file)).equals(expected));
    assert.equal((await file.stat()).size, picture.length);
  } finally {
    await file.close();
  }
});

test("frames of a list in every form", async () => {
  const arbitrary_frames = await Promise.all(Object.values(forms).map(async (make, frame_index) => ({ frame_index, image: await make() })));
  // The weights are missing, which is checked after the pictures.
  await rejects(opened.submit({ model: "anisora", prompt: "a circle", mode: "arbitrary_frame", arbitrary_frames }), "model_unavailable");
});

test("bytes beside a stream may be used again at once", async () => {
  const first = Buffer.from(picture);
  const submitted = opened.submit({
    ...long,
    steps: 4,
    num_frames: 5,
    mode: "first_last_frame",
    first_frame_image: first,
    last_frame_image: inPieces(),
  });
  first.fill(0);
  assert.equal((await (await submitted).wait()).status, "done");
});

test("an undefined value counts as left out", async () => {
  const options = { seed: undefined, mode: undefined, negative_prompt: undefined, reference_image: undefined };
  const task = await opened.submit({ ...quick, ...options, steps: 4 }, { signal: undefined, imagePaths: undefined });
  const state = await task.wait({ signal: undefined, timeoutSeconds: undefined });
  assert.deepEqual([state.mode, state.parameters.steps], ["txt2img", 4]);
  assert.ok((await opened.tasks({ model: undefined, page: undefined, per_page: 1 })).total > 0);
  assert.ok((await opened.gallery({ status: undefined, sort: undefined })).total > 0);
  await rejects(opened.submit({ ...quick, prompt: undefined }), "validation_error", /prompt is required/);
  await rejects(opened.submit({ ...quick, model: undefined }), "validation_error", /model is required/);
  const frames = [{ frame_index: 0, image: picture, strength: undefined }];
  await rejects(opened.submit({ model: "anisora", prompt: "a", mode: "arbitrary_frame", arbitrary_frames: frames }), "model_unavailable");
  // An item of a list cannot be left out.
  await rejects(
    opened.submit({ model: "anisora", prompt: "a", arbitrary_frames: [undefined] }),
    "validation_error",
    /arbitrary_frames\[0\]/,
  );
});

test("paths as text can be forbidden, for requests of other people", async () => {
  const path = await written("private.png");
  const forbidden = { imagePaths: false };
  await rejects(resultOf(path, forbidden), "validation_error", /reference_image.*data URI/);
  assert.ok((await resultOf(pathToFileURL(path), forbidden)).equals(expected));
  assert.ok((await resultOf(dataUri(picture), forbidden)).equals(expected));
  await rejects(resultOf(picture, { imagePaths: "no" }), "validation_error", /imagePaths/);
});

async function* failing() {
  yield picture.subarray(0, 10);
  throw new Error("the disk is on fire\nand more");
}

const refused = {
  "a missing path": [() => join(files, "missing.png"), /reference_image: there is no file/],
  "a folder": [() => files, /is a folder/],
  "a device": [() => "/dev/zero", /not a plain file/],
  "an address": [() => "https://example.com/picture.png", /https address/],
  "a URL of the web": [() => new URL("https://example.com/picture.png"), /https:.*nothing is fetched/],
  "a file: URL of a missing file": [() => pathToFileURL(join(files, "missing.png")), /cannot be read: ENOENT/],
  "base64 without more": [() => picture.toString("base64").repeat(100), /neither a data URI nor/],
  floats: [() => new Float32Array(8), /not an instance of Float32Array/],
  "floats of another realm": [() => runInNewContext("new Float32Array(8)"), /not an instance of Float32Array/],
  "a date": [() => new Date(), /not an instance of Date/],
  "a map": [() => new Map(), /not an instance of Map/],
  "a stream that fails": [failing, /reference_image cannot be read: the disk is on fire$/],
  "a stream of text": [() => Readable.from([picture]).setEncoding("latin1"), /a stream of a string and not of bytes/],
  "a stream of objects": [() => Readable.from([{}]), /not of bytes/],
  "a stream of nothing": [() => Readable.from([]), /empty/],
  "a stream that was read before": [
    async () => {
      const stream = Readable.from([picture]);
      for await (const _ of stream);
      return stream;
    },
    /reference_image/,
  ],
  "a stream of the web that somebody reads": [
    () => {
      const stream = new Blob([picture]).stream();
      stream.getReader();
      return stream;
    },
    /cannot be read/,
  ],
  "a Blob that fails": [() => ({ arrayBuffer: () => Promise.reject(new Error("gone")) }), /cannot be read: gone/],
  "a Blob without bytes": [() => ({ arrayBuffer: async () => "text" }), /gives no bytes/],
};

for (const [what, [make, pattern]] of Object.entries(refused)) {
  test(`${what} is refused`, async () => {
    const { total } = await opened.tasks();
    await rejects(resultOf(await make()), "validation_error", pattern);
    assert.equal((await opened.tasks()).total, total);
  });
}

test("the cause of a failed read is kept", async () => {
  const error = await rejects(resultOf(failing()), "validation_error");
  assert.match(error.cause.message, /on fire/);
});

test("reading stops at the size limit, and the source is stopped", async () => {
  let given = 0;
  let ended = false;
  async function* endless() {
    try {
      for (;;) {
        given += 1 << 20;
        yield Buffer.alloc(1 << 20);
      }
    } finally {
      ended = true;
    }
  }
  await rejects(resultOf(endless()), "payload_too_large", /reference_image/);
  assert.ok(given <= maxImageBytes + (2 << 20) && ended, `${given} ${ended}`);
  const stream = Readable.from(endless());
  await rejects(resultOf(stream), "payload_too_large");
  assert.ok(stream.destroyed);
  await rejects(resultOf({ size: 1e12, arrayBuffer: () => assert.fail("read") }), "payload_too_large");
});

test("an aborted signal ends a read that would never end", async () => {
  const stop = new AbortController();
  const stream = new PassThrough();
  const { total } = await opened.tasks();
  const submitted = resultOf(stream, { signal: stop.signal });
  setTimeout(() => stop.abort(new Error("enough")), 20);
  await assert.rejects(submitted, /^Error: enough$/);
  assert.ok(stream.destroyed);
  await assert.rejects(resultOf(inPieces(), { signal: AbortSignal.abort(new Error("before")) }), /before/);
  assert.equal((await opened.tasks()).total, total);
});

test("when one of two streams fails, the other is stopped", async () => {
  const waiting = new PassThrough();
  const frames = { first_frame_image: waiting, last_frame_image: failing() };
  await rejects(opened.submit({ ...long, mode: "first_last_frame", ...frames }), "validation_error", /last_frame_image cannot be read/);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.ok(waiting.destroyed);
});

test("a body for the HTTP API may come from another realm", async () => {
  const body = runInNewContext("Uint8Array.from(values)", { values: [...Buffer.from("{}")] });
  const headers = [["content-type", "application/json"]];
  assert.equal((await opened.handle({ method: "POST", target: "/generate", headers, body })).status, 401);
  assert.equal((await opened.handle({ method: "POST", target: "/generate", headers, body: body.buffer })).status, 401);
  await rejects(
    opened.handle({ method: "POST", target: "/generate", headers, body: "{}" }),
    "validation_error",
    /the body must be bytes, not a string/,
  );
});

test("the frames of a result", async (t) => {
  const image = await opened.submit(quick);
  await image.wait();
  const one = await image.frames();
  assert.deepEqual([one.width, one.height, one.count, one.data.length], [64, 64, 1, 64 * 64 * 3]);
  assert.ok(Buffer.isBuffer(one.data) && one.data.some((value) => value > 0));
  const clip = await opened.submit({ ...long, steps: 4, num_frames: 5 });
  const paused = await platform(t, { paused: true });
  await rejects((await paused.submit(quick)).frames(), "result_not_ready");
  await clip.wait();
  const all = await clip.frames();
  assert.deepEqual([all.width, all.height, all.count, all.data.length], [64, 64, 5, 5 * 64 * 64 * 3]);
  const webm = await opened.submit({ ...long, steps: 4, num_frames: 5, output_format: "webm" });
  await webm.wait();
  await rejects(webm.frames(), "validation_error", /WebM/);
  await image.save(pathToFileURL(join(files, "saved.png")));
  assert.ok((await resultOf(join(files, "saved.png"))).length > 0);
  await rejects(image.save(new URL("https://example.com/a.png")), "validation_error", /path/);
});
