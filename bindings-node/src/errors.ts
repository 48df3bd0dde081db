import { errorCodes, type ErrorCode } from "./generated/codes";
import type { NativeFailure } from "./native";

/**
 * Every failure of MUST: a stable `code` to branch on, a `detail` that says what happened, and a `userAction` that says what
 * a person can do about it.
 * @example
 * ```js
 * try {
 *   await platform.submit({ model: "tiny-image", prompt: " " });
 * } catch (error) {
 *   if (!(error instanceof MustError)) throw error;
 *   console.log(error.code, error.httpStatus, error.retryable); // validation_error 422 false
 * }
 * ```
 */
export class MustError extends Error {
  override readonly name: string = "MustError";
  /** Stable name of the kind of failure. */
  readonly code: ErrorCode;
  /** What happened, in one line. */
  readonly detail: string;
  /** What a person can do about it, in one line. */
  readonly userAction: string;

  constructor(code: ErrorCode, detail: string, userAction: string = errorCodes[code].userAction, options?: ErrorOptions) {
    super(`${code}: ${detail}`, options);
    this.code = code;
    this.detail = detail;
    this.userAction = userAction;
  }

  /** Whether the same call may succeed later without a change by the caller. */
  get retryable(): boolean {
    return errorCodes[this.code].retryable;
  }

  /** HTTP status that goes with the code. */
  get httpStatus(): number {
    return errorCodes[this.code].httpStatus;
  }
}

/** The error for the name of a code. A name that this version does not know becomes `internal`. */
export function errorOf(code: string, detail: string, userAction?: string): MustError {
  return Object.hasOwn(errorCodes, code)
    ? new MustError(code as ErrorCode, detail, userAction)
    : new MustError("internal", `${code}: ${detail}`, userAction);
}

/** The error that the native part reported. */
export function fromNative(failure: NativeFailure): MustError {
  return errorOf(failure.code, failure.detail, failure.userAction);
}

/** The error for a call that the catalog or this layer does not allow. */
export function validation(detail: string): MustError {
  return new MustError("validation_error", detail);
}
