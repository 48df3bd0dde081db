/** Types of arguments and answers that are written by hand. */

import type { LogRecord } from "./generated/log";
import type { Settings as CoreSettings } from "./generated/settings";
import type { Host } from "./host";

/** Settings of a platform: those of the core, and functions. Only `dataDir` is required. */
export interface Settings extends CoreSettings {
  /**
   * Receives the platform's log records, one at a time, when the event loop is free. It does not keep the process alive. An
   * exception in it becomes a warning of the process. Records may be lost while the event loop is blocked for long.
   */
  log?: ((record: LogRecord) => void) | undefined;
  /** Functions of the host: they give keys from its key store, store checkpoints of the audit log, and provide a clock. */
  host?: Host | undefined;
}

/**
 * A PNG, JPEG or WebP picture: its bytes; text that is a data URI or the path of a file; a `file:` URL; a `Blob` or `File`; a stream of
 * Node or of the web, or another async iterable of bytes; a file that was opened by `node:fs/promises`.
 */
export type ImageInput =
  | Uint8Array
  | Uint8ClampedArray
  | DataView
  | ArrayBufferLike
  | string
  | URL
  | BlobLike
  | AsyncIterable<Uint8Array>
  | ReadableStreamLike
  | FileHandleLike;

/** A `Blob` or a `File` of Node or of another library. */
export interface BlobLike {
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** A `ReadableStream` of bytes, of Node or of another library. */
export interface ReadableStreamLike {
  getReader(): { read(): Promise<{ done?: boolean | undefined; value?: unknown }>; cancel(reason?: unknown): Promise<unknown> };
}

/** A file that was opened by `node:fs/promises`. It is read from its start and stays open. */
export interface FileHandleLike {
  readFile(): Promise<Uint8Array>;
  createReadStream(options?: { start?: number; autoClose?: boolean }): AsyncIterable<unknown>;
}

/** Pixels of a result. */
export interface Frames {
  /** Pixels of a row. */
  width: number;
  /** Rows of a frame. */
  height: number;
  /** Number of frames. */
  count: number;
  /** The pixels of all frames, row by row without gaps, with one byte each for red, green and blue. */
  data: Buffer;
}
