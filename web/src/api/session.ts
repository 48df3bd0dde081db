/**
 * The generation session of a page that holds no key: it lives in a cookie that scripts cannot read.
 *
 * What always holds: the page asks how it may begin before it starts anything, so that a good session is used and not made anew;
 * any number of calls at the same time share one start; a start that is limited waits for as long as the platform says, as often
 * as it says, and the page is told; where people sign in, a session is started by them alone.
 */

import type { CallOptions } from "./client";
import { ApiError, failureOf } from "./errors";
import { storage } from "./storage";
import type { Model, NewSession, Studio, StudioSession } from "./types";

/** How the page stands with its platform. */
export interface Standing {
  /** Whether people sign in; null until the platform has said. */
  signInRequired: boolean | null;
  /** The good session that the browser has. */
  session: StudioSession | null;
  /** Whose page this is. It outlives the session, so that what was written stays for whoever signs in again. */
  owner: string | null;
  /** The session ended by itself. */
  expired: boolean;
  models: Model[] | null;
  /** When a start that is limited goes on, in milliseconds since 1970; null while nothing waits. */
  waitingUntil: number | null;
}

const UNKNOWN: Standing = { signInRequired: null, session: null, owner: null, expired: false, models: null, waitingUntil: null };

/** Whether nothing can be called before somebody signs in. */
export const isSignedOut = ({ signInRequired, session }: Standing): boolean => signInRequired === true && session === null;

/** Written when somebody signs in or out, so that other tabs of the browser, which share the cookie, look again. */
const KEY = "must.session";

/** The wait where the platform does not say how long. */
const WAIT_SECONDS = 5;

type Send = (path: string, options?: CallOptions) => Promise<Response>;
type Sleep = (milliseconds: number, signal?: AbortSignal) => Promise<void>;

export class Session {
  private stands: Standing;
  private beginning: Promise<Studio> | null = null;
  private starting: Promise<void> | null = null;
  private readonly listeners = new Set<() => void>();

  constructor(
    private readonly send: Send,
    private readonly sleep: Sleep,
    begun?: Studio,
    private readonly kept: Pick<Storage, "setItem"> | null = storage("localStorage"),
  ) {
    this.stands = begun ? { ...UNKNOWN, ...standingOf(begun, UNKNOWN) } : UNKNOWN;
  }

  readonly standing = (): Standing => this.stands;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Asks how the page may begin, or joins the question that is under way. */
  begin(): Promise<Studio> {
    this.beginning ??= this.look().finally(() => {
      this.beginning = null;
    });
    return this.beginning;
  }

  /** Waits until there is a session: the one that the browser has, or a new one. Throws `session_required` where people sign in. */
  async need(signal?: AbortSignal): Promise<void> {
    if (this.stands.session) return;
    this.starting ??= this.start().finally(() => {
      this.starting = null;
    });
    await unlessAborted(this.starting, signal);
  }

  /** Notes that the platform refused `session`, unless another has taken its place since. */
  lost(session: StudioSession | null, code: string): void {
    if (session === this.stands.session) this.change({ session: null, expired: code === "session_expired" });
  }

  /** Starts a session with an access key, which is sent and kept nowhere. */
  async signIn(key: string): Promise<void> {
    await this.open({ "X-API-Key": key });
    const { session } = await this.look();
    if (!session) throw new ApiError(401, { code: "cookie_refused", detail: "", user_action: "" });
    this.tellOthers();
  }

  /** Ends the session; that it has ended already is no failure. */
  async signOut(): Promise<void> {
    const response = await this.send("/auth/session", { method: "DELETE" });
    if (!response.ok && response.status !== 401) throw await failureOf(response);
    this.leave();
    this.tellOthers();
  }

  /** Looks again when another tab has signed somebody in or out. */
  heed(): () => void {
    const heard = (event: StorageEvent) => {
      if (event.key !== KEY) return;
      this.begin().then(({ session }) => {
        if (!session) this.leave();
      }, ignore);
    };
    addEventListener("storage", heard);
    return () => removeEventListener("storage", heard);
  }

  private leave(): void {
    this.change({ session: null, owner: null, expired: false, ...(this.stands.signInRequired ? { models: null } : {}) });
  }

  private async look(): Promise<Studio> {
    const response = await this.send("/studio");
    if (!response.ok) throw await failureOf(response);
    const studio = (await response.json()) as Studio;
    this.change(standingOf(studio, this.stands));
    return studio;
  }

  private async start(): Promise<void> {
    if (this.stands.signInRequired === null) await this.begin();
    if (this.stands.session) return;
    if (this.stands.signInRequired) throw new ApiError(401, { code: "session_required", detail: "", user_action: "" });
    try {
      const { expires_at: expires } = await this.open();
      this.change({ session: { expires_at: expires ?? "", name: "", owner: null }, expired: false });
    } catch (error) {
      // The platform was started anew, and people sign in now.
      if (error instanceof ApiError && error.code === "session_required") await this.begin();
      throw error;
    }
  }

  private async open(headers: Record<string, string> = {}): Promise<NewSession> {
    for (;;) {
      const response = await this.send("/auth/session", { method: "POST", headers });
      if (response.ok) return (await response.json()) as NewSession;
      const error = await failureOf(response);
      if (error.code !== "rate_limited") throw error;
      const wait = Math.max(1, error.retryAfter ?? WAIT_SECONDS) * 1000;
      this.change({ waitingUntil: Date.now() + wait });
      try {
        await this.sleep(wait);
      } finally {
        this.change({ waitingUntil: null });
      }
    }
  }

  private tellOthers(): void {
    try {
      this.kept?.setItem(KEY, String(Date.now()));
    } catch {
      // Other tabs find out with their next call.
    }
  }

  private change(change: Partial<Standing>): void {
    this.stands = { ...this.stands, ...change };
    for (const listener of this.listeners) listener();
  }
}

function standingOf(studio: Studio, before: Standing): Partial<Standing> {
  const { session } = studio;
  return {
    signInRequired: studio.sign_in_required,
    session,
    // A page that is signed out goes on showing what it had, to whom it belongs.
    models: studio.models ?? before.models,
    ...(session ? { owner: session.owner, expired: false } : {}),
  };
}

function unlessAborted<T>(work: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const aborted = () => reject(new DOMException("aborted", "AbortError"));
    if (signal.aborted) return aborted();
    signal.addEventListener("abort", aborted, { once: true });
    void work.then(resolve, reject).finally(() => signal.removeEventListener("abort", aborted));
  });
}

function ignore(): void {}
