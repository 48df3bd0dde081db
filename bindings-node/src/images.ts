/**
 * Pictures in all supported forms: bytes, or objects that have to be read first.
 *
 * `instanceof` is not used, because jest, `vm` and Electron have classes of another realm, and packages bring their own classes.
 */

import { createReadStream } from "node:fs";
import { fileURLToPath } from "node:url";
import { types } from "node:util";
import { MustError, validation } from "./errors";
import { maxImageBytes } from "./generated/limits";
import type { BlobLike, ReadableStreamLike } from "./types";

/** Reads a picture, for the parameter `name`. */
export type Reader = (name: string, signal: AbortSignal) => Promise<Uint8Array>;

/** Gives the chunks of a picture, and can be stopped early. */
interface Source {
  next(): Promise<{ done?: boolean | undefined; value?: unknown }>;
  end(): unknown;
}

/**
 * The bytes of a buffer or a view of bytes. The native part reads them before the call returns; shared memory could change under it
 * and is copied first.
 */
export function bytesOf(value: unknown): Uint8Array | undefined {
  if (types.isAnyArrayBuffer(value)) return unshared(new Uint8Array(value as ArrayBuffer));
  if (!ArrayBuffer.isView(value)) return undefined;
  if (!types.isUint8Array(value) && !types.isUint8ClampedArray(value) && !types.isDataView(value)) return undefined;
  return unshared(new Uint8Array(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength));
}

function unshared(bytes: Uint8Array): Uint8Array {
  return types.isSharedArrayBuffer(bytes.buffer) ? new Uint8Array(bytes) : bytes;
}

/** A reader for an object that is not bytes: a `Blob` or `File`, a stream of Node or of the web, an async iterable, an open file, a `file:` URL. */
export function readerOf(value: object): Reader | undefined {
  const has = (name: string | symbol): boolean => typeof (value as Record<string | symbol, unknown>)[name] === "function";
  const { href, protocol, size } = value as { href?: unknown; protocol?: unknown; size?: unknown };
  if (typeof href === "string" && typeof protocol === "string") return (name, signal) => readUrl(name, href, protocol, signal);
  if (has("arrayBuffer")) {
    return async (name, signal) => {
      if (typeof size === "number" && size > maxImageBytes) throw tooLarge(name);
      const bytes = bytesOf(await until(signal, (value as BlobLike).arrayBuffer()));
      if (!bytes) throw validation(`${name} has an arrayBuffer() that gives no bytes`);
      return bytes;
    };
  }
  if (has("getReader")) return (name, signal) => gathered(name, ofWebStream(value as ReadableStreamLike), signal);
  if (has(Symbol.asyncIterator)) return (name, signal) => gathered(name, ofIterable(value as AsyncIterable<unknown>), signal);
  // An open file of node:fs/promises. It is read from its start and stays open.
  if (has("createReadStream") && has("readFile")) {
    const open = value as { createReadStream(options: object): AsyncIterable<unknown> };
    return (name, signal) => gathered(name, ofIterable(open.createReadStream({ start: 0, autoClose: false })), signal);
  }
  return undefined;
}

/** A name for the type of a value, for error messages. */
export function kind(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return "an array";
  if (typeof value !== "object") return `a ${typeof value}`;
  const name: unknown = (value as { constructor?: { name?: unknown } }).constructor?.name;
  return typeof name === "string" && name !== "" ? `an instance of ${name}` : "an object";
}

function readUrl(name: string, href: string, protocol: string, signal: AbortSignal): Promise<Uint8Array> {
  if (protocol !== "file:") {
    throw new MustError(
      "validation_error",
      `${name} is a URL with ${protocol}, and nothing is fetched from the network`,
      "Download the picture, and give its bytes, a Blob or the path of its file.",
    );
  }
  return gathered(name, ofIterable(createReadStream(fileURLToPath(href))), signal);
}

function ofWebStream(stream: ReadableStreamLike): Source {
  const reader = stream.getReader();
  return { next: () => reader.read(), end: () => reader.cancel() };
}

function ofIterable(chunks: AsyncIterable<unknown>): Source {
  const iterator = chunks[Symbol.asyncIterator]();
  const { destroy } = chunks as { destroy?: unknown };
  return {
    next: () => iterator.next(),
    // Ending the iterator does not stop a stream that waits for its next chunk.
    end: () => (typeof destroy === "function" ? destroy.call(chunks) : iterator.return?.()),
  };
}

/** All chunks together. Reading stops at the size limit of a picture. */
async function gathered(name: string, source: Source, signal: AbortSignal): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  let done: boolean | undefined = false;
  try {
    for (;;) {
      const next = await until(signal, source.next());
      done = next.done;
      if (done) return Buffer.concat(parts);
      const bytes = bytesOf(next.value);
      if (!bytes) throw validation(`${name} is a stream of ${kind(next.value)} and not of bytes`);
      size += bytes.length;
      if (size > maxImageBytes) throw tooLarge(name);
      // Copied, because the source may reuse the memory of its chunks.
      parts.push(Buffer.from(bytes));
    }
  } finally {
    // Not awaited, because a source that hangs may never end. Errors here are ignored.
    if (!done) (async () => source.end())().catch(() => {});
  }
}

/** Waits for `promise` until the signal is aborted, and then throws its reason. */
function until<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

function tooLarge(name: string): MustError {
  return new MustError("payload_too_large", `${name}: the image is larger than ${maxImageBytes} bytes`, "Send a smaller picture.");
}

/** Reads all pictures at the same time. The first failure stops the others. */
export async function readAll(
  readers: readonly (readonly [name: string, read: Reader])[],
  signal: AbortSignal | undefined,
): Promise<{ name: string; bytes: Uint8Array }[]> {
  const stop = new AbortController();
  const abort = (): void => stop.abort(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.all(
      readers.map(async ([name, read]) => {
        try {
          return { name, bytes: await read(name, stop.signal) };
        } catch (error) {
          throw stop.signal.aborted || error instanceof MustError ? error : unreadable(name, error);
        }
      }),
    );
  } finally {
    // Stop the readers that still run.
    stop.abort();
    signal?.removeEventListener("abort", abort);
  }
}

function unreadable(name: string, cause: unknown): MustError {
  const said = String((cause as { message?: unknown } | null)?.message ?? cause)
    .split(/[\r\n]/, 1)[0]
    ?.slice(0, 200);
  return new MustError("validation_error", `${name} cannot be read: ${said}`, "Check the file or the stream that was given.", { cause });
}
