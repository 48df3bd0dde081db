/** The state of the studio's form: a model, a mode, and a value for each parameter of the model. All changes are pure functions. */

import type { Model } from "../api/types";
import { fixedValue, initialValue, isVisible, nearest, picturesOf } from "./rules";
import { isPicture } from "./schema";
import type { Frame, Parameter, Picture, Value, Values } from "./schema";

export interface Form {
  model: string;
  mode: string;
  values: Values;
}

export function initialForm(model: Model): Form {
  const values = Object.fromEntries(Object.entries(model.parameters_schema).map(([name, p]) => [name, initialValue(p)]));
  return { model: model.id, mode: model.default_mode, values };
}

export const setValue = (form: Form, name: string, value: Value): Form => ({
  ...form,
  values: { ...form.values, [name]: value },
});

export const setMode = (form: Form, mode: string): Form => ({ ...form, mode });

/**
 * Returns the form for another model. Texts, pictures and changed values are kept if the new model allows them. Values that were the old
 * model's defaults become the new model's defaults.
 */
export function setModel(form: Form, before: Model | undefined, model: Model): Form {
  const next = initialForm(model);
  if (model.modes.includes(form.mode)) next.mode = form.mode;
  for (const [name, parameter] of Object.entries(model.parameters_schema)) {
    const value = form.values[name];
    const old = before?.parameters_schema[name];
    if (value === undefined || !old || old.type !== parameter.type || fixedValue(parameter) !== undefined) continue;
    const untouched = JSON.stringify(value) === JSON.stringify(initialValue(old));
    if (!untouched && isAllowed(parameter, value)) next.values[name] = value;
  }
  return next;
}

function isAllowed(parameter: Parameter, value: Value): boolean {
  switch (parameter.type) {
    case "choice":
      return parameter.choices?.includes(value as string | number) ?? false;
    case "integer":
    case "number":
      return typeof value === "number" && (value === parameter.default || nearest(parameter, value) === value);
    default:
      return true;
  }
}

/** Returns the form that repeats a finished task. The platform does not keep input pictures, so those of the form stay. */
export function reuse(form: Form, model: Model, task: { mode: string; parameters: Record<string, unknown>; seed?: number | null }): Form {
  const next: Form = { ...initialForm(model), mode: model.modes.includes(task.mode) ? task.mode : model.default_mode };
  const given: Record<string, unknown> = { ...task.parameters };
  if (task.seed !== undefined && task.seed !== null) given["seed"] = task.seed;
  for (const [name, parameter] of Object.entries(model.parameters_schema)) {
    const value = given[name];
    if (parameter.type === "image") {
      const kept = form.values[name];
      if (isPicture(kept)) next.values[name] = kept;
    } else if (parameter.type === "frames") {
      if (Array.isArray(value)) next.values[name] = value.map((entry) => frameOf(parameter, entry as Record<string, unknown>));
    } else if ((typeof value === "string" || typeof value === "number") && fixedValue(parameter) === undefined) {
      next.values[name] = value;
    }
  }
  return next;
}

/**
 * Returns the form with a picture as its reference: in the current mode if it takes pictures, otherwise in the first mode that takes
 * exactly one, otherwise in the first mode that takes any. `null` if no mode takes a picture.
 */
export function withReference(form: Form, model: Model, picture: Picture): Form | null {
  const taking = [form.mode, ...model.modes].filter((mode) => picturesOf(model.parameters_schema, mode).length > 0);
  const mode = taking.find((m) => m === form.mode) ?? taking.find((m) => picturesOf(model.parameters_schema, m).length === 1) ?? taking[0];
  if (mode === undefined) return null;
  const names = picturesOf(model.parameters_schema, mode);
  const name = names.find((n) => !isPicture(form.values[n])) ?? names[0];
  return name === undefined ? null : setValue(setMode(form, mode), name, picture);
}

let frames = 0;

/** Returns an entry of a list of frames, with the given values and the catalog's defaults. */
export function frameOf(parameter: Parameter, given: Record<string, unknown> = {}): Frame {
  frames += 1;
  const values: Record<string, Value> = {};
  for (const [field, item] of Object.entries(parameter.item ?? {})) {
    const value = given[field];
    values[field] = typeof value === "number" || typeof value === "string" || isPicture(value) ? value : initialValue(item);
  }
  return { key: `frame-${frames}`, values };
}

/**
 * Returns a new entry for the end of the list. A number without a default is halfway between the last entry's number and its limit. In the
 * first entry it is the minimum.
 */
export function nextFrame(parameter: Parameter, frames: Frame[], values: Values): Frame {
  const frame = frameOf(parameter);
  for (const [field, item] of Object.entries(parameter.item ?? {})) {
    if (frame.values[field] !== null || (item.type !== "integer" && item.type !== "number")) continue;
    const below = item.below ? Number(values[item.below]) - 1 : Infinity;
    const most = Math.min(item.maximum ?? 0, Number.isFinite(below) ? below : Infinity);
    const last = frames.at(-1)?.values[field];
    const value = typeof last === "number" ? nearest(item, last + (most - last) / 2) : (item.minimum ?? 0);
    frame.values[field] = Math.min(value, most);
  }
  return frame;
}

/** The names that the form shows, in the order of the catalog. */
export const visibleNames = (form: Form, model: Model): string[] =>
  Object.entries(model.parameters_schema)
    .filter(([, parameter]) => isVisible(parameter, form.mode, form.values))
    .map(([name]) => name);

/** The body of a submission: all parameters that apply and have a value. The platform sets fixed values. */
export function requestOf(form: Form, model: Model): Record<string, unknown> {
  const request: Record<string, unknown> = { model: model.id, mode: form.mode };
  for (const name of visibleNames(form, model)) {
    const parameter = model.parameters_schema[name];
    const value = form.values[name];
    if (!parameter || value === undefined || value === null || fixedValue(parameter) !== undefined) continue;
    if (Array.isArray(value)) {
      if (value.length > 0) request[name] = value.map((frame) => entryOf(frame.values));
    } else {
      request[name] = isPicture(value) ? value.uri : value;
    }
  }
  return request;
}

const entryOf = (values: Record<string, Value>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(values)
      .filter(([, value]) => value !== null)
      .map(([field, value]) => [field, isPicture(value) ? value.uri : value]),
  );

/** The settings of a request as the history stores them: without pictures, but with fixed values. */
export function settingsOf(request: Record<string, unknown>, model: Model): Record<string, unknown> {
  const settings: Record<string, unknown> = {};
  for (const [name, parameter] of Object.entries(model.parameters_schema)) {
    if (parameter.type === "image" || parameter.type === "frames") continue;
    const value = fixedValue(parameter) ?? request[name];
    if (value !== undefined) settings[name] = value;
  }
  return settings;
}
