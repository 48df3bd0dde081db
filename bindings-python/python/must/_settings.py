"""How a platform is set up.

Made from core/src/settings by `cargo xtask regen`; do not edit.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from os import PathLike
from typing import Literal, TypeAlias, TypedDict

DeviceChoice: TypeAlias = Literal["auto", "cpu", "cuda"]
"""Whether inference runs on the CPU or on a GPU.

- `auto`: The first GPU that works, else the CPU.
- `cpu`: The CPU.
- `cuda`: The first NVIDIA GPU; opening fails without one.
"""


class LogLevel(StrEnum):
    """How much a log record matters."""

    ERROR = "error"
    """Something was lost, or will be unless a person acts."""
    WARN = "warn"
    """Something is not as it should be, and work goes on."""
    INFO = "info"
    """Something that a person running the platform may want to know."""
    DEBUG = "debug"
    """What the platform does, such as loading and letting go of pipelines."""
    TRACE = "trace"
    """Everything."""

    @property
    def number(self) -> int:
        """The level of `logging` that goes with it; 5 for `trace`."""
        return {"error": 40, "warn": 30, "info": 20, "debug": 10, "trace": 5}[self.value]


Environment: TypeAlias = Literal["dev", "stage", "prod"]
"""Where a platform runs.

- `dev`: A developer's machine.
- `stage`: For trying out.
- `prod`: The real thing.
"""

SameSite: TypeAlias = Literal["strict", "lax", "none"]
"""The `SameSite` attribute of session cookies.

- `strict`: Never with requests from other sites.
- `lax`: Only when a link from another site is followed.
- `none`: Always: for a user interface on another site, over HTTPS.
"""


class HttpSettings(TypedDict, total=False):
    """Settings of the HTTP service. What is left out has its default."""

    session_cookie_secure: bool
    """Whether session cookies are for HTTPS only. Browsers make an exception for `localhost`. True when left out."""
    session_cookie_same_site: SameSite
    """Which requests from other sites carry session cookies. `strict` when left out."""
    session_cookie_path: str
    """Path of session cookies: `/` sends them with every request to the host; behind a proxy that serves the platform
    under a path of its own, that path keeps them from everything else that the host serves. `/` when left out.
    """
    session_cookie_suffix: str
    """Added to the names of session cookies after an underscore: `studio` makes `gg_session_studio`. Without it the
    names are `gg_session` and `gg_admin_session`, unless a request brings another platform's session in them.
    Platforms on one host need it where they cannot see each other's cookies: one over HTTPS and one over HTTP.
    """
    public_url: str
    """Where clients reach the service, such as `https://example.com/must`: what absolute addresses in answers begin
    with. Without it they are made of what each request says.
    """
    scrape_token: str
    """Opens `GET /metrics` to callers that send it as a bearer token; without it only an admin session does."""
    max_body_bytes: int
    """Bytes of a request's body. 33,554,432 when left out."""
    max_connections: int
    """Connections that are open at once; more wait. 4,096 when left out."""
    header_timeout_seconds: float
    """How long a request's headers may take to arrive, and a connection may wait for the next request. 10 seconds when
    left out.
    """
    body_timeout_seconds: float
    """How long no piece of a request's body may come, and a client may take nothing of an answer. 30 seconds when left
    out.
    """
    retry_window_seconds: float
    """How long pictures that were asked for under an `Idempotency-Key` go on to be made when their caller has gone: the
    same call gets them until then. After that they are ended, and the same call makes new ones. 60 seconds when left
    out.
    """
    body_bytes_per_second: int
    """Bytes of a body that have to come each second on average, beyond one `body_timeout_seconds` that is granted; 0
    for any number. 1,024 when left out.
    """
    body_time_limit_seconds: float
    """How long a request's body may take as a whole. 3,600 seconds when left out."""
    event_keep_alive_seconds: float
    """How often an idle event stream says that it lives. 15 seconds when left out."""


