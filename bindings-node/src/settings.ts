/** Encodes settings for the native part: checks them with tables generated from the core's settings and gives them the core's names. */

import { validation } from "./errors";
import { settingFields } from "./generated/settings";
import { checkHost, type Host } from "./host";
import { kind } from "./images";
import { isPlainObject, isSeconds, isText } from "./request";
import type { LogRecord } from "./types";

/** By a setting's name in this layer: its name in the core, and the kind of its value or the settings nested in it. */
export interface SettingFields {
  readonly [name: string]: readonly [core: string, holds: Holds | SettingFields];
}

type Holds = "flag" | "text" | "texts" | "count" | "seconds";

type Log = (record: LogRecord) => void;

/** Settings as JSON for the core, and what JSON cannot hold: the log function and the host's functions. */
export function encodeSettings(settings: unknown): { json: string; log: Log | null; host: Host } {
  if (!isPlainObject(settings)) throw validation(`the settings must be an object, not ${kind(settings)}`);
  const { log, host, ...others } = settings;
  if (log !== undefined && typeof log !== "function") throw validation(`log must be a function, not ${kind(log)}`);
  const encoded = encodeFields(others, settingFields, "");
  if (encoded["data_dir"] === undefined || encoded["data_dir"] === "") throw validation("dataDir is required");
  return { json: JSON.stringify(encoded), log: (log as Log | undefined) ?? null, host: checkHost(host) };
}

function encodeFields(values: Record<string, unknown>, fields: SettingFields, path: string): Record<string, unknown> {
  const encoded: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(values)) {
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (!field) throw validation(`there is no setting ${path}${name}`);
    const [core, holds] = field;
    if (value !== undefined) encoded[core] = encodeSetting(path + name, value, holds);
  }
  return encoded;
}

function encodeSetting(name: string, value: unknown, holds: Holds | SettingFields): unknown {
  if (typeof holds === "object") {
    if (!isPlainObject(value)) throw validation(`${name} must be an object, not ${kind(value)}`);
    return encodeFields(value, holds, `${name}.`);
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
  text: "a string",
  texts: "an array of strings",
  count: "a whole number, 0 or more",
  seconds: "a number of seconds, 0 or more",
};
