import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { beforeEach, expect, test } from "vitest";
import { AdminPage } from "../src/admin/admin";
import { VerdictNote } from "../src/admin/verify";
import type { Account, Verdict } from "../src/api/types";
import { failure, json } from "./platform";
import { show } from "./show";

const KEY = "an-admin-key-of-the-tests";
const session = json({ active: true, idle_timeout_seconds: 43_200, last_activity_at: new Date().toISOString() });
const ok = { ok: true, detail: null };
const health = json({
  ok: true,
  storage: ok,
  secrets: ok,
  audit: { ok: false, detail: "the anchors cannot be read" },
  accounts: { ready: 2 },
  lanes: [],
  waiting: 3,
});
const nothing = new Response(null, { status: 204 });

const account = (change: Partial<Account> = {}): Account => ({
  id: "a1",
  label: "Team A",
  workspace: "team-a",
  address: "https://team-a.example",
  status: "pending",
  error: null,
  models: null,
  active: 0,
  dispatched: 0,
  created_at: "2026-01-31T12:00:00Z",
  updated_at: "2026-01-31T12:00:00Z",
  checked_at: null,
  used_at: null,
  deployment: null,
  ...change,
});

const listed = (...accounts: Account[]) => json({ accounts });

beforeEach(() => localStorage.setItem("must.admin", "open"));

test("the key is sent once, in its header, and stored nowhere", async () => {
  localStorage.clear();
  const { asked, calls } = show(<AdminPage />, {
    "POST /admin/session": nothing,
    "GET /admin/session": session,
    "GET /admin/health": health,
  });
  fireEvent.change(await screen.findByLabelText("Admin key"), { target: { value: KEY } });
  fireEvent.click(screen.getByRole("button", { name: "Sign in" }));
  expect(await screen.findByText("Without use, ends in 12 hours")).toBeTruthy();
  expect(calls()).toEqual(expect.arrayContaining(["POST /admin/session", "GET /admin/session", "GET /admin/health"]));
  expect(asked.filter(({ headers }) => headers["X-Admin-Key"] === KEY)).toHaveLength(1);
  expect(JSON.stringify({ ...localStorage, ...sessionStorage })).not.toContain(KEY);
  expect(document.body.innerHTML).not.toContain(KEY);
});

test("a wrong key shows an error, and the form waits out a rate limit", async () => {
  localStorage.clear();
  show(<AdminPage />, {
    "POST /admin/session": [failure(403, "admin_key_invalid"), failure(429, "rate_limited", { "Retry-After": "30" })],
  });
  const field = await screen.findByLabelText("Admin key");
  fireEvent.change(field, { target: { value: "wrong" } });
  fireEvent.click(screen.getByRole("button", { name: "Sign in" }));
  expect((await screen.findByRole("alert")).textContent).toContain("The admin key is not right");
  fireEvent.click(screen.getByRole("button", { name: "Sign in" }));
  expect((await screen.findByRole<HTMLButtonElement>("button", { name: /Try again in (2\d|30) s/ })).disabled).toBe(true);
});

test("a session that has ended leads back to the sign-in", async () => {
  show(<AdminPage />, { "GET /admin/session": session, "GET /admin/health": failure(401, "admin_session_expired") });
  expect(await screen.findByText("The session has ended. Sign in again.")).toBeTruthy();
});

test("the overview shows what works and what does not", async () => {
  show(<AdminPage />, { "GET /admin/session": session, "GET /admin/health": health });
  expect(await screen.findByText("the anchors cannot be read")).toBeTruthy();
  expect(screen.getAllByText("works")).toHaveLength(2);
  expect(screen.getByText("does not work")).toBeTruthy();
});

test("an account is added, and its tokens are never shown", async () => {
  location.hash = "#/admin/accounts";
  const { asked } = show(<AdminPage />, {
    "GET /admin/session": session,
    "GET /admin/accounts": [listed(), listed(account())],
    "POST /admin/accounts": [failure(422, "validation_error"), json(account(), 201)],
  });
  fireEvent.click(await screen.findByRole("button", { name: "Add an account" }));
  const dialog = screen.getByRole("dialog");
  for (const [label, value] of [
    ["Label", "Team A"],
    ["Workspace", "team-a"],
    ["Token id", "ak-1"],
    ["Token secret", "as-1"],
  ] as const) {
    fireEvent.change(within(dialog).getByLabelText(label), { target: { value } });
  }
  expect(within(dialog).getByLabelText<HTMLInputElement>("Token secret").type).toBe("password");
  const form = dialog.querySelector("form");
  if (form) fireEvent.submit(form);
  expect((await within(dialog).findByRole("alert")).textContent).toContain("detail of validation_error");
  if (form) fireEvent.submit(form);
  expect(await screen.findByText("Team A was added. Check it to make it ready.")).toBeTruthy();
  expect(asked.findLast(({ method }) => method === "POST")?.body).toEqual({
    label: "Team A",
    workspace: "team-a",
    token_id: "ak-1",
    token_secret: "as-1",
  });
  expect(document.body.innerHTML).not.toContain("as-1");
});

