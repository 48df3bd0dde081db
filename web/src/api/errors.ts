/** Failures of calls: refusals of the platform, and calls that did not reach it. */

import type { Failure } from "./types";

/** The platform answered with a failure. */
export class ApiError extends Error {
  readonly code: string;
  readonly detail: string;
  readonly userAction: string;

  constructor(
    readonly status: number,
    failure: Failure,
    /** Seconds to wait, from a 429 answer. */
    readonly retryAfter: number | null = null,
  ) {
    super(`${failure.code}: ${failure.detail}`);
    this.name = "ApiError";
    this.code = failure.code;
    this.detail = failure.detail;
    this.userAction = failure.user_action;
  }
}

/** No answer arrived: the network, the server or a proxy is unavailable. */
export class NetworkError extends Error {
  constructor(cause: unknown) {
    super("no answer", { cause });
    this.name = "NetworkError";
  }
}

/** The parts of a failure that are shown, for any kind of failure. */
export interface Problem {
  code: string;
  detail: string;
  userAction: string;
}

export function problemOf(error: unknown): Problem {
  if (error instanceof ApiError) return { code: error.code, detail: error.detail, userAction: error.userAction };
  if (error instanceof NetworkError) return { code: "network", detail: "", userAction: "" };
  return { code: "internal", detail: error instanceof Error ? error.message : String(error), userAction: "" };
}

export const isAbort = (error: unknown): boolean =>
  typeof error === "object" && error !== null && "name" in error && error.name === "AbortError";

function isFailure(value: unknown): value is Failure {
  const failure = value as Partial<Failure> | null;
  return typeof failure === "object" && failure !== null && typeof failure.code === "string";
}

/** Reads the failure in an answer. An HTML page from a proxy becomes a failure of the same shape. */
export async function failureOf(response: Response): Promise<ApiError> {
  const seconds = Number(response.headers.get("Retry-After") ?? Number.NaN);
  const retryAfter = Number.isFinite(seconds) ? Math.max(0, seconds) : null;
  let body: unknown = null;
  try {
    body = await response.json();
  } catch {
    // The body is not JSON, so only the status is known.
  }
  const failure = isFailure(body)
    ? { code: body.code, detail: body.detail ?? "", user_action: body.user_action ?? "" }
    : { code: response.status === 413 ? "payload_too_large" : "unexpected", detail: `HTTP ${response.status}`, user_action: "" };
  return new ApiError(response.status, failure, retryAfter);
}
