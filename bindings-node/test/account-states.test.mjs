// Accounts of workers: every state, with an address where nothing listens and with a fake worker.

import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import { inspect } from "node:util";
import { folder, platform, rejects } from "./support.mjs";

const tokens = { tokenId: "ak-canary-5f0e1d", tokenSecret: "as-canary-7b6a59" };
const apiKey = "canary-key-of-the-settings";
const answers = { "/health": { ok: true, status: "ok", version: "0.1.0", app: "must" }, "/models": { models: [] } };

/** A platform that may have workers on this machine. It does not check failed accounts again by itself. */
function gateway(t, workers = {}) {
  const quick = { networks: ["127.0.0.0/8"], apiKey, healthTries: 3, healthPauseSeconds: 0.05, recheckIntervalSeconds: 0 };
  return platform(t, { paused: true, workers: { ...quick, ...workers } });
}

/** A fake worker: it answers like a healthy worker, or not like a worker while `healthy` is false. */
async function worker(t) {
  const it = { healthy: true, seen: [], url: "" };
  const server = createServer((request, response) => {
    it.seen.push([request.url, request.headers["x-api-key"]]);
    response.writeHead(it.healthy ? 200 : 503, { "content-type": "application/json", connection: "close" });
    response.end(JSON.stringify(it.healthy ? answers[request.url] : {}));
  });
  t.after(() => server.close());
  it.url = await listening(server);
  return it;
}