test("half a token is not sent, and empty fields change nothing", async () => {
  location.hash = "#/admin/accounts";
  const { asked, calls } = show(<AdminPage />, {
    "GET /admin/session": session,
    "GET /admin/accounts": listed(account()),
    "PATCH /admin/accounts/a1": json(account({ label: "Team B" })),
  });
  fireEvent.click(await screen.findByRole("button", { name: "Edit" }));
  const dialog = screen.getByRole("dialog");
  fireEvent.change(within(dialog).getByLabelText("Token id"), { target: { value: "ak-2" } });
  const form = dialog.querySelector("form");
  if (form) fireEvent.submit(form);
  expect(await within(dialog).findByText("Give both parts of the token, or neither.")).toBeTruthy();
  expect(calls().some((call) => call.startsWith("PATCH"))).toBe(false);
  fireEvent.change(within(dialog).getByLabelText("Token id"), { target: { value: "" } });
  fireEvent.change(within(dialog).getByLabelText("Label"), { target: { value: "Team B" } });
  if (form) fireEvent.submit(form);
  expect(await screen.findByText("Team B was changed.")).toBeTruthy();
  expect(asked.find(({ method }) => method === "PATCH")?.body).toEqual({ label: "Team B" });
});

test("the result of an action is read out, and forbidden actions are not offered", async () => {
  location.hash = "#/admin/accounts";
  show(<AdminPage />, {
    "GET /admin/session": session,
    "GET /admin/accounts": [listed(account()), listed(account({ status: "ready" })), listed(account({ status: "disabled" }))],
    "POST /admin/accounts/a1/health": json(account({ status: "ready" })),
    "POST /admin/accounts/a1/disable": json(account({ status: "disabled" })),
    "POST /admin/accounts/a1/enable": failure(409, "invalid_state"),
  });
  fireEvent.click(await screen.findByRole("button", { name: "Check" }));
  const spoken = await screen.findByText("Team A was checked: Ready.");
  expect(spoken.closest("[aria-live=polite]")).toBeTruthy();
  await waitFor(() => expect(screen.getByRole<HTMLButtonElement>("button", { name: "Disable" }).disabled).toBe(false));
  fireEvent.click(screen.getByRole("button", { name: "Disable" }));
  expect(await screen.findByText("Team A is disabled.")).toBeTruthy();
  const enable = await screen.findByRole("button", { name: "Enable" });
  expect(screen.queryByRole("button", { name: "Check" })).toBeNull();
  fireEvent.click(enable);
  expect(await screen.findByText(/Team A: That is not possible in this state/)).toBeTruthy();
});

test("an account is removed only after a confirmation", async () => {
  location.hash = "#/admin/accounts";
  const { calls } = show(<AdminPage />, {
    "GET /admin/session": session,
    "GET /admin/accounts": [listed(account({ status: "ready" })), listed()],
    "DELETE /admin/accounts/a1": json({ removed: true, id: "a1" }),
  });
  fireEvent.click(await screen.findByRole("button", { name: "Remove" }));
  const dialog = screen.getByRole("dialog", { name: "Remove Team A?" });
  expect(calls()).not.toContain("DELETE /admin/accounts/a1");
  fireEvent.click(within(dialog).getByRole("button", { name: "Remove" }));
  expect(await screen.findByText("Team A was removed.")).toBeTruthy();
  expect(await screen.findByText("No accounts")).toBeTruthy();
});

