/**
 * The types of arguments and answers. Requests, tasks, queries and models have the names of the catalog and of the HTTP API
 * (snake_case). Settings and options of calls are camelCase.
 */

import type { ErrorCode } from "./generated/codes";
import type { Mode, ModelId, Parameters } from "./generated/parameters";
import type { Host } from "./host";

/** Settings of a platform. Only `dataDir` is required. */
export interface Settings {
  /** Folder of the database and the results; created when it does not exist. Only one process at a time can have it open. */
  dataDir: string;
  /** Folder that has one folder of weights for each model; `models` in the data folder when absent. */
  modelsDir?: string | undefined;
  /** A catalog file that replaces the built-in catalog. */
  catalog?: string | undefined;
  /** Device for inference. `auto`, the default, is the first GPU that works, else the CPU. */
  device?: "auto" | "cpu" | "cuda" | undefined;
  /** Threads that inference on the CPU uses; 0 means one for each core. */
  threads?: number | undefined;
  /** Models that get their own lane, in which their pipeline stays loaded. */
  lanes?: string[] | undefined;
  /** Whether tasks are only stored. They run when the folder is opened again without this setting. */
  paused?: boolean | undefined;
  /** Whether the program `must` can use the platform over a socket in the data folder that only the owner can open; true when absent. */
  controlSocket?: boolean | undefined;
  /** Places in the shared queue. */
  queueDepth?: number | undefined;
  /** How long a submission waits for a place in a full queue before `queue_overloaded`. */
  queueWaitSeconds?: number | undefined;
  /** How long a picture may run. */
  imageLimitSeconds?: number | undefined;
  /** How long a clip may run. */
  videoLimitSeconds?: number | undefined;
  /** Time after which a picture that is still processing fails as stale. */
  imageStaleSeconds?: number | undefined;
  /** Time after which a clip that is still processing fails as stale. */
  videoStaleSeconds?: number | undefined;
  /** How long an unused pipeline stays loaded. */
  idleEvictSeconds?: number | undefined;
  /**
   * Receives the platform's log records, one at a time, when the event loop is free. It does not keep the process alive. An
   * exception in it becomes a warning of the process. Records may be lost while the event loop is blocked for long.
   */
  log?: ((record: LogRecord) => void) | undefined;
  /** Functions of the host: they give keys from its key store, store checkpoints of the audit log, and provide a clock. */
  host?: Host | undefined;
  /** The least important level that `log` receives; `info` when absent. */
  logLevel?: LogLevel | undefined;
  /** Master keys as the text of a key file; used instead of `masterKeyFile`. */
  masterKey?: string | undefined;
  /** File of the master keys, created at the first use; `keys/master.key` in the data folder when absent. */
  masterKeyFile?: string | undefined;
  /** File of the keys that sign the audit log; `keys/audit.key` in the data folder when absent. */
  auditKeyFile?: string | undefined;
  /** File to which checkpoints of the audit log are appended; `audit.anchors` in the data folder when absent. */
  auditAnchorFile?: string | undefined;
  /** The key for admin sessions, at least 16 characters. */
  adminKey?: string | undefined;
  /** Browser origins that may call from another site, exactly as browsers send them. */
  frontendOrigins?: string[] | undefined;
  /** Addresses and networks of proxies whose `X-Forwarded-For` is trusted. */
  trustedProxies?: string[] | undefined;
  /** Generation sessions that one address may start in 60 seconds, 1 to 10,000; 10 when absent. */
  sessionsPerMinute?: number | undefined;
  /** Whether people sign in: a generation session then needs an access key, and callers over HTTP see only their own tasks. */
  signInRequired?: boolean | undefined;
  /** Environment of this platform; provider tokens for another environment are refused. */
  environment?: "dev" | "stage" | "prod" | undefined;
  /** The operator's own API key, at least 16 characters. */
  apiKey?: string | undefined;
  /** Settings of the HTTP service. */
  http?: HttpSettings | undefined;
  /** Workers that tasks may be sent to. */
  workers?: WorkerSettings | undefined;
}

/** Settings for reaching and deploying workers. */
export interface WorkerSettings {
  /** Template for the address of a workspace whose account has no address: `https://{workspace}--must.modal.run`. */
  addressTemplate?: string | undefined;
  /** Private addresses and networks in which workers may be; `http://` is allowed only there. */
  networks?: string[] | undefined;
  /** The API key of workers whose account has no key. */
  apiKey?: string | undefined;
  /** Program and arguments that deploy a workspace; `{workspace}` and `{label}` are filled in. */
  deployCommand?: string[] | undefined;
  /** How long a deployment may take. */
  deployLimitSeconds?: number | undefined;
  /** How long connecting may take. */
  connectTimeoutSeconds?: number | undefined;
  /** How long an answer may take. */
  answerTimeoutSeconds?: number | undefined;
  /** How long the transfer of a result may take. */
  transferTimeoutSeconds?: number | undefined;
  /** Maximum bytes of a result that is fetched from a worker. */
  maxResultBytes?: number | undefined;
  /** Number of health checks after a deployment. */
  healthTries?: number | undefined;
  /** Time between two health checks. */
  healthPauseSeconds?: number | undefined;
  /** Time between two status requests for a task at a worker. */
  pollIntervalSeconds?: number | undefined;
  /** Time after which a failed account is checked again automatically; 0 means never. */
  recheckIntervalSeconds?: number | undefined;
}

/** Settings of the HTTP service. */
export interface HttpSettings {
  /** Whether session cookies are for HTTPS only; true when absent. */
  sessionCookieSecure?: boolean | undefined;
  /** Which requests from other sites carry session cookies; `strict` when absent. */
  sessionCookieSameSite?: "strict" | "lax" | "none" | undefined;
  /** Path of session cookies; `/` when absent. Behind a proxy, the path that the platform is served under. */
  sessionCookiePath?: string | undefined;
  /** Added to the names of session cookies after an underscore. */
  sessionCookieSuffix?: string | undefined;
  /** Address at which clients reach the HTTP service, such as `https://example.com/must`; from each request's headers when absent. */
  publicUrl?: string | undefined;
  /** A bearer token that gives access to `GET /metrics`. */
  scrapeToken?: string | undefined;
  /** Maximum bytes of a request's body; 32 MiB when absent. */
  maxBodyBytes?: number | undefined;
  /** Maximum number of open connections; more connections wait. */
  maxConnections?: number | undefined;
  /** How long a request's headers may take to arrive. */
  headerTimeoutSeconds?: number | undefined;
  /** Longest pause while a request's body arrives, and while a client reads an answer. */
  bodyTimeoutSeconds?: number | undefined;
  /** How long pictures with an `Idempotency-Key` continue when their caller has disconnected. */
  retryWindowSeconds?: number | undefined;
  /** Bytes of a body that must arrive each second on average, after a first `bodyTimeoutSeconds`; 0 means no limit. */
  bodyBytesPerSecond?: number | undefined;
  /** Longest time for a whole request body. */
  bodyTimeLimitSeconds?: number | undefined;
  /** Time between two keep-alive comments of an idle event stream. */
  eventKeepAliveSeconds?: number | undefined;
}

/** Levels of log records, from the most to the least important. */
export type LogLevel = "error" | "warn" | "info" | "debug" | "trace";

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

/** What to generate: the model, its mode and its parameters in one flat object. */
export type GenerateRequest = {
  /** Catalog id or alias. */
  model: ModelId | (string & {});
  /** The model's default mode when absent. */
  mode?: Mode | (string & {}) | undefined;
} & Parameters;

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
