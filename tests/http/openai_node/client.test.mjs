// OpenAI's own client for Node against the server that MUST_URL and MUST_KEY name.

import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import OpenAI, { toFile } from "openai";

const [url, apiKey] = [process.env.MUST_URL, process.env.MUST_KEY];
const open = (options = {}) => new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0, timeout: 60_000, ...options });
const client = open();

const until = async (id) => {
  for (;;) {
    const video = await client.videos.retrieve(id);
    if (video.status === "completed" || video.status === "failed") return video;
    await sleep(100);
  }
};

test("models", async () => {
  const ids = [];
  for await (const model of client.models.list()) ids.push(model.id);
  assert.deepEqual(ids, ["tiny-image", "tiny-video"]);
  assert.equal((await client.models.retrieve("tiny-image")).owned_by, "must");
});

test("images", async () => {
  const ask = { prompt: "a red circle", model: "tiny-image", n: 2, size: "64x64", response_format: "b64_json" };
  const pictures = (await client.images.generate(ask)).data.map((image) => Buffer.from(image.b64_json, "base64"));
  assert.equal(pictures.length, 2);
  for (const picture of pictures) assert.equal(picture.subarray(1, 4).toString(), "PNG");
  assert.ok(!pictures[0].equals(pictures[1]));
  const [{ url: place }] = (await client.images.generate({ prompt: "a red circle", response_format: "url", output_format: "webp" })).data;
  assert.ok(place.startsWith(`${url}/results/`), place);
  assert.equal((await fetch(place)).headers.get("content-type"), "image/webp");
  assert.equal((await fetch(place.split("?")[0])).status, 401);
});

test("a stream of pictures", async () => {
  const ask = { prompt: "a red circle", model: "tiny-image", n: 2, stream: true, partial_images: 2 };
  const [types, indices] = [[], []];
  for await (const event of await client.images.generate(ask)) {
    types.push(event.type);
    indices.push(event.partial_image_index);
    assert.equal(Buffer.from(event.b64_json, "base64").subarray(1, 4).toString(), "PNG");
  }
  const [partial, completed] = ["image_generation.partial_image", "image_generation.completed"];
  assert.deepEqual(types, [partial, partial, completed, partial, partial, completed]);
  assert.deepEqual(indices, [0, 1, undefined, 0, 1, undefined]);
});

test("edits, of one picture and of several", async () => {
  const [{ b64_json }] = (await client.images.generate({ prompt: "a red circle" })).data;
  const file = (name) => toFile(Buffer.from(b64_json, "base64"), name, { type: "image/png" });
  for (const image of [await file("a.png"), [await file("a.png"), await file("b.png")]]) {
    const [edited] = (await client.images.edit({ image, prompt: "a blue circle" })).data;
    assert.equal(Buffer.from(edited.b64_json, "base64").subarray(1, 4).toString(), "PNG");
  }
  for (const partial_images of [0, 3]) {
    const events = [];
    const ask = { image: await file("a.png"), prompt: "a circle", stream: true, partial_images };
    for await (const event of await client.images.edit(ask)) events.push(event.type);
    assert.deepEqual(events, [...Array(partial_images).fill("image_edit.partial_image"), "image_edit.completed"]);
  }
  const masked = client.images.edit({ image: await file("a.png"), mask: await file("m.png"), prompt: "a blue circle" });
  await assert.rejects(masked, (error) => error instanceof OpenAI.UnprocessableEntityError && error.param === "mask");
});

test("videos, as JSON and as a form", async () => {
  const video = await client.videos.create({ prompt: "a red circle moving left", model: "tiny-video", seconds: "2" });
  assert.equal(video.object, "video");
  const done = await until(video.id);
  assert.deepEqual([done.status, done.progress, done.seconds, done.size], ["completed", 100, "2", "64x64"]);
  const content = Buffer.from(await (await client.videos.downloadContent(video.id)).arrayBuffer());
  assert.equal(content.subarray(4, 8).toString(), "ftyp");
  const thumbnail = Buffer.from(await (await client.videos.downloadContent(video.id, { variant: "thumbnail" })).arrayBuffer());
  assert.deepEqual([...thumbnail.subarray(0, 3)], [0xff, 0xd8, 0xff]);
  const reference = await toFile(thumbnail, "first.jpg", { type: "image/jpeg" });
  const other = await client.videos.create({ prompt: "a red circle", input_reference: reference });
  assert.equal((await until(other.id)).status, "completed");
  const ids = [];
  for await (const { id } of client.videos.list({ limit: 1 })) ids.push(id);
  assert.ok(ids.indexOf(other.id) < ids.indexOf(video.id), "newest first, page after page");
  const again = await client.videos.remix(video.id, { prompt: "a blue square moving left" });
  assert.equal(again.remixed_from_video_id, video.id);
  assert.equal((await until(again.id)).status, "completed");
  const nearest = await client.videos.create({ prompt: "a red circle", model: "tiny-video", seconds: "12" });
  assert.equal(nearest.seconds, "2");
  await until(nearest.id);
  for (const id of [video.id, other.id, again.id, nearest.id]) assert.equal((await client.videos.delete(id)).deleted, true);
  await assert.rejects(client.videos.retrieve(other.id), OpenAI.NotFoundError);
});

test("failures have their classes", async () => {
  await assert.rejects(client.images.generate({ prompt: " " }), OpenAI.UnprocessableEntityError);
  await assert.rejects(client.images.generate({ prompt: "x", size: "64x65" }), (error) => {
    assert.match(error.message, /^422 .*height/);
    assert.deepEqual([error.code, error.param, error.type], ["validation_error", "height", "invalid_request_error"]);
    return true;
  });
  await assert.rejects(client.models.retrieve("nothing"), OpenAI.NotFoundError);
  await assert.rejects(open({ apiKey: "wrong" }).models.list(), OpenAI.PermissionDeniedError);
  const unsigned = open({
    fetch: (place, given) => {
      const headers = new Headers(given.headers);
      headers.delete("authorization");
      return fetch(place, { ...given, headers });
    },
  });
  await assert.rejects(unsigned.models.list(), OpenAI.AuthenticationError);
  await assert.rejects(open({ baseURL: "http://127.0.0.1:1/v1" }).models.list(), OpenAI.APIConnectionError);
});

test("a request that is sent again after a lost answer makes one task with one key", async () => {
  let tries = 0;
  // The first answer is lost on its way; the client itself sends the second request.
  const lossy = async (place, given) => {
    const answer = await fetch(place, given);
    tries += 1;
    if (tries > 1) return answer;
    await answer.arrayBuffer();
    return new Response("{}", { status: 503, headers: { "content-type": "application/json", "retry-after-ms": "1" } });
  };
  const patient = open({ maxRetries: 2, fetch: lossy });
  const headers = { "Idempotency-Key": crypto.randomUUID() };
  const count = async () =>
    (await (await fetch(`${url}/v1/videos?limit=100`, { headers: { Authorization: `Bearer ${apiKey}` } })).json()).data.length;
  const before = await count();
  const video = await patient.videos.create({ prompt: "a red circle", model: "tiny-video" }, { headers });
  assert.equal(tries, 2);
  assert.equal(await count(), before + 1);
  await until(video.id);
  await client.videos.delete(video.id);
});

test("a failure that would happen again is not retried", async () => {
  let tries = 0;
  const counted = (place, given) => {
    tries += 1;
    return fetch(place, given);
  };
  await assert.rejects(open({ maxRetries: 3, fetch: counted }).images.generate({ prompt: "x", model: "flux" }), OpenAI.InternalServerError);
  assert.equal(tries, 1);
});
