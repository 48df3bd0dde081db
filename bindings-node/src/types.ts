/**
 * What goes in and what comes out. Requests, tasks, queries and models keep the names of the catalog and of the HTTP API
 * (snake_case); options of this module's own calls are camelCase.
 */

import type { ErrorCode } from "./generated/codes";
import type { Mode, ModelId, Parameters } from "./generated/parameters";
import type { Host } from "./host";

/** How a platform is set up; everything but `dataDir` may be left out. */
export interface Settings {
  /** Folder of the database and the results; made when absent. One process at a time. */
  dataDir: string;
  /** Folder with one folder of weights a model; `models` in the data folder when absent. */
  modelsDir?: string | undefined;
  /** A catalog file that stands in for the built-in one. */
  catalog?: string | undefined;
  /** Where inference runs: the first GPU that works, else the CPU (`auto`). */
  device?: "auto" | "cpu" | "cuda" | undefined;
  /** Threads that inference on the CPU uses; 0 means one a core. */
  threads?: number | undefined;
  /** Models that get a lane of their own, where their pipeline stays warm. */
  lanes?: string[] | undefined;
  /** Whether tasks are only taken and kept, and run when the folder is opened again without this. */
  paused?: boolean | undefined;
  /** Whether the program `must` can reach the platform over a socket in the data folder, which its owner alone can open; by default it can. */
  controlSocket?: boolean | undefined;
  /** Places in the shared queue. */
  queueDepth?: number | undefined;
  /** How long a submission waits for a place in a full queue before `queue_overloaded`. */
  queueWaitSeconds?: number | undefined;
  /** How long a picture may run. */
  imageLimitSeconds?: number | undefined;
  /** How long a clip may run. */
  videoLimitSeconds?: number | undefined;
  /** When a picture that is still processing is given up. */
  imageStaleSeconds?: number | undefined;
  /** When a clip that is still processing is given up. */
  videoStaleSeconds?: number | undefined;
  /** How long an unused pipeline stays loaded. */
  idleEvictSeconds?: number | undefined;
  /**
   * Hears what the platform logs, one record at a time, when the event loop is free. It does not keep the process alive, and
   * what it throws becomes a warning of the process. Records that come while the event loop is blocked for long may be lost.
   */
  log?: ((record: LogRecord) => void) | undefined;
  /** What the host lends: keys of its own key store, a place for checkpoints of the audit log, a clock. */
  host?: Host | undefined;
  /** Least important records that `log` hears; `info` when absent. */
  logLevel?: LogLevel | undefined;
  /** Master keys as the text of a key file; stands in for `masterKeyFile`. */
  masterKey?: string | undefined;
  /** File of the master keys, made at the first use; `keys/master.key` in the data folder when absent. */
  masterKeyFile?: string | undefined;
  /** File of the keys that sign the audit log; `keys/audit.key` in the data folder when absent. */
  auditKeyFile?: string | undefined;
  /** File that checkpoints of the audit log are appended to; `audit.anchors` in the data folder when absent. */
  auditAnchorFile?: string | undefined;
  /** The key that opens admin sessions, at least 16 characters. */
  adminKey?: string | undefined;
  /** Browser origins that may call from another site, exactly as browsers send them. */
  frontendOrigins?: string[] | undefined;
  /** Addresses and networks of proxies whose `X-Forwarded-For` is believed. */
  trustedProxies?: string[] | undefined;
  /** Generation sessions that one address may start in 60 seconds, 1 to 10,000; 10 when absent. */
  sessionsPerMinute?: number | undefined;
  /** Whether people sign in: a generation session then takes an access key, and over HTTP each sees its own tasks alone. */
  signInRequired?: boolean | undefined;
  /** Where this platform runs; provider tokens for another environment are refused. */
  environment?: "dev" | "stage" | "prod" | undefined;
  /** An API key of the operator's own, at least 16 characters. */
  apiKey?: string | undefined;
  /** Settings of the HTTP service. */
  http?: HttpSettings | undefined;
  /** Workers that tasks may be sent to. */
  workers?: WorkerSettings | undefined;
}

