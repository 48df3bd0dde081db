/**
 * The types of arguments and answers. Requests, tasks, queries and models have the names of the catalog and of the HTTP API
 * (snake_case). Settings and options of calls are camelCase.
 */

import type { ErrorCode } from "./generated/codes";
import type { LogLevel, Settings as CoreSettings } from "./generated/settings";
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

/** One log record of a platform. It contains no prompt and no secret. */
export interface LogRecord {
  /** When it was logged; RFC 3339 in UTC. */
  time: string;
  level: LogLevel;
  /** Module of the library that logged it. */
  target: string;
  /** What happened, in one sentence. */
  message: string;
  /** Details: `task`, `code`, `model` and so on. */
  fields: Record<string, unknown>;
}

/** The state of one lane. Counts begin when the platform is opened. */
export interface LaneStatus {
  /** The model that the lane belongs to; null for the shared lane. */
  model: string | null;
  /** Ids of the models whose weights are loaded, in the order of their last use. */
  loaded: string[];
  /** Memory of their weights in bytes. */
  memory_bytes: number;
  /** Tasks that found their pipeline loaded. */
  hits: number;
  /** Tasks that did not find their pipeline loaded. */
  misses: number;
  /** Number of times that a pipeline was loaded. */
  loads: number;
  /** Number of times that a pipeline was unloaded, to free memory, because it was idle, or after an error. */
  evictions: number;
}

/** The state of the lanes. */
export interface Load {
  /** Every lane; the shared one is the last. */
  lanes: LaneStatus[];
  /** Tasks that wait for a lane. */
  waiting: number;
}

/** A picture or a clip. */
export type MediaType = "image" | "video";

/** The status of a task. */
export type Status = "pending" | "processing" | "done" | "failed";

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

/** Why a task failed. */
export interface TaskFailure {
  code: ErrorCode;
  /** What happened. */
  detail: string;
}

/** The state of one task at the time of the call. Times are RFC 3339 in UTC. */
export interface TaskState {
  id: string;
  /** Workspace that runs it; null when it runs here. */
  workspace: string | null;
  /** The owner; null when it has none. */
  owner: string | null;
  /** Catalog id of the model. */
  model: string;
  type: MediaType;
  mode: string;
  prompt: string;
  negative_prompt: string;
  /** Every other parameter, with defaults filled in. For images it only has the names. */
  parameters: Record<string, unknown>;
  /** The seed that is used; random when the request had -1. */
  seed: number;
  /** Pixels. */
  width: number;
  /** Pixels. */
  height: number;
  status: Status;
  /** 0 to 100, never falling. */
  progress: number;
  /** Name of the present stage. */
  stage: string;
  /** More about the stage, such as `step 3 of 20`. */
  stage_detail: string;
  /** File of the result, relative to the data folder. Present exactly when done. */
  result_path: string | null;
  /** File of the preview, relative to the data folder. */
  preview_path: string | null;
  /** Present exactly when failed. */
  error: TaskFailure | null;
  created_at: string;
  updated_at: string;
  started_at: string | null;
  finished_at: string | null;
}

/** Which tasks to list. */
export interface TaskQuery {
  status?: Status | undefined;
  /** Id or alias. */
  model?: string | undefined;
  type?: MediaType | undefined;
  /** Only tasks of this owner; the empty text stands for tasks without an owner. */
  owner?: string | undefined;
  /** The order; `newest` first when absent. */
  sort?: "newest" | "oldest" | undefined;
  /** From 1. */
  page?: number | undefined;
  /** 1 to 100; 20 when absent. */
  per_page?: number | undefined;
}

/** One page of tasks. */
export interface TaskPage {
  items: TaskState[];
  /** Number of tasks on all pages. */
  total: number;
  /** From 1. */
  page: number;
  per_page: number;
  /** Whether another page follows. */
  has_more: boolean;
}

/** The rules of one parameter of one model. */
export interface ParameterSchema {
  type: "string" | "integer" | "number" | "choice" | "image" | "frames";
  /** A short name for people. */
  label: string;
  /** A sentence for people. */
  help?: string;
  /** Whether every request must give it. */
  required?: boolean;
  /** The value when it is left out. */
  default?: string | number;
  minimum?: number;
  maximum?: number;
  /** Distance between allowed values, counted from `minimum`. */
  step?: number;
  /** Minimum number of characters; when it is set, the text may not be blank. */
  min_length?: number;
  max_length?: number;
  min_items?: number;
  /** The allowed values of a choice. */
  choices?: (string | number)[];
  /** Whether any value but the default is refused. */
  locked?: boolean;
  /** The value that works best. */
  recommended?: string | number;
  /** For each named parameter (or `mode`), the values with which this parameter may be given. */
  visible_if?: Record<string, unknown[]>;
  /** For each named parameter (or `mode`), the values with which this parameter must be given. */
  required_if?: Record<string, unknown[]>;
  /** The fields of an entry of a list. */
  item?: Record<string, ParameterSchema & { below?: string }>;
}

/** A model of the catalog. */
export interface Model {
  id: string;
  aliases: string[];
  name: string;
  type: MediaType;
  category: string;
  family: string;
  description: string;
  modes: string[];
  default_mode: string;
  /** Values that cannot be changed. */
  fixed_parameters: Record<string, string | number>;
  /** Values that work best. */
  recommended_parameters: Record<string, string | number>;
  /** Rules of each parameter, by name. */
  parameters_schema: Record<string, ParameterSchema>;
  /** Whether it can run on this machine. */
  available: boolean;
  /** A description of its files on this machine; absent when it has none. */
  files?: string;
  /** The reason why it cannot run here; absent when it can. */
  unavailable_reason?: string;
  /** How to make it available; absent when it is. */
  user_action?: string;
}
