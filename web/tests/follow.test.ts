import { expect, test } from "vitest";
import { Slots, follow } from "../src/api/follow";
import { EventParser } from "../src/api/sse";
import type { StatusView } from "../src/api/types";
import { done, events, failure, json, platform, state } from "./platform";

const bytes = (text: string) => new TextEncoder().encode(text);

function following(answers: Parameters<typeof platform>[0], slots = new Slots(1), quiet = 30_000) {
  const made = platform(answers);
  const seen: StatusView[] = [];
  const abort = new AbortController();
  const end = follow(made.client, "a::t1", { onState: (one) => seen.push(one), signal: abort.signal, slots, quiet });
  return { ...made, seen, abort, end };
}

test("events are parsed however the bytes are split", () => {
  const text = 'retry: 2000\nid: 1\nevent: status\ndata: {"a":\ndata: "ü"}\n\n: alive\n\nevent: status\r\ndata: 2\r\n\r\ndata: 3\r\r';
  const whole = new EventParser().push(bytes(`${text}\n`));
  expect(whole).toEqual([
    { event: "status", data: '{"a":\n"ü"}' },
    { event: "status", data: "2" },
    { event: "message", data: "3" },
  ]);
  const parser = new EventParser();
  const pieces = [...bytes(`${text}\n`)].flatMap((byte) => parser.push(new Uint8Array([byte])));
  expect(pieces).toEqual(whole);
  expect(parser.retry).toBe(2000);
});

test("a stream is read to the end of its task", async () => {
  const { end, seen, calls } = following({ "GET /events/a%3A%3At1": events(state(), state({ progress: 50 }), done()) });
  expect((await end).status).toBe("done");
  expect(seen.map(({ progress }) => progress)).toEqual([10, 50, 100]);
  expect(calls()).toEqual(["GET /events/a%3A%3At1"]);
});

test("a stream that ends before its task is opened again", async () => {
  const { end, calls, pauses } = following({ "GET /events/a%3A%3At1": [events(state()), events(done())] });
  expect((await end).status).toBe("done");
  expect(calls()).toHaveLength(2);
  expect(pauses).toEqual([2000]);
});

test("without streams a task is polled, less and less often while its state does not change", async () => {
  const same = json(state());
  const { end, calls, pauses } = following({
    "GET /events/a%3A%3At1": new TypeError("away"),
    "GET /status/a%3A%3At1": [same, same, same, json(state({ progress: 60, updated_at: "2026-01-31T12:00:09.000Z" })), json(done())],
  });
  expect((await end).status).toBe("done");
  expect(calls().filter((call) => call.startsWith("GET /events"))).toHaveLength(2);
  expect(pauses.slice(2)).toEqual([1000, 1500, 2250, 1000]);
});

test("an answer of a proxy that is not an event stream is ignored", async () => {
  const { end, calls } = following({
    "GET /events/a%3A%3At1": new Response("<html>", { headers: { "Content-Type": "text/html" } }),
    "GET /status/a%3A%3At1": json(done()),
  });
  await end;
  expect(calls().at(-1)).toBe("GET /status/a%3A%3At1");
});

test("without a free stream a task is polled, and a finished stream is freed", async () => {
  const slots = new Slots(1);
  slots.take();
  const { end, calls } = following({ "GET /status/a%3A%3At1": json(done()) }, slots);
  await end;
  expect(calls()).toEqual(["GET /status/a%3A%3At1"]);
  slots.give();
  await following({ "GET /events/a%3A%3At1": events(done()) }, slots).end;
  expect(slots.take()).toBe(true);
});

test("a silent stream is treated as broken", async () => {
  const hung = () =>
    new Response(new ReadableStream({ start: (to) => to.enqueue(bytes(`event: status\ndata: ${JSON.stringify(state())}\n\n`)) }), {
      headers: { "Content-Type": "text/event-stream" },
    });
  const made = following({ "GET /events/a%3A%3At1": [hung, events(done())] }, new Slots(1), 30);
  expect((await made.end).status).toBe("done");
  expect(made.seen.map(({ status }) => status)).toEqual(["processing", "done"]);
});

test("following ends for a missing task, but not for an unavailable platform", async () => {
  await expect(following({ "GET /events/a%3A%3At1": failure(404, "task_not_found") }).end).rejects.toMatchObject({
    code: "task_not_found",
  });
  const back = following({ "GET /events/a%3A%3At1": [failure(503, "dependency_unavailable"), events(done())] });
  expect((await back.end).status).toBe("done");
});

test("following can be aborted", async () => {
  const { end, abort } = following({ "GET /events/a%3A%3At1": events(state()), "GET /status/a%3A%3At1": json(state()) });
  abort.abort();
  await expect(end).rejects.toMatchObject({ name: "AbortError" });
});
