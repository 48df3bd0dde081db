/** Writes requests, queries and settings as JSON for the native part. Refuses values that JSON cannot hold, and takes images out. */

import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { validation } from "./errors";
import { checkHost, type Host } from "./host";
import { bytesOf, kind, readerOf, type Reader } from "./images";
import type { NativeImage } from "./native";
import type { HttpSettings, LogRecord, Settings, WorkerSettings } from "./types";

const MAX_DEPTH = 16;

/** The pictures of a request, which are not part of its JSON. */
interface Pictures {
  images: NativeImage[];
  /** Pictures that have to be read first. */
  unread: (readonly [name: string, read: Reader])[];
}

/** A request as JSON text, with the pictures beside it. */
export function encodeRequest(request: unknown): { json: string } & Pictures {
  const pictures: Pictures = { images: [], unread: [] };
  return { json: encodeObject("the request", request, pictures), ...pictures };
}

/** A query as JSON text. */
export function encodeQuery(query: unknown): string {
  return encodeObject("the query", query);
}

function encodeObject(what: string, value: unknown, pictures?: Pictures): string {
  if (!isPlainObject(value)) throw validation(`${what} must be an object, not ${kind(value)}`);
  return JSON.stringify(encode(value, "", 0, pictures));
}

function encode(value: unknown, path: string, depth: number, pictures: Pictures | undefined): unknown {
  const wanted = `a JSON value${pictures ? " or an image" : ""}`;
  switch (typeof value) {
    case "boolean":
      return value;
    case "string":
      if (!value.isWellFormed()) throw validation(`${path} holds half of a surrogate pair, which is not Unicode text`);
      return value;
    case "number":
      if (!Number.isFinite(value)) throw validation(`${path} must be a finite number, not ${value}`);
      return value;
    case "object":
      break;
    default:
      throw validation(`${path} must be ${wanted}, not ${kind(value)}`);
  }
  if (value === null) return null;
  if (depth > MAX_DEPTH) throw validation(`${path} is nested too deeply`);
  if (Array.isArray(value)) {
    return Array.from(value, (item, index) => encode(item, `${path}[${index}]`, depth + 1, pictures));
  }
  if (pictures && isPicture(value, path, pictures)) return undefined;
  if (!isPlainObject(value)) throw validation(`${path} must be ${wanted}, not ${kind(value)}`);
  const encoded = Object.create(null) as Record<string, unknown>;
  for (const [name, item] of Object.entries(value)) {
    // An undefined value counts as left out, as in JSON and in options objects.
    if (item !== undefined) encoded[name] = encode(item, path ? `${path}.${name}` : name, depth + 1, pictures);
  }
  return encoded;
}