class WorkerSettings(TypedDict, total=False):
    """How workers are reached and deployed. What is left out has its default."""

    address_template: str
    """Where a workspace is when its account names no address: `https://{workspace}--must.modal.run`."""
    networks: Sequence[str]
    """Addresses and networks besides the public ones that workers may be at; only there `http://` will do."""
    api_key: str
    """The API key that workers ask for, where an account has none of its own."""
    deploy_command: Sequence[str]
    """Program and arguments that deploy a workspace; `{workspace}` and `{label}` are filled in. It runs in the folder
    that the process worked in when the platform was opened.
    """
    deploy_limit_seconds: float
    """How long a deployment may take. 300 seconds when left out."""
    connect_timeout_seconds: float
    """How long connecting may take. 3 seconds when left out."""
    answer_timeout_seconds: float
    """How long an answer may take: longer than workers let a submission wait for a place in their queue. 40 seconds
    when left out.
    """
    transfer_timeout_seconds: float
    """How long the transfer of a result may take. 900 seconds when left out."""
    max_result_bytes: int
    """Bytes of a result that is fetched from a worker. 268,435,456 when left out."""
    health_tries: int
    """How often health is asked for after a deployment. 12 when left out."""
    health_pause_seconds: float
    """The time between two of these. 5 seconds when left out."""
    poll_interval_seconds: float
    """How often a worker is asked how a task stands. 1 second when left out."""
    recheck_interval_seconds: float
    """How often a failed account is checked again by itself; 0 means never. 60 seconds when left out."""


class Settings(TypedDict, total=False):
    """How a platform is set up. What is left out has its default."""

    models_dir: str | PathLike[str]
    """Folder with one folder of weights a model; `models` in the data folder when left out."""
    catalog: str | PathLike[str]
    """A catalog file that stands in for the built-in one."""
    device: DeviceChoice
    """Whether inference runs on the CPU or on a GPU. `auto` when left out."""
    threads: int
    """Threads that inference on the CPU uses; 0 means one a core. 0 when left out."""
    lanes: Sequence[str]
    """Models that get a lane of their own, where their pipeline stays warm."""
    paused: bool
    """Whether tasks stay where they are: nothing runs until the folder is opened again without this."""
    control_socket: bool
    """Whether the program `must` can reach this platform while it is open, over a socket in the data folder
    (`run/control.sock`) that only the folder's owner can open. True when left out.
    """
    queue_depth: int
    """Places in the shared queue. 25 when left out."""
    queue_wait_seconds: float
    """How long a submission waits for a place in a full queue before `queue_overloaded`. 30 seconds when left out."""
    image_limit_seconds: float
    """How long a picture may run. 300 seconds when left out."""
    video_limit_seconds: float
    """How long a clip may run. 900 seconds when left out."""
    image_stale_seconds: float
    """When a picture that is still processing is given up. 600 seconds when left out."""
    video_stale_seconds: float
    """When a clip that is still processing is given up. 1,800 seconds when left out."""
    idle_evict_seconds: float
    """How long an unused pipeline stays loaded. 300 seconds when left out."""
    log_level: LogLevel | Literal["error", "warn", "info", "debug", "trace"]
    """Least important records that the host's log function hears. `info` when left out."""
    master_key: str
    """Master keys as the text of a key file; stands in for `master_key_file`."""
    master_key_file: str | PathLike[str]
    """File of the master keys; `keys/master.key` in the data folder when left out. Made at the first use; keep a copy,
    and better keep it elsewhere than the data.
    """
    audit_key_file: str | PathLike[str]
    """File of the keys that sign the audit log; `keys/audit.key` in the data folder when left out."""
    audit_anchor_file: str | PathLike[str]
    """File that checkpoints of the audit log are appended to; `audit.anchors` in the data folder when left out. It
    protects best where nobody who can change the data folder can reach it.
    """
    admin_key: str
    """The key that opens admin sessions, at least 16 characters."""
    frontend_origins: Sequence[str]
    """Origins of pages that may call from another site, exactly as browsers and web views send them:
    `https://studio.example:8443`, `tauri://localhost`.
    """
    trusted_proxies: Sequence[str]
    """Addresses and networks of proxies whose `X-Forwarded-For` is believed: `10.0.0.7`, `fd00::/8`."""
    sessions_per_minute: int
    """Generation sessions that one address may start in 60 seconds, 1 to 10,000; raise it where many people share one.
    10 when left out.
    """
    sign_in_required: bool
    """Whether people sign in: a generation session then takes an access key, each task has an owner, and over HTTP each
    caller sees only its own tasks. Administrators and the host see all.
    """
    environment: Environment
    """Where this platform runs; provider tokens for another environment are refused. `dev` when left out."""
    api_key: str
    """An API key of the operator's own, at least 16 characters, good for as long as it is set."""
    http: HttpSettings
    """Settings of the HTTP service: bodies, connections, cookies."""
    workers: WorkerSettings
    """How workers that tasks may be sent to are reached and deployed."""
