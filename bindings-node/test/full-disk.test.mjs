// A disk that is full: a small file system where one can be mounted, a limit on file size elsewhere.

import assert from "node:assert/strict";
import { test } from "node:test";
import { folder, program } from "./support.mjs";

const linux = { skip: process.platform !== "linux" };

test("a full disk is told as such, leaves no row, and passes", linux, async (t) => {
  const mount = "mount -t tmpfs -o size=2m tmpfs";
  const mountPoint = await folder(t);
  const shell = `unshare --mount true 2>/dev/null || exit 77; exec unshare --mount bash -c '${mount} "$2" && exec "$@"' sh`;
  const { code, stdout, stderr } = await program("full-disk.mjs", [mountPoint], { shell: `run() { ${shell} "$@"; }; run "$0" "$@"` });
  if (code === 77) return t.skip("no file system can be mounted here");
  assert.equal(code, 0, stderr);
  const { refused, rows, later } = JSON.parse(stdout);
  assert.equal(refused.code, "storage_full", JSON.stringify(refused));
  assert.ok(refused.detail && refused.userAction);
  assert.equal(rows.after, rows.before);
  assert.equal(later, "done");
});
