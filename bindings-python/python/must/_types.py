"""Types of settings, queries and answers. Answers are plain values that do not change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from mmap import mmap
from os import PathLike
from typing import (
    Any,
    BinaryIO,
    Literal,
    NotRequired,
    Protocol,
    Self,
    SupportsFloat,
    SupportsIndex,
    TypeAlias,
    TypedDict,
)

from must._errors import error_from
from must._exceptions import MustError
from must._settings import LogLevel


class ArrayInterface(Protocol):
    """An array of numpy, or an image of Pillow."""

    @property
    def __array_interface__(self) -> Mapping[str, Any]:
        """Description of the array's memory."""


class ArrayLike(Protocol):
    """An object that converts itself to a numpy array, such as a torch tensor in CPU memory."""

    def __array__(self) -> Any:
        """The array."""


class ReadableFile(Protocol):
    """A file open in binary mode, or an object with the same `read`."""

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes; empty at the end."""


class AsyncFile(Protocol):
    """A file with an async `read`, such as FastAPI's `UploadFile`."""

    async def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes; empty at the end."""


Image: TypeAlias = (
    bytes | bytearray | memoryview | mmap | PathLike[str] | str | BinaryIO | ReadableFile | ArrayInterface | ArrayLike
)
"""A picture.

The bytes of a PNG, JPEG or WebP file, its path, a file open in binary mode (read from its start, not its position), or
a data URI; an image of Pillow; or an array of pixels: `uint8`, height by width for grey, height by width by 3 or 4
for RGB, with alpha."""

Parameter: TypeAlias = (
    bool | int | float | SupportsIndex | SupportsFloat | Image | Sequence["Parameter"] | Mapping[str, Any] | None
)
"""Type of a parameter. `None` counts as not given."""


class Status(StrEnum):
    """Status of a task. `pending -> processing -> done | failed`, never backwards."""

    PENDING = "pending"
    PROCESSING = "processing"
    DONE = "done"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Whether the task has ended."""
        return self in (Status.DONE, Status.FAILED)


