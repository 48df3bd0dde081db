// platform.handler() in other servers: with parsers of bodies, in Express, Fastify and HTTP/2.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { connect, createServer as createHttp2Server } from "node:http2";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import express from "express";
import Fastify from "fastify";
import { platform } from "./support.mjs";

const apiKey = "an-api-key-of-the-tests";
const circle = { model: "tiny-image", prompt: "a red círcle", steps: 4, guidance_scale: 2.5 };
const json = { "x-api-key": apiKey, "content-type": "application/json; charset=utf-8" };

let opened;
const cleanups = [];
before(async () => {
  opened = await platform({ after: (cleanup) => cleanups.unshift(cleanup) }, { apiKey, http: { maxBodyBytes: 100_000 } });
});
after(async () => {
  for (const cleanup of cleanups) await cleanup();
});

async function listening(t, server) {
  t.after(() => {
    server.closeAllConnections?.();
    server.close();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server.address().port;
}

async function express_(t, ...before) {
  const app = express();
  for (const middleware of before) app.use(middleware);
  app.use("/must", opened.handler());
  return `http://127.0.0.1:${await listening(t, createServer(app))}/must`;
}

/** Submits, follows, fetches and cancels too late, and checks that the request arrived complete. */
async function drive(base, body = JSON.stringify(circle), headers = json) {
  const submitted = await fetch(`${base}/generate`, { method: "POST", headers, body });
  const answer = await submitted.json();
  assert.equal(submitted.status, 202, JSON.stringify(answer));
  assert.equal((await opened.task(answer.task_id).status()).prompt, circle.prompt);
  assert.match(await (await fetch(`${base}/events/${answer.task_id}`, { headers })).text(), /"status":"done"/);
  assert.equal((await fetch(`${base}/results/${answer.task_id}`, { headers })).headers.get("content-type"), "image/png");
  // A call without a body, for a task that has ended.
  const late = await fetch(`${base}/tasks/${answer.task_id}/cancel`, { method: "POST", headers: { "x-api-key": apiKey } });
  assert.deepEqual([late.status, (await late.json()).code], [409, "invalid_state"]);
}

/** Does what a parser of Express 4 does with a body that it does not read. */
function placeholder(request, _, next) {
  request.body ??= {};
  next();
}

/** Reads the body and discards it. */
function swallow(request, _, next) {
  request.on("end", next).resume();
}

/** Keeps the unchanged body, as Firebase and `verify` of body-parser do. */
const keepRaw = express.json({ verify: (request, _, bytes) => (request.rawBody = bytes) });

const parsers = {
  "express.json": [express.json()],
  "express.json and its raw body": [keepRaw],
  "express.urlencoded": [express.urlencoded({ extended: true })],
  "express.raw": [express.raw({ type: "*/*" })],
  "express.text": [express.text({ type: "*/*" })],
  "all parsers": [express.json(), express.urlencoded({ extended: true }), express.raw(), express.text()],
  "what Express 4 leaves": [placeholder, express.urlencoded({ extended: false })],
};
for (const [name, before] of Object.entries(parsers)) {
  test(`a request behind ${name} arrives complete`, async (t) => {
    await drive(await express_(t, ...before));
  });
}

test("a compressed body that a parser has decompressed", async (t) => {
  const base = await express_(t, express.json());
  await drive(base, gzipSync(JSON.stringify(circle)), { ...json, "content-encoding": "gzip" });
});

test("a body that is too large is refused behind a parser too", async (t) => {
  const base = await express_(t, express.json({ limit: "10mb" }));
  const answer = await fetch(`${base}/generate`, {
    method: "POST",
    headers: json,
    body: JSON.stringify({ ...circle, prompt: "x".repeat(200_000) }),
  });
  assert.deepEqual([answer.status, (await answer.json()).code], [413, "payload_too_large"]);
});

test("an empty object and an empty body arrive behind a parser", async (t) => {
  const base = await express_(t, express.json());
  const empty = await fetch(`${base}/generate`, { method: "POST", headers: json, body: "{}" });
  assert.deepEqual([empty.status, (await empty.json()).detail], [422, "model is required"]);
  const nothing = await fetch(`${base}/generate`, { method: "POST", headers: json });
  assert.equal(nothing.status, 422);
  assert.match((await nothing.json()).detail, /not JSON|not valid/);
});

test("a form is passed on as a form", async (t) => {
  const base = await express_(t, express.urlencoded({ extended: true }));
  const headers = { "x-api-key": apiKey, "content-type": "application/x-www-form-urlencoded" };
  const answer = await fetch(`${base}/generate`, { method: "POST", headers, body: "model=tiny-image&a[b]=1&a[c][]=2" });
  assert.deepEqual([answer.status, (await answer.json()).detail], [422, "the body must be sent as application/json"]);
});

test("a failure after the body was read is answered", async (t) => {
  const closed = await platform(t, { apiKey });
  const handler = closed.handler();
  const port = await listening(t, createServer(handler));
  await closed.close();
  const answer = await fetch(`http://127.0.0.1:${port}/generate`, { method: "POST", headers: json, body: JSON.stringify(circle) });
  assert.deepEqual([answer.status, (await answer.json()).code], [409, "invalid_state"]);
});

for (const [name, before] of Object.entries({ nothing: [swallow], "an empty object": [placeholder, swallow] })) {
  test(`a body that was read and left as ${name} is an error`, async (t) => {
    const base = await express_(t, ...before);
    const answer = await fetch(`${base}/generate`, { method: "POST", headers: json, body: JSON.stringify(circle) });
    const { code, detail, user_action } = await answer.json();
    assert.deepEqual([answer.status, code], [422, "validation_error"]);
    assert.match(detail, /read before it came to MUST/);
    assert.match(user_action, /before parsers/);
    assert.equal((await fetch(`${base}/health`)).status, 200);
  });
}

test("Fastify, with a route and its own parsers", async (t) => {
  const app = Fastify();
  t.after(() => app.close());
  app.all("/must/*", opened.handler());
  app.all("/of/:tenant/*", opened.handler());
  app.get("/other", async () => "ours");
  const base = await app.listen({ port: 0, host: "127.0.0.1" });
  await drive(`${base}/must`);
  await drive(`${base}/of/some%20body`);
  assert.equal(await (await fetch(`${base}/other`)).text(), "ours");
  assert.match(await (await fetch(`${base}/must/`)).text(), /<div id="root">/);
  const empty = await fetch(`${base}/must/generate`, { method: "POST", headers: json, body: "{}" });
  assert.deepEqual([empty.status, (await empty.json()).detail], [422, "model is required"]);
  const missing = await fetch(`${base}/must/nowhere?a=1`);
  assert.deepEqual([missing.status, (await missing.json()).code], [404, "not_found"]);
});

test("Fastify without parsers leaves every body to MUST", async (t) => {
  const app = Fastify();
  t.after(() => app.close());
  app.register((own, _, done) => {
    own.removeAllContentTypeParsers();
    own.addContentTypeParser("*", (_request, _body, parsed) => parsed(null));
    own.all("/must/*", opened.handler());
    done();
  });
  const base = await app.listen({ port: 0, host: "127.0.0.1" });
  await drive(`${base}/must`);
  const multipart = new FormData();
  multipart.set("prompt", "a circle");
  const answer = await fetch(`${base}/must/generate`, { method: "POST", headers: { "x-api-key": apiKey }, body: multipart });
  assert.deepEqual([answer.status, (await answer.json()).detail], [422, "the body must be sent as application/json"]);
});

test("HTTP/2", async (t) => {
  const server = createHttp2Server(opened.handler());
  const client = connect(`http://127.0.0.1:${await listening(t, server)}`);
  t.after(() => client.destroy());
  const ask = async (path, { method = "GET", body, ...headers } = {}) => {
    const stream = client.request({ ":path": path, ":method": method, ...headers });
    stream.end(body);
    const [head] = await once(stream, "response");
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    return { status: head[":status"], head, body: Buffer.concat(chunks) };
  };
  const health = await ask("/health");
  assert.deepEqual([health.status, JSON.parse(health.body).app], [200, "must"]);
  const submitted = await ask("/generate", { method: "POST", body: JSON.stringify(circle), ...json });
  assert.equal(submitted.status, 202, submitted.body.toString());
  const { task_id: task } = JSON.parse(submitted.body);
  const key = { "x-api-key": apiKey };
  assert.match((await ask(`/events/${task}`, key)).body.toString(), /"status":"done"/);
  const part = await ask(`/results/${task}`, { ...key, range: "bytes=1-3" });
  assert.deepEqual([part.status, part.body.toString(), part.head["content-range"]?.startsWith("bytes 1-3/")], [206, "PNG", true]);
  const looked = await ask(`/results/${task}`, { ...key, method: "HEAD" });
  assert.deepEqual([looked.status, looked.body.length], [200, 0]);
  const large = await ask("/generate", { method: "POST", body: Buffer.alloc(200_000), ...json });
  assert.deepEqual([large.status, JSON.parse(large.body).code], [413, "payload_too_large"]);
  // In HTTP/2, `:authority` replaces the header Host. The origin is compared with it.
  const same = await ask("/health", { origin: `http://127.0.0.1:${server.address().port}` });
  assert.equal(same.status, 200);
  const session = await ask("/auth/session", { method: "POST", origin: `http://127.0.0.1:${server.address().port}` });
  assert.ok([200, 201].includes(session.status), session.body.toString());
  assert.ok(session.head["set-cookie"].length >= 1);
  // A client that leaves an event stream ends it.
  const leaving = client.request({ ":path": `/events/${task}`, ...key });
  await once(leaving, "response");
  leaving.close();
  await once(leaving, "close");
});
