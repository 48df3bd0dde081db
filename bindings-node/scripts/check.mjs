// Run when the published package is installed. Checks that an addon for this system loads, and says what to do if there is none.
//
// MUST_SOURCE  a clone of the repository; if no addon fits the system, one is built there with cargo

import { spawnSync } from "node:child_process";
import { copyFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);

try {
  require(join(here, "dist", "native.js"));
} catch (error) {
  const source = process.env.MUST_SOURCE;
  if (!source) {
    console.error(`must: no addon loads on this system (${error.message}).`);
    console.error("must: to build one, install Rust, clone the repository, and run npm install again with MUST_SOURCE=PATH_TO_THE_CLONE.");
    process.exit(1);
  }
  const package_ = join(source, "bindings-node");
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const { status } = spawnSync(npm, ["install", "--no-audit", "--no-fund"], {
    cwd: package_,
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  if (status !== 0) process.exit(status ?? 1);
  copyFileSync(join(package_, "dist", "must.node"), join(here, "dist", "must.node"));
}
