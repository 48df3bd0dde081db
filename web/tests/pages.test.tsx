import { fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";
import type { GalleryItem } from "../src/api/types";
import { App } from "../src/app";
import { GalleryPage, pageNumbers } from "../src/gallery/gallery";
import { HistoryPage } from "../src/history/history";
import { parse } from "../src/router";
import { done, events, failure, json, state } from "./platform";
import { show } from "./show";

const item = (id: string, change: Partial<GalleryItem> = {}): GalleryItem => ({
  id,
  workspace: null,
  model: "tiny-image",
  type: "image",
  mode: "txt2img",
  prompt: `prompt of ${id}`,
  negative_prompt: "",
  parameters: { steps: 20, guidance_scale: 3, output_format: "png" },
  seed: 7,
  width: 64,
  height: 64,
  result_url: `/results/${id}`,
  preview_url: `/preview/${id}`,
  created_at: "2026-01-31T12:00:00.000Z",
  finished_at: "2026-01-31T12:00:02.000Z",
  ...change,
});

const page = (items: GalleryItem[], total = items.length, number = 1) =>
  json({ items, total, page: number, per_page: 24, has_more: number * 24 < total });

test("addresses are read as a path and a query", () => {
  expect(parse("#/gallery?page=2").path).toBe("/gallery");
  expect(parse("#/gallery?page=2").query.get("page")).toBe("2");
  expect(parse("").path).toBe("/");
  expect(parse("#/admin/audit/").path).toBe("/admin/audit");
});

test("few pages are all listed, of many the ends and the middle", () => {
  expect(pageNumbers(1, 3)).toEqual([1, 2, 3]);
  expect(pageNumbers(5, 9)).toEqual([1, null, 4, 5, 6, null, 9]);
  expect(pageNumbers(3, 9)).toEqual([1, 2, 3, 4, null, 9]);
});

test("filters are in the address and in the call, and reset the page", async () => {
  location.hash = "#/gallery?page=2";
  const { calls } = show(<GalleryPage />, { "GET /gallery": page([item("a")], 60, 2) });
  expect(await screen.findByRole("button", { name: "Open: prompt of a" })).toBeTruthy();
  expect(screen.getByText("25–48 of 60")).toBeTruthy();
  fireEvent.click(screen.getByRole("radio", { name: "Clips" }));
  await waitFor(() => expect(location.hash).toBe("#/gallery?type=video"));
  fireEvent.change(screen.getByRole("combobox", { name: "Order" }), { target: { value: "oldest" } });
  await waitFor(() => expect(calls().at(-1)).toBe("GET /gallery?page=1&per_page=24&sort=oldest&type=video"));
});

test("a result is opened, the next one is shown, and it is deleted only after a confirmation", async () => {
  const { calls } = show(<GalleryPage />, {
    "GET /gallery": [page([item("a"), item("b")]), page([item("a")])],
    "DELETE /gallery/b": json({ deleted: true, id: "b" }),
  });
  fireEvent.click(await screen.findByRole("button", { name: "Open: prompt of a" }));
  fireEvent.click(screen.getByRole("button", { name: "Next result" }));
  const dialog = screen.getByRole("dialog");
  expect(dialog.textContent).toContain("prompt of b");
  expect(dialog.textContent).toContain("Guidance3");
  fireEvent.click(within(dialog).getByRole("button", { name: "Delete" }));
  const confirm = screen.getByRole("dialog", { name: "Delete this result?" });
  expect(calls()).not.toContain("DELETE /gallery/b");
  fireEvent.click(within(confirm).getByRole("button", { name: "Delete" }));
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  expect(calls()).toContain("DELETE /gallery/b");
  expect(screen.queryByText("prompt of b")).toBeNull();
});

test("a refused deletion shows the reason and changes nothing", async () => {
  show(<GalleryPage />, { "GET /gallery": page([item("a")]), "DELETE /gallery/a": failure(409, "invalid_state") });
  fireEvent.click(await screen.findByRole("button", { name: "Open: prompt of a" }));
  fireEvent.click(screen.getByRole("button", { name: "Delete" }));
  fireEvent.click(within(screen.getByRole("dialog", { name: "Delete this result?" })).getByRole("button", { name: "Delete" }));
  expect((await screen.findByRole("alert")).textContent).toContain("detail of invalid_state");
});

test("an empty gallery, an empty filter and a failure look different", async () => {
  const empty = show(<GalleryPage />, { "GET /gallery": page([]) });
  expect(await screen.findByText("Nothing here yet")).toBeTruthy();
  empty.unmount();
  location.hash = "#/gallery?type=video";
  const filtered = show(<GalleryPage />, { "GET /gallery": page([]) });
  expect(await screen.findByText("Nothing fits")).toBeTruthy();
  filtered.unmount();
  location.hash = "";
  show(<GalleryPage />, { "GET /gallery": [failure(503, "dependency_unavailable"), page([item("a")])] });
  fireEvent.click(within(await screen.findByRole("alert")).getByRole("button", { name: "Try again" }));
  expect(await screen.findByText("prompt of a")).toBeTruthy();
});

const entry = (id: string, change: object) => ({
  id,
  model: "tiny-image",
  modelName: "Tiny image",
  type: "image",
  mode: "txt2img",
  request: { prompt: `prompt of ${id}` },
  submittedAt: Date.now(),
  state: null,
  gone: false,
  ...change,
});

test("the history shows every state, and keeps following running tasks", async () => {
  localStorage.setItem(
    "must.tasks",
    JSON.stringify([
      entry("running", {}),
      entry("done", { state: done() }),
      entry("failed", { state: state({ status: "failed", error_code: "task_timeout", error: "it ran for 300 s" }) }),
      entry("cancelled", { state: state({ status: "failed", error_code: "cancelled" }) }),
      entry("gone", { gone: true }),
    ]),
  );
  show(<HistoryPage />, { "GET /events/running": events(state({ task_id: "running" }), done({ task_id: "running" })) });
  const list = await screen.findByRole("list", { name: "History" });
  await waitFor(() =>
    expect([...list.querySelectorAll(".badge")].map((badge) => badge.textContent)).toEqual(["Done", "Done", "Failed", "Cancelled", "Gone"]),
  );
  expect(list.textContent).toContain("The task reached its time limit it ran for 300 s");
  fireEvent.click(screen.getByRole("radio", { name: "Not finished" }));
  expect(within(list).getAllByRole("listitem")).toHaveLength(3);
  fireEvent.click(screen.getByRole("button", { name: "Clear ended tasks" }));
  fireEvent.click(within(screen.getByRole("dialog")).getByRole("button", { name: "Clear ended tasks" }));
  expect(await screen.findByText("No tasks yet")).toBeTruthy();
});

test("the language is switched, stored and set on the document", async () => {
  location.hash = "#/nowhere";
  render(<App />);
  expect(screen.getByRole("heading", { level: 1, name: "There is no such page" })).toBeTruthy();
  fireEvent.click(screen.getByRole("button", { name: "Русский" }));
  expect(screen.getByRole("heading", { level: 1, name: "Такой страницы нет" })).toBeTruthy();
  expect(document.documentElement.lang).toBe("ru");
  expect(localStorage.getItem("must.language")).toBe("ru");
});
