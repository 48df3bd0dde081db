// The HTTP API: as a server, one request at a time, and as a listener of Node's own server and of Express.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import express from "express";
import { Platform } from "must";

const apiKey = "an-api-key-of-the-tests";
const headers = [
  ["x-api-key", apiKey],
  ["host", "must.test"],
];
const json = [...headers, ["content-type", "application/json"]];
const circle = JSON.stringify({ model: "tiny-image", prompt: "a red circle", steps: 4 });

function open(t, settings = {}) {
  const dataDir = mkdtempSync(join(tmpdir(), "must-http-"));
  const opened = Platform.open({ dataDir, apiKey, http: { maxBodyBytes: 100_000 }, ...settings });
  t.after(async () => {
    await (await opened).close();
    rmSync(dataDir, { recursive: true, force: true });
  });
  return opened;
}

test("a server answers until it is stopped", async (t) => {
  const platform = await open(t);
  const server = await platform.serve("127.0.0.1:0");
  const answer = await fetch(`${server.url}/health`);
  assert.equal((await answer.json()).app, "must");
  assert.equal(await server.stop(), true);
  await assert.rejects(fetch(`${server.url}/health`));
  await assert.rejects(platform.serve("nonsense"), { code: "validation_error" });
  await assert.rejects(Platform.open({ dataDir: "x", http: { nonsense: 1 } }), { code: "validation_error", detail: /http\.nonsense/ });
});

test("handle answers a request", async (t) => {
  const platform = await open(t);
  assert.equal((await platform.handle({ target: "/models" })).status, 401);
  const submitted = await platform.handle({ method: "POST", target: "/generate", headers: json, body: Buffer.from(circle) });
  assert.equal(submitted.status, 202);
  const { task_id: task } = await submitted.json();
  let last = "";
  for await (const chunk of await platform.handle({ target: `/events/${task}`, headers })) last = chunk.toString();
  assert.match(last, /"status":"done"/);
  const part = await platform.handle({ target: `/results/${task}`, headers: [...headers, ["range", "bytes=1-3"]] });
  assert.deepEqual([part.status, (await part.bytes()).toString()], [206, "PNG"]);
  const large = await platform.handle({ method: "POST", target: "/generate", headers: json, body: Buffer.alloc(100_001) });
  assert.equal(large.status, 413);
  await assert.rejects(platform.handle({ method: "NO METHOD", target: "/health" }), { code: "validation_error" });
  assert.match(await platform.metrics(), /must_http_request_seconds/);
});

async function drive(base) {
  const keyed = { "x-api-key": apiKey, "content-type": "application/json" };
  const submitted = await fetch(`${base}/generate`, { method: "POST", headers: keyed, body: circle });
  assert.equal(submitted.status, 202);
  const { task_id: task } = await submitted.json();
  assert.match(await (await fetch(`${base}/events/${task}`, { headers: keyed })).text(), /"status":"done"/);
  const result = await fetch(`${base}/results/${task}`, { headers: keyed });
  assert.equal(result.headers.get("content-type"), "image/png");
  assert.equal(Buffer.from(await result.arrayBuffer()).toString("latin1", 1, 4), "PNG");
  const missing = await fetch(`${base}/nowhere`);
  assert.deepEqual([missing.status, (await missing.json()).code], [404, "not_found"]);
  const large = await fetch(`${base}/generate`, { method: "POST", headers: keyed, body: Buffer.alloc(200_000) });
  assert.deepEqual([large.status, (await large.json()).code], [413, "payload_too_large"]);
  const leaving = new AbortController();
  await fetch(`${base}/events/${task}`, { headers: keyed, signal: leaving.signal });
  leaving.abort();
}

async function listening(t, listener) {
  const server = createServer(listener);
  t.after(() => server.close());
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${server.address().port}`;
}

test("a listener of Node's own server", async (t) => {
  const platform = await open(t);
  await drive(await listening(t, platform.handler()));
});

/** Sends a body in pieces, and returns the answer. */
async function post(base, pieces, pause) {
  const { hostname, port } = new URL(base);
  const socket = connect({ host: hostname, port });
  let received = "";
  socket.on("data", (data) => (received += data));
  const closed = new Promise((resolve) => socket.on("close", resolve));
  socket.on("error", () => {});
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  socket.write(
    `POST /generate HTTP/1.1\r\nhost: x\r\nx-api-key: ${apiKey}\r\ncontent-type: application/json\r\n` +
      `content-length: ${length}\r\nconnection: close\r\n\r\n`,
  );
  for (const piece of pieces) {
    if (received !== "") break;
    socket.write(piece);
    await sleep(pause);
  }
  await closed;
  const [head, body] = received.split("\r\n\r\n");
  return { status: Number(head.split(" ")[1]), ...JSON.parse(body.slice(body.indexOf("{"), body.lastIndexOf("}") + 1)) };
}

test("a slow body is accepted while it arrives", async (t) => {
  const http = { bodyTimeoutSeconds: 1.5, bodyBytesPerSecond: 2000, bodyTimeLimitSeconds: 6 };
  const base = await listening(t, (await open(t, { http, paused: true })).handler());
  const flowing = await post(base, [circle, ...Array(9).fill(" ".repeat(1000))], 300);
  assert.deepEqual([flowing.status, flowing.detail], ["pending", undefined]);
  for (const [pieces, pause, why] of [
    [Array(30).fill(" "), 100, "less than 2000 bytes a second"],
    [[circle.slice(0, 5), circle.slice(5)], 4000, "nothing more of the body came for 1.5 s"],
    [Array(40).fill(" ".repeat(2000)), 200, "not complete after 6 s"],
  ]) {
    const refused = await post(base, pieces, pause);
    assert.deepEqual([refused.status, refused.code], [422, "validation_error"]);
    assert.ok(refused.detail.includes(why), refused.detail);
  }
});

test("mounted in Express", async (t) => {
  const platform = await open(t);
  const app = express();
  app.use("/must", platform.handler());
  app.get("/other", (_, response) => response.send("ours"));
  const base = await listening(t, app);
  assert.equal(await (await fetch(`${base}/other`)).text(), "ours");
  const moved = await fetch(`${base}/must?x=1`, { redirect: "manual" });
  assert.deepEqual([moved.status, moved.headers.get("location")], [308, "/must/?x=1"]);
  assert.match(await (await fetch(`${base}/must`)).text(), /<div id="root">/);
  await drive(`${base}/must`);
  const made = await fetch(`${base}/must/v1/images/generations`, {
    method: "POST",
    headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "tiny-image", prompt: "a red circle", steps: 4, response_format: "url" }),
  });
  const [{ url }] = (await made.json()).data;
  assert.ok(url.startsWith(`${base}/must/results/`), url);
  assert.equal((await fetch(url)).headers.get("content-type"), "image/png");
});
