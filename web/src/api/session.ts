/**
 * The generation session of a page that holds no key. It lives in a cookie that scripts cannot read.
 *
 * Always holds: the page calls `GET /studio` before it starts a session, so that a valid session is reused. Concurrent calls
 * share one start. A start that is rate-limited waits as long and as often as the platform says, and the page shows that. If
 * people must sign in, a session starts only when somebody signs in.
 */

import type { CallOptions } from "./client";
import { ApiError, failureOf } from "./errors";
import { storage } from "./storage";
import type { Model, NewSession, Studio, StudioSession } from "./types";

/** The state of the session, as far as the page knows it. */
export interface SessionState {
  /** Whether people must sign in. `null` until the platform has answered. */
  signInRequired: boolean | null;
  /** The valid session of the browser. */
  session: StudioSession | null;
  /** The owner of this page. It remains after the session ends, so that drafts are kept for the same person's next sign-in. */
  owner: string | null;
  /** Whether the session has expired. */
  expired: boolean;
  /** The catalog. `null` until the platform has sent it, which it does only after signing in where that is required. */
  models: Model[] | null;
  /** When a rate-limited start continues, in milliseconds since 1970. `null` if nothing is waiting. */
  waitingUntil: number | null;
}

const UNKNOWN: SessionState = { signInRequired: null, session: null, owner: null, expired: false, models: null, waitingUntil: null };

/** Whether nothing can be called until somebody signs in. */
export const isSignedOut = ({ signInRequired, session }: SessionState): boolean => signInRequired === true && session === null;

/** Name of a stored value that changes when somebody signs in or out. Other tabs share the cookie, see the change, and check again. */
const KEY = "must.session";

/** The wait if the platform does not give one. */
const WAIT_SECONDS = 5;

type Send = (path: string, options?: CallOptions) => Promise<Response>;
type Sleep = (milliseconds: number, signal?: AbortSignal) => Promise<void>;

export class Session {
  private state: SessionState;
  private beginning: Promise<Studio> | null = null;
  private starting: Promise<void> | null = null;
  private readonly listeners = new Set<() => void>();

  constructor(
    private readonly send: Send,
    private readonly sleep: Sleep,
    begun?: Studio,
    private readonly pageStorage: Pick<Storage, "setItem"> | null = storage("localStorage"),
  ) {
    this.state = begun ? { ...UNKNOWN, ...sessionStateOf(begun, UNKNOWN) } : UNKNOWN;
  }

  readonly snapshot = (): SessionState => this.state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Calls `GET /studio` and takes over its answer, or joins a call that is already running. */
  begin(): Promise<Studio> {
    this.beginning ??= this.look().finally(() => {
      this.beginning = null;
    });
    return this.beginning;
  }

  /** Waits until there is a session: the browser's own, or a new one. Throws `session_required` if people must sign in. */
  async need(signal?: AbortSignal): Promise<void> {
    if (this.state.session) return;
    this.starting ??= this.start().finally(() => {
      this.starting = null;
    });
    await unlessAborted(this.starting, signal);
  }

  /** Records that the platform refused `session`, unless another one has replaced it since. */
  lost(session: StudioSession | null, code: string): void {
    if (session === this.state.session) this.change({ session: null, expired: code === "session_expired" });
  }

  /** Starts a session with an access key, which is sent once and stored nowhere. */
  async signIn(key: string): Promise<void> {
    await this.open({ "X-API-Key": key });
    const { session } = await this.look();
    if (!session) throw new ApiError(401, { code: "cookie_refused", detail: "", user_action: "" });
    this.notifyOtherTabs();
  }

  /** Ends the session. A session that has ended already is not a failure. */
  async signOut(): Promise<void> {
    const response = await this.send("/auth/session", { method: "DELETE" });
    if (!response.ok && response.status !== 401) throw await failureOf(response);
    this.leave();
    this.notifyOtherTabs();
  }

  /** Checks again when another tab has signed somebody in or out. */
  watchOtherTabs(): () => void {
    const onStorage = (event: StorageEvent) => {
      if (event.key !== KEY) return;
      this.begin().then(({ session }) => {
        if (!session) this.leave();
      }, ignore);
    };
    addEventListener("storage", onStorage);
    return () => removeEventListener("storage", onStorage);
  }

  private leave(): void {
    this.change({ session: null, owner: null, expired: false, ...(this.state.signInRequired ? { models: null } : {}) });
  }

  private async look(): Promise<Studio> {
    const response = await this.send("/studio");
    if (!response.ok) throw await failureOf(response);
    const studio = (await response.json()) as Studio;
    this.change(sessionStateOf(studio, this.state));
    return studio;
  }

  private async start(): Promise<void> {
    if (this.state.signInRequired === null) await this.begin();
    if (this.state.session) return;
    if (this.state.signInRequired) throw new ApiError(401, { code: "session_required", detail: "", user_action: "" });
    try {
      const { expires_at: expires } = await this.open();
      this.change({ session: { expires_at: expires ?? "", name: "", owner: null }, expired: false });
    } catch (error) {
      // The platform was restarted, and now people must sign in.
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

  private notifyOtherTabs(): void {
    try {
      this.pageStorage?.setItem(KEY, String(Date.now()));
    } catch {
      // Other tabs notice with their next call.
    }
  }

  private change(change: Partial<SessionState>): void {
    this.state = { ...this.state, ...change };
    for (const listener of this.listeners) listener();
  }
}

function sessionStateOf(studio: Studio, before: SessionState): Partial<SessionState> {
  const { session } = studio;
  return {
    signInRequired: studio.sign_in_required,
    session,
    // A page that is signed out still shows what it had loaded, because it belongs to the same person.
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
