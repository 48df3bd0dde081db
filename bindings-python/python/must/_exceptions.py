"""The base of every exception of MUST. The subclasses, one for each code, are generated in `_errors`."""

from __future__ import annotations

from typing import ClassVar


class MustError(Exception):
    """A failure: what kind, what happened, what to do.

    Catch a subclass, such as `must.QueueOverloadedError`, to handle one kind of failure, or this class to handle all.
    The text of the exception is one line, `code: detail`; a traceback shows `user_action` below it. Neither holds a
    secret.

    >>> try:
    ...     platform.task("no-such-task")
    ... except must.TaskNotFoundError as error:
    ...     print(error.code, error.http_status, error.retryable)
    task_not_found 404 False
    """

    code: ClassVar[str] = "internal"
    """The stable name, the same in every language."""

    number: ClassVar[int] = 0
    """The number in the C ABI."""

    http_status: ClassVar[int] = 500
    """The HTTP status that goes with the code."""

    retryable: ClassVar[bool] = False
    """Whether the same call may succeed later without a change by the caller."""

    default_user_action: ClassVar[str] = ""
    """General advice for the code. It is used when a failure has no more specific advice."""

    detail: str
    """What happened, in one line."""

    user_action: str
    """What a person can do about it, in one line."""

    def __init__(self, detail: str, user_action: str | None = None) -> None:
        """Make an error. Without `user_action` it has the general advice for its code."""
        super().__init__(detail, user_action)
        self.detail = detail
        self.user_action = user_action or self.default_user_action
        if self.user_action:
            self.add_note(self.user_action)

    def __str__(self) -> str:
        """One line: the code and what happened."""
        return f"{self.code}: {self.detail}"
