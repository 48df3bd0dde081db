/**
 * Calls of the platform from a page that holds no key: the generation session lives in a cookie that scripts cannot read.
 *
 * What always holds: a call that is refused for want of a session is repeated once with a new one; any number of calls at the
 * same time share one renewal; a renewal that is limited waits for as long as the platform says, and says so to the page.
 */

import { ApiError, NetworkError, failureOf, isAbort } from "./errors";
import { storage } from "./storage";
import type { NewSession } from "./types";

export interface CallOptions {
  method?: string;
  json?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** Whether the call is one of the generation session; admin calls have a session of their own. */
  session?: boolean;
}

export type Fetch = (input: string, init?: RequestInit) => Promise<Response>;

interface ClientOptions {
  base?: string;
  fetch?: Fetch;
  /** Where it is remembered until when the session lasts. */
  memory?: Pick<Storage, "getItem" | "setItem"> | null;
  sleep?: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
}

/** Codes that a new session answers. */
const RENEWABLE = new Set(["session_required", "session_expired"]);

const KEY = "must.session";

/** The longest wait for a session that is sat out without being asked; beyond it the failure is shown. */
const LONGEST_WAIT_SECONDS = 90;

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
  /** Where the API is: the folder of the page, so that a host may mount both under a path of its own. */
  readonly base: string;
  readonly sleep: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
  private readonly send: Fetch;
  private readonly memory: Pick<Storage, "getItem" | "setItem"> | null;
  private renewal: Promise<void> | null = null;
  private waitingUntil: number | null = null;
  private readonly listeners = new Set<() => void>();

  constructor({ base, fetch: send, sleep, memory = storage("localStorage") }: ClientOptions = {}) {
    this.base = base ?? new URL(".", document.baseURI).href;
    this.send = send ?? ((input, init) => fetch(input, init));
    this.sleep = sleep ?? pause;
    this.memory = memory;
  }

  /** The address of a path of the API, such as `/results/ID`, as answers give it. */
  url(path: string): string {
    return this.base.replace(/\/$/, "") + path;
  }

  /** When a renewal that is limited goes on, in milliseconds since 1970; none while nothing waits. */
  readonly waiting = (): number | null => this.waitingUntil;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  async json<T>(path: string, options: CallOptions = {}): Promise<T> {
    const response = await this.call(path, options);
    return (response.status === 204 ? null : await response.json()) as T;
  }

  /** An answer that is a success; anything else is thrown. */
  async call(path: string, options: CallOptions = {}): Promise<Response> {
    // A call without a session would be refused first: the browser would note an error for nothing.
    if (options.session !== false && !this.hasSession()) await this.renew(options.signal);
    const response = await this.once(path, options);
    if (response.ok) return response;
    const error = await failureOf(response);
    if (options.session === false || error.status !== 401 || !RENEWABLE.has(error.code)) throw error;
    await this.renew(options.signal);
    const again = await this.once(path, options);
    if (again.ok) return again;
    throw await failureOf(again);
  }

  /** Starts a generation session, or joins the start that is under way. */
  async renew(signal?: AbortSignal): Promise<void> {
    this.renewal ??= this.open().finally(() => {
      this.renewal = null;
    });
    await this.renewal;
    signal?.throwIfAborted();
  }

  /** Whether a session was started that lasts still; the platform alone knows whether it is good. */
  private hasSession(): boolean {
    return this.memory === null || Date.parse(this.memory.getItem(KEY) ?? "") > Date.now();
  }

  private async open(): Promise<void> {
    for (let attempt = 0; ; attempt += 1) {
      const response = await this.once("/auth/session", { method: "POST" });
      if (response.ok) {
        const { expires_at: expires } = (await response.json()) as NewSession;
        this.memory?.setItem(KEY, expires ?? "");
        return;
      }
      const error = await failureOf(response);
      const wait = error.code === "rate_limited" ? error.retryAfter : null;
      if (wait === null || wait > LONGEST_WAIT_SECONDS || attempt > 0) throw error;
      this.wait(Date.now() + wait * 1000);
      try {
        await this.sleep(wait * 1000);
      } finally {
        this.wait(null);
      }
    }
  }

  private wait(until: number | null): void {
    this.waitingUntil = until;
    for (const listener of this.listeners) listener();
  }

  private async once(path: string, options: CallOptions): Promise<Response> {
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