/** How workers are reached and deployed. */
export interface WorkerSettings {
  /** Where a workspace is when its account names no address: `https://{workspace}--must.modal.run`. */
  addressTemplate?: string | undefined;
  /** Addresses and networks besides the public ones that workers may be at; only there `http://` will do. */
  networks?: string[] | undefined;
  /** The API key that workers ask for, where an account has none of its own. */
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
  /** Bytes of a result that is fetched from a worker. */
  maxResultBytes?: number | undefined;
  /** How often health is asked for after a deployment. */
  healthTries?: number | undefined;
  /** The time between two of these. */
  healthPauseSeconds?: number | undefined;
  /** How often a worker is asked how a task stands. */
  pollIntervalSeconds?: number | undefined;
  /** How often a failed account is checked again by itself; 0 means never. */
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
  /** Where clients reach the HTTP service, such as `https://example.com/must`; when absent, what each request says. */
  publicUrl?: string | undefined;
  /** Opens `GET /metrics` to whoever sends it as a bearer token. */
  scrapeToken?: string | undefined;
  /** Bytes of a request's body; 32 MiB when absent. */
  maxBodyBytes?: number | undefined;
  /** Connections that are open at once; more wait. */
  maxConnections?: number | undefined;
  /** How long a request's headers may take to arrive. */
  headerTimeoutSeconds?: number | undefined;
  /** How long no piece of a request's body may come, and a client may take nothing of an answer. */
  bodyTimeoutSeconds?: number | undefined;
  /** How long pictures that were asked for under an `Idempotency-Key` go on to be made when their caller has gone. */
  retryWindowSeconds?: number | undefined;
  /** Bytes of a body that have to come each second on average, beyond one `bodyTimeoutSeconds` that is granted; 0 for any number. */
  bodyBytesPerSecond?: number | undefined;
  /** How long a request's body may take as a whole. */
  bodyTimeLimitSeconds?: number | undefined;
  /** How often an idle event stream says that it lives. */
  eventKeepAliveSeconds?: number | undefined;
}

/** How much a log record matters, from something that was lost to everything. */
export type LogLevel = "error" | "warn" | "info" | "debug" | "trace";

/** One thing that a platform logged. Holds no prompt and no secret. */
export interface LogRecord {
  /** When it was logged; RFC 3339 in UTC. */
  time: string;
  level: LogLevel;
  /** Module of the library that logged it. */
  target: string;
  /** What happened, in one sentence. */
  message: string;
  /** What it happened to: `task`, `code`, `model` and so on. */
  fields: Record<string, unknown>;
}

/** How one lane stands; what is counted is counted since the platform was opened. */
export interface LaneStatus {
  /** The model that the lane belongs to; null for the shared lane. */
  model: string | null;
  /** Ids of the models whose weights are loaded, in the order of their last use. */
  loaded: string[];
  /** Bytes that they hold. */
  memory_bytes: number;
  /** Tasks that found their pipeline loaded. */
  hits: number;
  /** Tasks that did not. */
  misses: number;
  /** Pipelines that were loaded. */
  loads: number;
  /** Pipelines that were let go, for room, for idleness or after an error. */
  evictions: number;
}

/** How the lanes stand. */
export interface Load {
  /** Every lane; the shared one is the last. */
  lanes: LaneStatus[];
  /** Tasks that wait for a lane. */
  waiting: number;
}

/** A picture or a clip. */
export type MediaType = "image" | "video";

/** Where a task stands. */
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

/** A `Blob` or a `File`, Node's or another's. */
export interface BlobLike {
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** A `ReadableStream` of bytes, Node's or another's. */
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
  /** How many frames there are. */
  count: number;
  /** Frame by frame, row by row without gaps; a byte each for red, green and blue. */
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

/** One task, as it stood when it was asked for. Times are RFC 3339 in UTC. */
export interface TaskState {
  id: string;
  /** Workspace that runs it; null when it runs here. */
  workspace: string | null;
  /** Whose it is; null when it is nobody's in particular. */
  owner: string | null;
  /** Catalog id of the model. */
  model: string;
  type: MediaType;
  mode: string;
  prompt: string;
  negative_prompt: string;
  /** Every other parameter, defaults filled in; images are named, not held. */
  parameters: Record<string, unknown>;
  /** Seed in use; drawn when -1 was asked for. */
  seed: number;
  /** Pixels. */
  width: number;
  /** Pixels. */
  height: number;
  status: Status;
  /** 0 to 100, never falling. */
  progress: number;
  /** Name of the stage it is in. */
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
  /** Only of this owner; the empty text stands for those that have none. */
  owner?: string | undefined;
  /** `newest` first unless asked otherwise. */
  sort?: "newest" | "oldest" | undefined;
  /** From 1. */
  page?: number | undefined;
  /** 1 to 100; 20 when absent. */
  per_page?: number | undefined;
}

/** One page of tasks. */
export interface TaskPage {
  items: TaskState[];
  /** How many there are on all pages. */
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
  /** What stands in when it is left out. */
  default?: string | number;
  minimum?: number;
  maximum?: number;
  /** Distance between allowed values, counted from `minimum`. */
  step?: number;
  /** Fewest characters, and then not blank. */
  min_length?: number;
  max_length?: number;
  min_items?: number;
  /** The allowed values of a choice. */
  choices?: (string | number)[];
  /** Whether any value but the default is refused. */
  locked?: boolean;
  /** The value that works best. */
  recommended?: string | number;
  /** For each named parameter (or `mode`) the values under which it may be given. */
  visible_if?: Record<string, unknown[]>;
  /** For each named parameter (or `mode`) the values under which it must be given. */
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
  /** What its files on this machine are, where it has any. */
  files?: string;
  /** Why it cannot run here; absent when it can. */
  unavailable_reason?: string;
  /** What to do so that it can; absent when it can. */
  user_action?: string;
}
