/** Encodes settings for the native part: checks them and gives them the core's names. */

import { validation } from "./errors";
import { encodeFields } from "./fields";
import type { LogRecord } from "./generated/log";
import { settingFields } from "./generated/settings";
import { checkHost, type Host } from "./host";
import { kind } from "./images";
import { isPlainObject } from "./request";

type Log = (record: LogRecord) => void;

/** Settings as JSON for the core, and what JSON cannot hold: the log function and the host's functions. */
export function encodeSettings(settings: unknown): { json: string; log: Log | null; host: Host } {
  if (!isPlainObject(settings)) throw validation(`the settings must be an object, not ${kind(settings)}`);
  const { log, host, ...others } = settings;
  if (log !== undefined && typeof log !== "function") throw validation(`log must be a function, not ${kind(log)}`);
  const encoded = encodeFields("setting", others, settingFields);
  if (encoded["data_dir"] === undefined || encoded["data_dir"] === "") throw validation("dataDir is required");
  return { json: JSON.stringify(encoded), log: (log as Log | undefined) ?? null, host: checkHost(host) };
}
