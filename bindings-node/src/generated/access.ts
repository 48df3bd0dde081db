// Made from the table in core/src/platform/calls by `cargo xtask regen`. Do not edit.

// Access control: API keys, generation sessions, admin sessions.

import { invoke, optionsOf, seconds, veiled } from "../administration";
import type { CallerOptions } from "../administration";
import type { Calls } from "../calls";
import { textArgument } from "../request";
import type { Principal, RequestFacts } from "./facts";

/** A new session. Its token is shown only here. */
export interface IssuedSession {
  /** Stable id. */
  id: string;
  /**
   * Name of the cookie: `gg_session` or `gg_admin_session`. It has a suffix if the request has a session of another platform on the
   * same host in the cookie of that name.
   */
  cookie: string;
  /** Value of the cookie. */
  readonly token: string;
  /** When the session expires. Null for an admin session, which expires after a time without calls. */
  expires_at: string | null;
}

/** The state of a generation session. */
export interface SessionState {
  /** Stable id. */
  id: string;
  /** Always true: asking for a session that has ended is an error. */
  active: boolean;
  /** When the session expires. */
  expires_at: string;
}

/** The number of sessions that a call ended. */
export interface EndedSessions {
  /** Number of sessions. */
  sessions: number;
}

/**
 * Whether a key can be used.
 * - `active`: The key is valid.
 * - `rotated`: The key was replaced, and is valid until it expires.
 * - `expired`: The key has expired.
 * - `revoked`: The key was revoked.
 */
export type KeyStatus = "active" | "rotated" | "expired" | "revoked";

/** An API key without its secret. */
export interface ApiKey {
  /** The public part of the key: the text between its second-last and its last underscore. */
  id: string;
  /** The name that the key was issued with. */
  name: string;
  /** Whether it can be used. */
  status: KeyStatus;
  /** When the key was issued. */
  created_at: string;
  /** When the key expires. */
  expires_at: string;
  /** When the key was revoked. */
  revoked_at: string | null;
  /** Id of the key that replaced this one. */
  replaced_by: string | null;
  /**
   * The owner of the tasks that are made with this key while the setting `sign_in_required` is on: `key:` and the id of the first key
   * in its chain of replacements. A key that replaces another keeps its owner.
   */
  owner: string;
}

/** A new key. Its secret is shown only here. */
export interface IssuedKey {
  /** The key. */
  key: ApiKey;
  /** The text to send as `X-API-Key`. */
  readonly secret: string;
}

/** The state of an admin session. */
export interface AdminSessionState {
  /** Stable id. */
  id: string;
  /** Always true: asking for a session that has ended is an error. */
  active: boolean;
  /** How long the session may be idle. */
  idle_timeout_seconds: number;
  /** When the session was last used. */
  last_activity_at: string;
}

/** How to make the call `auth.issue_key`. */
export interface IssueKeyOptions extends CallerOptions {
  /** How long the key is valid. The default is 90 days. */
  validForSeconds?: number | undefined;
}

/** How to make the call `auth.rotate_key`. */
export interface RotateKeyOptions extends CallerOptions {
  /** How long the old key stays valid, at most until its own expiry. The default is 24 hours. */
  overlapSeconds?: number | undefined;
}

/** API keys and generation sessions. */
export class Auth {
  readonly #calls: Calls;

