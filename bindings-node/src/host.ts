/** Functions that a host provides besides settings: they give keys from its key store, store checkpoints, and provide a clock. */

import { validation } from "./errors";
import { NativeClock, type NativePlatform } from "./native";

/** Returns keys as the text of a key file: one key on each line, `VERSION BASE64` with 32 bytes in base64. */
export type KeyFunction = () => string | Promise<string>;

/** Stores a checkpoint of the audit log, which is a signed note. */
export type AnchorFunction = (checkpoint: string) => void | Promise<void>;

/**
 * Functions that a host provides. They run on the event loop while a thread of the library waits, at most 30 s. Their exceptions become
 * warnings of the process; the platform's error only says that the function failed.
 * @example
 * ```js
 * const kept = [];
 * const anchor = (checkpoint) => void kept.push(checkpoint);
 * const other = await Platform.open({ dataDir: "other", host: { anchor } });
 * await other.auth.issueKey("studio");
 * console.log(kept.length > 0); // true
 * await other.close();
 * ```
 */
export interface Host {
  /**
   * Returns the master keys, which encrypt stored secrets, instead of a file or a setting. Called when the platform is opened and when
   * the master key is rotated.
   */
  masterKeys?: KeyFunction | undefined;
  /** Returns the keys that sign the audit log, in the same way. */
  auditKeys?: KeyFunction | undefined;
  /**
   * Stores each checkpoint of the audit log, in addition to the anchor file, in a place that people who can write the data folder cannot
   * reach. Every write waits for it, so it must not wait for the platform. While it fails, every call that needs an audit event fails.
   */
  anchor?: AnchorFunction | undefined;
  /** The clock for expiry, for limits per minute and for the audit log. */
  clock?: ManualClock | undefined;
}

/**
 * A clock that only moves when `advance` is called, for tests of expiry and of limits per minute.
 * @example
 * ```js
 * const clock = new ManualClock();
 * const other = await Platform.open({ dataDir: "other", host: { clock } });
 * await other.auth.issueKey("studio", { validForSeconds: 60 });
 * clock.advance(61_000);
 * const [key] = await other.auth.keys();
 * console.log(key.status); // expired
 * await other.close();
 * ```
 */
export class ManualClock {
  /** @internal */
  readonly native: NativeClock;

  /** A clock that starts at `now`, a `Date` or milliseconds since 1970; the present time when left out. */
  constructor(now: Date | number = Date.now()) {
    const milliseconds = Number(now);
    if (!Number.isSafeInteger(milliseconds) || milliseconds < 0 || milliseconds > LATEST) {
      throw validation("a clock shows a time from 1970 to 9999");
    }
    this.native = new NativeClock(milliseconds);
  }

  /** Its time. */
  get now(): Date {
    return new Date(this.native.now());
  }

  /** Moves it forward by this many milliseconds, 0 or more. */
  advance(milliseconds: number): void {
    if (!Number.isFinite(milliseconds) || milliseconds < 0) throw validation("a clock goes on by 0 or more milliseconds");
    this.native.advance(milliseconds);
  }
}

const LATEST = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
const FUNCTIONS = ["masterKeys", "auditKeys", "anchor"] as const;

/** Checks the functions of a host. */
export function checkHost(host: unknown): Host {
  if (host === undefined) return {};
  if (typeof host !== "object" || host === null) throw validation("host must be an object");
  for (const [name, value] of Object.entries(host)) {
    if (value === undefined) continue;
    if (name === "clock") {
      if (!(value instanceof ManualClock)) throw validation("host.clock must be a ManualClock");
    } else if (!(FUNCTIONS as readonly string[]).includes(name)) {
      throw validation(`there is no host.${name}`);
    } else if (typeof value !== "function") {
      throw validation(`host.${name} must be a function`);
    }
  }
  return host;
}

/** The function that the native part calls to ask the host. It answers with the number of the question. */
export function asker(native: NativePlatform, host: Host): (question: number, what: string, checkpoint: string | null) => void {
  const answers: Record<string, (checkpoint: string) => unknown> = {
    masterKeys: async () => textOf(await host.masterKeys?.()),
    auditKeys: async () => textOf(await host.auditKeys?.()),
    anchor: async (checkpoint) => void (await host.anchor?.(checkpoint)),
  };
  return (question, what, checkpoint) => {
    Promise.resolve(answers[what]?.(checkpoint ?? "")).then(
      (value) => native.answer(question, typeof value === "string" ? value : null, null),
      (error: unknown) => {
        const name = error instanceof Error ? error.name : typeof error;
        process.emitWarning(`host.${what} failed: ${error instanceof Error ? error.message : String(error)}`, "MustWarning");
        native.answer(question, null, name);
      },
    );
  };
}

function textOf(value: unknown): string {
  if (typeof value !== "string") throw new TypeError("keys are a string");
  return value;
}
