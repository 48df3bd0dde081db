// The examples in the comments of the types give the results that they show: the output of `console.log(...); // this` is compared with
// the comment.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { format } from "node:util";
import { test } from "node:test";
import { ManualClock, MustError, Platform, requestFacts } from "must";
import { folder, packageFolder, platform } from "./support.mjs";

const AsyncFunction = (async () => {}).constructor;
const source = join(packageFolder, "src");

/** Every example: its file, its code, and the declaration after its comment. */
const examples = readdirSync(source)
  .filter((file) => file.endsWith(".ts"))
  .flatMap((file) => {
    const text = readFileSync(join(source, file), "utf8");
    return [...text.matchAll(/\/\*\*(?:(?!\*\/).)*?@example\n(?<comment>(?:(?!\*\/).)*)\*\/\n(?<declaration>[^\n]*)/gs)].map((found) => {
      const plain = found.groups.comment.replaceAll(/^ *\* ?/gm, "");
      const code = /^```js\n(?<code>.*)^```$/ms.exec(plain)?.groups.code;
      return { file, code, declaration: found.groups.declaration.trim() };
    });
  });

/** The output that an example shows. */
const promised = (code) => [...code.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map(([, text]) => text);

test("the entry points have examples", () => {
  const begun = ["class Platform", "readonly auth", "readonly audit", "readonly secrets", "async submit", "class Task", "class MustError"];
  for (const name of [...begun, "function requestFacts", "interface Host", "class ManualClock"]) {
    assert.ok(
      examples.some(({ declaration }) => declaration.includes(name)),
      `no example at ${name}`,
    );
  }
  assert.ok(
    examples.every(({ code }) => code),
    "each is a block of code",
  );
});

for (const { file, code, declaration } of examples) {
  test(`${file}: ${declaration}`, async (t) => {
    const [home, here] = [process.cwd(), await folder(t)];
    const opened = await platform(t, { adminKey: "a key of 16 letters or more" });
    process.chdir(here);
    t.after(() => process.chdir(home));
    const said = [];
    const log = (...values) => void said.push(format(...values));
    const names = { ManualClock, MustError, Platform, requestFacts, platform: opened, console: { log } };
    // In a block, so that an example may declare its own platform.
    await new AsyncFunction(...Object.keys(names), `{\n${code}}`)(...Object.values(names));
    assert.deepEqual(said, promised(code));
  });
}
