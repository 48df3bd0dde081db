// Makes the packages to publish: FOLDER/must, which has no compiled code, and FOLDER/must-PLATFORM with the addon, the file LIBRARY that
// cargo built for that platform. Each must-PLATFORM names its system, and npm installs the one that fits. `cargo xtask package node` calls
// this after it has compiled src/ into dist/.
//
//   node scripts/package.mjs FOLDER LIBRARY PLATFORM      (such as linux-x64-gnu)

import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { addonPackages } from "./platforms.mjs";

const here = dirname(dirname(fileURLToPath(import.meta.url)));
const [folder, library, platformName] = process.argv.slice(2);
const platform = addonPackages.find(({ name }) => name === `must-${platformName}`);
if (!platform) throw new Error(`there is no package must-${platformName}; usage: node scripts/package.mjs FOLDER LIBRARY PLATFORM`);

const { devDependencies, scripts, private: _, ...shared } = JSON.parse(readFileSync(join(here, "package.json"), "utf8"));
const { version, license, repository } = shared;
const licenses = ["LICENSE-MIT", "LICENSE-APACHE"];

const main = start("must", {
  ...shared,
  files: ["dist", "native.d.ts", "scripts", ...licenses],
  scripts: { install: "node scripts/check.mjs" },
  optionalDependencies: Object.fromEntries(addonPackages.map(({ name }) => [name, version])),
});
cpSync(join(here, "dist"), join(main, "dist"), { recursive: true, filter: (path) => !/must\.node|\.tsbuildinfo/.test(path) });
for (const file of ["native.d.ts", "README.md"]) copyFileSync(join(here, file), join(main, file));
mkdirSync(join(main, "scripts"));
copyFileSync(join(here, "scripts", "check.mjs"), join(main, "scripts", "check.mjs"));

const addon = start(platform.name, {
  name: platform.name,
  version,
  description: `The addon of the package must for ${platform.os} on ${platform.cpu}`,
  license,
  repository,
  main: "must.node",
  files: ["must.node", ...licenses],
  os: [platform.os],
  cpu: [platform.cpu],
  ...(platform.libc ? { libc: [platform.libc] } : {}),
});
copyFileSync(library, join(addon, "must.node"));

/** Makes a folder with a package.json and the licences. */
function start(name, description) {
  const place = join(folder, name);
  rmSync(place, { recursive: true, force: true });
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, "package.json"), `${JSON.stringify(description, undefined, 2)}\n`);
  for (const file of licenses) copyFileSync(join(here, "..", file), join(place, file));
  return place;
}