test("secrets are rotated and revoked, except settings and those of accounts", async () => {
  location.hash = "#/admin/secrets";
  const secret = (name: string, kind: string) => ({
    name,
    kind,
    id: name,
    state: "valid",
    issued_at: "2026-01-01T00:00:00Z",
    rotate_by: "2026-04-01T00:00:00Z",
    overlap_until: null,
    revoked_at: null,
  });
  const { asked } = show(<AdminPage />, {
    "GET /admin/session": session,
    "GET /admin/secrets": json({
      secrets: [secret("hub", "stored"), secret("admin_key", "admin_key"), secret("account-1", "stored"), secret("key:1", "api_key")],
    }),
    "POST /admin/secrets/hub/rotate": json({ name: "hub", done: "rotated" }),
    "POST /admin/secrets/key%3A1/revoke": json({ name: "key:1", done: "revoked" }),
  });
  const rows = (await screen.findAllByRole("row")).slice(1);
  expect(
    rows.map((row) =>
      within(row)
        .queryAllByRole("button")
        .map((button) => button.textContent),
    ),
  ).toEqual([["Rotate", "Revoke"], [], [], ["Revoke"]]);
  fireEvent.click(screen.getByRole("button", { name: "Rotate" }));
  const dialog = screen.getByRole("dialog");
  fireEvent.change(within(dialog).getByLabelText("New value"), { target: { value: "s3cret" } });
  fireEvent.change(within(dialog).getByLabelText("Overlap, hours"), { target: { value: "2" } });
  const form = dialog.querySelector("form");
  if (form) fireEvent.submit(form);
  expect(await screen.findByText("hub was rotated.")).toBeTruthy();
  expect(asked.find(({ path }) => path.endsWith("/rotate"))?.body).toEqual({ value: "s3cret", overlap_seconds: 7200 });
  fireEvent.click(within(rows[3] as HTMLElement).getByRole("button", { name: "Revoke" }));
  fireEvent.click(within(screen.getByRole("dialog")).getByRole("button", { name: "Revoke" }));
  expect(await screen.findByText("key:1 was revoked.")).toBeTruthy();
});

test("the pepper is revoked by typing its name, and the dialog names the consequences", async () => {
  location.hash = "#/admin/secrets";
  const pepper = {
    name: "pepper",
    kind: "pepper",
    id: "pepper:1",
    state: "valid",
    issued_at: "2026-01-01T00:00:00Z",
    rotate_by: "2026-04-01T00:00:00Z",
    overlap_until: null,
    revoked_at: null,
  };
  const { asked } = show(<AdminPage />, {
    "GET /admin/session": session,
    "GET /admin/secrets": json({ secrets: [pepper] }),
    "POST /admin/secrets/pepper/revoke": json({ name: "pepper", done: "revoked" }),
  });
  fireEvent.click(await screen.findByRole("button", { name: "Revoke" }));
  const dialog = within(screen.getByRole("dialog"));
  expect(dialog.getByText(/Every API key and every session ends at once, yours too/)).toBeTruthy();
  const button = dialog.getByRole("button", { name: "Revoke" }) as HTMLButtonElement;
  expect(button.disabled).toBe(true);
  fireEvent.change(dialog.getByLabelText("Type pepper to confirm"), { target: { value: "peppe" } });
  expect(button.disabled).toBe(true);
  fireEvent.change(dialog.getByLabelText("Type pepper to confirm"), { target: { value: "pepper" } });
  fireEvent.click(button);
  expect(await screen.findByText("pepper was revoked.")).toBeTruthy();
  expect(asked.find(({ path }) => path.endsWith("/revoke"))?.body).toEqual({ confirm: "pepper" });
});

test("the audit log is filtered, paged and verified", async () => {
  location.hash = "#/admin/audit";
  const event = (seq: number) => ({
    seq,
    timestamp: "2026-01-31T12:00:00.000Z",
    actor: "admin:1",
    source: "127.0.0.1",
    action: `action_${seq}`,
    target: "t",
    outcome: "success",
    correlation_id: "c",
    details: { why: "because" },
  });
  const verdict: Verdict = {
    ok: true,
    origin: "must",
    min_index: 0,
    size: 12,
    root: "abcdef0123456789abcdef",
    checkpoints: 12,
    anchors: 3,
    fault: null,
  };
  const { calls } = show(<AdminPage />, {
    "GET /admin/session": session,
    "GET /admin/logs?limit=50": json({ logs: [event(2), event(1)], next: 1 }),
    "GET /admin/logs?limit=50&before=1": json({ logs: [event(0)], next: null }),
    "GET /admin/logs?limit=50&action=x&outcome=denied": json({ logs: [], next: null }),
    "GET /admin/audit/verify": json(verdict),
  });
  fireEvent.click(await screen.findByRole("button", { name: "Older events" }));
  expect(await screen.findByText("action_0")).toBeTruthy();
  expect(screen.queryByRole("button", { name: "Older events" })).toBeNull();
  fireEvent.click(screen.getByRole("button", { name: "Verify" }));
  expect(await screen.findByText("The log is whole: 12 events")).toBeTruthy();
  fireEvent.change(screen.getByLabelText("Action"), { target: { value: "x" } });
  fireEvent.change(screen.getByLabelText("Outcome"), { target: { value: "denied" } });
  fireEvent.click(screen.getByRole("button", { name: "Filter" }));
  expect(await screen.findByText("No event matches.")).toBeTruthy();
  expect(calls().at(-1)).toBe("GET /admin/logs?limit=50&action=x&outcome=denied");
});

