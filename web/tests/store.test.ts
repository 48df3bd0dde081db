import { waitFor } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { initialForm, setValue } from "../src/catalog/form";
import { phaseOf, readEntries } from "../src/tasks/entry";
import type { Phase } from "../src/tasks/entry";
import { TaskStore } from "../src/tasks/store";
import { model } from "./models";
import { done, events, failure, json, platform, state } from "./platform";

const tiny = model("tiny-image");
const form = setValue(initialForm(tiny), "prompt", "a red circle");
const accepted = json({ task_id: "t1", status: "pending" }, 202);

const phases = (store: TaskStore): Phase[] => store.snapshot().map(phaseOf);

test("a task is submitted, followed to its end, and remembered without pictures", async () => {
  const { client } = platform({ "POST /generate": accepted, "GET /events/t1": events(state(), done()) });
  const store = new TaskStore(client, localStorage);
  const ended = vi.fn();
  store.onEnd(ended);
  const entry = await store.submit(form, tiny);
  expect(entry).toMatchObject({ id: "t1", model: "tiny-image", mode: "txt2img", request: { prompt: "a red circle", width: 64 } });
  await waitFor(() => expect(phases(store)).toEqual(["done"]));
  expect(ended).toHaveBeenCalledOnce();
  expect(readEntries(localStorage.getItem("must.tasks"))).toEqual(store.snapshot());
});

test("unfinished tasks are followed again after a reload", async () => {
  const first = platform({ "POST /generate": accepted, "GET /events/t1": () => new Promise<Response>(() => undefined) });
  await new TaskStore(first.client, localStorage).submit(form, tiny);
  const second = platform({ "GET /events/t1": events(done()) });
  const store = new TaskStore(second.client, localStorage);
  expect(phases(store)).toEqual(["pending"]);
  const stop = store.start();
  await waitFor(() => expect(phases(store)).toEqual(["done"]));
  expect(second.calls()).toEqual(["GET /events/t1"]);
  stop();
});

test("a late state changes nothing", async () => {
  const { client } = platform({
    "POST /generate": accepted,
    "GET /events/t1": events(state({ progress: 60 }), state({ progress: 20 }), state({ status: "pending", progress: 0 }), done()),
  });
  const store = new TaskStore(client, localStorage);
  const seen: number[] = [];
  store.subscribe(() => seen.push(store.snapshot()[0]?.state?.progress ?? 0));
  await store.submit(form, tiny);
  await waitFor(() => expect(phases(store)).toEqual(["done"]));
  expect(seen).toEqual([0, 60, 100]);
});

test("cancelled, failed and missing tasks are distinguished", async () => {
  const cancelled = state({ status: "failed", error_code: "cancelled", error: "cancelled" });
  for (const [answer, phase] of [
    [events(cancelled), "cancelled"],
    [events(state({ status: "failed", error_code: "task_timeout", error: "too long" })), "failed"],
    [failure(404, "task_not_found"), "gone"],
  ] as const) {
    localStorage.clear();
    const { client } = platform({ "POST /generate": accepted, "GET /events/t1": answer });
    const store = new TaskStore(client, localStorage);
    await store.submit(form, tiny);
    await waitFor(() => expect(phases(store)).toEqual([phase]));
  }
});

test("cancelling an ended task is not a failure, but other refusals are", async () => {
  const path = "POST /tasks/a%3A%3At1/cancel";
  const store = (answer: Response) => new TaskStore(platform({ [path]: answer }).client, localStorage);
  await store(json({ task_id: "a::t1", status: "cancelling" }, 202)).cancel("a::t1");
  await store(failure(409, "invalid_state")).cancel("a::t1");
  await expect(store(failure(503, "dependency_unavailable")).cancel("a::t1")).rejects.toMatchObject({ code: "dependency_unavailable" });
});

test("ended tasks are removed from the list, running ones stay", async () => {
  const { client } = platform({
    "POST /generate": [accepted, json({ task_id: "t2", status: "pending" }, 202)],
    "GET /events/t1": events(done()),
    "GET /events/t2": () => new Promise<Response>(() => undefined),
  });
  const store = new TaskStore(client, localStorage);
  await store.submit(form, tiny);
  await waitFor(() => expect(phases(store)).toEqual(["done"]));
  await store.submit(form, tiny);
  store.deleted("t1");
  expect(phases(store)).toEqual(["pending", "gone"]);
  store.forgetEnded();
  expect(store.snapshot().map(({ id }) => id)).toEqual(["t2"]);
  store.forget("t2");
  expect(readEntries(localStorage.getItem("must.tasks"))).toEqual([]);
});

test("stored data that is not a list of tasks is ignored", () => {
  expect(readEntries("nonsense")).toEqual([]);
  expect(readEntries('{"a":1}')).toEqual([]);
  expect(readEntries('[null, 1, {"id":"t1"}]')).toEqual([]);
});

test("each owner has a separate list, which can be removed from the browser", async () => {
  const { client } = platform({ "POST /generate": accepted, "GET /events/t1": () => new Promise<Response>(() => undefined) });
  const store = new TaskStore(client, localStorage);
  let stop = store.start("key:anna");
  await store.submit(form, tiny);
  stop();
  stop = store.start("key:boris");
  expect(store.snapshot()).toEqual([]);
  stop();
  stop = store.start("key:anna");
  expect(store.snapshot()).toHaveLength(1);
  expect(localStorage.getItem("must.tasks")).toBeNull();
  store.forgetOwner("key:anna");
  expect([store.snapshot(), localStorage.length]).toEqual([[], 0]);
  stop();
});
