import { expect, test } from "vitest";
import { Submitter, newKey } from "../src/api/submit";
import { failure, json, platform } from "./platform";

const accepted = json({ task_id: "t1", status: "pending" }, 202);
const away = new TypeError("fetch failed");
const request = { model: "tiny-image", prompt: "a boat" };

function submitter(answers: Parameters<typeof platform>[0]) {
  const made = platform(answers);
  let count = 0;
  const keys = () => made.asked.map(({ headers }) => headers["Idempotency-Key"]);
  return { ...made, keys, submitter: new Submitter(made.client, () => `key-${(count += 1)}`) };
}

test("keys are visible ASCII, and no two are the same", () => {
  const keys = new Set(Array.from({ length: 100 }, newKey));
  expect(keys.size).toBe(100);
  for (const key of keys) expect(key).toMatch(/^[!-~]{16,255}$/);
});

test("a submission is repeated under the same key when no answer came", async () => {
  const { submitter: one, keys, pauses } = submitter({ "POST /generate": [away, new Response("bad gateway", { status: 502 }), accepted] });
  expect(await one.submit(request)).toEqual({ task_id: "t1", status: "pending" });
  expect(keys()).toEqual(["key-1", "key-1", "key-1"]);
  expect(pauses).toEqual([500, 1000]);
});

test("the same request sent by hand is still the same submission", async () => {
  const { submitter: one, keys } = submitter({ "POST /generate": [away, away, away, away, accepted, accepted] });
  await expect(one.submit(request)).rejects.toMatchObject({ name: "NetworkError" });
  await one.submit({ ...request });
  await one.submit(request);
  expect(keys()).toEqual(["key-1", "key-1", "key-1", "key-1", "key-1", "key-2"]);
});

test("another request has a key of its own", async () => {
  const { submitter: one, keys } = submitter({ "POST /generate": [away, away, away, away, accepted] });
  await expect(one.submit(request)).rejects.toBeDefined();
  await one.submit({ ...request, prompt: "a ship" });
  expect(keys().at(-1)).toBe("key-2");
});

test("a refusal is not repeated", async () => {
  const { submitter: one, calls } = submitter({ "POST /generate": [failure(422, "validation_error"), accepted] });
  await expect(one.submit(request)).rejects.toMatchObject({ code: "validation_error" });
  await expect(one.submit(request)).resolves.toMatchObject({ task_id: "t1" });
  expect(calls()).toHaveLength(2);
});
