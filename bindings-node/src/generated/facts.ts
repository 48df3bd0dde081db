// Made from the table in core/src/platform/calls by `cargo xtask regen`. Do not edit.

// What a request says about itself, who it is from, and on whose behalf an administrative call is made.

/**
 * The kind of call.
 * - `generation`: Anything that generates, lists or shows. It needs an API key or a session.
 * - `auth`: A call for a new generation session.
 * - `admin_login`: A call for a new admin session. It needs the admin key.
 * - `admin`: Every other administrative call. It needs an admin session.
 */
export type Route = "generation" | "auth" | "admin_login" | "admin";

/**
 * Everything about a request that access is decided by. In JSON every field but `route` may be left out. A list holds every value in
 * its order, unchanged: two different keys are refused.
 */
export interface RequestFacts {
  /** The kind of call. */
  route: Route;
  /** The value of every `X-API-Key` header line; an empty one counts as present. */
  header_keys?: string[] | undefined;
  /** The value of every `api_key` in the query. */
  query_keys?: string[] | undefined;
  /** Every `Cookie` header line, as it came. */
  cookies?: string[] | undefined;
  /** The value of every `X-Admin-Key` header line. */
  admin_header_keys?: string[] | undefined;
  /** Whether the query holds an admin key, which is refused. */
  query_admin_key_present?: boolean | undefined;
  /** The `Origin` header, which browsers send with calls from pages. */
  origin?: string | undefined;
  /** The address at the other end of the socket, without a port. */
  peer?: string | undefined;
  /** Every `X-Forwarded-For` header line, in order. */
  forwarded_for?: string[] | undefined;
  /** Ties audit events to the request: at most 128 visible ASCII characters; anything else is replaced. */
  correlation_id?: string | undefined;
}

/**
 * How a caller proved who it is.
 * - `api_key`: With an API key.
 * - `session`: With a generation session.
 * - `anonymous`: With nothing. Only a call for a new session may be anonymous.
 * - `admin_key`: With the admin key.
 * - `admin_session`: With an admin session.
 */
export type PrincipalKind = "api_key" | "session" | "anonymous" | "admin_key" | "admin_session";

/** On whose behalf an administrative call is made, for the audit log; the host itself when left out. */
export interface Caller {
  /** Who: `key:ID`, `admin:ID`, or a name of the host's own. */
  actor: string;
  /** From where: an address, `cli`, `host`. */
  source: string;
  /** What ties the call to a request; a new one when left out. */
  correlation_id?: string | undefined;
}

/** Who a request is from. */
export interface Principal {
  /** What it showed. */
  kind: PrincipalKind;
  /** Id of the key or session; `key` for the admin key, empty when anonymous. */
  id: string;
  /** Name of the key, or of the one that the session was opened with; else empty. */
  name: string;
  /** The same as the audit log names it. */
  actor: string;
  /** The caller of administrative calls on its behalf. */
  caller: Required<Caller>;
  /**
   * Whose tasks the caller makes and sees. Null for administrators, and while the setting `sign_in_required` is off: they see all.
   */
  owner: string | null;
}
