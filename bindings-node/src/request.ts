/** Writes requests and queries as JSON for the native part. Refuses values that JSON cannot hold, and takes images out. */

import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { validation } from "./errors";
import { bytesOf, kind, readerOf, type Reader } from "./images";
import type { NativeImage } from "./native";

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

/** Whether a value is an object and nothing more: no array, no instance of a class. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Whether a value is text that the core can take. */
export function isText(value: unknown): value is string {
  return typeof value === "string" && value.isWellFormed() && !value.includes("\0");
}

/** Whether a value is a duration in seconds. */
export function isSeconds(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

/** A text argument of a call. */
export function textArgument(name: string, value: unknown): string {
  if (!isText(value)) throw validation(`${name} must be a string of valid Unicode without NUL; ${kind(value)} was given`);
  return value;
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
  if (!isSeconds(value)) throw validation(`${name} must be a number of seconds, 0 or more`);
  return value;
}
