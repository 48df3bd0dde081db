// Builds the package inside its repository: the addon with cargo, the TypeScript layer with tsc, both into dist/.
//
// npm runs this at every install in a project with this package, so it has to be quick when nothing has changed. cargo and tsc detect that
// themselves, and `cargo test -p xtask` checks that the addon uses the same compiled crates as the rest of the workspace.
//
// MUST_BUILD_PROFILE  cargo profile of the addon (default: release)
// MUST_REGEN          also rewrite native.d.ts from the addon's own types
// CARGO_TARGET_DIR    cargo's target folder, as for cargo

import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { readDefinitions } from "./native-types.mjs";

const packageFolder = dirname(dirname(fileURLToPath(import.meta.url)));
const repository = dirname(packageFolder);
const targetFolder = resolve(repository, process.env.CARGO_TARGET_DIR ?? "target");
const definitions = join(targetFolder, "napi-types");

if (!existsSync(join(repository, "core", "Cargo.toml"))) {
  fail("this package is built inside the repository of MUST: clone it and run `npm install PATH_TO_CLONE/bindings-node`");
}
buildAddon();
if (process.env.MUST_REGEN) writeFileSync(join(packageFolder, "native.d.ts"), readDefinitions(join(definitions, "must-node")));
buildTypeScript();

function buildAddon() {
  const profile = process.env.MUST_BUILD_PROFILE || "release";
  const options = ["build", "-p", "must-node", "--profile", profile, "--message-format", "json-render-diagnostics"];
  mkdirSync(definitions, { recursive: true });
  const stdout = run("cargo", options, { cwd: repository, env: { ...process.env, NAPI_TYPE_DEF_TMP_FOLDER: definitions } });
  const library = stdout
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line))
    .filter((message) => message.reason === "compiler-artifact" && message.target.name === "must_node")
    .flatMap((message) => message.filenames)
    .find((file) => /\.(so|dylib|dll)$/.test(file));
  if (!library) fail("cargo built no library");
  const addon = join(packageFolder, "dist", "must.node");
  if (existsSync(addon) && readFileSync(addon).equals(readFileSync(library))) return;
  // A running program may have the old addon loaded, so the new file replaces it and is never written into it.
  mkdirSync(dirname(addon), { recursive: true });
  copyFileSync(library, `${addon}.${process.pid}`);
  renameSync(`${addon}.${process.pid}`, addon);
}

function buildTypeScript() {
  const require = createRequire(join(packageFolder, "package.json"));
  const compiler = () => {
    try {
      return join(dirname(require.resolve("typescript/package.json")), "bin", "tsc");
    } catch {
      return undefined;
    }
  };
  // npm does not install the development dependencies of a linked folder.
  if (!compiler()) run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", packageFolder], { cwd: packageFolder });
  const tsc = compiler();
  if (!tsc) fail("typescript could not be installed");
  run(process.execPath, [tsc, "--project", join(packageFolder, "tsconfig.json")], {});
}

function run(command, options, how) {
  const { status, error, stdout } = spawnSync(command, options, {
    encoding: "utf8",
    maxBuffer: 1 << 28,
    stdio: ["ignore", "pipe", "inherit"],
    shell: process.platform === "win32" && command === "npm",
    ...how,
  });
  if (error?.code === "ENOENT") fail(`${command} was not found; it is needed to build this package`);
  if (error) throw error;
  if (status !== 0) {
    if (command !== "cargo") process.stderr.write(stdout);
    fail(`${command} ${options[0]} failed`);
  }
  return stdout;
}

function fail(message) {
  console.error(`must: ${message}`);
  process.exit(1);
}
