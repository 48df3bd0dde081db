// Signing in and the owners of tasks: who may start a session, who owns a task, and which tasks a host sees.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Platform } from "must";
import { folder, platform, quick, rejects } from "./support.mjs";

const settings = { paused: true, signInRequired: true, sessionsPerMinute: 3 };

test("a session needs a key, and its principal has the owner of the key", async (t) => {
  const { auth } = await platform(t, settings);
  const issued = await auth.issueKey("anna");
  assert.equal(issued.key.owner, `key:${issued.key.id}`);
  assert.equal((await auth.rotateKey(issued.key.id)).key.owner, issued.key.owner);
  const start = (...keys) => auth.openSession({ route: "auth", header_keys: keys, peer: "192.0.2.7" });
  await rejects(start(), "session_required", /access key/);
  const { token } = await start(issued.secret);
  const principal = await auth.authorize({ route: "generation", cookies: [`gg_session=${token}`] });
  assert.deepEqual([principal.name, principal.owner], ["anna", issued.key.owner]);
  await start(issued.secret);
  await rejects(start(issued.secret), "rate_limited", /more than 3/);
});

test("a host submits for others and sees all tasks", async (t) => {
  const host = await platform(t, settings);
  const submit = (owner) => host.submit(quick, owner === null ? {} : { owner });
  const tasks = [];
  for (const owner of ["anna", "Борис", null]) tasks.push(await submit(owner));
  const states = await Promise.all(tasks.map((task) => task.status()));
  assert.deepEqual(
    states.map(({ owner }) => owner),
    ["anna", "Борис", null],
  );
  for (const [index, owner] of ["anna", "Борис", ""].entries()) {
    const { items, total } = await host.tasks({ owner });
    assert.deepEqual([items.map(({ id }) => id), total], [[tasks[index].id], 1]);
  }
  assert.equal((await host.tasks()).total, 3);
  for (const owner of ["", "a\nb", "x".repeat(201), 7, null]) await rejects(host.submit(quick, { owner }), "validation_error", /owner/);
  assert.equal((await host.tasks()).total, 3);
  await tasks[0].cancel();
  await host.delete(tasks[0].id);
  const [event] = (await host.audit.list({ action: "task_delete" })).logs;
  assert.deepEqual([event.actor, event.target, event.details.owner], ["host", `task:${tasks[0].id}`, "anna"]);
});

test("a number of sessions outside its limits is refused", async (t) => {
  const dataDir = await folder(t);
  for (const sessionsPerMinute of [0, 10_001]) {
    await rejects(Platform.open({ dataDir, device: "cpu", sessionsPerMinute }), "validation_error", /sessions_per_minute/);
  }
});
