// A full disk: a data folder on a file system of two megabytes, in a separate mount namespace.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { finished, folder, testFolder } from "./support.mjs";

const namespaces = [["--mount"], ["--mount", "--user", "--map-root-user"]];
const mount = 'mount -t tmpfs -o size=2m tmpfs "$1"';

test("a full disk is an error without a stored task, and the platform works again when there is space", async (t) => {
  const dataDir = await folder(t);
  const namespace = namespaces.find((options) => spawnSync("unshare", [...options, "bash", "-c", mount, "bash", dataDir]).status === 0);
  if (!namespace && !process.env.MUST_REQUIRE_TOOLS) return t.skip("no file system can be mounted here");
  assert.ok(namespace, "no file system can be mounted here, and MUST_REQUIRE_TOOLS is set");
  const script = `${mount} && exec "$2" "$3" "$1"`;
  const child = spawn("unshare", [
    ...namespace,
    "bash",
    "-c",
    script,
    "bash",
    dataDir,
    process.execPath,
    join(testFolder, "programs", "full-disk.mjs"),
  ]);
  const { code, stdout, stderr } = await finished(child);
  assert.equal(code, 0, stderr);
  const { refused, rows, later } = JSON.parse(stdout);
  assert.equal(refused.code, "storage_full", JSON.stringify(refused));
  assert.ok(refused.detail && refused.userAction);
  assert.equal(rows.after, rows.before);
  assert.equal(later, "done");
});
