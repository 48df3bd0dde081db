// Made from core/src/settings by `cargo xtask regen`. Do not edit.

// The settings of a platform.

import type { Fields } from "../fields";
import type { LogLevel } from "./log";

/**
 * Whether inference runs on the CPU or on a GPU.
 * - `auto`: The first GPU that works. If there is none, the CPU.
 * - `cpu`: The CPU.
 * - `cuda`: The first NVIDIA GPU. Opening the platform fails if there is none.
 */
export type DeviceChoice = "auto" | "cpu" | "cuda";

/**
 * The environment that a platform runs in.
 * - `dev`: A developer's machine.
 * - `stage`: A system for testing.
 * - `prod`: The production system.
 */
export type Environment = "dev" | "stage" | "prod";

/**
 * The `SameSite` attribute of session cookies.
 * - `strict`: The cookies are never sent with requests from other sites.
 * - `lax`: Of the requests from other sites, only those that follow a link carry the cookies.
 * - `none`: The cookies are always sent. This is for a user interface on another site, over HTTPS.
 */
export type SameSite = "strict" | "lax" | "none";

/** Settings of the HTTP service. Settings that are not given have their defaults. */
export interface HttpSettings {
  /** Whether session cookies are sent only over HTTPS. Browsers make an exception for `localhost`. The default is true. */
  sessionCookieSecure?: boolean | undefined;
  /** Which requests from other sites carry session cookies. The default is `strict`. */
  sessionCookieSameSite?: SameSite | undefined;
  /**
   * Path of session cookies. With `/` browsers send them with every request to the host. If a proxy serves the platform under its own
   * path, set that path, so that other services of the host do not receive the cookies. The default is `/`.
   */
  sessionCookiePath?: string | undefined;
  /**
   * Text that is added to the names of session cookies after an underscore: `studio` gives `gg_session_studio`. Without it the names
   * are `gg_session` and `gg_admin_session`, and the platform chooses others if a request has another platform's session in them.
   * Platforms on one host need the suffix if they cannot see each other's cookies: one over HTTPS and one over HTTP.
   */
  sessionCookieSuffix?: string | undefined;
  /**
   * Where clients reach the service, such as `https://example.com/must`. Absolute addresses in answers begin with it. Without it they
   * are made from the headers of each request.
   */
  publicUrl?: string | undefined;
  /** Callers that send this text as a bearer token may call `GET /metrics`. Without it only administrators may. */
  scrapeToken?: string | undefined;
  /** Largest size of a request's body in bytes. The default is 33,554,432. */
  maxBodyBytes?: number | undefined;
  /** Largest number of open connections. Further ones wait. The default is 4,096. */
  maxConnections?: number | undefined;
  /** Time limit for the headers of a request, and for an idle connection between two requests. The default is 10 seconds. */
  headerTimeoutSeconds?: number | undefined;
  /**
   * Longest time during which no part of a request's body arrives, or the client reads no part of an answer. The default is 30
   * seconds.
   */
  bodyTimeoutSeconds?: number | undefined;
  /**
   * How long pictures that were requested with an `Idempotency-Key` are still made after their caller has disconnected. Until then the
   * same call returns them. After that they are cancelled, and the same call makes new ones. The default is 60 seconds.
   */
  retryWindowSeconds?: number | undefined;
  /**
   * Smallest average speed of a request's body in bytes per second. A body may take one `bodyTimeoutSeconds` longer than this speed
   * requires. 0 means no limit. The default is 1,024.
   */
  bodyBytesPerSecond?: number | undefined;
  /** Time limit for the whole body of a request. The default is 3,600 seconds. */
  bodyTimeLimitSeconds?: number | undefined;
  /** Time between two keep-alive messages of an idle event stream. The default is 15 seconds. */
  eventKeepAliveSeconds?: number | undefined;
}

