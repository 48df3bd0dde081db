import { expect, test } from "vitest";
import { isSignedOut } from "../src/api/session";
import { begun, EXPIRES, failure, json, platform, signedIn, signedOut } from "./platform";

const nobody = json({ sign_in_required: false, session: null, models: [] });
const opened = json({ active: true, session_status: "active", expires_at: EXPIRES }, 201);
const limited = (seconds: string) => failure(429, "rate_limited", { "Retry-After": seconds });

const starting = (answers: Parameters<typeof platform>[0]) =>
  platform({ "GET /gallery": json({ items: [] }), ...answers }, { session: false });

test("a page asks how it may start, and starts a session before its first call", async () => {
  const { client, calls } = starting({ "GET /studio": nobody, "POST /auth/session": opened });
  await client.json("/gallery");
  await client.json("/gallery");
  expect(calls()).toEqual(["GET /studio", "POST /auth/session", "GET /gallery", "GET /gallery"]);
  expect(client.session.snapshot()).toMatchObject({ signInRequired: false, session: { expires_at: EXPIRES, owner: null } });
});

test("a valid session of the browser is reused", async () => {
  const { client, calls } = starting({ "GET /studio": json(begun()) });
  await Promise.all([client.json("/gallery"), client.json("/gallery")]);
  expect(calls()).toEqual(["GET /studio", "GET /gallery", "GET /gallery"]);
});

test("a rate-limited start waits as long and as often as the platform says, and shows that", async () => {
  const { client, pauses, calls } = starting({
    "GET /studio": nobody,
    "POST /auth/session": [limited("7"), limited("600"), limited("1"), opened],
  });
  const told: (number | null)[] = [];
  client.session.subscribe(() => told.push(client.session.snapshot().waitingUntil));
  await Promise.all([client.json("/gallery"), client.json("/gallery")]);
  expect(pauses).toEqual([7000, 600_000, 1000]);
  expect(told.filter((until) => until !== null)).toHaveLength(3);
  expect(told.at(-1)).toBeNull();
  expect(calls().filter((call) => call === "POST /auth/session")).toHaveLength(4);
});

test("an aborted call does not wait for a session", async () => {
  const { client } = starting({ "GET /studio": nobody, "POST /auth/session": () => new Promise<Response>(() => undefined) });
  const abort = new AbortController();
  const call = client.json("/gallery", { signal: abort.signal });
  abort.abort();
  await expect(call).rejects.toMatchObject({ name: "AbortError" });
});

test("a failed start fails the call, and the next call tries again", async () => {
  const { client } = starting({
    "GET /studio": [failure(503, "dependency_unavailable"), nobody],
    "POST /auth/session": [failure(503, "storage_full"), opened],
  });
  await expect(client.json("/gallery")).rejects.toMatchObject({ code: "dependency_unavailable" });
  await expect(client.json("/gallery")).rejects.toMatchObject({ code: "storage_full" });
  expect(await client.json("/gallery")).toEqual({ items: [] });
});

test("nothing is called before people sign in, and the key is in one header of one call", async () => {
  const { client, asked, calls } = starting({ "GET /studio": [json(signedOut), json(signedIn("anna"))], "POST /auth/session": opened });
  await expect(client.json("/gallery")).rejects.toMatchObject({ code: "session_required" });
  await expect(client.json("/gallery")).rejects.toMatchObject({ code: "session_required" });
  expect(calls()).toEqual(["GET /studio"]);
  expect(isSignedOut(client.session.snapshot())).toBe(true);
  await client.session.signIn("must_api_x");
  await client.json("/gallery");
  expect(calls()).toEqual(["GET /studio", "POST /auth/session", "GET /studio", "GET /gallery"]);
  expect(asked.map(({ headers }) => headers["X-API-Key"])).toEqual([undefined, "must_api_x", undefined, undefined]);
  expect(client.session.snapshot()).toMatchObject({ owner: "key:anna", session: { name: "anna" }, expired: false });
  expect(JSON.stringify({ ...localStorage, ...sessionStorage })).not.toContain("must_api_x");
});

test("a wrong key fails, a rate-limited sign-in continues with the same key, and a refused cookie is reported", async () => {
  const { client, asked } = starting({
    "GET /studio": json(signedOut),
    "POST /auth/session": [failure(403, "invalid_api_key"), limited("3"), opened],
  });
  await expect(client.session.signIn("wrong")).rejects.toMatchObject({ code: "invalid_api_key" });
  await expect(client.session.signIn("right")).rejects.toMatchObject({ code: "cookie_refused" });
  expect(asked.filter(({ method }) => method === "POST").map(({ headers }) => headers["X-API-Key"])).toEqual(["wrong", "right", "right"]);
});

test("an ended session of a person is not renewed, and the page remembers its owner", async () => {
  const { client, calls } = starting({
    "GET /studio": json(signedIn("anna")),
    "GET /gallery": [json({ items: [] }), failure(401, "session_expired")],
  });
  await client.json("/gallery");
  await expect(client.json("/gallery")).rejects.toMatchObject({ code: "session_required" });
  expect(client.session.snapshot()).toMatchObject({ session: null, expired: true, owner: "key:anna" });
  expect(calls()).not.toContain("POST /auth/session");
});

test("signing out works for a session that has ended already", async () => {
  for (const answer of [new Response(null, { status: 204 }), failure(401, "session_expired")]) {
    const { client } = starting({ "GET /studio": json(signedIn("anna", [])), "DELETE /auth/session": answer });
    await client.session.begin();
    await client.session.signOut();
    expect(client.session.snapshot()).toMatchObject({ session: null, owner: null, expired: false, models: null });
  }
  const { client } = starting({ "GET /studio": json(signedIn("anna")), "DELETE /auth/session": failure(503, "dependency_unavailable") });
  await client.session.begin();
  await expect(client.session.signOut()).rejects.toMatchObject({ code: "dependency_unavailable" });
  expect(client.session.snapshot().owner).toBe("key:anna");
});

test("signing out or in in another tab is noticed", async () => {
  const { client } = starting({ "GET /studio": [json(signedIn("anna")), json(signedOut), json(signedIn("boris"))] });
  await client.session.begin();
  const stop = client.session.watchOtherTabs();
  const changed = (key: string) => dispatchEvent(new StorageEvent("storage", { key, newValue: "1" }));
  changed("must.session");
  await expect.poll(() => client.session.snapshot().owner).toBeNull();
  changed("must.session");
  await expect.poll(() => client.session.snapshot().owner).toBe("key:boris");
  stop();
});

test("a platform that requires sign-in after a restart leads to the sign-in", async () => {
  const { client } = starting({ "GET /studio": [nobody, json(signedOut)], "POST /auth/session": failure(401, "session_required") });
  await expect(client.json("/gallery")).rejects.toMatchObject({ code: "session_required" });
  expect(isSignedOut(client.session.snapshot())).toBe(true);
});
