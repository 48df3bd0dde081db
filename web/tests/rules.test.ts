import { expect, test } from "vitest";
import { digitsOf, fixedValue, hasSlider, initialValue, isRequired, isVisible, nearest, picturesOf, stepOf } from "../src/catalog/rules";
import type { Parameter } from "../src/catalog/schema";
import { drawSeed, read, stepped } from "../src/studio/number_input";
import { model, models, parameter } from "./models";

test("a parameter is shown only in the modes of its rule", () => {
  const picture = parameter("anisora", "reference_image");
  expect(isVisible(picture, "i2v", {})).toBe(true);
  expect(isVisible(picture, "t2v", {})).toBe(false);
  expect(isVisible(parameter("anisora", "prompt"), "t2v", {})).toBe(true);
  expect(picturesOf(model("phr00t").parameters_schema, "first_last_frame")).toEqual(["first_frame_image", "last_frame_image"]);
});

test("rules may name other parameters, and all of a rule must hold", () => {
  const rule: Parameter = {
    type: "number",
    label: "",
    visible_if: { mode: ["i2v"], sampler: ["Euler"] },
    required_if: { sampler: ["Euler"] },
  };
  expect(isVisible(rule, "i2v", { sampler: "Euler" })).toBe(true);
  expect(isVisible(rule, "i2v", { sampler: "Euler a" })).toBe(false);
  expect(isVisible(rule, "i2v", {})).toBe(false);
  expect(isRequired(rule, "t2v", { sampler: "Euler" })).toBe(true);
});

test("a parameter that a mode requires is required only there", () => {
  const frames = parameter("anisora", "arbitrary_frames");
  expect(isRequired(frames, "arbitrary_frame", {})).toBe(true);
  expect(isRequired(frames, "t2v", {})).toBe(false);
  expect(isRequired(parameter("pony", "prompt"), "txt2img", {})).toBe(true);
});

test("locked values and ranges of one value are fixed", () => {
  expect(fixedValue(parameter("anisora", "steps"))).toBe(8);
  expect(fixedValue(parameter("phr00t", "cfg_scale"))).toBe(1);
  expect(fixedValue(parameter("tiny-image", "width"))).toBe(64);
  expect(fixedValue(parameter("anisora", "guidance_scale"))).toBeUndefined();
  expect(fixedValue({ type: "choice", label: "", choices: ["one"] })).toBe("one");
});

test("every number of the catalog except the seed has a slider", () => {
  for (const one of models) {
    for (const [name, rules] of Object.entries(one.parameters_schema)) {
      if (rules.type === "integer" || rules.type === "number") expect(hasSlider(rules), `${one.id}.${name}`).toBe(name !== "seed");
    }
  }
});

test("the nearest value is allowed by the catalog", () => {
  expect(nearest(parameter("pony", "width"), 700)).toBe(704);
  expect(nearest(parameter("pony", "width"), 9999)).toBe(1280);
  expect(nearest(parameter("anisora", "num_frames"), 82)).toBe(81);
  expect(nearest(parameter("flux", "guidance_scale"), 3.5500001)).toBe(3.6);
  expect(nearest(parameter("flux", "guidance_scale"), 0)).toBe(1);
});

test("stepping from between two steps goes to the next one", () => {
  const width = parameter("anisora", "width");
  expect(width.default).toBe(720);
  expect(stepped(width, 720, 1)).toBe(768);
  expect(stepped(width, 720, -1)).toBe(704);
  expect(stepped(width, 768, -1)).toBe(704);
  expect(stepped(width, 1280, 1)).toBe(1280);
});

test("a number without a step moves by a share of its range", () => {
  expect(stepOf(parameter("anisora", "motion_score"))).toBe(0.1);
  expect(stepOf(parameter("anisora", "denoising_strength"))).toBe(0.01);
  expect(digitsOf(parameter("phr00t", "cfg_scale"))).toBe(1);
  expect(digitsOf(parameter("pony", "steps"))).toBe(0);
});

test("controls begin with the defaults", () => {
  expect(initialValue(parameter("pony", "sampler"))).toBe("DPM++ 2M Karras");
  expect(initialValue(parameter("pony", "negative_prompt"))).toBe("");
  expect(initialValue(parameter("pony", "prompt"))).toBe("");
  expect(initialValue(parameter("anisora", "arbitrary_frames"))).toEqual([]);
  expect(initialValue(parameter("pony", "reference_image"))).toBeNull();
});

test("a drawn seed is an explicit seed", () => {
  const seed = parameter("pony", "seed");
  for (let count = 0; count < 100; count += 1) {
    const drawn = drawSeed(seed);
    expect(Number.isInteger(drawn) && drawn >= 0 && drawn <= (seed.maximum ?? 0)).toBe(true);
    expect(drawn).not.toBe(seed.default);
  }
});

test("typed text is read as a number if it is one", () => {
  expect([read("12"), read(" 3,5 "), read(""), read("-"), read("1e3")]).toEqual([12, 3.5, null, "-", 1000]);
});
