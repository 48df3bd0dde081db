/** A platform with answers that the test defines, and a clock that does not wait. */

import { vi } from "vitest";
import { Client } from "../src/api/client";
import type { Model, StatusView, Studio } from "../src/api/types";

export interface Asked {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: unknown;
}

type Answer = Response | Error | (() => Response | Promise<Response>);

export const json = (body: unknown, status = 200, headers: Record<string, string> = {}): Response =>
  new Response(status === 204 ? null : JSON.stringify(body), { status, headers: { "Content-Type": "application/json", ...headers } });

export const failure = (status: number, code: string, headers: Record<string, string> = {}): Response =>
  json({ code, detail: `detail of ${code}`, user_action: `action of ${code}` }, status, headers);

export const state = (change: Partial<StatusView> = {}): StatusView => ({
  task_id: "t1",
  status: "processing",
  progress: 10,
  stage: "denoising",
  stage_detail: "",
  result_url: null,
  preview_url: null,
  error: null,
  error_code: null,
  seed: 7,
  created_at: "2026-01-31T12:00:00.000Z",
  updated_at: "2026-01-31T12:00:01.000Z",
  ...change,
});

export const done = (change: Partial<StatusView> = {}): StatusView =>
  state({ status: "done", progress: 100, stage: "done", result_url: "/results/t1", preview_url: "/preview/t1", ...change });

/** A stream of events that ends after these states. */
export const events = (...states: StatusView[]): Response =>
  new Response(states.map((one) => `event: status\ndata: ${JSON.stringify(one)}\n\n`).join(""), {
    headers: { "Content-Type": "text/event-stream" },
  });

export const EXPIRES = "2999-01-01T00:00:00Z";

/** The answer of `GET /studio` if nobody signs in, with a session of the browser. */
export const begun = (models: Model[] | null = null): Studio => ({
  sign_in_required: false,
  session: { expires_at: EXPIRES, name: "", owner: null },
  models,
});

/** The same if people sign in: with the session of a key, or without a session. */
export const signedIn = (name: string, models: Model[] | null = null): Studio => ({
  sign_in_required: true,
  session: { expires_at: EXPIRES, name, owner: `key:${name}` },
  models,
});
export const signedOut: Studio = { sign_in_required: true, session: null, models: null };

/** Answers calls by `METHOD /path`; a list gives its answers in order, and repeats the last one. */
export function platform(answers: Record<string, Answer | Answer[]>, { session = true } = {}) {
  const asked: Asked[] = [];
  const counts = new Map<string, number>();
  const fetch = vi.fn(async (input: string, init: RequestInit = {}) => {
    const path = new URL(input).pathname + new URL(input).search;
    const method = init.method ?? "GET";
    asked.push({
      method,
      path,
      headers: init.headers as Record<string, string>,
      body: typeof init.body === "string" ? JSON.parse(init.body) : undefined,
    });
    if (init.signal?.aborted) throw new DOMException("aborted", "AbortError");
    const inside = path.replace("/studio", "");
    const known = answers[`${method} ${inside}`] ?? answers[`${method} ${inside.split("?")[0]}`];
    if (!known) return failure(404, "not_found");
    const list = Array.isArray(known) ? known : [known];
    const count = counts.get(`${method} ${path}`) ?? 0;
    counts.set(`${method} ${path}`, count + 1);
    const answer = list[Math.min(count, list.length - 1)];
    if (typeof answer === "function") return answer();
    if (answer instanceof Response) return answer.clone();
    throw answer ?? new Error("no answer");
  });
  const pauses: number[] = [];
  const sleep = async (milliseconds: number, signal?: AbortSignal) => {
    signal?.throwIfAborted();
    pauses.push(milliseconds);
    // Other tasks run in the meantime, as they would while time passes.
    await new Promise((resolve) => setTimeout(resolve, 0));
    signal?.throwIfAborted();
  };
  const client = new Client({ base: "http://must.test/studio/", fetch, sleep, ...(session ? { begun: begun() } : {}) });
  const calls = () => asked.map(({ method, path }) => `${method} ${path.replace("/studio", "")}`);
  return { client, asked, calls, pauses };
}
