// Access, secrets and the audit log.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { inspect } from "node:util";
import { ManualClock, requestFacts } from "must";
import { folder, packageFolder, platform, rejects } from "./support.mjs";

const ADMIN_KEY = "sixteen letters!";
const CANARY = "canary-5up3r-s3cr3t";
const settings = { adminKey: ADMIN_KEY, frontendOrigins: ["https://studio.example"], trustedProxies: ["10.0.0.0/8", "fd00::1"] };
const login = { route: "admin_login", admin_header_keys: [ADMIN_KEY], peer: "198.51.100.2" };
const withKey = (key) => ({ route: "generation", header_keys: [key] });
const withCookie = (token) => ({ route: "generation", cookies: [`gg_session=${token}`] });

test("every case of the table has its answer", async (t) => {
  const table = JSON.parse(await readFile(join(dirname(packageFolder), "tests/conformance/access.json"), "utf8"));
  const clock = new ManualClock();
  const { auth, admin } = await platform(t, { ...settings, host: { clock } });
  const open = async () => auth.openSession({ route: "auth", peer: "198.51.100.1" });
  const values = { ...table.values };
  values["key.expired"] = (await auth.issueKey("expired", { validForSeconds: 60 })).secret;
  values["session.expired"] = (await open()).token;
  values["admin_session.expired"] = (await admin.openSession(login)).token;
  clock.advance(24 * 3_600_000);
  const [key, session, adminSession] = [await auth.issueKey("revoked"), await open(), await admin.openSession(login)];
  await auth.revokeKey(key.key.id);
  await auth.revokeSession(session.id);
  await admin.revokeSession(adminSession.id);
  Object.assign(values, { "key.revoked": key.secret, "session.revoked": session.token, "admin_session.revoked": adminSession.token });
  for (const name of ["right", "other"]) {
    values[`key.${name}`] = (await auth.issueKey(name)).secret;
    values[`session.${name}`] = (await open()).token;
  }
  values["admin_session.right"] = (await admin.openSession(login)).token;
  let ran = 0;
  for (const { name, facts, principal, error } of table.cases) {
    const template = JSON.stringify(facts);
    const filled = template.replace(/\{\{([a-z_.]+)\}\}/g, (_, value) => values[value] ?? assert.fail(`${name}: no ${value}`));
    const answer = await auth.authorize(JSON.parse(filled)).then(
      ({ kind }) => ({ principal: kind, error: undefined }),
      ({ code }) => ({ principal: undefined, error: code }),
    );
    assert.deepEqual(answer, { principal, error }, name);
    ran += 1;
  }
  assert.ok(ran >= 273, `${ran} cases ran`);
});

test("a key from issue to revocation, which ends its sessions", async (t) => {
  const { auth, admin } = await platform(t, settings);
  const issued = await auth.issueKey("site", { validForSeconds: 3600 });
  const { id } = issued.key;
  const principal = await auth.authorize({ ...withKey(issued.secret), correlation_id: "r-1", origin: undefined });
  assert.deepEqual([principal.kind, principal.name, principal.actor], ["api_key", "site", `key:${id}`]);
  assert.equal(principal.caller.correlation_id, "r-1");
  const session = await auth.openSession({ route: "auth", header_keys: [issued.secret], peer: "192.0.2.7" });
  assert.equal((await auth.sessionState(withCookie(session.token))).active, true);
  const newer = await auth.rotateKey(id, { overlapSeconds: 60, caller: principal.caller });
  assert.deepEqual(
    (await auth.keys()).map(({ name }) => name),
    ["site", "site"],
  );
  assert.deepEqual(await auth.revokeKey(id), { sessions: 1 });
  await rejects(auth.authorize(withCookie(session.token)), "session_expired");
  await rejects(auth.authorize(withKey(issued.secret)), "invalid_api_key");
  await auth.authorize(withKey(newer.secret));
  assert.deepEqual(await auth.revokeAllSessions(), { sessions: 0 });
  assert.deepEqual([await auth.allowsOrigin("https://studio.example"), await auth.allowsOrigin("https://x.example")], [true, false]);

  const opened = await admin.openSession(login);
  assert.equal(opened.expires_at, null);
  assert.equal((await admin.sessionState(opened.id)).active, true);
  assert.equal(await admin.revokeSession(opened.id), undefined);
  assert.deepEqual(await admin.revokeAllSessions(), { sessions: 0 });
  for (const [holder, secret] of [
    [issued, issued.secret],
    [newer, newer.secret],
    [session, session.token],
    [opened, opened.token],
  ]) {
    assert.ok(secret.length > 20);
    assert.ok(!`${inspect(holder, { depth: 9 })}${JSON.stringify(holder)}${JSON.stringify({ ...holder })}`.includes(secret));
  }
});

