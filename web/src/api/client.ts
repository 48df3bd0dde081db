/**
 * Calls to the platform from a page that holds no key.
 *
 * Always holds: a call that needs the generation session waits until there is a session. A call that is refused because its
 * session is missing or has ended is repeated once with a new session.
 */

import { ApiError, NetworkError, failureOf, isAbort } from "./errors";
import { Session } from "./session";
import type { Studio } from "./types";

export interface CallOptions {
  method?: string;
  json?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** Whether the call belongs to the generation session. Admin calls have a session of their own. */
  session?: boolean;
}

export type Fetch = (input: string, init?: RequestInit) => Promise<Response>;

interface ClientOptions {
  base?: string;
  fetch?: Fetch;
  /** The answer of `GET /studio`, if it is known already. */
  begun?: Studio;
  sleep?: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
}

/** Codes of failures that a new session resolves. */
const RENEWABLE = new Set(["session_required", "session_expired"]);

export const pause = (milliseconds: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const aborted = () => {
      clearTimeout(timer);
      reject(new DOMException("aborted", "AbortError"));
    };
    if (signal?.aborted) return reject(new DOMException("aborted", "AbortError"));
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", aborted);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", aborted, { once: true });
  });

export class Client {
  /** The API's address: the folder of the page, so that a host may mount both at any path. */
  readonly base: string;
  readonly sleep: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
  readonly session: Session;
  private readonly send: Fetch;

  constructor({ base, fetch: send, sleep, begun }: ClientOptions = {}) {
    this.base = base ?? new URL(".", document.baseURI).href;
    this.send = send ?? ((input, init) => fetch(input, init));
    this.sleep = sleep ?? pause;
    this.session = new Session((path, options) => this.once(path, options), this.sleep, begun);
  }

  /** Returns the address of a path in the API. Answers of the platform contain such paths, for example `/results/ID`. */
  url(path: string): string {
    return this.base.replace(/\/$/, "") + path;
  }

  async json<T>(path: string, options: CallOptions = {}): Promise<T> {
    const response = await this.call(path, options);
    return (response.status === 204 ? null : await response.json()) as T;
  }

  /** Returns a successful answer; throws any failure. */
  async call(path: string, options: CallOptions = {}): Promise<Response> {
    // Without a session the call would be refused, and the browser would log an error.
    if (options.session !== false) await this.session.need(options.signal);
    const { session } = this.session.snapshot();
    const response = await this.once(path, options);
    if (response.ok) return response;
    const error = await failureOf(response);
    if (options.session === false || error.status !== 401 || !RENEWABLE.has(error.code)) throw error;
    this.session.lost(session, error.code);
    await this.session.need(options.signal);
    const again = await this.once(path, options);
    if (again.ok) return again;
    throw await failureOf(again);
  }

  private async once(path: string, options: CallOptions = {}): Promise<Response> {
    const headers: Record<string, string> = { Accept: "application/json", ...options.headers };
    const init: RequestInit = { method: options.method ?? "GET", headers, credentials: "same-origin", cache: "no-store" };
    if (options.json !== undefined) {
      headers["Content-Type"] = "application/json";
      init.body = JSON.stringify(options.json);
    }
    if (options.signal) init.signal = options.signal;
    try {
      return await this.send(this.url(path), init);
    } catch (error) {
      if (isAbort(error)) throw error;
      throw new NetworkError(error);
    }
  }
}

export const isGone = (error: unknown): boolean => error instanceof ApiError && error.code === "task_not_found";
