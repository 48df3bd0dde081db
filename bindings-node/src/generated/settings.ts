// Made from core/src/settings by `cargo xtask regen`. Do not edit.

// How a platform is set up.

import type { SettingFields } from "../settings";

/**
 * Whether inference runs on the CPU or on a GPU.
 * - `auto`: The first GPU that works, else the CPU.
 * - `cpu`: The CPU.
 * - `cuda`: The first NVIDIA GPU; opening fails without one.
 */
export type DeviceChoice = "auto" | "cpu" | "cuda";

/**
 * How much a log record matters.
 * - `error`: Something was lost, or will be unless a person acts.
 * - `warn`: Something is not as it should be, and work goes on.
 * - `info`: Something that a person running the platform may want to know.
 * - `debug`: What the platform does, such as loading and letting go of pipelines.
 * - `trace`: Everything.
 */
export type LogLevel = "error" | "warn" | "info" | "debug" | "trace";

/**
 * Where a platform runs.
 * - `dev`: A developer's machine.
 * - `stage`: For trying out.
 * - `prod`: The real thing.
 */
export type Environment = "dev" | "stage" | "prod";

/**
 * The `SameSite` attribute of session cookies.
 * - `strict`: Never with requests from other sites.
 * - `lax`: Only when a link from another site is followed.
 * - `none`: Always: for a user interface on another site, over HTTPS.
 */
export type SameSite = "strict" | "lax" | "none";

/** Settings of the HTTP service. What is left out has its default. */
export interface HttpSettings {
  /** Whether session cookies are for HTTPS only. Browsers make an exception for `localhost`. True when left out. */
  sessionCookieSecure?: boolean | undefined;
  /** Which requests from other sites carry session cookies. `strict` when left out. */
  sessionCookieSameSite?: SameSite | undefined;
  /**
   * Path of session cookies: `/` sends them with every request to the host; behind a proxy that serves the platform under a path of
   * its own, that path keeps them from everything else that the host serves. `/` when left out.
   */
  sessionCookiePath?: string | undefined;
  /**
   * Added to the names of session cookies after an underscore: `studio` makes `gg_session_studio`. Without it the names are
   * `gg_session` and `gg_admin_session`, unless a request brings another platform's session in them. Platforms on one host need it
   * where they cannot see each other's cookies: one over HTTPS and one over HTTP.
   */
  sessionCookieSuffix?: string | undefined;
  /**
   * Where clients reach the service, such as `https://example.com/must`: what absolute addresses in answers begin with. Without it
   * they are made of what each request says.
   */
  publicUrl?: string | undefined;
  /** Opens `GET /metrics` to callers that send it as a bearer token; without it only an admin session does. */
  scrapeToken?: string | undefined;
  /** Bytes of a request's body. 33,554,432 when left out. */
  maxBodyBytes?: number | undefined;
  /** Connections that are open at once; more wait. 4,096 when left out. */
  maxConnections?: number | undefined;
  /** How long a request's headers may take to arrive, and a connection may wait for the next request. 10 seconds when left out. */
  headerTimeoutSeconds?: number | undefined;
  /** How long no piece of a request's body may come, and a client may take nothing of an answer. 30 seconds when left out. */
  bodyTimeoutSeconds?: number | undefined;
  /**
   * How long pictures that were asked for under an `Idempotency-Key` go on to be made when their caller has gone: the same call gets
   * them until then. After that they are ended, and the same call makes new ones. 60 seconds when left out.
   */
  retryWindowSeconds?: number | undefined;
  /**
   * Bytes of a body that have to come each second on average, beyond one `bodyTimeoutSeconds` that is granted; 0 for any number. 1,024
   * when left out.
   */
  bodyBytesPerSecond?: number | undefined;
  /** How long a request's body may take as a whole. 3,600 seconds when left out. */
  bodyTimeLimitSeconds?: number | undefined;
  /** How often an idle event stream says that it lives. 15 seconds when left out. */
  eventKeepAliveSeconds?: number | undefined;
}

/** Each member of `HttpSettings`: its name in the core, and what it holds. */
export const httpSettingFields: SettingFields = {
  sessionCookieSecure: ["session_cookie_secure", "flag"],
  sessionCookieSameSite: ["session_cookie_same_site", "text"],
  sessionCookiePath: ["session_cookie_path", "text"],
  sessionCookieSuffix: ["session_cookie_suffix", "text"],
  publicUrl: ["public_url", "text"],
  scrapeToken: ["scrape_token", "text"],
  maxBodyBytes: ["max_body_bytes", "count"],
  maxConnections: ["max_connections", "count"],
  headerTimeoutSeconds: ["header_timeout_seconds", "seconds"],
  bodyTimeoutSeconds: ["body_timeout_seconds", "seconds"],
  retryWindowSeconds: ["retry_window_seconds", "seconds"],
  bodyBytesPerSecond: ["body_bytes_per_second", "count"],
  bodyTimeLimitSeconds: ["body_time_limit_seconds", "seconds"],
  eventKeepAliveSeconds: ["event_keep_alive_seconds", "seconds"],
};