test("secrets are stored, returned, rotated and revoked", async (t) => {
  const opened = await platform(t);
  const { secrets } = opened;
  await secrets.put("mail", CANARY);
  assert.equal(await secrets.get("mail"), CANARY);
  await secrets.rotate("mail", { value: "newer", overlapSeconds: 5 });
  assert.equal(await secrets.get("mail"), "newer");
  await secrets.putProviderToken("hub", { value: CANARY, scopes: ["inference"], environment: "dev" });
  await secrets.revoke("hub", { caller: { actor: "host", source: "cli" } });
  const status = await secrets.status();
  assert.ok(status.some(({ name, state }) => name === "hub" && state === "revoked"));
  assert.ok(!inspect([status, opened, secrets], { depth: 9, showHidden: true }).includes(CANARY));
});

test("revoking the pepper needs confirmation, and a new sign-in is possible", async (t) => {
  const { auth, admin, secrets } = await platform(t, settings);
  const key = await auth.issueKey("ended");
  const refused = await secrets.revoke("pepper").then(
    () => null,
    (error) => error,
  );
  assert.equal(refused.code, "validation_error");
  assert.match(refused.detail, /every API key \(1\)/);
  assert.match(refused.userAction, /confirm/);
  await rejects(secrets.revoke("pepper", { confirm: "salt" }), "validation_error");
  await auth.authorize(withKey(key.secret));
  await secrets.revoke("pepper", { confirm: "pepper" });
  await rejects(auth.authorize(withKey(key.secret)), "invalid_api_key");
  assert.deepEqual(
    (await auth.keys()).map(({ status }) => status),
    ["revoked"],
  );
  assert.equal((await admin.openSession(login)).cookie, "gg_admin_session");
  await auth.authorize(withKey((await auth.issueKey("new")).secret));
});

test("keys are trimmed, and refused when a header cannot contain them", async (t) => {
  const { auth } = await platform(t, { ...settings, apiKey: "sixteen letters!\r\n" });
  assert.equal((await auth.authorize(withKey("sixteen letters!"))).kind, "api_key");
  await rejects(platform(t, { ...settings, apiKey: "ключ администратора" }), "validation_error");
});

