// Accounts of workers and tasks that run at a worker: one platform is the gateway of another on this machine.

import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import { Platform } from "../dist/index.js";
import { folder, rejects } from "./support.mjs";

const apiKey = "a key that workers ask for";
const tokens = { tokenId: "canary-token", tokenSecret: "canary-token" };

/** A worker, and a gateway that sends tasks to it. */
async function pair(t) {
  const home = await folder(t);
  const worker = await Platform.open({ dataDir: join(home, "worker"), device: "cpu", threads: 1, apiKey });
  const server = await worker.serve("127.0.0.1:0");
  t.after(async () => {
    await server.stop();
    await worker.close();
  });
  const workers = {
    networks: ["127.0.0.0/8"],
    apiKey,
    pollIntervalSeconds: 0.1,
    healthTries: 1,
    deployCommand: [process.execPath, "-e", "console.log(process.env.MODAL_TOKEN_ID, '{workspace}')"],
  };
  const gateway = await Platform.open({ dataDir: join(home, "gateway"), device: "cpu", threads: 1, workers });
  t.after(() => gateway.close());
  return { gateway, url: server.url };
}

test("an account from registration to removal, with a task at its worker", async (t) => {
  const { gateway, url } = await pair(t);
  const { accounts } = gateway;
  const added = await accounts.add("Team A", { ...tokens, workspace: "team-a", address: url });
  assert.deepEqual([added.status, added.models, added.deployment], ["pending", null, null]);
  const checked = await accounts.health("team-a", { caller: { actor: "admin:test", source: "test" } });
  assert.deepEqual([checked.status, checked.models], ["ready", ["tiny-image", "tiny-video"]]);
  const task = await gateway.submit({ model: "tiny-image", prompt: "a red circle", seed: 1 });
  assert.match(task.id, /^team-a::/);
  const state = await task.wait();
  assert.deepEqual([state.status, state.workspace], ["done", "team-a"]);
  assert.equal((await task.result()).subarray(1, 4).toString(), "PNG");
  assert.equal((await accounts.get("team-a")).dispatched, 1);
  assert.equal((await accounts.update(added.id, { label: "Team B" })).label, "Team B");
  assert.equal((await accounts.disable(added.id)).status, "disabled");
  await rejects(accounts.health(added.id), "invalid_state", /disabled/);
  assert.equal((await accounts.enable(added.id)).status, "ready");
  assert.doesNotMatch(JSON.stringify(await accounts.list()), /canary/);
  await accounts.remove(added.id);
  await rejects(accounts.get(added.id), "not_found", /no account/);
});

test("a deployment runs in the background, and its output is masked", async (t) => {
  const { gateway, url } = await pair(t);
  await gateway.accounts.add("team-a", { ...tokens, address: url });
  assert.deepEqual(
    (await gateway.accounts.deployAll()).map(({ status }) => status),
    ["checking"],
  );
  let account;
  do account = await gateway.accounts.get("team-a");
  while (account.status === "checking");
  assert.deepEqual([account.status, account.deployment.ok, account.deployment.output], ["ready", true, "******** team-a\n"]);
});

test("invalid accounts are refused, and the error does not quote the arguments", async (t) => {
  const { gateway } = await pair(t);
  const good = { ...tokens, workspace: "team-a", address: "http://127.0.0.1:1" };
  for (const change of [{ workspace: "NO" }, { address: "http://192.0.2.1" }, { tokenId: "" }, { tokenSecret: 7 }, { apiKey: "a b" }]) {
    const error = await rejects(gateway.accounts.add("Team A", { ...good, ...change }), "validation_error", /./);
    assert.doesNotMatch(`${error.stack}${error.detail}`, /canary/);
  }
  await rejects(gateway.accounts.update("nobody", { label: "x" }), "not_found", /no account/);
  assert.deepEqual(await gateway.accounts.list(), []);
});
