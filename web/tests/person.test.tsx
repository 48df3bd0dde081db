import { fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { ServiceProvider } from "../src/services";
import { LanguageProvider } from "../src/i18n/language";
import { NoticeProvider } from "../src/ui/notices";
import { StudioProvider } from "../src/studio/state";
import { Frame } from "../src/app";
import { models } from "./models";
import { EXPIRES, failure, json, platform, signedIn, signedOut } from "./platform";

const opened = json({ active: true, session_status: "active", expires_at: EXPIRES }, 201);
const nobody = json({ sign_in_required: false, session: null, models });
const empty = json({ items: [], total: 0, page: 1, per_page: 24, has_more: false });

/** The whole page before its first call. */
function page(answers: Parameters<typeof platform>[0]) {
  const made = platform({ "GET /gallery": empty, ...answers }, { session: false });
  const view = render(
    <LanguageProvider initial="en">
      <ServiceProvider client={made.client}>
        <NoticeProvider>
          <StudioProvider>
            <Frame />
          </StudioProvider>
        </NoticeProvider>
      </ServiceProvider>
    </LanguageProvider>,
  );
  return { ...made, ...view };
}

const prompt = () => screen.findByRole<HTMLTextAreaElement>("textbox", { name: "Prompt" });
const write = async (text: string) => fireEvent.change(await prompt(), { target: { value: text } });
const enter = async (key: string) => {
  fireEvent.change(await screen.findByLabelText("Access key"), { target: { value: key } });
  fireEvent.click(screen.getByRole("button", { name: "Sign in" }));
};

test("the studio works while a session waits, and a submission is sent once there is one", async () => {
  let free: (answer: Response) => void = () => undefined;
  const { calls, client } = page({
    "GET /studio": nobody,
    "POST /auth/session": [
      failure(429, "rate_limited", { "Retry-After": "30" }),
      () => new Promise<Response>((resolve) => (free = resolve)),
    ],
    "POST /generate": json({ task_id: "t1", status: "pending" }, 202),
    "GET /events/t1": () => new Promise<Response>(() => undefined),
  });
  await write("a boat at dusk");
  expect(screen.getByRole("button", { name: "Generate" })).toBeTruthy();
  await waitFor(() => expect(calls().filter((call) => call === "POST /auth/session")).toHaveLength(2));
  fireEvent.click(screen.getByRole("button", { name: "Generate" }));
  expect(await screen.findByRole("button", { name: "Handing in…" })).toBeTruthy();
  expect(calls()).not.toContain("POST /generate");
  free(opened.clone());
  await waitFor(() => expect(calls()).toContain("POST /generate"));
  expect((await prompt()).value).toBe("a boat at dusk");
  expect(client.session.snapshot().session).not.toBeNull();
});

test("the page shows that a session is waiting", async () => {
  let woken: () => void = () => undefined;
  const made = platform(
    { "GET /studio": nobody, "POST /auth/session": [failure(429, "rate_limited", { "Retry-After": "30" }), opened] },
    { session: false },
  );
  (made.client.session as unknown as { sleep: () => Promise<void> }).sleep = () => new Promise((resolve) => (woken = resolve));
  render(
    <LanguageProvider initial="en">
      <ServiceProvider client={made.client}>
        <StudioProvider>
          <Frame />
        </StudioProvider>
      </ServiceProvider>
    </LanguageProvider>,
  );
  expect(await screen.findByText(/Your session begins by itself in (2\d|30) s/)).toBeTruthy();
  await write("still here");
  woken();
  await waitFor(() => expect(screen.queryByText(/Your session begins/)).toBeNull());
  expect((await prompt()).value).toBe("still here");
});

test("a person signs in once, and signing out removes what the browser stored", async () => {
  const { asked, container } = page({
    "GET /studio": [json(signedOut), json(signedIn("anna", models))],
    "POST /auth/session": [failure(403, "invalid_api_key"), opened],
    "DELETE /auth/session": new Response(null, { status: 204 }),
    "POST /generate": json({ task_id: "t1", status: "pending" }, 202),
    "GET /events/t1": () => new Promise<Response>(() => undefined),
  });
  await enter("wrong");
  expect((await screen.findByRole("alert")).textContent).toContain("The access key is not valid");
  expect(screen.queryByRole("button", { name: "Generate" })).toBeNull();
  await enter(" right ");
  await write("a secret boat");
  expect(screen.getByText("Signed in as anna", { selector: ".person-name .visually-hidden" })).toBeTruthy();
  expect(asked.find(({ headers }) => headers["X-API-Key"] === "right")).toBeTruthy();
  fireEvent.click(screen.getByRole("button", { name: "Generate" }));
  await waitFor(() => expect(localStorage.getItem("must.tasks.key:anna")).toContain("a secret boat"));
  location.hash = "#/gallery";
  expect(await screen.findByText("0 results · made with the key anna")).toBeTruthy();
  fireEvent.click(screen.getByRole("button", { name: "Sign out: anna" }));
  expect(await screen.findByLabelText("Access key")).toBeTruthy();
  await waitFor(() => expect(JSON.stringify({ ...localStorage, ...sessionStorage })).not.toContain("a secret boat"));
  expect(container.innerHTML).not.toContain("a secret boat");
});

test("after a session ends, only the same person gets the draft back", async () => {
  for (const [back, text] of [
    ["anna", "half a thought"],
    ["boris", ""],
  ] as const) {
    const { unmount } = page({
      "GET /studio": [json(signedIn("anna", models)), json(signedIn(back, models))],
      "POST /generate": failure(401, "session_expired"),
      "POST /auth/session": opened,
    });
    await write("half a thought");
    fireEvent.click(screen.getByRole("button", { name: "Generate" }));
    expect(await screen.findByText(/The session has ended. Sign in again/)).toBeTruthy();
    await enter("right");
    expect((await prompt()).value).toBe(text);
    unmount();
    localStorage.clear();
    sessionStorage.clear();
  }
});

test("administration has its own sign-in, even before anybody has signed in", async () => {
  location.hash = "#/admin";
  page({ "GET /studio": json(signedOut) });
  expect(await screen.findByLabelText("Admin key")).toBeTruthy();
  expect(screen.queryByLabelText("Access key")).toBeNull();
});

test("there is no sign-in when the setting is off", async () => {
  const { container } = page({ "GET /studio": nobody, "POST /auth/session": opened });
  await prompt();
  expect(container.querySelector(".person")).toBeNull();
  location.hash = "#/gallery";
  expect(await screen.findByText("0 results")).toBeTruthy();
  expect(within(container).queryByText(/made with the key/)).toBeNull();
});
