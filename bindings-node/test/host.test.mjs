// Functions of a host: keys from its key store, a store for checkpoints, a clock.

import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import { ManualClock, Platform } from "must";
import { folder, program, rejects } from "./support.mjs";

const [FIRST, SECOND] = [0, 32].map((start) => Buffer.from(Array.from({ length: 32 }, (_, n) => start + n)).toString("base64"));
const SECRET = "canary-of-the-key-store";

async function open(t, dataDir, host) {
  const opened = await Platform.open({ dataDir, device: "cpu", paused: true, host });
  t.after(() => opened.close());
  return opened;
}

test("keys come from the host and nowhere else", async (t) => {
  const dataDir = join(await folder(t), "data");
  let master = `1 ${FIRST}`;
  let audit = SECOND;
  const host = { masterKeys: () => master, auditKeys: async () => (await sleep(5), audit) };
  const { secrets, audit: log } = await open(t, dataDir, host);
  await secrets.put("mail", SECRET);
  await rejects(secrets.rotate("master_key"), "validation_error", /no newer master key/);
  master = `1 ${FIRST}\n2 ${SECOND}`;
  await secrets.rotate("master_key");
  master = `2 ${SECOND}`;
  audit = `1 ${SECOND}\n2 ${FIRST}`;
  assert.ok("overlap_until" in (await log.rotateKey({ overlapSeconds: 3600 })).details);
  assert.equal(await secrets.get("mail"), SECRET);
  assert.ok(!existsSync(join(dataDir, "keys")));
});

test("without keys every request is refused", async (t) => {
  const dataDir = join(await folder(t), "data");
  const first = await open(t, dataDir, { auditKeys: () => SECOND });
  const { secret } = await first.auth.issueKey("site");
  await first.close();
  const warned = once(process, "warning");
  class KeyStoreError extends Error {
    name = "KeyStoreError";
  }
  const away = () => Promise.reject(new KeyStoreError("away"));
  const shut = await open(t, dataDir, { masterKeys: away, auditKeys: () => SECOND });
  const [warning] = await warned;
  assert.match(warning.message, /host\.masterKeys failed/);
  for (const call of [
    () => shut.auth.authorize({ route: "generation", header_keys: [secret] }),
    () => shut.auth.issueKey("another"),
    () => shut.secrets.put("mail", SECRET),
  ]) {
    await rejects(call(), "dependency_unavailable", /KeyStoreError/);
  }
  await shut.close();
  const mute = await open(t, dataDir, { auditKeys: () => 7 });
  await rejects(mute.auth.issueKey("another"), "dependency_unavailable", /TypeError/);
  assert.deepEqual(
    (await mute.auth.keys()).map(({ name }) => name),
    ["site"],
  );
});

test("the host gets checkpoints, and its failure stops changes", async (t) => {
  const notes = [];
  let keeps = true;
  const anchor = async (note) => {
    if (!keeps) throw new RangeError("no room");
    notes.push(note);
  };
  const { auth, audit } = await open(t, join(await folder(t), "data"), { anchor });
  assert.match(notes.at(-1), /^must\//);
  await auth.issueKey("one");
  assert.equal(await audit.checkpoint(), notes.at(-1));
  keeps = false;
  await auth.issueKey("two");
  await rejects(auth.issueKey("three"), "dependency_unavailable", /RangeError/);
  assert.equal((await auth.keys()).length, 2);
  keeps = true;
  await auth.issueKey("three");
  assert.equal(await audit.checkpoint(), notes.at(-1));
  assert.equal((await audit.verify()).ok, true);
});

test("limits are exact with a manual clock", async (t) => {
  const start = Date.UTC(2026, 0, 31, 12);
  const clock = new ManualClock(start);
  const { auth } = await open(t, join(await folder(t), "data"), { clock });
  const asked = { route: "auth", peer: "192.0.2.7" };
  for (let n = 0; n < 10; n++) await auth.openSession(asked);
  await rejects(auth.openSession(asked), "rate_limited");
  clock.advance(59_999);
  await rejects(auth.openSession(asked), "rate_limited");
  clock.advance(1);
  const session = await auth.openSession(asked);
  assert.equal(clock.now.getTime(), start + 60_000);
  assert.equal(Date.parse(session.expires_at), start + 60_000 + 24 * 3_600_000);
  for (const wrong of [() => clock.advance(-1), () => new ManualClock(-1), () => new ManualClock(new Date(NaN))]) {
    assert.throws(wrong, { code: "validation_error" });
  }
});

test("invalid hosts are refused", async (t) => {
  const dataDir = join(await folder(t), "data");
  for (const host of ["keys", { masterKeys: "keys" }, { clock: 7 }, { keys: () => "" }]) {
    await rejects(Platform.open({ dataDir, host }), "validation_error");
  }
  assert.ok(!existsSync(dataDir));
});

test("functions of a host do not keep the process alive, however it ends", async (t) => {
  for (const [end, expected] of Object.entries({ idle: 0, exit: 3, throw: 1, worker: 4 })) {
    const { code, signal, stderr } = await program("end.mjs", [join(await folder(t), "data"), end, "host"]);
    assert.deepEqual({ end, code, signal }, { end, code: expected, signal: null }, stderr);
  }
});
