/** Reads the body of a request, also when a parser of the framework has already read it. */

import type { Readable } from "node:stream";
import { MustError } from "./errors";
import { bytesOf } from "./images";

/** The members of a request in which parsers leave the body. */
export interface Parsed {
  /** The value that `express.json()`, body-parser or Fastify parsed from the body. */
  body?: unknown;
  /** The unchanged body, if the framework keeps it. */
  rawBody?: unknown;
  /** Set by body-parser when it has read the body. */
  _body?: unknown;
}

/** The members of a request that are read here. */
type Request = Readable & { headers: Record<string, string | string[] | undefined> };

/** The body of a request, and how it was read. */
export interface Body {
  bytes: Uint8Array;
  /** Whether a parser has read it. Then it is no longer compressed and may have another length. */
  parsed: boolean;
}

/**
 * The body. A body larger than `limit` is cut just beyond the limit, and the platform then refuses it. If a parser has read the body, it
 * is taken from the members that the parser has set.
 * @throws MustError `validation_error` when a parser has read the body and kept nothing, or when the body arrives too slowly.
 */
export async function bodyOf(request: Request, parsed: Parsed, limit: number, pace: Pace): Promise<Body> {
  const untouched = !request.readableDidRead && !request.readableEnded && !parsed._body;
  return untouched ? { bytes: await read(request, limit, pace), parsed: false } : { bytes: parsedBody(request, parsed), parsed: true };
}

/** The body from the members that a parser has set. */
function parsedBody(request: Request, parsed: Parsed): Uint8Array {
  const raw = plainBytes(parsed.rawBody) ?? plainBytes(parsed.body);
  if (raw) return raw;
  const { "content-length": length, "transfer-encoding": chunked, "content-type": declared } = request.headers;
  if (length === "0" || (length === undefined && chunked === undefined && isNothing(parsed.body))) return EMPTY;
  const type =
    String(declared ?? "")
      .split(";", 1)[0]
      ?.trim()
      .toLowerCase() ?? "";
  const { body } = parsed;
  // Parsers of Express 4 set an empty object when they have not read the body. A real empty object has only a few bytes.
  const unread = body === undefined || (!parsed._body && isNothing(body) && Number(length) > EMPTY_OBJECT);
  if (!unread && /^application\/(.*\+)?json$/.test(type)) return Buffer.from(JSON.stringify(body));
  if (!unread && type === "application/x-www-form-urlencoded") return Buffer.from(form(body).toString());
  throw new MustError(
    "validation_error",
    "the body was read before it came to MUST",
    "Mount platform.handler() before parsers of bodies, or keep the bytes in request.rawBody.",
  );
}

const EMPTY = new Uint8Array();

/** Maximum length in bytes of the text of an empty object, with spaces. */
const EMPTY_OBJECT = 8;

/** Time after which the speed of a body is first checked. */
const FIRST_CHECK_MS = 500;

/**
 * Returns how many milliseconds to wait for more of a body. `bytes` have arrived; reading began `began` and the last bytes came `last`
 * milliseconds ago. Fails when the body arrives too slowly.
 */
export type Pace = (bytes: number, began: number, last: number) => Promise<number>;

async function read(request: Readable, limit: number, pace: Pace): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  const began = performance.now();
  let last = began;
  const whole = (async () => {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      if (size <= limit) chunks.push(chunk);
      size += chunk.length;
      last = performance.now();
    }
    return Buffer.concat(chunks);
  })();
  // A failure of `whole` is ignored when `slow` has settled first.
  whole.catch(() => {});
  let timer: NodeJS.Timeout | undefined;
  let over = false;
  const slow = new Promise<never>((_, reject) => {
    const look = (): void => {
      const now = performance.now();
      pace(size, now - began, now - last).then((milliseconds) => {
        if (!over) timer = setTimeout(look, milliseconds);
      }, reject);
    };
    timer = setTimeout(look, FIRST_CHECK_MS);
  });
  try {
    return await Promise.race([whole, slow]);
  } finally {
    over = true;
    clearTimeout(timer);
  }
}

function plainBytes(value: unknown): Uint8Array | undefined {
  return typeof value === "string" ? Buffer.from(value) : bytesOf(value);
}

function isNothing(value: unknown): boolean {
  return value === undefined || value === null || (typeof value === "object" && Object.keys(value).length === 0);
}

/** A form as a browser sends it, with brackets for lists and objects. */
function form(value: unknown): URLSearchParams {
  const fields = new URLSearchParams();
  const add = (name: string, item: unknown, depth: number): void => {
    if (typeof item === "object" && item !== null && depth < MAX_DEPTH) {
      for (const [key, inner] of Object.entries(item)) add(name ? `${name}[${key}]` : key, inner, depth + 1);
    } else {
      fields.append(name, String(item));
    }
  };
  add("", value, 0);
  return fields;
}

const MAX_DEPTH = 16;
