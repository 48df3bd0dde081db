import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { StudioPage } from "../src/studio/studio";
import { model } from "./models";
import { begun, done, events, failure, json, state } from "./platform";
import { show } from "./show";

const accepted = json({ task_id: "t1", status: "pending" }, 202);

async function choose(name: string) {
  fireEvent.click(await screen.findByRole("button", { name: /^Model/ }));
  fireEvent.click(within(screen.getByRole("dialog")).getByText(name));
}

const generate = () => screen.getByRole<HTMLButtonElement>("button", { name: "Generate" });
const write = (text: string) => fireEvent.change(screen.getByRole("textbox", { name: "Prompt" }), { target: { value: text } });

test("the panel shows the catalog's parameters, and locks fixed ones", async () => {
  show(<StudioPage />);
  await choose("Wan 2.2 Rapid all-in-one");
  const { parameters_schema: schema, modes } = model("phr00t");
  expect(screen.getAllByRole("tab")).toHaveLength(modes.length);
  const fixed = screen.getByRole("region", { name: "Fixed by the model" });
  expect(fixed.textContent).toContain("Steps4");
  expect(fixed.textContent).toContain("CFG scale1.0");
  const lighting = screen.getByRole("radiogroup", { name: "Lighting" });
  expect(within(lighting).getAllByRole("radio")).toHaveLength(schema["lighting_variant"]?.choices?.length ?? 0);
  const width = screen.getByRole<HTMLInputElement>("slider", { name: "Width" });
  expect([Number(width.min), Number(width.max), Number(width.value)]).toEqual([
    schema["width"]?.minimum,
    schema["width"]?.maximum,
    schema["width"]?.default,
  ]);
  expect(screen.queryByLabelText("First frame")).toBeNull();
  fireEvent.click(screen.getByRole("tab", { name: "First & last frame" }));
  expect(screen.getByLabelText("First frame")).toBeTruthy();
  expect(screen.getByRole("slider", { name: "Last frame strength" })).toBeTruthy();
});

test("a model that is not installed says which files to put where, and cannot be submitted", async () => {
  const { calls } = show(<StudioPage />);
  await choose("Pony Diffusion XL");
  expect(screen.getByRole("note").textContent).toContain("Put them into models/pony.");
  expect(generate().disabled).toBe(true);
  write("a boat");
  fireEvent.keyDown(window, { key: "Enter", ctrlKey: true });
  expect(calls()).toEqual(["GET /studio"]);
});

test("arrow keys move between tabs", async () => {
  show(<StudioPage />);
  await choose("Tiny video");
  const tabs = screen.getAllByRole("tab");
  fireEvent.keyDown(screen.getByRole("tablist"), { key: "ArrowLeft" });
  expect(tabs.at(-1)?.getAttribute("aria-selected")).toBe("true");
  expect(document.activeElement).toBe(tabs.at(-1));
});

test("errors are shown beside their fields, and nothing is sent", async () => {
  const { calls } = show(<StudioPage />);
  await screen.findByRole("tablist");
  fireEvent.change(screen.getByRole("textbox", { name: "Steps" }), { target: { value: "3" } });
  fireEvent.click(generate());
  expect((await screen.findAllByText("2 fields need attention")).length).toBeGreaterThan(0);
  const prompt = screen.getByRole("textbox", { name: "Prompt" });
  expect(prompt.getAttribute("aria-invalid")).toBe("true");
  expect(prompt.getAttribute("aria-describedby")).toMatch(/-issue/);
  expect(screen.getByText("Not less than 4.")).toBeTruthy();
  expect(calls()).toEqual(["GET /studio"]);
});

test("a task is followed to its result", async () => {
  const { asked, container } = show(<StudioPage />, {
    "POST /generate": accepted,
    "GET /events/t1": events(state(), done()),
  });
  await screen.findByRole("tablist");
  write("a red circle");
  fireEvent.click(generate());
  const picture = await screen.findByRole("img", { name: "Generated picture: a red circle" });
  expect(picture.getAttribute("src")).toBe("http://must.test/studio/results/t1");
  expect(screen.getByRole("link", { name: "Download" }).getAttribute("href")).toBe("http://must.test/studio/results/t1");
  expect(screen.getByText("64 × 64")).toBeTruthy();
  const sent = asked.find(({ method }) => method === "POST");
  expect(sent?.headers["Idempotency-Key"]).toMatch(/^[0-9a-f]{32}$/);
  expect(sent?.body).toMatchObject({ model: "tiny-image", mode: "txt2img", prompt: "a red circle" });
  expect(container.querySelector(".badge.good")?.textContent).toBe("Done");
});

test("a refusal of one field is shown beside it, with the platform's advice", async () => {
  const refused = json({ code: "validation_error", detail: "steps must be even", user_action: "Take an even number." }, 422);
  show(<StudioPage />, { "POST /generate": refused });
  await screen.findByRole("tablist");
  write("a red circle");
  fireEvent.click(generate());
  expect(await screen.findByText("steps must be even Take an even number.")).toBeTruthy();
  expect(screen.getByRole("textbox", { name: "Steps" }).getAttribute("aria-invalid")).toBe("true");
  fireEvent.change(screen.getByRole("textbox", { name: "Steps" }), { target: { value: "6" } });
  expect(screen.queryByText(/steps must be even/)).toBeNull();
});