test("the audit log is written, listed, verified, proved and exported", async (t) => {
  const { audit } = await platform(t);
  const event = await audit.append({
    actor: "host",
    source: "test",
    action: "door_opened",
    target: "door",
    outcome: "success",
    details: { by: "hand" },
  });
  assert.deepEqual((await audit.list({ action: "door_opened", limit: 5, before: undefined })).logs, [event]);
  assert.match(event.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.equal(event.signed, event.seq);
  assert.deepEqual((await audit.list({ action: "door_opened", since: event.timestamp })).logs, [event]);
  assert.deepEqual((await audit.list({ action: "door_opened", until: Date.parse(event.timestamp) })).logs, []);
  const verdict = await audit.verify();
  assert.deepEqual([verdict.ok, verdict.fault, verdict.checkpoints], [true, null, verdict.size]);
  const proof = await audit.proveInclusion(event.seq);
  assert.match(proof.text, /^c2sp\.org\/tlog-proof@v1\nindex /);
  assert.ok(Array.isArray((await audit.proveConsistency(1)).proof));
  const exported = await audit.export(join(await folder(t), "export"));
  assert.equal(exported.verifier, await audit.verifier());
  assert.equal(typeof exported.files, "number");
  assert.equal((await audit.rotateKey()).action, "audit_key_rotate");
  assert.equal((await audit.prune(90 * 86_400_000)).removed, 0);
  assert.equal(typeof (await audit.checkpoint()), "string");
  await rejects(audit.recover("none"), "invalid_state");
});

test("wrong arguments are refused, and no error quotes them", async (t) => {
  const { auth, admin, secrets, audit } = await platform(t, settings);
  const wrong = [
    () => auth.authorize(CANARY),
    () => auth.authorize({ route: CANARY }),
    () => auth.authorize({ route: "auth", header_keys: CANARY }),
    () => auth.issueKey({ CANARY }),
    () => auth.issueKey("a", { validForSeconds: CANARY }),
    () => auth.issueKey("a", { caller: CANARY }),
    () => admin.openSession({ route: "admin_login", admin_header_keys: [CANARY, 7] }),
    () => secrets.put("a", [CANARY]),
    () => secrets.put("a", `${CANARY}\ud800`),
    () => secrets.put("a", CANARY, CANARY),
    () => secrets.put(7, CANARY),
    () => secrets.putProviderToken("a", { value: CANARY, scopes: CANARY, environment: "dev" }),
    () => secrets.putProviderToken("a", { value: CANARY, scopes: [], environment: CANARY }),
    () => secrets.rotate("a", { value: [CANARY] }),
    () => audit.append(CANARY),
    () => audit.append({ actor: CANARY, outcome: CANARY }),
    () => audit.list({ limit: CANARY }),
    () => audit.prune(CANARY),
  ];
  for (const call of wrong) {
    const error = await rejects(call(), "validation_error");
    assert.ok(!inspect(error, { showHidden: true, depth: 9 }).includes(CANARY), String(call));
  }
  for (const call of [
    () => auth.authorize(withKey(CANARY)),
    () => auth.authorize(withCookie(CANARY)),
    () => auth.openSession({ route: "auth", header_keys: [CANARY], peer: "192.0.2.8" }),
    () => admin.openSession({ ...login, admin_header_keys: [CANARY] }),
  ]) {
    const error = await call().then(
      () => assert.fail("let in"),
      (reason) => reason,
    );
    assert.ok(error.code && error.detail && error.userAction);
    assert.ok(!inspect(error, { showHidden: true, depth: 9 }).includes(CANARY), String(call));
  }
});

test("facts are read from a request of Node's server", async (t) => {
  let facts;
  const server = createServer((request, response) => {
    facts = requestFacts("generation", request);
    response.end();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const headers = {
    "x-api-key": "k",
    cookie: "gg_session=s",
    "x-admin-key": "a",
    origin: "https://o.example",
    "x-forwarded-for": "1.2.3.4",
    "x-request-id": "r-1",
  };
  await fetch(`http://127.0.0.1:${server.address().port}/x?api_key=q%2B1&api_key=&X-Admin-Key=`, { headers });
  assert.deepEqual(facts, {
    route: "generation",
    header_keys: ["k"],
    query_keys: ["q+1", ""],
    cookies: ["gg_session=s"],
    admin_header_keys: ["a"],
    query_admin_key_present: true,
    origin: "https://o.example",
    peer: "127.0.0.1",
    forwarded_for: ["1.2.3.4"],
    correlation_id: "r-1",
  });
  assert.equal(requestFacts("auth", { rawHeaders: [], socket: { remoteAddress: "::ffff:10.0.0.1" } }).peer, "10.0.0.1");
});
