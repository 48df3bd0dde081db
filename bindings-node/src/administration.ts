/** Shared by the administrative calls: checks arguments and writes them as JSON, reads answers, and hides secrets from output. */

import type { Calls } from "./calls";
import type { Caller } from "./generated/facts";
import { encodeQuery, textArgument, timeArgument } from "./request";
import { validation } from "./errors";

/** How to make an administrative call. */
export interface CallerOptions {
  /** The caller that the audit log names for this call; the host itself when absent. */
  caller?: Caller | undefined;
}

/** Makes the call `name`; an argument that is undefined is left out. */
export async function invoke<T>(calls: Calls, name: string, given: Record<string, unknown> = {}): Promise<T> {
  const json = encodeQuery(defined(given));
  return calls.json((call) => calls.native.invoke(call, name, json));
}

/** The members that are not undefined. Members of `facts` and `caller` that are undefined are left out too. */
function defined(given: Record<string, unknown>): Record<string, unknown> {
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

/** An optional duration in seconds. */
export function seconds(name: string, value: number | undefined): number | undefined {
  return value === undefined ? undefined : timeArgument(name, value);
}

/** An argument that must be an object; anything else is a `MustError`. */
export function objectOf(what: string, value: object): object {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw validation(`${what} must be an object`);
  return value;
}

/** An optional text. */
export function optionalText(name: string, value: string | undefined): string | undefined {
  return value === undefined ? undefined : textArgument(name, value);
}

/** Options as an object; anything else is a `MustError`. */
export function optionsOf<T extends object>(options: T | undefined): Partial<T> {
  if (options === undefined) return {};
  if (typeof options !== "object" || options === null) throw validation("the options must be an object");
  return options;
}

/** The same object with this member hidden: it can be read by its name, but inspecting the object or writing it as JSON does not show it. */
export function veiled<T extends object>(value: T, name: keyof T): T {
  return Object.defineProperty(value, name, { enumerable: false, writable: false, configurable: false });
}