test("tasks of all owners are filtered by owner, viewed, cancelled and deleted", async () => {
  location.hash = "#/admin/results";
  const task = (id: string, change: object = {}) => ({
    id,
    owner: "key:anna",
    owner_name: "anna",
    workspace: null,
    model: "tiny-image",
    type: "image",
    mode: "txt2img",
    prompt: `prompt of ${id}`,
    seed: 7,
    width: 64,
    height: 64,
    status: "done",
    progress: 100,
    error: null,
    error_code: null,
    result_url: `/admin/tasks/${id}/result`,
    preview_url: null,
    created_at: "2026-01-31T12:00:00Z",
    updated_at: "2026-01-31T12:00:00Z",
    finished_at: null,
    ...change,
  });
  const listing = (...items: object[]) => json({ items, total: items.length, page: 1, per_page: 20, has_more: false });
  const { calls } = show(<AdminPage />, {
    "GET /admin/session": session,
    "GET /admin/tasks": listing(
      task("t1"),
      task("t2", { owner: null, owner_name: null, status: "processing", result_url: null }),
      task("t3", { owner: "Борис", owner_name: null }),
    ),
    "DELETE /admin/tasks/t1": json({ deleted: true, id: "t1" }),
    "POST /admin/tasks/t2/cancel": json({ task_id: "t2", status: "cancelling" }, 202),
  });
  const table = await screen.findByRole("table");
  expect([...table.querySelectorAll("tbody tr")].map((row) => row.children[1]?.textContent)).toEqual(["anna", "nobody", "Борис"]);
  fireEvent.click(screen.getByRole("button", { name: "View: prompt of t1" }));
  const dialog = screen.getByRole("dialog");
  expect(within(dialog).getByRole("img").getAttribute("src")).toBe("http://must.test/studio/admin/tasks/t1/result");
  fireEvent.click(within(dialog).getByRole("button", { name: "Close" }));

  fireEvent.click(screen.getByRole("button", { name: "Cancel" }));
  fireEvent.click(within(screen.getByRole("dialog", { name: "Cancel this task?" })).getByRole("button", { name: "Cancel the task" }));
  expect(await screen.findByText("The task is being cancelled.")).toBeTruthy();
  const [first] = screen.getAllByRole("button", { name: "Delete" });
  if (first) fireEvent.click(first);
  const asking = screen.getByRole("dialog", { name: "Delete this task?" });
  expect(asking.textContent).toContain("It belongs to anna.");
  fireEvent.click(within(asking).getByRole("button", { name: "Delete" }));
  expect(await screen.findByText("The task was deleted.")).toBeTruthy();
  expect(calls()).toEqual(expect.arrayContaining(["DELETE /admin/tasks/t1", "POST /admin/tasks/t2/cancel"]));

  fireEvent.click(screen.getByRole("button", { name: "Only those of anna" }));
  await waitFor(() => expect(calls().at(-1)).toBe("GET /admin/tasks?page=1&per_page=20&owner=key%3Aanna"));
  fireEvent.change(await screen.findByLabelText("Whose"), { target: { value: "nobody" } });
  fireEvent.change(screen.getByLabelText("State"), { target: { value: "failed" } });
  fireEvent.click(screen.getByRole("button", { name: "Filter" }));
  await waitFor(() => expect(calls().at(-1)).toBe("GET /admin/tasks?page=1&per_page=20&owner=&status=failed"));
});

test("a damaged log names its first bad event", () => {
  const verdict: Verdict = {
    ok: false,
    origin: "must",
    min_index: 0,
    size: 12,
    root: "ab",
    checkpoints: 12,
    anchors: 3,
    fault: { seq: 5, damage: "altered", detail: "event 5 is not what its hash says" },
  };
  show(<VerdictNote verdict={verdict} />);
  expect(screen.getByText("The log is not whole: event 5 is the first bad one")).toBeTruthy();
  expect(screen.getByText(/An event was changed. event 5 is not what its hash says/)).toBeTruthy();
});
