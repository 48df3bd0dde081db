/** Encodes settings and options for the native part, with tables that are generated from the core's types. */

import { validation } from "./errors";
import { kind } from "./images";
import { isPlainObject, isSeconds, isText } from "./request";

/** A table of fields, by their names in this layer. Each entry has the name in the core and the kind of the value, or nested fields. */
export interface Fields {
  readonly [name: string]: readonly [core: string, holds: Holds | Fields];
}

type Holds = "flag" | "text" | "texts" | "count" | "seconds";

/**
 * Checks the values and returns them under their names in the core.
 * @param noun What a field is called in messages, such as `setting`.
 * @throws MustError `validation_error` for an unknown field and for a value of another kind.
 */
export function encodeFields(noun: string, values: Record<string, unknown>, fields: Fields, path = ""): Record<string, unknown> {
  const encoded: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(values)) {
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (!field) throw validation(`there is no ${noun} ${path}${name}`);
    const [core, holds] = field;
    if (value !== undefined) encoded[core] = encodeValue(noun, path + name, value, holds);
  }
  return encoded;
}

function encodeValue(noun: string, name: string, value: unknown, holds: Holds | Fields): unknown {
  if (typeof holds === "object") {
    if (!isPlainObject(value)) throw validation(`${name} must be an object, not ${kind(value)}`);
    return encodeFields(noun, value, holds, `${name}.`);
  }
  const fits = {
    flag: typeof value === "boolean",
    text: isText(value),
    texts: Array.isArray(value) && value.every(isText),
    count: Number.isSafeInteger(value) && (value as number) >= 0,
    seconds: isSeconds(value),
  }[holds];
  if (!fits) throw validation(`${name} must be ${SAYS[holds]}`);
  return value;
}

const SAYS: Record<Holds, string> = {
  flag: "true or false",
  text: "a string of valid Unicode without NUL",
  texts: "an array of strings of valid Unicode without NUL",
  count: "a whole number, 0 or more",
  seconds: "a number of seconds, 0 or more",
};