test("any other refusal is shown with code, detail and advice", async () => {
  show(<StudioPage />, { "POST /generate": failure(503, "queue_overloaded") }, "ru");
  await screen.findByRole("tablist");
  fireEvent.change(screen.getByRole("textbox", { name: "Описание" }), { target: { value: "лодка" } });
  fireEvent.click(screen.getByRole("button", { name: "Создать" }));
  const alert = await screen.findByRole("alert");
  for (const text of ["В очереди слишком много задач", "detail of queue_overloaded", "action of queue_overloaded", "queue_overloaded"]) {
    expect(alert.textContent).toContain(text);
  }
});

test("a failed task shows the reason, a cancelled one that it was cancelled", async () => {
  const failed = state({ status: "failed", error_code: "task_timeout", error: "it ran for 300 s" });
  const cancelled = state({ task_id: "t2", status: "failed", error_code: "cancelled", error: "cancelled" });
  let cancel: () => void = () => undefined;
  const isCancelled = new Promise<void>((resolve) => (cancel = resolve));
  const { calls } = show(<StudioPage />, {
    "POST /generate": [accepted, json({ task_id: "t2", status: "pending" }, 202)],
    "GET /events/t1": events(failed),
    "GET /events/t2": [events(state()), () => isCancelled.then(() => events(cancelled))],
    "POST /tasks/t2/cancel": () => {
      cancel();
      return json({ task_id: "t2", status: "cancelling" }, 202);
    },
  });
  await screen.findByRole("tablist");
  write("a red circle");
  fireEvent.click(generate());
  expect(await screen.findByText("The task reached its time limit")).toBeTruthy();
  expect(screen.getByText("it ran for 300 s")).toBeTruthy();
  await waitFor(() => expect(generate().disabled).toBe(false));
  fireEvent.click(generate());
  fireEvent.click(await screen.findByRole("button", { name: "Cancel" }));
  expect(await screen.findByText("The task was cancelled before it had a result.")).toBeTruthy();
  expect(calls()).toContain("POST /tasks/t2/cancel");
});

test("a picture is chosen, shown and removed; other files are refused", async () => {
  show(<StudioPage />);
  fireEvent.click(await screen.findByRole("tab", { name: "From a picture" }));
  const input = screen.getByLabelText("Reference image");
  fireEvent.change(input, { target: { files: [new File(["x"], "notes.txt", { type: "text/plain" })] } });
  expect(await screen.findByText("This is not a PNG, JPEG or WebP picture.")).toBeTruthy();
  fireEvent.change(input, { target: { files: [new File(["x"], "boat.png", { type: "image/png" })] } });
  expect((await screen.findByRole("img", { name: "boat.png" })).getAttribute("src")).toMatch(/^data:image\/png;base64,/);
  fireEvent.click(screen.getByRole("button", { name: "Remove Reference image" }));
  expect(screen.queryByRole("img", { name: "boat.png" })).toBeNull();
});

test("a picture is pasted and dropped", async () => {
  show(<StudioPage />);
  fireEvent.click(await screen.findByRole("tab", { name: "From a picture" }));
  const input = screen.getByLabelText("Reference image");
  const file = (name: string) => ({ files: [new File(["x"], name, { type: "image/webp" })] });
  fireEvent.paste(input, { clipboardData: file("pasted.webp") });
  expect(await screen.findByRole("img", { name: "pasted.webp" })).toBeTruthy();
  fireEvent.drop(input, { dataTransfer: file("dropped.webp") });
  expect(await screen.findByRole("img", { name: "dropped.webp" })).toBeTruthy();
});

test("given frames are added and removed", async () => {
  show(<StudioPage />);
  await choose("Index-AniSora V3.2");
  fireEvent.click(screen.getByRole("tab", { name: "Given frames" }));
  fireEvent.click(screen.getByRole("button", { name: "Add a frame" }));
  fireEvent.click(screen.getByRole("button", { name: "Add a frame" }));
  const entries = screen.getAllByRole("listitem", { name: /Frame entry/ });
  expect(entries).toHaveLength(2);
  const [, second] = entries;
  expect(second && within(second).getByRole<HTMLInputElement>("slider", { name: "Frame" }).value).toBe("40");
  fireEvent.click(screen.getByRole("button", { name: "Remove frame entry 1" }));
  expect(screen.getAllByRole("listitem", { name: /Frame entry/ })).toHaveLength(1);
});

test("the draft survives a reload", async () => {
  const first = show(<StudioPage />);
  await screen.findByRole("tablist");
  write("a boat at dusk");
  fireEvent.change(screen.getByRole("textbox", { name: "Steps" }), { target: { value: "9" } });
  first.unmount();
  show(<StudioPage />);
  expect((await screen.findByRole<HTMLTextAreaElement>("textbox", { name: "Prompt" })).value).toBe("a boat at dusk");
  expect(screen.getByRole<HTMLInputElement>("textbox", { name: "Steps" }).value).toBe("9");
});

test("a failed load of the models can be tried again", async () => {
  show(<StudioPage />, { "GET /studio": [failure(503, "dependency_unavailable"), json(begun([model("tiny-image")]))] });
  fireEvent.click(within(await screen.findByRole("alert")).getByRole("button", { name: "Try again" }));
  expect(await screen.findByRole("tablist")).toBeTruthy();
});
