import { expect, test } from "vitest";
import {
  frameOf,
  initialForm,
  nextFrame,
  requestOf,
  reuse,
  setMode,
  setModel,
  setValue,
  settingsOf,
  visibleNames,
  withReference,
} from "../src/catalog/form";
import { validate } from "../src/catalog/validate";
import { model, models, parameter } from "./models";

const picture = { name: "a.png", uri: "data:image/png;base64,AA==" };

test("the defaults of every model and mode are valid, except for missing texts and pictures", () => {
  for (const one of models) {
    for (const mode of one.modes) {
      const issues = validate(setValue(setMode(initialForm(one), mode), "prompt", "a boat"), one);
      for (const [path, issue] of Object.entries(issues))
        expect(["required", "too_few"], `${one.id} ${mode} ${path}`).toContain(issue.kind);
    }
  }
});

test("a request has the parameters that apply, without fixed ones", () => {
  const tiny = model("tiny-video");
  const request = requestOf(setValue(initialForm(tiny), "prompt", "a red circle"), tiny);
  expect(request).toMatchObject({
    model: "tiny-video",
    mode: "t2v",
    prompt: "a red circle",
    num_frames: 17,
    seed: -1,
    output_format: "mp4",
  });
  expect(Object.keys(request)).not.toContain("width");
  expect(Object.keys(request)).not.toContain("denoising_strength");
  expect(settingsOf(request, tiny)).toMatchObject({ width: 64, height: 64, num_frames: 17 });
});

test("pictures are sent as data URIs, and only in their modes", () => {
  const tiny = model("tiny-video");
  const form = setValue(setMode(initialForm(tiny), "i2v"), "reference_image", picture);
  expect(requestOf(form, tiny)["reference_image"]).toBe(picture.uri);
  expect(requestOf(setMode(form, "t2v"), tiny)).not.toHaveProperty("reference_image");
  expect(settingsOf(requestOf(form, tiny), tiny)).not.toHaveProperty("reference_image");
});

test("another model keeps texts, pictures and values that it allows", () => {
  const [pony, flux, tiny] = [model("pony"), model("flux"), model("tiny-image")];
  let form = setMode(initialForm(pony), "img2img");
  for (const [name, value] of [
    ["prompt", "a boat"],
    ["width", 768],
    ["steps", 55],
    ["sampler", "Euler a"],
  ] as const)
    form = setValue(form, name, value);
  form = setValue(form, "reference_image", picture);
  const there = setModel(form, pony, flux);
  expect(there.mode).toBe("img2img");
  expect(there.values).toMatchObject({ prompt: "a boat", width: 768, reference_image: picture, steps: 25, sampler: "Euler" });
  expect(setModel(form, pony, tiny).values["width"]).toBe(64);
});

test("a value at the default becomes the other model's default", () => {
  const there = setModel(initialForm(model("pony")), model("pony"), model("flux"));
  expect(there.values["steps"]).toBe(25);
  expect(setModel(initialForm(model("tiny-video")), model("tiny-video"), model("anisora")).values["num_frames"]).toBe(81);
});

test("the settings of a finished task are reused with its seed", () => {
  const tiny = model("tiny-image");
  const made = {
    mode: "img2img",
    parameters: { prompt: "a boat", steps: 7, reference_image: { width: 64, height: 64 }, width: 64, unknown: 1 },
    seed: 42,
  };
  const form = reuse(setValue(initialForm(tiny), "reference_image", picture), tiny, made);
  expect(form.mode).toBe("img2img");
  expect(form.values).toMatchObject({ prompt: "a boat", steps: 7, seed: 42, reference_image: picture });
  expect(form.values).not.toHaveProperty("unknown");
});

test("a picture becomes the reference in a mode that takes one", () => {
  const tiny = model("tiny-video");
  const form = withReference(initialForm(tiny), tiny, picture);
  expect(form).toMatchObject({ mode: "i2v", values: { reference_image: picture } });
  const first = withReference(setMode(initialForm(tiny), "first_last_frame"), tiny, picture);
  expect(first).toMatchObject({ mode: "first_last_frame", values: { first_frame_image: picture } });
  const second = first && withReference(first, tiny, { ...picture, name: "b.png" });
  expect(second?.values["last_frame_image"]).toMatchObject({ name: "b.png" });
});

test("new frames have the catalog's defaults and come after the last one", () => {
  const frames = parameter("anisora", "arbitrary_frames");
  const values = { num_frames: 81 };
  const one = nextFrame(frames, [], values);
  expect(one.values).toEqual({ frame_index: 0, image: null, strength: 0.85 });
  const two = nextFrame(frames, [one], values);
  expect(two.values["frame_index"]).toBe(40);
  expect(two.key).not.toBe(one.key);
  const last = nextFrame(frames, [frameOf(frames, { frame_index: 80 })], values);
  expect(last.values["frame_index"]).toBe(80);
});

test("given frames are sent as a list of entries", () => {
  const anisora = model("anisora");
  const frame = frameOf(parameter("anisora", "arbitrary_frames"), { frame_index: 3, image: picture });
  const form = setValue(setMode(initialForm(anisora), "arbitrary_frame"), "arbitrary_frames", [frame]);
  expect(requestOf(form, anisora)["arbitrary_frames"]).toEqual([{ frame_index: 3, image: picture.uri, strength: 0.85 }]);
  expect(visibleNames(form, anisora)).not.toContain("reference_image");
});
