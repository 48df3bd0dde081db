/** Who may call: API keys, sessions of browsers and of administrators. */

import { invoke, optionsOf, seconds, veiled, type Caller, type CallerOptions } from "./administration";
import type { Calls } from "./calls";
import type { RequestFacts } from "./facts";
import { textArgument } from "./request";

/** Who a request comes from. */
export interface Principal {
  kind: "api_key" | "session" | "anonymous" | "admin_key" | "admin_session";
  id: string;
  name: string;
  /** The name in the audit log. */
  actor: string;
  /** Whose tasks the caller makes and sees; null for administrators and while `signInRequired` is off, who see all. */
  owner: string | null;
  /** For the calls that are made on this request's behalf. */
  caller: Required<Caller>;
}

/** An API key; never its secret. Times are RFC 3339 in UTC. */
export interface ApiKey {
  id: string;
  name: string;
  status: string;
  created_at: string;
  expires_at: string;
  revoked_at: string | null;
  replaced_by: string | null;
  /** Whose tasks are made with it while `signInRequired` is on; a key that is replaced hands this on. */
  owner: string;
}

/** A new key. `secret` is shown this once; neither inspecting nor writing JSON shows it. */
export interface IssuedKey {
  key: ApiKey;
  readonly secret: string;
}

/** A new session. `token`, the value of its cookie, is shown this once; neither inspecting nor writing JSON shows it. */
export interface OpenedSession {
  id: string;
  /** Name of the cookie: `gg_session` or `gg_admin_session`, where no other platform's session is in it. */
  cookie: string;
  readonly token: string;
  /** Null for an admin session, which ends when it is idle. */
  expires_at: string | null;
}

/** How a session stands. */
export interface SessionState {
  id: string;
  active: boolean;
  expires_at: string;
}

/** How an admin session stands. */
export interface AdminSessionState {
  id: string;
  active: boolean;
  idle_timeout_seconds: number;
  last_activity_at: string;
}

/** How many sessions a call ended. */
export interface EndedSessions {
  sessions: number;
}

/** How to issue a key. */
export interface IssueKeyOptions extends CallerOptions {
  /** 90 days when absent. */
  validForMs?: number | undefined;
}

/** How to rotate a key. */
export interface RotateKeyOptions extends CallerOptions {
  /** How long the old key still works; 24 hours when absent. */
  overlapMs?: number | undefined;
}

/** API keys and the sessions of browsers. */
export class Auth {
  readonly #calls: Calls;

  /** @internal */
  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /**
   * Who the request comes from, if it may be made.
   * @throws MustError with the code to answer with, such as `session_required`, `invalid_api_key` or `rate_limited`.
   */
  authorize(facts: RequestFacts): Promise<Principal> {
    return invoke(this.#calls, "auth.authorize", { facts });
  }

  /** Opens a session for a request of the route `auth`; its token is the value of the cookie `gg_session`. */
  async openSession(facts: RequestFacts): Promise<OpenedSession> {
    return veiled(await invoke<OpenedSession>(this.#calls, "auth.open_session", { facts }), "token");
  }

  /** How the session of a request stands. */
  sessionState(facts: RequestFacts): Promise<SessionState> {
    return invoke(this.#calls, "auth.session_state", { facts });
  }

  /** Ends a session. */
  async revokeSession(id: string, options?: CallerOptions): Promise<void> {
    const { caller } = optionsOf(options);
    await invoke(this.#calls, "auth.revoke_session", { id: textArgument("the session id", id), caller });
  }

  /** Ends every session. */
  async revokeAllSessions(options?: CallerOptions): Promise<EndedSessions> {
    return invoke(this.#calls, "auth.revoke_all_sessions", { caller: optionsOf(options).caller });
  }

  /** Whether a browser of this origin may call. */
  async allowsOrigin(origin: string): Promise<boolean> {
    return invoke(this.#calls, "auth.allows_origin", { origin: textArgument("the origin", origin) });
  }

  /** Makes an API key. */
  async issueKey(name: string, options?: IssueKeyOptions): Promise<IssuedKey> {
    const { caller, validForMs } = optionsOf(options);
    const given = { name: textArgument("the key's name", name), valid_for: seconds("validForMs", validForMs), caller };
    return veiled(await invoke<IssuedKey>(this.#calls, "auth.issue_key", given), "secret");
  }

  /** Every key there is or was. */
  keys(): Promise<ApiKey[]> {
    return invoke(this.#calls, "auth.keys");
  }

  /** Makes a key that takes the place of another. */
  async rotateKey(id: string, options?: RotateKeyOptions): Promise<IssuedKey> {
    const { caller, overlapMs } = optionsOf(options);
    const given = { id: textArgument("the key id", id), overlap: seconds("overlapMs", overlapMs), caller };
    return veiled(await invoke<IssuedKey>(this.#calls, "auth.rotate_key", given), "secret");
  }

  /** Ends a key, and the sessions that it opened. */
  async revokeKey(id: string, options?: CallerOptions): Promise<EndedSessions> {
    return invoke(this.#calls, "auth.revoke_key", { id: textArgument("the key id", id), caller: optionsOf(options).caller });
  }
}

/** The sessions of administrators. */
export class Admin {
  readonly #calls: Calls;

  /** @internal */
  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /** Opens a session for a request of the route `admin_login`; its token is the value of the cookie `gg_admin_session`. */
  async openSession(facts: RequestFacts): Promise<OpenedSession> {
    return veiled(await invoke<OpenedSession>(this.#calls, "admin.open_session", { facts }), "token");
  }

  /** How a session stands. */
  async sessionState(id: string, options?: CallerOptions): Promise<AdminSessionState> {
    return invoke(this.#calls, "admin.session_state", { id: textArgument("the session id", id), caller: optionsOf(options).caller });
  }

  /** Ends a session. */
  async revokeSession(id: string, options?: CallerOptions): Promise<void> {
    const { caller } = optionsOf(options);
    await invoke(this.#calls, "admin.revoke_session", { id: textArgument("the session id", id), caller });
  }

  /** Ends every admin session. */
  async revokeAllSessions(options?: CallerOptions): Promise<EndedSessions> {
    return invoke(this.#calls, "admin.revoke_all_sessions", { caller: optionsOf(options).caller });
  }
}
