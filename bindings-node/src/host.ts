/** What a host lends to a platform besides settings: keys of its own key store, a place for checkpoints, a clock. */

import { validation } from "./errors";
import { NativeClock, type NativePlatform } from "./native";

/** Gives keys as the text of a key file: one key a line, `VERSION BASE64` with 32 bytes in base64. */
export type KeyFunction = () => string | Promise<string>;

/** Keeps a checkpoint of the audit log, a signed note. */
export type AnchorFunction = (checkpoint: string) => void | Promise<void>;

/**
 * What a host lends. The functions run on the event loop while a thread of the library waits, at most 30 s. What they throw becomes
 * a warning of the process; the platform says that the function failed, not why.
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
   * Gives the master keys, which seal stored secrets, instead of a file or a setting. Called when the platform is opened and when
   * the master key is rotated.
   */
  masterKeys?: KeyFunction | undefined;
  /** Gives the keys that sign the audit log, likewise. */
  auditKeys?: KeyFunction | undefined;
  /**
   * Takes each checkpoint of the audit log, besides the anchor file, to keep it where nobody who can write the data folder can reach
   * it. Every write waits for it, so it must not wait for the platform; while it fails, what needs an audit event fails.
   */
  anchor?: AnchorFunction | undefined;
  /** What time it is for everything that expires, is counted in a window, or is written to the audit log. */
  clock?: ManualClock | undefined;
}

/**
 * A clock that stands still until it is told to go on: for tests of what expires or is counted in a window.
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

  /** Shows `now`, a `Date` or milliseconds since 1970; the present when left out. */
  constructor(now: Date | number = Date.now()) {
    const milliseconds = Number(now);
    if (!Number.isSafeInteger(milliseconds) || milliseconds < 0 || milliseconds > LATEST) {
      throw validation("a clock shows a time from 1970 to 9999");
    }
    this.native = new NativeClock(milliseconds);
  }

  /** What it shows. */
  get now(): Date {
    return new Date(this.native.now());
  }

  /** Goes on by so many milliseconds, 0 or more. */
  advance(milliseconds: number): void {
    if (!Number.isFinite(milliseconds) || milliseconds < 0) throw validation("a clock goes on by 0 or more milliseconds");
    this.native.advance(milliseconds);
  }
}

const LATEST = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
const FUNCTIONS = ["masterKeys", "auditKeys", "anchor"] as const;

/** Checks what a host lends. */
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

/** What the native part asks: calls the function and answers under the question's number. */
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
