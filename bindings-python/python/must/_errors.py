"""Generated from the table of codes in `core/src/error.rs`; do not edit.

`MUST_REGEN=1 python -m pytest tests/test_generated.py` writes it anew.
"""

from enum import StrEnum
from typing import Final

from must._exceptions import MustError

__all__ = [
    "AdminKeyInvalidError",
    "AdminMisconfiguredError",
    "AdminSessionExpiredError",
    "AdminSessionRequiredError",
    "CancelledError",
    "CorsOriginBlockedError",
    "DataDirLockedError",
    "DependencyUnavailableError",
    "ErrorCode",
    "GpuMemoryExceededError",
    "InternalError",
    "InvalidApiKeyError",
    "InvalidStateError",
    "MethodNotAllowedError",
    "ModelUnavailableError",
    "NoWorkersError",
    "NotFoundError",
    "PayloadTooLargeError",
    "ProxyTargetInvalidError",
    "QueueOverloadedError",
    "RateLimitedError",
    "RemoteFailedError",
    "ResultGoneError",
    "ResultNotReadyError",
    "SessionExpiredError",
    "SessionRequiredError",
    "StorageCorruptError",
    "StorageFullError",
    "TaskNotFoundError",
    "TaskStaleError",
    "TaskTimeoutError",
    "ValidationError",
]


class ErrorCode(StrEnum):
    """The stable names of all kinds of failure."""

    INVALID_API_KEY = "invalid_api_key"
    SESSION_REQUIRED = "session_required"
    SESSION_EXPIRED = "session_expired"
    ADMIN_KEY_INVALID = "admin_key_invalid"
    ADMIN_SESSION_REQUIRED = "admin_session_required"
    ADMIN_SESSION_EXPIRED = "admin_session_expired"
    ADMIN_MISCONFIGURED = "admin_misconfigured"
    RATE_LIMITED = "rate_limited"
    CORS_ORIGIN_BLOCKED = "cors_origin_blocked"
    VALIDATION_ERROR = "validation_error"
    TASK_NOT_FOUND = "task_not_found"
    RESULT_NOT_READY = "result_not_ready"
    RESULT_GONE = "result_gone"
    PROXY_TARGET_INVALID = "proxy_target_invalid"
    REMOTE_FAILED = "remote_failed"
    NO_WORKERS = "no_workers"
    MODEL_UNAVAILABLE = "model_unavailable"
    QUEUE_OVERLOADED = "queue_overloaded"
    GPU_MEMORY_EXCEEDED = "gpu_memory_exceeded"
    TASK_STALE = "task_stale"
    TASK_TIMEOUT = "task_timeout"
    CANCELLED = "cancelled"
    DEPENDENCY_UNAVAILABLE = "dependency_unavailable"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    INTERNAL = "internal"
    INVALID_STATE = "invalid_state"
    DATA_DIR_LOCKED = "data_dir_locked"
    STORAGE_FULL = "storage_full"
    STORAGE_CORRUPT = "storage_corrupt"


class InvalidApiKeyError(MustError):
    """`invalid_api_key`. Check the API key, or ask the operator for a new one."""

    code = ErrorCode.INVALID_API_KEY
    number = 1
    http_status = 403
    retryable = False
    default_user_action = "Check the API key, or ask the operator for a new one."


class SessionRequiredError(MustError):
    """`session_required`. Start a session or send an API key."""

    code = ErrorCode.SESSION_REQUIRED
    number = 2
    http_status = 401
    retryable = False
    default_user_action = "Start a session or send an API key."


class SessionExpiredError(MustError):
    """`session_expired`. Start a new session."""

    code = ErrorCode.SESSION_EXPIRED
    number = 3
    http_status = 401
    retryable = False
    default_user_action = "Start a new session."


class AdminKeyInvalidError(MustError):
    """`admin_key_invalid`. Check the admin key."""

    code = ErrorCode.ADMIN_KEY_INVALID
    number = 4
    http_status = 403
    retryable = False
    default_user_action = "Check the admin key."


class AdminSessionRequiredError(MustError):
    """`admin_session_required`. Sign in as an administrator."""

    code = ErrorCode.ADMIN_SESSION_REQUIRED
    number = 5
    http_status = 401
    retryable = False
    default_user_action = "Sign in as an administrator."


