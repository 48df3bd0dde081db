import { expect, test, vi } from "vitest";
import { ApiError, NetworkError, problemOf } from "../src/api/errors";
import { failure, json, platform } from "./platform";

const opened = json({ active: true, session_status: "active", expires_at: "2999-01-01T00:00:00Z" }, 201);

test("API addresses are relative to the folder of the page", () => {
  const { client } = platform({});
  expect(client.url("/results/a")).toBe("http://must.test/studio/results/a");
});

test("a call that is refused without a session is repeated once with a new one", async () => {
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

test("concurrent calls share one renewal", async () => {
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

test("calls of another session renew nothing", async () => {
  const { client, calls } = platform({ "GET /admin/health": failure(401, "admin_session_expired") }, { session: false });
  await expect(client.json("/admin/health", { session: false })).rejects.toMatchObject({ code: "admin_session_expired" });
  expect(calls()).toEqual(["GET /admin/health"]);
});

test("failures have the platform's text, and show when nothing or another server answered", async () => {
  const { client } = platform({
    "GET /a": failure(422, "validation_error"),
    "GET /b": new TypeError("fetch failed"),
    "GET /c": new Response("<html>", { status: 502 }),
    "GET /d": new DOMException("aborted", "AbortError"),
  });
  await expect(client.call("/a")).rejects.toMatchObject({
    code: "validation_error",
    detail: "detail of validation_error",
    userAction: "action of validation_error",
  });
  await expect(client.call("/b")).rejects.toBeInstanceOf(NetworkError);
  await expect(client.call("/c")).rejects.toMatchObject({ code: "unexpected", detail: "HTTP 502" });
  await expect(client.call("/d")).rejects.toMatchObject({ name: "AbortError" });
  expect(problemOf(new NetworkError(null)).code).toBe("network");
  expect(problemOf(new ApiError(503, { code: "no_workers", detail: "d", user_action: "u" }))).toEqual({
    code: "no_workers",
    detail: "d",
    userAction: "u",
  });
});

test("a call sends no key, and only through the client's own fetch", async () => {
  const { client, asked } = platform({ "GET /models": json({ models: [] }) });
  const seen = vi.spyOn(globalThis, "fetch");
  await client.json("/models");
  expect(Object.keys(asked[0]?.headers ?? {})).toEqual(["Accept"]);
  expect(seen).not.toHaveBeenCalled();
});
