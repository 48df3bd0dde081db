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


class LogLevel(StrEnum):
    """Severity of a log record."""

    ERROR = "error"
    """Something was lost, or will be lost unless a person acts."""
    WARN = "warn"
    """Something is wrong, and work continues."""
    INFO = "info"
    """Something that a person running the platform may want to know."""
    DEBUG = "debug"
    """What the platform does, such as loading and unloading pipelines."""
    TRACE = "trace"
    """Everything."""

    @property
    def number(self) -> int:
        """The corresponding level of `logging`; 5 for `trace`."""
        return {"error": 40, "warn": 30, "info": 20, "debug": 10, "trace": 5}[self.value]


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


class HttpSettings(TypedDict, total=False):
    """Settings of the HTTP service."""

    session_cookie_secure: bool
    """Whether session cookies are for HTTPS only; true when left out."""
    session_cookie_same_site: Literal["strict", "lax", "none"]
    """Which requests from other sites carry session cookies; `strict` when left out."""
    session_cookie_path: str
    """Path of session cookies; `/` when left out. Behind a proxy, the path that the platform is served under."""
    session_cookie_suffix: str
    """Added to the names of session cookies after an underscore."""
    public_url: str
    """The address at which clients reach the service, such as `https://example.com/must`: absolute addresses in answers
    begin with it. When left out, each request determines it."""
    scrape_token: str
    """A bearer token that opens `GET /metrics`."""
    max_body_bytes: int
    """Maximum bytes of a request's body."""
    max_connections: int
    """Maximum number of open connections; further ones wait."""
    header_timeout_seconds: float
    """How long a request's headers may take to arrive."""
    body_timeout_seconds: float
    """How long a client may send no more of a request's body, or read nothing of an answer."""
    body_bytes_per_second: int
    """Minimum average rate at which a body must arrive, after a first `body_timeout_seconds` without this limit; 0
    means no minimum."""
    body_time_limit_seconds: float
    """How long a request's body may take as a whole."""
    retry_window_seconds: float
    """How long pictures requested with an `Idempotency-Key` are still generated after the caller disconnected."""
    event_keep_alive_seconds: float
    """How often an idle event stream sends a keep-alive."""


class WorkerSettings(TypedDict, total=False):
    """How workers are reached and deployed."""

    address_template: str
    """Address of a workspace whose account has none; `https://{workspace}--must.modal.run` when left out."""
    networks: Sequence[str]
    """Private addresses and networks that workers may use; only there `http://` is allowed."""
    api_key: str
    """The API key for workers whose account has none of its own."""
    deploy_command: Sequence[str]
    """Program and arguments that deploy a workspace; `{workspace}` and `{label}` are filled in."""
    deploy_limit_seconds: float
    """How long a deployment may take."""
    connect_timeout_seconds: float
    """How long connecting may take."""
    answer_timeout_seconds: float
    """How long an answer may take."""
    transfer_timeout_seconds: float
    """How long the transfer of a result may take."""
    max_result_bytes: int
    """Maximum bytes of a result that is fetched from a worker."""
    health_tries: int
    """How many times a worker's health is checked after a deployment."""
    health_pause_seconds: float
    """The pause between two of these checks."""
    poll_interval_seconds: float
    """How often a worker is asked for the status of a task."""
    recheck_interval_seconds: float
    """How often a failed account is checked again automatically; 0 means never."""


class Settings(TypedDict, total=False):
    """Settings of a platform. A setting that is left out has the library's default."""

    models_dir: str | PathLike[str]
    """Folder with one folder of weights a model; `models` in the data folder when left out."""
    catalog: str | PathLike[str]
    """A catalog file in place of the built-in catalog."""
    device: Literal["auto", "cpu", "cuda"]
    """Where inference runs."""
    threads: int
    """Threads that inference on the CPU uses; 0 means one per core."""
    lanes: Sequence[str]
    """Models that get a lane of their own, in which their pipeline stays loaded."""
    paused: bool
    """Starts no lane: tasks are accepted and stored, and run when the folder is opened without this setting."""
    control_socket: bool
    """Whether the program `must` can reach the platform over a socket in the data folder, which only the folder's owner
    can open; true when left out."""
    queue_depth: int
    """Length of the shared queue."""
    queue_wait_seconds: float
    """How long a submission waits for a place in a full queue before `QueueOverloadedError`."""
    image_limit_seconds: float
    """How long a picture may run."""
    video_limit_seconds: float
    """How long a clip may run."""
    image_stale_seconds: float
    """After how long a picture that is still processing fails."""
    video_stale_seconds: float
    """After how long a clip that is still processing fails."""
    idle_evict_seconds: float
    """How long an unused pipeline stays loaded."""
    log_level: LogLevel | Literal["error", "warn", "info", "debug", "trace"]
    """Lowest level of the records that the log function receives; `info` when left out."""
    master_key: str
    """Master keys as the text of a key file, in place of `master_key_file`."""
    master_key_file: str | PathLike[str]
    """File of the master keys, made at first use; `keys/master.key` in the data folder when left out."""
    audit_key_file: str | PathLike[str]
    """File of the keys that sign the audit log; `keys/audit.key` in the data folder when left out."""
    audit_anchor_file: str | PathLike[str]
    """File that checkpoints of the audit log are appended to; `audit.anchors` in the data folder when left out."""
    admin_key: str
    """The key that opens admin sessions, at least 16 characters."""
    frontend_origins: Sequence[str]
    """Browser origins that may call from another site, exactly as browsers send them."""
    trusted_proxies: Sequence[str]
    """Addresses and networks of proxies whose `X-Forwarded-For` is trusted."""
    sessions_per_minute: int
    """Generation sessions that one address may start in 60 seconds, 1 to 10,000; 10 when left out."""
    sign_in_required: bool
    """Whether people must sign in: a session then needs an access key, and HTTP callers see only their own tasks."""
    api_key: str
    """An API key of the operator's own, at least 16 characters."""
    http: HttpSettings
    """Settings of the HTTP service."""
    workers: WorkerSettings
    """Workers that tasks may be sent to."""
    environment: Literal["dev", "stage", "prod"]
    """Where this platform runs; provider tokens for another environment are refused."""


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
