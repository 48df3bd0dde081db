/** Checks a form against the catalog before it is sent, and finds the field that a refusal of the platform refers to. */

import type { Model } from "../api/types";
import { visibleNames } from "./form";
import type { Form } from "./form";
import { fixedValue, isRequired } from "./rules";
import { isPicture } from "./schema";
import type { Frame, Item, Parameter, Schema, Value, Values } from "./schema";

/** What is wrong with a value. The dictionary has the texts. */
export type Issue =
  | { kind: "required" }
  | { kind: "blank" }
  | { kind: "not_a_number" }
  | { kind: "not_whole" }
  | { kind: "too_short"; least: number; length: number }
  | { kind: "too_long"; most: number; length: number }
  | { kind: "too_small"; least: number }
  | { kind: "too_large"; most: number }
  | { kind: "off_step"; step: number; below: number; above: number }
  | { kind: "not_a_choice" }
  | { kind: "too_few"; least: number }
  | { kind: "not_below"; parameter: string; most: number }
  | { kind: "server"; detail: string; userAction: string };

/** Issues by path: `width`, `arbitrary_frames`, `arbitrary_frames[0].image`. */
export type Issues = Record<string, Issue>;

export function validate(form: Form, model: Model): Issues {
  const issues: Issues = {};
  for (const name of visibleNames(form, model)) {
    const parameter = model.parameters_schema[name];
    if (!parameter || fixedValue(parameter) !== undefined) continue;
    const value = form.values[name] ?? null;
    const required = isRequired(parameter, form.mode, form.values);
    if (parameter.type === "frames") {
      checkFrames(name, parameter, Array.isArray(value) ? value : [], required, form.values, issues);
    } else {
      const issue = check(parameter, value, required);
      if (issue) issues[name] = issue;
    }
  }
  return issues;
}

export function check(parameter: Parameter, value: Value, required: boolean): Issue | null {
  switch (parameter.type) {
    case "string":
      return checkText(parameter, typeof value === "string" ? value : "", required);
    case "integer":
    case "number":
      return checkNumber(parameter, value, required);
    case "choice":
      if (value === null || value === "") return required ? { kind: "required" } : null;
      return parameter.choices?.includes(value as string | number) ? null : { kind: "not_a_choice" };
    default:
      return required && !isPicture(value) ? { kind: "required" } : null;
  }
}

function checkText(parameter: Parameter, text: string, required: boolean): Issue | null {
  // The platform counts characters, not UTF-16 units.
  const length = [...text].length;
  if (required && length === 0) return { kind: "required" };
  if ((parameter.min_length ?? 0) > 0 && text.trim() === "") return { kind: "blank" };
  if (parameter.min_length !== undefined && length < parameter.min_length)
    return { kind: "too_short", least: parameter.min_length, length };
  if (parameter.max_length !== undefined && length > parameter.max_length) return { kind: "too_long", most: parameter.max_length, length };
  return null;
}

function checkNumber(parameter: Parameter, value: Value, required: boolean): Issue | null {
  if (value === null || value === "") return required || parameter.default !== undefined ? { kind: "required" } : null;
  if (typeof value !== "number" || !Number.isFinite(value)) return { kind: "not_a_number" };
  if (parameter.type === "integer" && !Number.isInteger(value)) return { kind: "not_whole" };
  const { minimum, maximum, step } = parameter;
  if (minimum !== undefined && value < minimum) return { kind: "too_small", least: minimum };
  if (maximum !== undefined && value > maximum) return { kind: "too_large", most: maximum };
  // The default is always allowed, even between two steps.
  if (step !== undefined && step > 0 && value !== parameter.default) {
    const from = minimum ?? 0;
    const steps = (value - from) / step;
    if (Math.abs(steps - Math.round(steps)) > 1e-6) {
      const at = (count: number) => Number((from + count * step).toFixed(10));
      return { kind: "off_step", step, below: at(Math.floor(steps)), above: at(Math.ceil(steps)) };
    }
  }
  return null;
}

function checkFrames(name: string, parameter: Parameter, frames: Frame[], required: boolean, values: Values, issues: Issues): void {
  if (required && frames.length < Math.max(1, parameter.min_items ?? 0)) {
    issues[name] = { kind: "too_few", least: Math.max(1, parameter.min_items ?? 0) };
  }
  frames.forEach((frame, index) => {
    for (const [field, item] of Object.entries(parameter.item ?? {})) {
      const issue = checkField(item, frame.values[field] ?? null, values);
      if (issue) issues[`${name}[${index}].${field}`] = issue;
    }
  });
}

function checkField(item: Item, value: Value, values: Values): Issue | null {
  const issue = check(item, value, item.required === true);
  if (issue || item.below === undefined || typeof value !== "number") return issue;
  const most = values[item.below];
  return typeof most === "number" && value >= most ? { kind: "not_below", parameter: item.below, most } : null;
}

/** The field of the form that a refusal's text names. `null` if it names none. */
export function pathOf(detail: string, schema: Schema): string | null {
  const paths = detail.match(/[a-z][a-z0-9_]*(?:\[\d+\](?:\.[a-z_]+)?)?/g) ?? [];
  return paths.find((path) => Object.hasOwn(schema, path.replace(/\[.*/, ""))) ?? null;
}
