// Made from types in core/src by `cargo xtask regen`. Do not edit.

// The log records of a platform.

/**
 * The importance of a log record.
 * - `error`: Something was lost, or will be unless a person acts.
 * - `warn`: Something is wrong, but work continues.
 * - `info`: Information for the person who runs the platform.
 * - `debug`: What the platform does, such as loading and unloading pipelines.
 * - `trace`: Everything.
 */
export type LogLevel = "error" | "warn" | "info" | "debug" | "trace";

/**
 * A log record. It contains no prompt, no picture and no secret. Control characters in its texts are escaped, so that printing them
 * to a terminal is safe.
 */
export interface LogRecord {
  /** When it was logged. */
  time: string;
  /** How important it is. */
  level: LogLevel;
  /** The module that logged it, such as `must::task::runner`. */
  target: string;
  /** What happened, in one sentence. */
  message: string;
  /** What it is about: `task`, `code`, `model` and so on. */
  fields: Record<string, unknown>;
}
