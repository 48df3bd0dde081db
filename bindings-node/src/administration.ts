/** What the administrative calls share: arguments checked and written as JSON, answers read, secrets kept from view. */

import type { Calls } from "./calls";
import type { Caller } from "./generated/facts";
import { encodeQuery, textArgument, timeArgument } from "./request";
import { validation } from "./errors";

/** How to make an administrative call. */
export interface CallerOptions {
  /** The host itself when absent. */
  caller?: Caller | undefined;
}

/** Makes the call `name`; an argument that is undefined is left out. */
export async function invoke<T>(calls: Calls, name: string, given: Record<string, unknown> = {}): Promise<T> {
  const json = encodeQuery(present(given));
  return calls.json((call) => calls.native.invoke(call, name, json));
}

/** The same members without those that are undefined, one level deeper as well. */
function present(given: Record<string, unknown>): Record<string, unknown> {
  const kept = Object.entries(given).filter(([, value]) => value !== undefined);
  return Object.fromEntries(kept.map(([name, value]) => [name, isCaller(name) ? inner(value) : value]));
}

function isCaller(name: string): boolean {
  return name === "facts" || name === "caller";
}

function inner(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw validation("facts and caller must be objects");
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined));
}

/** A length of time in seconds, which may be left out. */
export function seconds(name: string, value: number | undefined): number | undefined {
  return value === undefined ? undefined : timeArgument(name, value);
}

/** An argument that must be an object, so that nonsense is a `MustError` too. */
export function objectOf(what: string, value: object): object {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw validation(`${what} must be an object`);
  return value;
}

/** A text that may be left out. */
export function optionalText(name: string, value: string | undefined): string | undefined {
  return value === undefined ? undefined : textArgument(name, value);
}

/** Options as an object, so that nonsense is a `MustError` too. */
export function optionsOf<T extends object>(options: T | undefined): Partial<T> {
  if (options === undefined) return {};
  if (typeof options !== "object" || options === null) throw validation("the options must be an object");
  return options;
}

/** The same object, with this member read by its name only: neither inspecting nor writing JSON shows it. */
export function veiled<T extends object>(value: T, name: keyof T): T {
  return Object.defineProperty(value, name, { enumerable: false, writable: false, configurable: false });
}
