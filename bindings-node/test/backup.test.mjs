// Backups, relative paths, and a second SQLite in the process.

import assert from "node:assert/strict";
import { cp, mkdir, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { Platform } from "must";
import { folder, program, quick, rejects } from "./support.mjs";

const caller = { actor: "ops", source: "cli" };

/** A platform in a given folder, closed at the end of the test. */
async function opened(t, dataDir) {
  const platform = await Platform.open({ dataDir, device: "cpu" });
  t.after(() => platform.close());
  return platform;
}

test("a backup opens as a data folder", async (t) => {
  const base = await folder(t);
  const data = join(base, "data");
  const platform = await opened(t, data);
  const task = await platform.submit(quick);
  await task.wait();
  await platform.secrets.put("mail", "canary");
  const made = await platform.backup(join(base, "backup"), { caller });
  assert.deepEqual(
    { ...made, database_bytes: 0, file_bytes: 0, audit_events: 0 },
    {
      folder: join(base, "backup"),
      database_bytes: 0,
      tasks: 1,
      files: 2,
      file_bytes: 0,
      missing_files: 0,
      audit_events: 0,
      audit_ok: true,
      key_files: [join(data, "keys/master.key"), join(data, "keys/audit.key")],
    },
  );
  assert.equal((await stat(join(made.folder, "must.db"))).size, made.database_bytes);
  assert.deepEqual((await readdir(made.folder)).sort(), ["audit.anchors", "must.db", "results"]);
  const [event] = (await platform.audit.list({ action: "backup" })).logs;
  assert.deepEqual([event.actor, event.target, event.outcome, event.seq], ["ops", made.folder, "success", made.audit_events]);
  const result = await task.result();
  await platform.close();
  await cp(join(data, "keys"), join(made.folder, "keys"), { recursive: true });
  await rm(data, { recursive: true });
  const restored = await opened(t, made.folder);
  assert.deepEqual(await restored.task(task.id).result(), result);
  assert.equal(await restored.secrets.get("mail"), "canary");
  assert.ok((await restored.audit.verify()).ok);
});

test("a backup overwrites nothing", async (t) => {
  const base = await folder(t);
  const platform = await opened(t, join(base, "data"));
  await mkdir(join(base, "taken"));
  await writeFile(join(base, "taken/mine"), "mine");
  for (const place of ["taken", "taken/mine", "data", "data/backup", "missing/../data/backup"]) {
    await rejects(platform.backup(`${base}/${place}`), "validation_error");
  }
  for (const nonsense of ["", undefined, 7]) await rejects(platform.backup(nonsense), "validation_error");
  assert.deepEqual(await readdir(base), ["data", "taken"]);
  assert.equal(await readFile(join(base, "taken/mine"), "utf8"), "mine");
  await platform.close();
  await rejects(platform.backup(join(base, "backup")), "invalid_state");
});

test("relative paths do not change with the working folder", async (t) => {
  const { code, stderr } = await program("working-folder.mjs", [await folder(t)]);
  assert.equal(code, 0, stderr);
});

const sqlite = await import("node:sqlite").then(
  () => true,
  () => false,
);

test("no acknowledged task is lost when a second SQLite closes", { skip: !sqlite && "this Node has no node:sqlite" }, async (t) => {
  const dataDir = join(await folder(t), "data");
  const { signal, stdout, stderr } = await program("second-sqlite.mjs", [dataDir]);
  assert.equal(signal, "SIGKILL", stderr);
  const told = stdout.trim().split("\n");
  assert.equal(told.length, 40);
  const platform = await Platform.open({ dataDir, device: "cpu", paused: true });
  t.after(() => platform.close());
  const kept = await platform.tasks({ per_page: 100 });
  assert.deepEqual(kept.items.map(({ id }) => id).sort(), told.sort());
});