async function listening(server) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${server.address().port}`;
}

/** An address where nothing listens. */
const deadAddress = "http://127.0.0.1:1";

/** The account once no check of it is running. */
async function checked(accounts, id) {
  for (const end = Date.now() + 20_000; Date.now() < end; await sleep(20)) {
    const account = await accounts.get(id);
    if (account.status !== "checking") return account;
  }
  assert.fail(`${id} is still being checked`);
}

test("an account from registration to removal", async (t) => {
  const { accounts, audit } = await gateway(t);
  const caller = { actor: "ops", source: "cli", correlation_id: "ticket-7" };
  const account = await accounts.add("team-a", { address: deadAddress, ...tokens }, { caller });
  const { id, created_at, updated_at, ...rest } = account;
  assert.deepEqual(rest, {
    label: "team-a",
    workspace: "team-a",
    address: deadAddress,
    status: "pending",
    error: null,
    models: null,
    active: 0,
    dispatched: 0,
    checked_at: null,
    used_at: null,
    deployment: null,
  });
  assert.ok(Date.parse(created_at) <= Date.parse(updated_at));
  assert.deepEqual([await accounts.list(), await accounts.get(id), await accounts.get("team-a")], [[account], account, account]);

  const failed = await accounts.health(id);
  assert.deepEqual([failed.status, failed.error.code], ["failed", "remote_failed"]);
  assert.ok(failed.error.detail && Date.parse(failed.checked_at) >= Date.parse(created_at));
  const renamed = await accounts.update("team-a", { label: "The first team" });
  assert.deepEqual([renamed.label, renamed.workspace, renamed.status], ["The first team", "team-a", "failed"]);

  const disabled = await accounts.disable("team-a");
  assert.deepEqual([disabled.status, disabled.error], ["disabled", null]);
  assert.equal((await accounts.update("team-a", tokens)).status, "disabled");
  await rejects(accounts.disable("team-a"), "invalid_state");
  await rejects(accounts.health("team-a"), "invalid_state");
  assert.equal((await accounts.enable("team-a")).status, "failed");
  await rejects(accounts.enable("team-a"), "invalid_state");

  assert.equal(await accounts.remove("team-a"), undefined);
  assert.deepEqual(await accounts.list(), []);
  await rejects(accounts.get(id), "not_found");
  const { logs } = await audit.list({ limit: 100 });
  const { actor, source, correlation_id, target } = logs.find(({ action }) => action === "account_create");
  assert.deepEqual({ actor, source, correlation_id, target }, { ...caller, target: `account:${id}` });
  for (const did of ["update", "health", "disable", "enable", "remove"]) {
    assert.ok(
      logs.some(({ action }) => action === `account_${did}`),
      did,
    );
  }
});

test("a passed check makes an account ready", async (t) => {
  const { accounts, secrets } = await gateway(t);
  const { url: address, seen } = await worker(t);
  const account = await accounts.add("Team A", { workspace: "team-a", address, ...tokens });
  assert.deepEqual([account.label, account.workspace], ["Team A", "team-a"]);
  assert.deepEqual(seen, [], "registering sends no request");
  const ready = await accounts.health("team-a");
  assert.deepEqual([ready.status, ready.error, ready.models], ["ready", null, []]);
  assert.deepEqual(seen, [
    ["/health", apiKey],
    ["/models", apiKey],
  ]);

  assert.equal((await accounts.update("team-a", { apiKey: "canary-key-of-its-own" })).status, "ready");
  assert.deepEqual(seen.at(-1), ["/models", "canary-key-of-its-own"], "a change is checked, with the new key");
  assert.equal((await accounts.update("team-a", tokens)).status, "ready");
  assert.deepEqual(seen.at(-1), ["/models", "canary-key-of-its-own"], "a new token leaves the key as it is");
  assert.ok((await secrets.status()).some(({ name }) => name === `account-${account.id}`));
});

test("an account fails and becomes ready again", async (t) => {
  const { accounts } = await gateway(t);
  const it = await worker(t);
  await accounts.add("team-a", { address: it.url, ...tokens });
  assert.equal((await accounts.health("team-a")).status, "ready");
  it.healthy = false;
  assert.equal((await accounts.get("team-a")).status, "ready");
  assert.equal((await accounts.health("team-a")).status, "failed");
  await accounts.disable("team-a");
  it.healthy = true;
  assert.equal((await accounts.enable("team-a")).status, "ready");
});

test("a workspace is deployed in the background", async (t) => {
  const go = join(await folder(t), "go");
  const script = 'while [ ! -e "$1" ]; do sleep 0.05; done; echo "deploying $2 for $3 with $MODAL_TOKEN_SECRET"';
  const { accounts } = await gateway(t, {
    deployCommand: ["sh", "-c", script, "deploy", go, "{workspace}", "{label}"],
    deployLimitSeconds: 30,
  });
  const { url: address } = await worker(t);
  await accounts.add("Team A", { workspace: "team-a", address, ...tokens });
  const begun = await accounts.deploy("team-a");
  assert.deepEqual([begun.status, begun.deployment.finished_at, begun.deployment.ok], ["checking", null, false]);
  await rejects(accounts.deploy("team-a"), "invalid_state");
  await rejects(accounts.health("team-a"), "invalid_state");
  assert.deepEqual(await accounts.deployAll(), []);

  await writeFile(go, "");
  const ready = await checked(accounts, "team-a");
  assert.deepEqual([ready.status, ready.deployment.ok], ["ready", true]);
  assert.ok(Date.parse(ready.deployment.finished_at) >= Date.parse(ready.deployment.started_at));
  assert.match(ready.deployment.output, /deploying team-a for Team A with/);
  assert.ok(!ready.deployment.output.includes(tokens.tokenSecret));

  await accounts.add("team-b", { address: deadAddress, ...tokens });
  await accounts.disable("team-b");
  await rejects(accounts.deploy("team-b"), "invalid_state");
  assert.deepEqual(
    (await accounts.deployAll()).map(({ workspace }) => workspace),
    ["team-a"],
  );
  assert.equal((await checked(accounts, "team-a")).status, "ready");
});

test("a failed deployment makes the account failed", async (t) => {
  const { accounts } = await gateway(t, { deployCommand: ["sh", "-c", "echo it went wrong; exit 3"] });
  const { url: address, seen } = await worker(t);
  await accounts.add("team-a", { address: deadAddress, ...tokens });
  await accounts.deploy("team-a");
  const { status, error, deployment } = await checked(accounts, "team-a");
  assert.deepEqual([status, error.code, deployment.ok], ["failed", "remote_failed", false]);
  assert.match(deployment.output, /it went wrong/);
  assert.deepEqual(seen, [], "health is not asked for after that");
});

test("without a command nothing is deployed, and the template of the settings gives the address", async (t) => {
  const { accounts } = await gateway(t, { addressTemplate: "https://{workspace}--must.modal.run" });
  const { address } = await accounts.add("team-a", tokens);
  assert.equal(address, "https://team-a--must.modal.run");
  await rejects(accounts.deploy("team-a"), "validation_error");
  await rejects(accounts.deployAll(), "validation_error");
  assert.equal((await accounts.get("team-a")).status, "pending");
});

test("wrong arguments of accounts are refused, and no error quotes them", async (t) => {
  const { accounts } = await gateway(t);
  const good = { address: deadAddress, ...tokens };
  const canary = tokens.tokenSecret;
  await accounts.add("team-a", good);
  const wrong = [
    () => accounts.add("team-b"),
    () => accounts.add("team-b", canary),
    () => accounts.add("team-b", {}),
    () => accounts.add("team-a", good),
    () => accounts.add(" ", good),
    () => accounts.add("Team B", good),
    () => accounts.add([canary], good),
    () => accounts.add("team-b", { ...good, workspace: "TEAM" }),
    () => accounts.add("team-b", { ...good, address: undefined }),
    () => accounts.add("team-b", { ...good, address: "http://8.8.8.8" }),
    () => accounts.add("team-b", { ...good, address: "https://10.0.0.1" }),
    () => accounts.add("team-b", { ...good, address: `${deadAddress}/path` }),
    () => accounts.add("team-b", { ...good, tokenId: "" }),
    () => accounts.add("team-b", { ...good, tokenId: undefined }),
    () => accounts.add("team-b", { ...good, tokenSecret: `${canary}\n${canary}` }),
    () => accounts.add("team-b", { ...good, tokenSecret: `${canary}\ud800` }),
    () => accounts.add("team-b", { ...good, tokenSecret: Buffer.from(canary) }),
    () => accounts.add("team-b", { ...good, apiKey: `${canary} two words` }),
    () => accounts.add("team-b", good, { caller: canary }),
    () => accounts.update("team-a"),
    () => accounts.update("team-a", {}),
    () => accounts.update("team-a", { tokenId: canary }),
    () => accounts.update("team-a", { tokenSecret: canary }),
    () => accounts.update("team-a", { apiKey: [canary] }),
    () => accounts.update("team-a", { label: "" }),
    () => accounts.update("team-a", { address: "ftp://team-a.example" }),
    () => accounts.update(undefined, { label: "team" }),
    () => accounts.health([canary]),
  ];
  for (const call of wrong) {
    const error = await rejects(call(), "validation_error");
    assert.ok(!inspect(error, { showHidden: true, depth: 9 }).includes("canary"), String(call));
  }
  assert.deepEqual(
    (await accounts.list()).map(({ workspace }) => workspace),
    ["team-a"],
  );
  for (const of of ["get", "enable", "disable", "health", "remove"]) await rejects(accounts[of]("nobody"), "not_found");
  await rejects(accounts.update("nobody", { label: "somebody" }), "not_found");
});

test("tokens are in no answer", async (t) => {
  const opened = await gateway(t);
  const account = await opened.accounts.add("team-a", { address: deadAddress, apiKey: "canary-key-of-its-own", ...tokens });
  await opened.accounts.health("team-a");
  const { accounts, secrets, audit } = opened;
  const shown = [account, opened, accounts, await accounts.list(), await secrets.status(), await audit.list({ limit: 100 })];
  assert.ok(!inspect(shown, { depth: 9, showHidden: true }).includes("canary"));
});

test("invalid settings of workers are named", async (t) => {
  await rejects(platform(t, { workers: { nonsense: 1 } }), "validation_error", /workers\.nonsense/);
  await rejects(
    platform(t, { workers: { deployCommand: "modal deploy" } }),
    "validation_error",
    /workers\.deployCommand must be an array of strings/,
  );
  await rejects(platform(t, { workers: { networks: ["everywhere"] } }), "validation_error", /everywhere/);
  await rejects(platform(t, { workers: "none" }), "validation_error", /workers must be an object/);
});
