/** The body of a request, also when a parser of the framework has read it before. */

import type { Readable } from "node:stream";
import { MustError } from "./errors";
import { bytesOf } from "./images";

/** What parsers leave behind. */
export interface Parsed {
  /** What `express.json()`, body-parser or Fastify made of the body. */
  body?: unknown;
  /** The body as it came, where the framework keeps it. */
  rawBody?: unknown;
  /** Set by body-parser on what it has read. */
  _body?: unknown;
}

/** As much of a request as is read here. */
type Request = Readable & { headers: Record<string, string | string[] | undefined> };

/** A body. */
export interface Body {
  bytes: Uint8Array;
  /** Whether a parser has read it: then it is neither compressed nor as long as it was sent. */
  parsed: boolean;
}

/**
 * The body; one that is larger than `limit` is cut just beyond it, and refused by the platform. What was read before is taken from
 * what the parser has left.
 * @throws MustError `validation_error` when nothing is left of it, or when it comes too slowly.
 */
export async function bodyOf(request: Request, parsed: Parsed, limit: number, pace: Pace): Promise<Body> {
  const untouched = !request.readableDidRead && !request.readableEnded && !parsed._body;
  return untouched ? { bytes: await read(request, limit, pace), parsed: false } : { bytes: left(request, parsed), parsed: true };
}

/** What a parser has left of the body. */
function left(request: Request, parsed: Parsed): Uint8Array {
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
  // Parsers of Express 4 put an empty object where they have read nothing. Who was sent one was sent a few bytes.
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

/** Bytes that an empty object may be written in. */
const EMPTY_OBJECT = 8;

/** When a body that is still coming is first looked at. */
const FIRST_LOOK_MS = 500;

/**
 * How many milliseconds a body may go on, of which `bytes` have come, the first `began` and the last `last` milliseconds ago; fails
 * when it comes too slowly.
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
  // Nobody hears of its failure once the other has decided.
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
    timer = setTimeout(look, FIRST_LOOK_MS);
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

/** A form as it is sent, with the brackets of lists and objects. */
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
