// Made from core/src/task/options.rs by `cargo xtask regen`. Do not edit.

// The options of a submission.

import type { Fields } from "../fields";

/**
 * A caller's key for one submission. For a day, the same key of the same owner returns the same task. If that task failed for a
 * reason that may have passed (`task_stale`, `remote_failed`, `storage_full` and others), a new task is made.
 */
export interface Idempotency {
  /** The owner of the key. Equal keys of different owners are different keys. */
  owner: string;
  /** 1 to 255 visible ASCII characters. */
  key: string;
}

/** Each member of `Idempotency`, with its name in the core and its kind. */
export const idempotencyFields: Fields = {
  owner: ["owner", "text"],
  key: ["key", "text"],
};

/** Options of a submission. */
export interface SubmitOptions {
  /**
   * The owner of the task, 1 to 200 characters without control characters. If tasks are also served over HTTP, it is the owner that
   * the call `auth.authorize` returns. Otherwise any name may be used.
   */
  owner?: string | undefined;
  /** Makes the submission safe to repeat. */
  idempotency?: Idempotency | undefined;
  /**
   * The trace that the submission belongs to: the header `traceparent` of W3C trace context. The spans of the task's run belong to the
   * same trace.
   */
  traceParent?: string | undefined;
  /** Whether the task must run on this platform even if workers are ready. */
  localOnly?: boolean | undefined;
  /** Id of the task whose clip this one remixes with another prompt. */
  remixOf?: string | undefined;
}

/** Each member of `SubmitOptions`, with its name in the core and its kind. */
export const submitOptionFields: Fields = {
  owner: ["owner", "text"],
  idempotency: ["idempotency", idempotencyFields],
  traceParent: ["trace_parent", "text"],
  localOnly: ["local_only", "flag"],
  remixOf: ["remix_of", "text"],
};