  /** @internal */
  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /**
   * Determines who sent a request.
   * @param facts Facts about the request.
   * @throws MustError the code to answer the request with: `cors_origin_blocked`, `rate_limited`, `invalid_api_key`,
   * `session_required`, `session_expired`, `admin_misconfigured`, `admin_key_invalid`, `admin_session_required` or
   * `admin_session_expired`.
   */
  async authorize(facts: RequestFacts): Promise<Principal> {
    return invoke(this.#calls, "auth.authorize", { facts });
  }

  /**
   * Opens a generation session for a request of the route `auth`. The request needs an API key while the setting `sign_in_required` is
   * on.
   * @param facts Facts about the request.
   * @throws MustError the codes of `auth.authorize`; `validation_error` for facts of another route.
   */
  async openSession(facts: RequestFacts): Promise<IssuedSession> {
    return veiled(await invoke<IssuedSession>(this.#calls, "auth.open_session", { facts }), "token");
  }

  /**
   * Returns the state of the session in the request's cookie.
   * @param facts Facts about the request.
   * @throws MustError `session_required`, `session_expired`, `cors_origin_blocked`.
   */
  async sessionState(facts: RequestFacts): Promise<SessionState> {
    return invoke(this.#calls, "auth.session_state", { facts });
  }

  /**
   * Ends a session. The next call with it is refused. Ending it again changes nothing.
   * @param id Id of the key, session, account or task that the call acts on.
   * @throws MustError `not_found`.
   */
  async revokeSession(id: string, options?: CallerOptions): Promise<void> {
    const { caller } = optionsOf(options);
    await invoke(this.#calls, "auth.revoke_session", { id: textArgument("id", id), caller });
  }

  /** Ends every session, and returns how many were still active. */
  async revokeAllSessions(options?: CallerOptions): Promise<EndedSessions> {
    const { caller } = optionsOf(options);
    return invoke(this.#calls, "auth.revoke_all_sessions", { caller });
  }

  /**
   * Returns whether web pages of this origin may call the platform.
   * @param origin The origin as the browser sends it, such as `https://studio.example`.
   */
  async allowsOrigin(origin: string): Promise<boolean> {
    return invoke(this.#calls, "auth.allows_origin", { origin: textArgument("origin", origin) });
  }

  /**
   * Issues an API key.
   * @param name A name for people to read: 1 to 64 characters.
   * @throws MustError `validation_error` if the name is not 1 to 64 characters without control characters, or if the validity is 0 or
   * more than 90 days.
   */
  async issueKey(name: string, options?: IssueKeyOptions): Promise<IssuedKey> {
    const { validForSeconds, caller } = optionsOf(options);
    const given = { name: textArgument("name", name), valid_for_seconds: seconds("validForSeconds", validForSeconds), caller };
    return veiled(await invoke<IssuedKey>(this.#calls, "auth.issue_key", given), "secret");
  }

  /** Lists every key, also revoked ones, newest first. */
  async keys(): Promise<ApiKey[]> {
    return invoke(this.#calls, "auth.keys");
  }

  /**
   * Issues a key that replaces another one. It has the same name and the same validity period.
   * @param id Id of the key.
   * @throws MustError `validation_error` if the overlap is more than 7 days; `not_found`; `invalid_state` if the key was revoked, has
   * expired or was already rotated.
   */
  async rotateKey(id: string, options?: RotateKeyOptions): Promise<IssuedKey> {
    const { overlapSeconds, caller } = optionsOf(options);
    const given = { id: textArgument("id", id), overlap_seconds: seconds("overlapSeconds", overlapSeconds), caller };
    return veiled(await invoke<IssuedKey>(this.#calls, "auth.rotate_key", given), "secret");
  }

  /**
   * Revokes a key and every session that was opened with it, and returns the number of these sessions. The next call with any of them
   * is refused. Revoking it again changes nothing.
   * @param id Id of the key, session, account or task that the call acts on.
   * @throws MustError `not_found`.
   */
  async revokeKey(id: string, options?: CallerOptions): Promise<EndedSessions> {
    const { caller } = optionsOf(options);
    return invoke(this.#calls, "auth.revoke_key", { id: textArgument("id", id), caller });
  }
}

/** Admin sessions. */
export class Admin {
  readonly #calls: Calls;

  /** @internal */
  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /**
   * Opens an admin session for a request of the route `admin_login`.
   * @param facts Facts about the request.
   * @throws MustError the codes of `auth.authorize`; `validation_error` for facts of another route.
   */
  async openSession(facts: RequestFacts): Promise<IssuedSession> {
    return veiled(await invoke<IssuedSession>(this.#calls, "admin.open_session", { facts }), "token");
  }

  /**
   * Returns the state of an admin session. The id is that of the principal of an authorized admin request.
   * @param id Id of the key, session, account or task that the call acts on.
   * @throws MustError `not_found`, `admin_session_expired`.
   */
  async sessionState(id: string, options?: CallerOptions): Promise<AdminSessionState> {
    const { caller } = optionsOf(options);
    return invoke(this.#calls, "admin.session_state", { id: textArgument("id", id), caller });
  }

  /**
   * Ends an admin session. The next call with it is refused. Ending it again changes nothing.
   * @param id Id of the key, session, account or task that the call acts on.
   * @throws MustError `not_found`.
   */
  async revokeSession(id: string, options?: CallerOptions): Promise<void> {
    const { caller } = optionsOf(options);
    await invoke(this.#calls, "admin.revoke_session", { id: textArgument("id", id), caller });
  }

  /** Ends every admin session, and returns how many were still active. */
  async revokeAllSessions(options?: CallerOptions): Promise<EndedSessions> {
    const { caller } = optionsOf(options);
    return invoke(this.#calls, "admin.revoke_all_sessions", { caller });
  }
}
