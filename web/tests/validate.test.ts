import { expect, test } from "vitest";
import { frameOf, initialForm, setMode, setValue } from "../src/catalog/form";
import type { Form } from "../src/catalog/form";
import type { Value } from "../src/catalog/schema";
import { check, pathOf, validate } from "../src/catalog/validate";
import { model, parameter } from "./models";

const anisora = model("anisora");
const filled = (name: string, value: Value, mode = "t2v"): Form =>
  setValue(setValue(setMode(initialForm(anisora), mode), "prompt", "a boat"), name, value);
const issue = (name: string, value: Value) => validate(filled(name, value), anisora)[name];

test("characters are counted as the platform counts them", () => {
  expect(validate(initialForm(anisora), anisora)["prompt"]).toEqual({ kind: "required" });
  expect(issue("prompt", "   ")).toEqual({ kind: "blank" });
  expect(issue("prompt", "x".repeat(2001))).toEqual({ kind: "too_long", most: 2000, length: 2001 });
  expect(issue("prompt", "🚤".repeat(2000))).toBeUndefined();
  expect(issue("negative_prompt", "")).toBeUndefined();
});

test("numbers keep bounds and steps, and the default is always allowed", () => {
  expect(issue("width", 720)).toBeUndefined();
  expect(issue("width", 700)).toEqual({ kind: "off_step", step: 64, below: 640, above: 704 });
  expect(issue("width", 448)).toEqual({ kind: "too_small", least: 512 });
  expect(issue("width", 1344)).toEqual({ kind: "too_large", most: 1280 });
  expect(issue("width", 640.5)).toEqual({ kind: "not_whole" });
  expect(issue("width", "wide")).toEqual({ kind: "not_a_number" });
  expect(issue("width", null)).toEqual({ kind: "required" });
  expect(issue("num_frames", 82)).toMatchObject({ kind: "off_step", below: 81, above: 85 });
});

test("steps of a tenth survive binary fractions", () => {
  for (let tenth = 10; tenth <= 100; tenth += 1) expect(check(parameter("flux", "guidance_scale"), tenth / 10, true)).toBeNull();
  expect(check(parameter("flux", "guidance_scale"), 3.55, true)).toMatchObject({ kind: "off_step", below: 3.5, above: 3.6 });
});

test("choices, pictures and fixed values", () => {
  expect(issue("fps", 12)).toEqual({ kind: "not_a_choice" });
  expect(issue("steps", 9)).toBeUndefined();
  expect(validate(filled("prompt", "a boat", "i2v"), anisora)).toEqual({ reference_image: { kind: "required" } });
});

test("given frames are checked entry by entry", () => {
  const frames = parameter("anisora", "arbitrary_frames");
  expect(validate(filled("arbitrary_frames", [], "arbitrary_frame"), anisora)).toEqual({ arbitrary_frames: { kind: "too_few", least: 1 } });
  const picture = { name: "a", uri: "data:" };
  const list = [
    frameOf(frames, { frame_index: 81, image: picture }),
    frameOf(frames, { frame_index: 3 }),
    frameOf(frames, { frame_index: 2, image: picture, strength: 2 }),
  ];
  expect(validate(filled("arbitrary_frames", list, "arbitrary_frame"), anisora)).toEqual({
    "arbitrary_frames[0].frame_index": { kind: "not_below", parameter: "num_frames", most: 81 },
    "arbitrary_frames[1].image": { kind: "required" },
    "arbitrary_frames[2].strength": { kind: "too_large", most: 1 },
  });
});

test("a refusal of the platform is assigned to its field", () => {
  const path = (detail: string) => pathOf(detail, anisora.parameters_schema);
  expect(path("width must be from 512 to 1280 in steps of 64, and is 700")).toBe("width");
  expect(path("arbitrary_frames[1].image is required")).toBe("arbitrary_frames[1].image");
  expect(path("reference_image: the image is animated")).toBe("reference_image");
  expect(path("the request is not valid JSON: expected value")).toBeNull();
});
