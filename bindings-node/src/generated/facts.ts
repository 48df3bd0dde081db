// Made from the table in core/src/platform/calls by `cargo xtask regen`. Do not edit.

// Facts about a request, its sender, and the caller of an administrative call.

/**
 * The kind of call.
 * - `generation`: Anything that generates, lists or shows. It needs an API key or a session.
 * - `auth`: A call for a new generation session.
 * - `admin_login`: A call for a new admin session. It needs the admin key.
 * - `admin`: Every other administrative call. It needs an admin session.
 */
export type Route = "generation" | "auth" | "admin_login" | "admin";

/**
 * The facts about a request that decide whether it is allowed. In JSON only `route` is required. A list holds every value in its
 * order, unchanged: two different keys are refused.
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
  /** An id that links audit events to the request: at most 128 visible ASCII characters. Anything else is replaced by a new id. */
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

/** Who makes an administrative call, for the audit log. The default is the host itself. */
export interface Caller {
  /** Who it is: `key:ID`, `admin:ID`, or a name that the host chooses. */
  actor: string;
  /** Where the call comes from: an address, `cli`, `host`. */
  source: string;
  /** An id that links the call to a request. The default is a new id. */
  correlation_id?: string | undefined;
}

/** The sender of a request. */
export interface Principal {
  /** The kind of credential that the request has. */
  kind: PrincipalKind;
  /** Id of the key or session. It is `key` for the admin key and empty for an anonymous request. */
  id: string;
  /** Name of the key, or of the key that the session was opened with; otherwise empty. */
  name: string;
  /** The name of the sender in the audit log. */
  actor: string;
  /** The caller to give to administrative calls on behalf of the sender. */
  caller: Required<Caller>;
  /**
   * The owner of the tasks that the sender makes and sees. Null for administrators, and for everyone while the setting
   * `sign_in_required` is off: they see all tasks.
   */
  owner: string | null;
}