/** Each member of `HttpSettings`, with its name in the core and its kind. */
export const httpSettingFields: Fields = {
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

/** Settings of workers: how they are reached and deployed. Settings that are not given have their defaults. */
export interface WorkerSettings {
  /**
   * Template for the address of an account that has none, such as `https://{workspace}--must.modal.run`. Without a template every
   * account needs an address.
   */
  addressTemplate?: string | undefined;
  /** Addresses and networks where workers may be, in addition to public addresses. `http://` is allowed only there. */
  networks?: string[] | undefined;
  /** The API key that workers require. It is used for accounts without their own key. */
  apiKey?: string | undefined;
  /**
   * Program and arguments that deploy a workspace. `{workspace}` and `{label}` are replaced. The program runs in the folder that was
   * the working folder of the process when the platform was opened.
   */
  deployCommand?: string[] | undefined;
  /** Time limit for a deployment. The default is 300 seconds. */
  deployLimitSeconds?: number | undefined;
  /** Time limit for connecting. The default is 3 seconds. */
  connectTimeoutSeconds?: number | undefined;
  /**
   * Time limit for an answer. It must be longer than a submission may wait for a place in the queue of a worker. The default is 40
   * seconds.
   */
  answerTimeoutSeconds?: number | undefined;
  /** Time limit for the transfer of a result. The default is 900 seconds. */
  transferTimeoutSeconds?: number | undefined;
  /** Largest size of a result from a worker, in bytes. The default is 268,435,456. */
  maxResultBytes?: number | undefined;
  /** How many times a worker is asked for its health after a deployment. The default is 12. */
  healthTries?: number | undefined;
  /** Time between two of these requests. The default is 5 seconds. */
  healthPauseSeconds?: number | undefined;
  /**
   * Longest time between two requests for the status of a task at a worker. The first requests follow each other faster. The default
   * is 1 second.
   */
  pollIntervalSeconds?: number | undefined;
  /** Time between two automatic checks of a failed account. 0 means that there are none. The default is 60 seconds. */
  recheckIntervalSeconds?: number | undefined;
}

/** Each member of `WorkerSettings`, with its name in the core and its kind. */
export const workerSettingFields: Fields = {
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

/** The settings of a platform. Settings that are not given have their defaults. */
export interface Settings {
  /** Folder of the database and the results. It is made if it does not exist. Only one process can have it open at a time. */
  dataDir: string;
  /** Folder that contains one folder of weights for each model. The default is `models` in the data folder. */
  modelsDir?: string | undefined;
  /** Catalog file to use instead of the built-in catalog. */
  catalog?: string | undefined;
  /** Whether inference runs on the CPU or on a GPU. The default is `auto`. */
  device?: DeviceChoice | undefined;
  /** Number of threads for inference on the CPU. 0 means one for each core. The default is 0. */
  threads?: number | undefined;
  /** Models that get their own lane, so that no task of another model evicts their pipeline. */
  lanes?: string[] | undefined;
  /** Whether tasks are kept without running. They run when the folder is opened again without this setting. */
  paused?: boolean | undefined;
  /**
   * Whether the program `must` can reach this platform while it is open, over a socket in the data folder (`run/control.sock`) that
   * only the folder's owner can open. The default is true.
   */
  controlSocket?: boolean | undefined;
  /** Number of places in the shared queue. The default is 25. */
  queueDepth?: number | undefined;
  /** How long a submission waits for a place in a full queue before it fails with `queue_overloaded`. The default is 30 seconds. */
  queueWaitSeconds?: number | undefined;
  /** Time limit for generating a picture. The default is 300 seconds. */
  imageLimitSeconds?: number | undefined;
  /** Time limit for generating a clip. The default is 900 seconds. */
  videoLimitSeconds?: number | undefined;
  /** Time after which a picture that is still processing fails with `task_stale`. The default is 600 seconds. */
  imageStaleSeconds?: number | undefined;
  /** Time after which a clip that is still processing fails with `task_stale`. The default is 1,800 seconds. */
  videoStaleSeconds?: number | undefined;
  /** How long an unused pipeline stays loaded. The default is 300 seconds. */
  idleEvictSeconds?: number | undefined;
  /** Least important level of log records that the host's log function receives. The default is `info`. */
  logLevel?: LogLevel | undefined;
  /** Master keys as the text of a key file. If given, `masterKeyFile` is not used. */
  masterKey?: string | undefined;
  /**
   * File of the master keys. The default is `keys/master.key` in the data folder. It is made when it is first needed. Keep a copy of
   * it, and preferably do not keep it in the same place as the data.
   */
  masterKeyFile?: string | undefined;
  /** File of the keys that sign the audit log. The default is `keys/audit.key` in the data folder. */
  auditKeyFile?: string | undefined;
  /**
   * File to which checkpoints of the audit log are appended. The default is `audit.anchors` in the data folder. It protects best if
   * people who can change the data folder cannot change this file.
   */
  auditAnchorFile?: string | undefined;
  /** The key that opens admin sessions, at least 16 characters. */
  adminKey?: string | undefined;
  /**
   * Origins of pages that may call from another site, exactly as browsers and web views send them: `https://studio.example:8443`,
   * `tauri://localhost`.
   */
  frontendOrigins?: string[] | undefined;
  /** Addresses and networks of proxies whose `X-Forwarded-For` is trusted: `10.0.0.7`, `fd00::/8`. */
  trustedProxies?: string[] | undefined;
  /**
   * How many generation sessions one address may start in 60 seconds, 1 to 10,000. Raise it if many people share an address. The
   * default is 10.
   */
  sessionsPerMinute?: number | undefined;
  /**
   * Whether people must sign in. Starting a generation session then requires an API key, each task has an owner, and over HTTP each
   * caller sees only its own tasks. Administrators and the host see all tasks.
   */
  signInRequired?: boolean | undefined;
  /** The environment that this platform runs in. Provider tokens for another environment are refused. The default is `dev`. */
  environment?: Environment | undefined;
  /** An API key that the operator chooses, at least 16 characters. It is valid as long as it is set. */
  apiKey?: string | undefined;
  /** Settings of the HTTP service: bodies, connections, cookies. */
  http?: HttpSettings | undefined;
  /** Settings of workers that tasks may be sent to: how they are reached and deployed. */
  workers?: WorkerSettings | undefined;
}

/** Each member of `Settings`, with its name in the core and its kind. */
export const settingFields: Fields = {
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