/** Whether a value is a picture. If so, it is added to `images` or `unread`. */
function isPicture(value: object, path: string, { images, unread }: Pictures): boolean {
  const bytes = bytesOf(value);
  if (bytes) images.push({ name: path, bytes });
  const read = bytes ? undefined : readerOf(value);
  if (read) unread.push([path, read]);
  return !!(bytes ?? read);
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

type Kind = "flag" | "text" | "count" | "texts" | "seconds";
type Fields<T> = { [name in keyof T]-?: readonly [string, Kind] };

/** Each setting: its name in the core and the kind of its value. */
const SETTINGS: Fields<Omit<Settings, "log" | "host" | "http" | "workers">> = {
  dataDir: ["data_dir", "text"],
  modelsDir: ["models_dir", "text"],
  catalog: ["catalog", "text"],
  device: ["device", "text"],
  threads: ["threads", "count"],
  lanes: ["lanes", "texts"],
  paused: ["paused", "flag"],
  controlSocket: ["control_socket", "flag"],
  queueDepth: ["queue_depth", "count"],
  queueWaitSeconds: ["queue_wait_seconds", "seconds"],
  imageLimitSeconds: ["image_limit_seconds", "seconds"],
  videoLimitSeconds: ["video_limit_seconds", "seconds"],
  imageStaleSeconds: ["image_stale_seconds", "seconds"],
  videoStaleSeconds: ["video_stale_seconds", "seconds"],
  idleEvictSeconds: ["idle_evict_seconds", "seconds"],
  logLevel: ["log_level", "text"],
  masterKey: ["master_key", "text"],
  masterKeyFile: ["master_key_file", "text"],
  auditKeyFile: ["audit_key_file", "text"],
  auditAnchorFile: ["audit_anchor_file", "text"],
  adminKey: ["admin_key", "text"],
  frontendOrigins: ["frontend_origins", "texts"],
  trustedProxies: ["trusted_proxies", "texts"],
  sessionsPerMinute: ["sessions_per_minute", "count"],
  signInRequired: ["sign_in_required", "flag"],
  environment: ["environment", "text"],
  apiKey: ["api_key", "text"],
};

const HTTP_SETTINGS: Fields<HttpSettings> = {
  sessionCookieSecure: ["session_cookie_secure", "flag"],
  sessionCookieSameSite: ["session_cookie_same_site", "text"],
  sessionCookiePath: ["session_cookie_path", "text"],
  sessionCookieSuffix: ["session_cookie_suffix", "text"],
  scrapeToken: ["scrape_token", "text"],
  publicUrl: ["public_url", "text"],
  maxBodyBytes: ["max_body_bytes", "count"],
  maxConnections: ["max_connections", "count"],
  headerTimeoutSeconds: ["header_timeout_seconds", "seconds"],
  bodyTimeoutSeconds: ["body_timeout_seconds", "seconds"],
  retryWindowSeconds: ["retry_window_seconds", "seconds"],
  bodyBytesPerSecond: ["body_bytes_per_second", "count"],
  bodyTimeLimitSeconds: ["body_time_limit_seconds", "seconds"],
  eventKeepAliveSeconds: ["event_keep_alive_seconds", "seconds"],
};

const WORKER_SETTINGS: Fields<WorkerSettings> = {
  addressTemplate: ["address_template", "text"],
  networks: ["networks", "texts"],
  apiKey: ["api_key", "text"],
  deployCommand: ["deploy_command", "texts"],
  deployLimitSeconds: ["deploy_limit_seconds", "seconds"],
  connectTimeoutSeconds: ["connect_timeout_seconds", "seconds"],
  answerTimeoutSeconds: ["answer_timeout_seconds", "seconds"],
  transferTimeoutSeconds: ["transfer_timeout_seconds", "seconds"],
  maxResultBytes: ["max_result_bytes", "count"],
  healthTries: ["health_tries", "count"],
  healthPauseSeconds: ["health_pause_seconds", "seconds"],
  pollIntervalSeconds: ["poll_interval_seconds", "seconds"],
  recheckIntervalSeconds: ["recheck_interval_seconds", "seconds"],
};

/** Settings that are objects. */
const GROUPS: Record<string, Record<string, readonly [string, Kind]>> = { http: HTTP_SETTINGS, workers: WORKER_SETTINGS };

type Log = (record: LogRecord) => void;

/** Settings as JSON with the core's names, and the values that are not JSON: the log function and the functions of the host. */
export function encodeSettings(settings: unknown): { json: string; log: Log | null; host: Host } {
  if (!isPlainObject(settings)) throw validation(`the settings must be an object, not ${kind(settings)}`);
  const { log, host, http, workers, ...others } = settings;
  if (log !== undefined && typeof log !== "function") throw validation(`log must be a function, not ${kind(log)}`);
  const encoded = encodeFields(others, SETTINGS, "");
  for (const [name, group] of Object.entries({ http, workers })) {
    if (group === undefined) continue;
    if (!isPlainObject(group)) throw validation(`${name} must be an object, not ${kind(group)}`);
    encoded[name] = encodeFields(group, GROUPS[name] ?? {}, `${name}.`);
  }
  if (encoded["data_dir"] === undefined || encoded["data_dir"] === "") throw validation("dataDir is required");
  return { json: JSON.stringify(encoded), log: (log as Log | undefined) ?? null, host: checkHost(host) };
}

function encodeFields(
  values: Record<string, unknown>,
  fields: Record<string, readonly [string, Kind]>,
  path: string,
): Record<string, unknown> {
  const encoded: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(values)) {
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (!field) throw validation(`there is no setting ${path}${name}`);
    if (value !== undefined) encoded[field[0]] = encodeSetting(path + name, value, field[1]);
  }
  return encoded;
}

function encodeSetting(name: string, value: unknown, expected: Kind): unknown {
  const fits = {
    flag: typeof value === "boolean",
    text: isText(value),
    texts: Array.isArray(value) && value.every(isText),
    count: Number.isSafeInteger(value) && (value as number) >= 0,
    seconds: isSeconds(value),
  }[expected];
  if (!fits) throw validation(`${name} must be ${EXPECTED[expected]}`);
  return value;
}

const EXPECTED: Record<Kind, string> = {
  flag: "true or false",
  text: "a string",
  texts: "an array of strings",
  count: "a whole number, 0 or more",
  seconds: "a number of seconds, 0 or more",
};

function isText(value: unknown): boolean {
  return typeof value === "string" && value.isWellFormed() && !value.includes("\0");
}

/** Whether a value is a duration in seconds. */
export function isSeconds(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

/** A text argument of a call. */
export function textArgument(name: string, value: unknown): string {
  if (!isText(value)) throw validation(`${name} must be a string, not ${kind(value)}`);
  return value as string;
}

/**
 * The absolute path of a file or folder argument, which is text or a `file:` URL. A relative path is relative to the present working
 * folder, not to the one at the time when a thread starts the call.
 */
export function pathArgument(name: string, value: unknown): string {
  const href: unknown = (value as { href?: unknown } | null | undefined)?.href;
  if (typeof href === "string") {
    if (!href.startsWith("file:")) throw validation(`${name} must be a path or a file: URL`);
    return fileURLToPath(href);
  }
  const path = textArgument(name, value);
  // The core refuses an empty path.
  return path === "" ? path : resolve(path);
}

/** A duration argument of a call, in seconds. */
export function timeArgument(name: string, value: unknown): number {
  if (!isSeconds(value)) throw validation(`${name} must be ${EXPECTED.seconds}`);
  return value;
}
