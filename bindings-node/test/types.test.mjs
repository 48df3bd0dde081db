// The types: a sample program compiles, wrong programs do not, and the generated declarations are those that are committed.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { spawnSync } from "node:child_process";
import { readDefinitions } from "../scripts/native-types.mjs";
import { packageFolder } from "./support.mjs";

const tsc = join(packageFolder, "node_modules", "typescript", "bin", "tsc");

for (const [name, options] of Object.entries({
  "as ES module": ["--module", "nodenext"],
  "for a bundler": ["--module", "esnext", "--moduleResolution", "bundler"],
})) {
  test(`a sample program compiles ${name}`, () => {
    const sample = join(packageFolder, "test", "types", "sample.mts");
    const { status, stdout } = spawnSync(
      process.execPath,
      [tsc, "--noEmit", "--strict", "--target", "es2022", "--lib", "es2023,esnext.disposable", ...options, sample],
      { encoding: "utf8", cwd: packageFolder },
    );
    assert.equal(status, 0, stdout);
  });
}

test("native.d.ts matches the addon", () => {
  const target = resolve(packageFolder, "..", process.env.CARGO_TARGET_DIR ?? "target");
  const written = readDefinitions(join(target, "napi-types", "must-node"));
  assert.equal(readFileSync(join(packageFolder, "native.d.ts"), "utf8"), written, "rewrite it: MUST_REGEN=1 npm run build");
});
