// Builds into a temporary folder and fails unless the result equals the committed core/web byte for byte.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const committed = join(root, "../core/web");
const built = mkdtempSync(join(tmpdir(), "must-web-"));

function files(folder) {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    names
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => [relative(folder, path), readFileSync(path)]),
  );
}

try {
  execFileSync("npx", ["vite", "build", "--outDir", built, "--emptyOutDir", "--logLevel", "warn"], { cwd: root, stdio: "inherit" });
  const [ours, theirs] = [files(committed), files(built)];
  const different = [...new Set([...ours.keys(), ...theirs.keys()])].filter((name) => {
    const [a, b] = [ours.get(name), theirs.get(name)];
    return !a || !b || !a.equals(b);
  });
  if (different.length > 0) {
    console.error(`core/web is not what the sources build: ${different.join(", ")}. Run npm run build and commit it.`);
    process.exitCode = 1;
  } else {
    const bytes = [...theirs.values()].reduce((sum, file) => sum + file.length, 0);
    console.log(`core/web is what the sources build: ${theirs.size} files, ${bytes} bytes`);
  }
} finally {
  rmSync(built, { recursive: true, force: true });
}
