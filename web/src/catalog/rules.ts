/** Decides when a parameter is shown, when it is required, and when there is nothing to choose. The core applies the same rules. */

import type { Choice, Parameter, Rule, Schema, Value, Values } from "./schema";

export function holds(rule: Rule, mode: string, values: Values): boolean {
  return Object.entries(rule).every(([name, accepted]) => {
    const value = name === "mode" ? mode : values[name];
    return value !== undefined && accepted.includes(value);
  });
}

export const isVisible = (parameter: Parameter, mode: string, values: Values): boolean =>
  !parameter.visible_if || holds(parameter.visible_if, mode, values);

export const isRequired = (parameter: Parameter, mode: string, values: Values): boolean =>
  parameter.required === true || (parameter.required_if !== undefined && holds(parameter.required_if, mode, values));

export const isNumeric = (parameter: Parameter): boolean => parameter.type === "integer" || parameter.type === "number";

/** The only value that a parameter can have. `undefined` if there is a choice. */
export function fixedValue(parameter: Parameter): Choice | undefined {
  const value = parameter.default;
  const plain = typeof value === "number" || typeof value === "string" ? value : undefined;
  if (parameter.locked) return plain;
  if (parameter.type === "choice" && parameter.choices?.length === 1) return parameter.choices[0];
  if (isNumeric(parameter) && parameter.minimum !== undefined && parameter.minimum === parameter.maximum) return parameter.minimum;
  return undefined;
}

/** Whether a slider can reach every value of a numeric parameter. A range as large as a seed's is too large for that. */
export function hasSlider(parameter: Parameter): boolean {
  const { minimum, maximum } = parameter;
  return minimum !== undefined && maximum !== undefined && (maximum - minimum) / stepOf(parameter) <= 1000;
}

/**
 * The step of a control. If the catalog has none, a whole number moves by one, and a fraction by the largest power of ten that is at most a
 * twentieth of its range.
 */
export function stepOf(parameter: Parameter): number {
  if (parameter.step !== undefined) return parameter.step;
  if (parameter.type === "integer") return 1;
  const range = (parameter.maximum ?? 1) - (parameter.minimum ?? 0);
  return 10 ** Math.floor(Math.log10(range / 20 || 1));
}

/** The number of digits after the point in shown values of a parameter. */
export function digitsOf(parameter: Parameter): number {
  if (parameter.type === "integer") return 0;
  const [, fraction = ""] = String(stepOf(parameter)).split(".");
  return Math.max(1, fraction.length);
}

/** The nearest value that a numeric parameter allows. */
export function nearest(parameter: Parameter, value: number): number {
  const least = parameter.minimum ?? -Infinity;
  const most = parameter.maximum ?? Infinity;
  const step = stepOf(parameter);
  const from = parameter.minimum ?? 0;
  let stepped = from + Math.round((value - from) / step) * step;
  if (stepped > most) stepped -= step;
  return Number(Math.min(most, Math.max(least, stepped)).toFixed(10));
}

/** The initial value of a control. */
export function initialValue(parameter: Parameter): Value {
  if (parameter.type === "frames") return [];
  if (parameter.type === "image") return null;
  const value = parameter.default;
  if (typeof value === "string" || typeof value === "number") return value;
  return parameter.type === "string" ? "" : null;
}

/** The pictures that a mode shows, in the order of the catalog. */
export const picturesOf = (schema: Schema, mode: string): string[] =>
  Object.entries(schema)
    .filter(([, parameter]) => parameter.type === "image" && isVisible(parameter, mode, {}))
    .map(([name]) => name);
