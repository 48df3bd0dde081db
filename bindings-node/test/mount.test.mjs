// The Express app of the examples protects its own routes with the platform's access control.

import assert from "node:assert/strict";
import { once } from "node:events";
import { copyFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { packageFolder, platform, testFolder } from "./support.mjs";

test("an Express app accepts only a valid key", async (t) => {
  // Copied to a place where it finds Express and this package.
  const copy = join(testFolder, `mounted-${process.pid}.mjs`);
  await copyFile(join(dirname(packageFolder), "examples/mount/express/app.mjs"), copy);
  t.after(() => rm(copy));
  const { createApp } = await import(copy);
  const opened = await platform(t, { adminKey: "sixteen letters!" });
  const server = createApp(opened).listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const url = `http://127.0.0.1:${server.address().port}`;
  const generate = (headers = {}) =>
    fetch(`${url}/generate`, {
      method: "POST",
      headers: { "Content-Type": "application/json", Connection: "close", ...headers },
      body: JSON.stringify({ model: "tiny-image", prompt: "a red circle", parameters: { steps: 4 } }),
    });
  const refused = await generate();
  const body = await refused.json();
  assert.deepEqual([refused.status, body.code, Object.keys(body).sort()], [401, "session_required", ["code", "detail", "user_action"]]);
  const wrong = await generate({ "X-API-Key": "not-a-credential" });
  const text = await wrong.text();
  assert.deepEqual([wrong.status, JSON.parse(text).code, text.includes("not-a-credential")], [403, "invalid_api_key", false]);
  const { key, secret } = await opened.auth.issueKey("studio");
  const headers = { "X-API-Key": secret, Connection: "close" };
  const taken = await generate(headers);
  assert.equal(taken.status, 202);
  const task = await taken.json();
  assert.equal(task.for, `key:${key.id}`);
  const status = await (await fetch(`${url}/status/${task.id}`, { headers })).json();
  assert.ok(["pending", "processing", "done"].includes(status.status), JSON.stringify(status));
  assert.equal((await fetch(`${url}/status/${task.id}`, { headers: { Connection: "close" } })).status, 401);
  assert.equal((await fetch(`${url}/status/no-such`, { headers })).status, 404);
});