class AdminSessionExpiredError(MustError):
    """`admin_session_expired`. Sign in as an administrator again."""

    code = ErrorCode.ADMIN_SESSION_EXPIRED
    number = 6
    http_status = 401
    retryable = False
    default_user_action = "Sign in as an administrator again."


class AdminMisconfiguredError(MustError):
    """`admin_misconfigured`. Set an admin key of at least 16 characters."""

    code = ErrorCode.ADMIN_MISCONFIGURED
    number = 7
    http_status = 403
    retryable = False
    default_user_action = "Set an admin key of at least 16 characters."


class RateLimitedError(MustError):
    """`rate_limited`. Wait for the time in Retry-After, then try again."""

    code = ErrorCode.RATE_LIMITED
    number = 8
    http_status = 429
    retryable = True
    default_user_action = "Wait for the time in Retry-After, then try again."


class CorsOriginBlockedError(MustError):
    """`cors_origin_blocked`. Add the exact origin to the allowed origins."""

    code = ErrorCode.CORS_ORIGIN_BLOCKED
    number = 9
    http_status = 403
    retryable = False
    default_user_action = "Add the exact origin to the allowed origins."


class ValidationError(MustError):
    """`validation_error`. Correct the request and send it again."""

    code = ErrorCode.VALIDATION_ERROR
    number = 10
    http_status = 422
    retryable = False
    default_user_action = "Correct the request and send it again."


class TaskNotFoundError(MustError):
    """`task_not_found`. Check the task id; the task may have been deleted."""

    code = ErrorCode.TASK_NOT_FOUND
    number = 11
    http_status = 404
    retryable = False
    default_user_action = "Check the task id; the task may have been deleted."


class ResultNotReadyError(MustError):
    """`result_not_ready`. Wait until the task is done, then ask again."""

    code = ErrorCode.RESULT_NOT_READY
    number = 12
    http_status = 425
    retryable = True
    default_user_action = "Wait until the task is done, then ask again."


class ResultGoneError(MustError):
    """`result_gone`. Generate it again."""

    code = ErrorCode.RESULT_GONE
    number = 13
    http_status = 410
    retryable = False
    default_user_action = "Generate it again."


class ProxyTargetInvalidError(MustError):
    """`proxy_target_invalid`. Use a task id that this platform gave out."""

    code = ErrorCode.PROXY_TARGET_INVALID
    number = 14
    http_status = 400
    retryable = False
    default_user_action = "Use a task id that this platform gave out."


class RemoteFailedError(MustError):
    """`remote_failed`. Try again. If it fails again, check the worker account."""

    code = ErrorCode.REMOTE_FAILED
    number = 15
    http_status = 502
    retryable = True
    default_user_action = "Try again. If it fails again, check the worker account."


class NoWorkersError(MustError):
    """`no_workers`. Enable a worker account, or try again later."""

    code = ErrorCode.NO_WORKERS
    number = 16
    http_status = 503
    retryable = True
    default_user_action = "Enable a worker account, or try again later."


class ModelUnavailableError(MustError):
    """`model_unavailable`. Install the model's weights, or choose an available model."""

    code = ErrorCode.MODEL_UNAVAILABLE
    number = 17
    http_status = 503
    retryable = False
    default_user_action = "Install the model's weights, or choose an available model."


class QueueOverloadedError(MustError):
    """`queue_overloaded`. Try again in a little while."""

    code = ErrorCode.QUEUE_OVERLOADED
    number = 18
    http_status = 503
    retryable = True
    default_user_action = "Try again in a little while."


class GpuMemoryExceededError(MustError):
    """`gpu_memory_exceeded`. Ask for a smaller size or fewer frames, or use a larger device."""

    code = ErrorCode.GPU_MEMORY_EXCEEDED
    number = 19
    http_status = 500
    retryable = True
    default_user_action = "Ask for a smaller size or fewer frames, or use a larger device."


class TaskStaleError(MustError):
    """`task_stale`. Submit the task again."""

    code = ErrorCode.TASK_STALE
    number = 20
    http_status = 500
    retryable = True
    default_user_action = "Submit the task again."


class TaskTimeoutError(MustError):
    """`task_timeout`. Ask for fewer steps or frames, or raise the execution limit."""

    code = ErrorCode.TASK_TIMEOUT
    number = 21
    http_status = 500
    retryable = True
    default_user_action = "Ask for fewer steps or frames, or raise the execution limit."