/** How workers are reached and deployed. What is left out has its default. */
export interface WorkerSettings {
  /** Where a workspace is when its account names no address: `https://{workspace}--must.modal.run`. */
  addressTemplate?: string | undefined;
  /** Addresses and networks besides the public ones that workers may be at; only there `http://` will do. */
  networks?: string[] | undefined;
  /** The API key that workers ask for, where an account has none of its own. */
  apiKey?: string | undefined;
  /**
   * Program and arguments that deploy a workspace; `{workspace}` and `{label}` are filled in. It runs in the folder that the process
   * worked in when the platform was opened.
   */
  deployCommand?: string[] | undefined;
  /** How long a deployment may take. 300 seconds when left out. */
  deployLimitSeconds?: number | undefined;
  /** How long connecting may take. 3 seconds when left out. */
  connectTimeoutSeconds?: number | undefined;
  /**
   * How long an answer may take: longer than workers let a submission wait for a place in their queue. 40 seconds when left out.
   */
  answerTimeoutSeconds?: number | undefined;
  /** How long the transfer of a result may take. 900 seconds when left out. */
  transferTimeoutSeconds?: number | undefined;
  /** Bytes of a result that is fetched from a worker. 268,435,456 when left out. */
  maxResultBytes?: number | undefined;
  /** How often health is asked for after a deployment. 12 when left out. */
  healthTries?: number | undefined;
  /** The time between two of these. 5 seconds when left out. */
  healthPauseSeconds?: number | undefined;
  /** How often a worker is asked how a task stands. 1 second when left out. */
  pollIntervalSeconds?: number | undefined;
  /** How often a failed account is checked again by itself; 0 means never. 60 seconds when left out. */
  recheckIntervalSeconds?: number | undefined;
}

/** Each member of `WorkerSettings`: its name in the core, and what it holds. */
export const workerSettingFields: SettingFields = {
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

/** How a platform is set up. What is left out has its default. */
export interface Settings {
  /** Folder of the database and the results; made when absent. One process at a time. */
  dataDir: string;
  /** Folder with one folder of weights a model; `models` in the data folder when left out. */
  modelsDir?: string | undefined;
  /** A catalog file that stands in for the built-in one. */
  catalog?: string | undefined;
  /** Whether inference runs on the CPU or on a GPU. `auto` when left out. */
  device?: DeviceChoice | undefined;
  /** Threads that inference on the CPU uses; 0 means one a core. 0 when left out. */
  threads?: number | undefined;
  /** Models that get a lane of their own, where their pipeline stays warm. */
  lanes?: string[] | undefined;
  /** Whether tasks stay where they are: nothing runs until the folder is opened again without this. */
  paused?: boolean | undefined;
  /**
   * Whether the program `must` can reach this platform while it is open, over a socket in the data folder (`run/control.sock`) that
   * only the folder's owner can open. True when left out.
   */
  controlSocket?: boolean | undefined;
  /** Places in the shared queue. 25 when left out. */
  queueDepth?: number | undefined;
  /** How long a submission waits for a place in a full queue before `queue_overloaded`. 30 seconds when left out. */
  queueWaitSeconds?: number | undefined;
  /** How long a picture may run. 300 seconds when left out. */
  imageLimitSeconds?: number | undefined;
  /** How long a clip may run. 900 seconds when left out. */
  videoLimitSeconds?: number | undefined;
  /** When a picture that is still processing is given up. 600 seconds when left out. */
  imageStaleSeconds?: number | undefined;
  /** When a clip that is still processing is given up. 1,800 seconds when left out. */
  videoStaleSeconds?: number | undefined;
  /** How long an unused pipeline stays loaded. 300 seconds when left out. */
  idleEvictSeconds?: number | undefined;
  /** Least important records that the host's log function hears. `info` when left out. */
  logLevel?: LogLevel | undefined;
  /** Master keys as the text of a key file; stands in for `masterKeyFile`. */
  masterKey?: string | undefined;
  /**
   * File of the master keys; `keys/master.key` in the data folder when left out. Made at the first use; keep a copy, and better keep
   * it elsewhere than the data.
   */
  masterKeyFile?: string | undefined;
  /** File of the keys that sign the audit log; `keys/audit.key` in the data folder when left out. */
  auditKeyFile?: string | undefined;
  /**
   * File that checkpoints of the audit log are appended to; `audit.anchors` in the data folder when left out. It protects best where
   * nobody who can change the data folder can reach it.
   */
  auditAnchorFile?: string | undefined;
  /** The key that opens admin sessions, at least 16 characters. */
  adminKey?: string | undefined;
  /**
   * Origins of pages that may call from another site, exactly as browsers and web views send them: `https://studio.example:8443`,
   * `tauri://localhost`.
   */
  frontendOrigins?: string[] | undefined;
  /** Addresses and networks of proxies whose `X-Forwarded-For` is believed: `10.0.0.7`, `fd00::/8`. */
  trustedProxies?: string[] | undefined;
  /**
   * Generation sessions that one address may start in 60 seconds, 1 to 10,000; raise it where many people share one. 10 when left out.
   */
  sessionsPerMinute?: number | undefined;
  /**
   * Whether people sign in: a generation session then takes an access key, each task has an owner, and over HTTP each caller sees only
   * its own tasks. Administrators and the host see all.
   */
  signInRequired?: boolean | undefined;
  /** Where this platform runs; provider tokens for another environment are refused. `dev` when left out. */
  environment?: Environment | undefined;
  /** An API key of the operator's own, at least 16 characters, good for as long as it is set. */
  apiKey?: string | undefined;
  /** Settings of the HTTP service: bodies, connections, cookies. */
  http?: HttpSettings | undefined;
  /** How workers that tasks may be sent to are reached and deployed. */
  workers?: WorkerSettings | undefined;
}

/** Each member of `Settings`: its name in the core, and what it holds. */
export const settingFields: SettingFields = {
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
  http: ["http", httpSettingFields],
  workers: ["workers", workerSettingFields],
};
