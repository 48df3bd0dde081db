"""Tasks: their state, and which of them to list.

Made from types in core/src by `cargo xtask regen`; do not edit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, Self, TypeAlias, TypedDict

from must._calls import maybe
from must._errors import error_from
from must._exceptions import MustError


class MediaType(StrEnum):
    """A picture or a clip."""

    IMAGE = "image"
    """One frame."""
    VIDEO = "video"
    """Several frames."""


class Status(StrEnum):
    """The status of a task: `pending -> processing -> done | failed`, never backwards."""

    PENDING = "pending"
    """Durable and waiting for a lane."""
    PROCESSING = "processing"
    """Running."""
    DONE = "done"
    """Ended with a result."""
    FAILED = "failed"
    """Ended with an error."""

    @property
    def ended(self) -> bool:
        """Whether the task has ended."""
        return self in (Status.DONE, Status.FAILED)


@dataclass(frozen=True, slots=True)
class TaskFailure:
    """Why a task failed."""

    code: str
    """Name of an error code, such as `cancelled`."""
    detail: str
    """What happened."""

    def exception(self) -> MustError:
        """The exception for the code."""
        return error_from(self.code, self.detail)

    @classmethod
    def from_native(cls, raw: Mapping[str, Any]) -> Self:
        """Read the native form. Members that this version does not know are ignored."""
        return cls(
            code=raw["code"],
            detail=raw["detail"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskState:
    """A task as it was at the time of the call. The calls of `docs/calls.md` return its JSON form. Times are in UTC, in
    JSON as RFC 3339.
    """

    id: str
    """Stable id."""
    workspace: str | None
    """Workspace of the worker that it was sent to. Null if it runs on this platform."""
    owner: str | None
    """The owner. Null if the task has no owner."""
    model: str
    """Catalog id of the model."""
    type: MediaType
    """Picture or clip."""
    mode: str
    """Mode of the model."""
    prompt: str
    """Description of the result."""
    negative_prompt: str
    """Description of what the result should not show."""
    parameters: Mapping[str, Any]
    """All other parameters in the catalog's order, with defaults filled in. Images appear by name, without their
    content.
    """
    seed: int
    """The seed that is used. It is random if the request had -1."""
    width: int
    """Width in pixels."""
    height: int
    """Height in pixels."""
    status: Status
    """The status."""
    progress: int
    """Progress in percent, from 0 to 100. It never falls."""
    stage: str
    """Name of the current stage."""
    stage_detail: str
    """More about the stage, such as `step 3 of 20`."""
    result_path: str | None
    """File of the result, relative to the data folder, or `remote:/results/ID` if it is at a worker. Present exactly
    when done.
    """
    preview_path: str | None
    """File of the preview, relative to the data folder, or `remote:/preview/ID` if it is at a worker. Present exactly
    when done.
    """
    error: TaskFailure | None
    """Why it failed. Present exactly when failed."""
    created_at: datetime
    """When it was submitted."""
    updated_at: datetime
    """When the task last changed."""
    started_at: datetime | None
    """When it began to run."""
    finished_at: datetime | None
    """When it ended."""

    @property
    def ended(self) -> bool:
        """Whether the task has ended."""
        return self.status.ended

    def raise_for_failure(self) -> Self:
        """Return this state, or raise the task's own error when it failed.

        >>> task = platform.submit("tiny-image", "a red circle", steps=4)
        >>> task.wait(raise_on_failure=False).raise_for_failure().error is None
        True

        Raises:
            MustError: The class for the task's error code, such as `must.CancelledError`.
        """
        if self.error is not None:
            raise self.error.exception()
        return self

    @classmethod
    def from_native(cls, raw: Mapping[str, Any]) -> Self:
        """Read the native form. Members that this version does not know are ignored."""
        return cls(
            id=raw["id"],
            workspace=raw["workspace"],
            owner=raw["owner"],
            model=raw["model"],
            type=MediaType(raw["type"]),
            mode=raw["mode"],
            prompt=raw["prompt"],
            negative_prompt=raw["negative_prompt"],
            parameters=raw["parameters"],
            seed=raw["seed"],
            width=raw["width"],
            height=raw["height"],
            status=Status(raw["status"]),
            progress=raw["progress"],
            stage=raw["stage"],
            stage_detail=raw["stage_detail"],
            result_path=raw["result_path"],
            preview_path=raw["preview_path"],
            error=maybe(TaskFailure.from_native)(raw["error"]),
            created_at=datetime.fromisoformat(raw["created_at"]),
            updated_at=datetime.fromisoformat(raw["updated_at"]),
            started_at=maybe(datetime.fromisoformat)(raw["started_at"]),
            finished_at=maybe(datetime.fromisoformat)(raw["finished_at"]),
        )


@dataclass(frozen=True, slots=True)
class TaskPage:
    """One page of tasks."""

    items: tuple[TaskState, ...]
    """The tasks of this page."""
    total: int
    """Number of all tasks that match the query, including those that come before `after`."""
    page: int
    """Number of this page. The first page is 1."""
    per_page: int
    """The largest number of items on a page."""
    has_more: bool
    """Whether another page follows."""

    def __iter__(self) -> Iterator[TaskState]:
        """The tasks of this page.

        >>> task = platform.submit("tiny-image", "a red circle", steps=4)
        >>> state = task.wait()
        >>> [state.prompt for state in platform.gallery()]
        ['a red circle']
        """
        return iter(self.items)

    def __len__(self) -> int:
        """The number of tasks on this page."""
        return len(self.items)

    @classmethod
    def from_native(cls, raw: Mapping[str, Any]) -> Self:
        """Read the native form. Members that this version does not know are ignored."""
        return cls(
            items=tuple(TaskState.from_native(item) for item in raw["items"]),
            total=raw["total"],
            page=raw["page"],
            per_page=raw["per_page"],
            has_more=raw["has_more"],
        )


Sort: TypeAlias = Literal["newest", "oldest"]
"""Order of a listing.

- `newest`: Newest first.
- `oldest`: Oldest first.
"""


class TaskQuery(TypedDict, total=False):
    """Which tasks to list."""

    status: Status | Literal["pending", "processing", "done", "failed"] | None
    """Only tasks with this status."""
    model: str | None
    """Only tasks of this model (id or alias)."""
    type: MediaType | Literal["image", "video"] | None
    """Only pictures or only clips."""
    owner: str | None
    """Only tasks of this owner. The empty text selects tasks without an owner."""
    after: str | None
    """Only tasks that come after this task in the order. Pages are counted from there."""
    sort: Sort
    """Order of the tasks. The default is newest first."""
    page: int
    """Number of the page, from 1. 0 means 1."""
    per_page: int
    """Tasks on a page, 1 to 100. 0 means 20."""