class MediaType(StrEnum):
    """A picture or a clip."""

    IMAGE = "image"
    VIDEO = "video"


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A log record of a platform. Holds no prompt and no secret."""

    time: datetime
    """When it was logged, in UTC."""
    level: LogLevel
    """Severity."""
    target: str
    """Module of the library that logged it."""
    message: str
    """What happened, in one sentence."""
    fields: Mapping[str, Any]
    """Details: `task`, `code`, `model` and so on."""

    @classmethod
    def from_native(cls, raw: Mapping[str, Any]) -> Self:
        """Read the native form."""
        time = datetime.fromisoformat(raw["time"])
        return cls(time, LogLevel(raw["level"]), raw["target"], raw["message"], raw["fields"])


LogFunction: TypeAlias = Callable[[LogRecord], object]
"""Receives log records of a platform, on a thread of its own, one record at a time."""


class Query(TypedDict, total=False):
    """Which tasks to list. Fields that are left out do not filter."""

    status: Status | Literal["pending", "processing", "done", "failed"] | None
    """Only tasks with this status; the gallery has only done tasks."""
    model: str | None
    """Only of this model, by id or alias."""
    type: MediaType | Literal["image", "video"] | None
    """Only pictures or only clips."""
    owner: str | None
    """Only of this owner; an empty string selects tasks without an owner."""
    sort: Literal["newest", "oldest"]
    """Newest first by default."""
    page: int
    """From 1."""
    per_page: int
    """1 to 100; 20 by default."""


class Model(TypedDict):
    """One model of the catalog, as in the answer of `GET /models`."""

    id: str
    aliases: list[str]
    name: str
    type: Literal["image", "video"]
    category: str
    family: str
    description: str
    modes: list[str]
    default_mode: str
    fixed_parameters: dict[str, Any]
    recommended_parameters: dict[str, Any]
    parameters_schema: dict[str, dict[str, Any]]
    available: bool
    files: NotRequired[str]
    """What its files on this machine are; absent when it has none."""
    unavailable_reason: NotRequired[str]
    """Why it cannot run here; absent when it can."""
    user_action: NotRequired[str]
    """What to do so that it can run here; absent when it can."""


@dataclass(frozen=True, slots=True)
class LaneStatus:
    """State of one lane. Counts begin when the platform is opened."""

    model: str | None
    """The model that the lane belongs to; none for the shared lane."""
    loaded: tuple[str, ...]
    """Ids of the models whose weights are loaded, in the order of their last use."""
    memory_bytes: int
    """Bytes of memory that their weights use."""
    hits: int
    """Tasks that found their pipeline loaded."""
    misses: int
    """Tasks that had to load their pipeline."""
    loads: int
    """Pipelines that were loaded."""
    evictions: int
    """Pipelines that were unloaded: to free memory, because they were unused, or after an error."""


@dataclass(frozen=True, slots=True)
class Load:
    """State of the lanes."""

    lanes: tuple[LaneStatus, ...]
    """Every lane; the shared one is the last."""
    waiting: int
    """Tasks that wait for a lane."""

    @classmethod
    def from_native(cls, raw: Mapping[str, Any]) -> Self:
        """Read the native form. Fields that this version does not know are left out."""
        names = LaneStatus.__dataclass_fields__
        lanes = ({name: lane[name] for name in names} | {"loaded": tuple(lane["loaded"])} for lane in raw["lanes"])
        return cls(tuple(LaneStatus(**lane) for lane in lanes), raw["waiting"])


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


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskState:
    """The state of a task at the moment when it was asked for."""

    id: str
    """Stable id."""
    workspace: str | None
    """Workspace that runs the task; `None` when it runs here."""
    owner: str | None
    """Owner; `None` when it has none."""
    model: str
    """Catalog id of the model."""
    type: MediaType
    """Picture or clip."""
    mode: str
    """Mode of the model."""
    prompt: str
    """The prompt."""
    negative_prompt: str
    """The negative prompt."""
    parameters: Mapping[str, Any]
    """Every other parameter, with defaults filled in. Images appear by name, without their bytes."""
    seed: int
    """Seed in use; drawn when -1 was asked for."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    status: Status
    """Status."""
    progress: int
    """0 to 100, never falling."""
    stage: str
    """Name of the stage it is in."""
    stage_detail: str
    """More about the stage, such as `step 3 of 20`."""
    result_path: str | None
    """File of the result, relative to the data folder; `None` until the task is done."""
    preview_path: str | None
    """File of the preview, relative to the data folder."""
    error: TaskFailure | None
    """Why it failed; `None` unless it failed."""
    created_at: datetime
    """When it was submitted, in UTC."""
    updated_at: datetime
    """When anything last changed, in UTC."""
    started_at: datetime | None
    """When it began to run, in UTC."""
    finished_at: datetime | None
    """When it ended, in UTC."""

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
        """Read the native form. Fields that this version does not know are left out."""
        error, started, finished = raw["error"], raw["started_at"], raw["finished_at"]
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
            error=TaskFailure(error["code"], error["detail"]) if error else None,
            created_at=datetime.fromisoformat(raw["created_at"]),
            updated_at=datetime.fromisoformat(raw["updated_at"]),
            started_at=datetime.fromisoformat(started) if started else None,
            finished_at=datetime.fromisoformat(finished) if finished else None,
        )


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing; iterating it gives the tasks.

    >>> task = platform.submit("tiny-image", "a red circle", steps=4)
    >>> state = task.wait()
    >>> [state.prompt for state in platform.gallery()]
    ['a red circle']
    """

    items: tuple[TaskState, ...]
    """The tasks of this page."""
    total: int
    """How many there are on all pages."""
    page: int
    """From 1."""
    per_page: int
    """Maximum number of items on a page."""
    has_more: bool
    """Whether another page follows."""

    def __iter__(self) -> Iterator[TaskState]:
        """The tasks of this page."""
        return iter(self.items)

    def __len__(self) -> int:
        """How many tasks this page has."""
        return len(self.items)

    @classmethod
    def from_native(cls, raw: Mapping[str, Any]) -> Self:
        """Read the native form."""
        items = tuple(TaskState.from_native(item) for item in raw["items"])
        return cls(items, raw["total"], raw["page"], raw["per_page"], raw["has_more"])
