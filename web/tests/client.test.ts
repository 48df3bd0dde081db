import { expect, test, vi } from "vitest";
import { ApiError, NetworkError, problemOf } from "../src/api/errors";
import { failure, json, platform } from "./platform";

const opened = json({ active: true, session_status: "active", expires_at: "2999-01-01T00:00:00Z" }, 201);

test("addresses are those of the folder of the page", () => {
  const { client } = platform({});
  expect(client.url("/results/a")).toBe("http://must.test/studio/results/a");
});

test("a call that is refused for want of a session is repeated once with a new one", async () => {
  for (const code of ["session_required", "session_expired"]) {
    const { client, calls } = platform({ "GET /models": [failure(401, code), json({ models: [] })], "POST /auth/session": opened });
    expect(await client.json("/models")).toEqual({ models: [] });
    expect(calls()).toEqual(["GET /models", "POST /auth/session", "GET /models"]);
  }
});

test("a call that is refused again is a failure", async () => {
  const { client, calls } = platform({ "GET /models": failure(401, "session_expired"), "POST /auth/session": opened });
  await expect(client.json("/models")).rejects.toMatchObject({ code: "session_expired", status: 401 });
  expect(calls()).toHaveLength(3);
});

test("a page without a session starts one before its first call, and remembers until when it lasts", async () => {
  const { client, calls } = platform({ "GET /models": json({ models: [] }), "POST /auth/session": opened }, { session: false });
  await client.json("/models");
  await client.json("/models");
  expect(calls()).toEqual(["POST /auth/session", "GET /models", "GET /models"]);
});

test("calls at the same time share one renewal", async () => {
  let good = false;
  const models = () => (good ? json({ models: [] }) : failure(401, "session_required"));
  const open = async () => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    good = true;
    return opened.clone();
  };
  const { client, calls } = platform({ "GET /models": models, "POST /auth/session": open });
  await Promise.all([client.json("/models"), client.json("/models"), client.json("/models")]);
  expect(calls().filter((call) => call === "POST /auth/session")).toHaveLength(1);
});

test("a renewal that is limited waits for as long as the platform says, and tells it", async () => {
  const { client, pauses } = platform({
    "GET /models": [failure(401, "session_required"), json({ models: [] })],
    "POST /auth/session": [failure(429, "rate_limited", { "Retry-After": "7" }), opened],
  });
  const told: (number | null)[] = [];
  client.subscribe(() => told.push(client.waiting()));
  await client.json("/models");
  expect(pauses).toEqual([7000]);
  expect(told).toEqual([expect.any(Number), null]);
});

test("a renewal that would wait too long, or is limited again, is a failure", async () => {
  const limited = (seconds: string) => failure(429, "rate_limited", { "Retry-After": seconds });
  const long = platform({ "GET /models": failure(401, "session_required"), "POST /auth/session": limited("3600") });
  await expect(long.client.json("/models")).rejects.toMatchObject({ code: "rate_limited", retryAfter: 3600 });
  expect(long.pauses).toEqual([]);
  const again = platform({ "GET /models": failure(401, "session_required"), "POST /auth/session": limited("1") });
  await expect(again.client.json("/models")).rejects.toMatchObject({ code: "rate_limited" });
  expect(again.pauses).toEqual([1000]);
});

test("calls of another session renew nothing", async () => {
  const { client, calls } = platform({ "GET /admin/health": failure(401, "admin_session_expired") }, { session: false });
  await expect(client.json("/admin/health", { session: false })).rejects.toMatchObject({ code: "admin_session_expired" });
  expect(calls()).toEqual(["GET /admin/health"]);
});

test("failures keep what the platform says, and say so when nothing or something else answered", async () => {
  const { client } = platform({
    "GET /a": failure(422, "validation_error"),
    "GET /b": new TypeError("fetch failed"),
    "GET /c": new Response("<html>", { status: 502 }),
    "GET /d": new DOMException("aborted", "AbortError"),
  });
  await expect(client.call("/a")).rejects.toMatchObject({ code: "validation_error", detail: "detail of validation_error", userAction: "action of validation_error" });
  await expect(client.call("/b")).rejects.toBeInstanceOf(NetworkError);
  await expect(client.call("/c")).rejects.toMatchObject({ code: "unexpected", detail: "HTTP 502" });
  await expect(client.call("/d")).rejects.toMatchObject({ name: "AbortError" });
  expect(problemOf(new NetworkError(null)).code).toBe("network");
  expect(problemOf(new ApiError(503, { code: "no_workers", detail: "d", user_action: "u" }))).toEqual({ code: "no_workers", detail: "d", userAction: "u" });
});

test("no call carries a key, and cookies go to the own origin alone", async () => {
  const { client, asked } = platform({ "GET /models": json({ models: [] }) });
  const seen = vi.spyOn(globalThis, "fetch");
  await client.json("/models");
  expect(Object.keys(asked[0]?.headers ?? {})).toEqual(["Accept"]);
  expect(seen).not.toHaveBeenCalled();
});
