// The options of a submission other than the owner and the signal.

import assert from "node:assert/strict";
import { test } from "node:test";
import { platform, quick, rejects } from "./support.mjs";

const traceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

test("a repeated submission gives the same task", async (t) => {
  const opened = await platform(t, { paused: true });
  const idempotency = { owner: "shop", key: "order-1" };
  const first = await opened.submit(quick, { idempotency, traceParent, localOnly: true });
  const again = await opened.submit(quick, { idempotency });
  assert.equal(again.id, first.id);
  const other = await opened.submit(quick, { idempotency: { ...idempotency, owner: "another shop" } });
  assert.notEqual(other.id, first.id);
  await rejects(opened.submit({ ...quick, prompt: "a blue square" }, { idempotency }), "validation_error", /different request/);
  await opened.submit(quick, { remixOf: first.id, localOnly: undefined });
  assert.equal((await opened.tasks()).total, 3);
  const { items } = await opened.tasks({ sort: "oldest", after: first.id });
  assert.equal(items[0].id, other.id);
});

test("wrong options of a submission are refused", async (t) => {
  const opened = await platform(t, { paused: true });
  for (const [options, message] of [
    [{ traceParent: "00-1-2-3" }, /trace_parent/],
    [{ idempotency: { owner: "shop" } }, /key/],
    [{ idempotency: "order-1" }, /idempotency must be an object/],
    [{ idempotency: { owner: "shop", key: "a b" } }, /key/],
    [{ idempotency: { owner: "shop", key: "a", day: 1 } }, /no option idempotency.day/],
    [{ localOnly: "yes" }, /localOnly must be true or false/],
    [{ remixOf: "no-such-task" }, /remix_of/],
    [{ remix_of: "a-task" }, /no option remix_of/],
  ]) {
    await rejects(opened.submit(quick, options), "validation_error", message);
  }
  assert.equal((await opened.tasks()).total, 0);
});
