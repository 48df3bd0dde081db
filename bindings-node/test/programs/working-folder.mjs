// A platform with relative paths in a program that changes to another folder, which has a database of another program.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Platform } from "must";

const [base] = process.argv.slice(2);
const stranger = join(base, "there/data/must.db");
mkdirSync(join(base, "here"));
mkdirSync(join(base, "there/data"), { recursive: true });
writeFileSync(stranger, "a stranger's");
process.chdir(join(base, "here"));
const settings = { dataDir: "data", masterKeyFile: "keys/one", auditKeyFile: "keys/two", auditAnchorFile: "anchors", device: "cpu" };
const request = { model: "tiny-image", prompt: "a red circle", steps: 4, seed: 7 };

// The program makes the call and changes the folder at once.
const opening = Platform.open(settings);
process.chdir(join(base, "there"));
const platform = await opening;
const task = await platform.submit(request);
await task.wait();
const bytes = await task.result();
await platform.secrets.put("mail", "canary");
await platform.secrets.rotate("master_key");
const pages = await Promise.all(Array.from({ length: 100 }, () => platform.tasks()));
assert.ok(pages.every((page) => page.total === 1));
const backup = platform.backup("copy");
process.chdir(base);
assert.equal((await backup).folder, join(base, "there/copy"));
await platform.close();
assert.deepEqual(readdirSync(join(base, "here")).sort(), ["anchors", "data", "keys"]);
assert.deepEqual(readdirSync(join(base, "there")).sort(), ["copy", "data"]);
assert.equal(readFileSync(stranger, "utf8"), "a stranger's");
process.chdir(join(base, "here"));
const again = await Platform.open(settings);
assert.deepEqual(await again.task(task.id).result(), bytes);
assert.equal(await again.secrets.get("mail"), "canary");
assert.ok(existsSync("keys/one"));
await again.close();
