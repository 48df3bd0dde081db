"""The options of a submission.

Made from core/src/task/options.rs by `cargo xtask regen`; do not edit.
"""

from __future__ import annotations

from typing import TypedDict


class Idempotency(TypedDict):
    """A caller's key for one submission. For a day, the same key of the same owner returns the same task. If that task
    failed for a reason that may have passed (`task_stale`, `remote_failed`, `storage_full` and others), a new task
    is made.
    """

    owner: str
    """The owner of the key. Equal keys of different owners are different keys."""
    key: str
    """1 to 255 visible ASCII characters."""


class SubmitOptions(TypedDict, total=False):
    """Options of a submission."""

    owner: str | None
    """The owner of the task, 1 to 200 characters without control characters. If tasks are also served over HTTP, it is
    the owner that the call `auth.authorize` returns. Otherwise any name may be used.
    """
    idempotency: Idempotency | None
    """Makes the submission safe to repeat."""
    trace_parent: str | None
    """The trace that the submission belongs to: the header `traceparent` of W3C trace context. The spans of the task's
    run belong to the same trace.
    """
    local_only: bool
    """Whether the task must run on this platform even if workers are ready."""
    remix_of: str | None
    """Id of the task whose clip this one remixes with another prompt."""