class CancelledError(MustError):
    """`cancelled`. Submit the task again if it is still wanted."""

    code = ErrorCode.CANCELLED
    number = 22
    http_status = 500
    retryable = False
    default_user_action = "Submit the task again if it is still wanted."


class DependencyUnavailableError(MustError):
    """`dependency_unavailable`. Check the platform's storage and secrets, then try again."""

    code = ErrorCode.DEPENDENCY_UNAVAILABLE
    number = 23
    http_status = 503
    retryable = True
    default_user_action = "Check the platform's storage and secrets, then try again."


class NotFoundError(MustError):
    """`not_found`. Check the address."""

    code = ErrorCode.NOT_FOUND
    number = 24
    http_status = 404
    retryable = False
    default_user_action = "Check the address."


class MethodNotAllowedError(MustError):
    """`method_not_allowed`. Use one of the methods in Allow."""

    code = ErrorCode.METHOD_NOT_ALLOWED
    number = 25
    http_status = 405
    retryable = False
    default_user_action = "Use one of the methods in Allow."


class PayloadTooLargeError(MustError):
    """`payload_too_large`. Send less, or a smaller image."""

    code = ErrorCode.PAYLOAD_TOO_LARGE
    number = 26
    http_status = 413
    retryable = False
    default_user_action = "Send less, or a smaller image."


class InternalError(MustError):
    """`internal`. Report it with the correlation id or the detail."""

    code = ErrorCode.INTERNAL
    number = 27
    http_status = 500
    retryable = False
    default_user_action = "Report it with the correlation id or the detail."


class InvalidStateError(MustError):
    """`invalid_state`. Check the state of the object, then make a call that this state allows."""

    code = ErrorCode.INVALID_STATE
    number = 28
    http_status = 409
    retryable = False
    default_user_action = "Check the state of the object, then make a call that this state allows."


class DataDirLockedError(MustError):
    """`data_dir_locked`. Close the other process, or use another data folder."""

    code = ErrorCode.DATA_DIR_LOCKED
    number = 29
    http_status = 409
    retryable = True
    default_user_action = "Close the other process, or use another data folder."


class StorageFullError(MustError):
    """`storage_full`. Free some disk space, then try again."""

    code = ErrorCode.STORAGE_FULL
    number = 30
    http_status = 507
    retryable = True
    default_user_action = "Free some disk space, then try again."


class StorageCorruptError(MustError):
    """`storage_corrupt`. Restore the data folder from a backup."""

    code = ErrorCode.STORAGE_CORRUPT
    number = 31
    http_status = 503
    retryable = False
    default_user_action = "Restore the data folder from a backup."


_CLASSES: Final[dict[str, type[MustError]]] = {
    "invalid_api_key": InvalidApiKeyError,
    "session_required": SessionRequiredError,
    "session_expired": SessionExpiredError,
    "admin_key_invalid": AdminKeyInvalidError,
    "admin_session_required": AdminSessionRequiredError,
    "admin_session_expired": AdminSessionExpiredError,
    "admin_misconfigured": AdminMisconfiguredError,
    "rate_limited": RateLimitedError,
    "cors_origin_blocked": CorsOriginBlockedError,
    "validation_error": ValidationError,
    "task_not_found": TaskNotFoundError,
    "result_not_ready": ResultNotReadyError,
    "result_gone": ResultGoneError,
    "proxy_target_invalid": ProxyTargetInvalidError,
    "remote_failed": RemoteFailedError,
    "no_workers": NoWorkersError,
    "model_unavailable": ModelUnavailableError,
    "queue_overloaded": QueueOverloadedError,
    "gpu_memory_exceeded": GpuMemoryExceededError,
    "task_stale": TaskStaleError,
    "task_timeout": TaskTimeoutError,
    "cancelled": CancelledError,
    "dependency_unavailable": DependencyUnavailableError,
    "not_found": NotFoundError,
    "method_not_allowed": MethodNotAllowedError,
    "payload_too_large": PayloadTooLargeError,
    "internal": InternalError,
    "invalid_state": InvalidStateError,
    "data_dir_locked": DataDirLockedError,
    "storage_full": StorageFullError,
    "storage_corrupt": StorageCorruptError,
}


def error_from(code: str, detail: str, user_action: str | None = None) -> MustError:
    """Make the exception of the class that goes with the code."""
    return _CLASSES.get(code, InternalError)(detail, user_action)
