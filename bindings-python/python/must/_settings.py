"""The settings of a platform.

Made from core/src/settings by `cargo xtask regen`; do not edit.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Literal, TypeAlias, TypedDict

from must._log import LogLevel

DeviceChoice: TypeAlias = Literal["auto", "cpu", "cuda"]
"""Whether inference runs on the CPU or on a GPU.

- `auto`: The first GPU that works. If there is none, the CPU.
- `cpu`: The CPU.
- `cuda`: The first NVIDIA GPU. Opening the platform fails if there is none.
"""

Environment: TypeAlias = Literal["dev", "stage", "prod"]
"""The environment that a platform runs in.

- `dev`: A developer's machine.
- `stage`: A system for testing.
- `prod`: The production system.
"""

SameSite: TypeAlias = Literal["strict", "lax", "none"]
"""The `SameSite` attribute of session cookies.

- `strict`: The cookies are never sent with requests from other sites.
- `lax`: Of the requests from other sites, only those that follow a link carry the cookies.
- `none`: The cookies are always sent. This is for a user interface on another site, over HTTPS.
"""


class HttpSettings(TypedDict, total=False):
    """Settings of the HTTP service. Settings that are not given have their defaults."""

    session_cookie_secure: bool
    """Whether session cookies are sent only over HTTPS. Browsers make an exception for `localhost`. The default is
    true.
    """
    session_cookie_same_site: SameSite
    """Which requests from other sites carry session cookies. The default is `strict`."""
    session_cookie_path: str
    """Path of session cookies. With `/` browsers send them with every request to the host. If a proxy serves the
    platform under its own path, set that path, so that other services of the host do not receive the cookies. The
    default is `/`.
    """
    session_cookie_suffix: str | None
    """Text that is added to the names of session cookies after an underscore: `studio` gives `gg_session_studio`.
    Without it the names are `gg_session` and `gg_admin_session`, and the platform chooses others if a request has
    another platform's session in them. Platforms on one host need the suffix if they cannot see each other's
    cookies: one over HTTPS and one over HTTP.
    """
    public_url: str | None
    """Where clients reach the service, such as `https://example.com/must`. Absolute addresses in answers begin with it.
    Without it they are made from the headers of each request.
    """
    scrape_token: str | None
    """Callers that send this text as a bearer token may call `GET /metrics`. Without it only administrators may."""
    max_body_bytes: int
    """Largest size of a request's body in bytes. The default is 33,554,432."""
    max_connections: int
    """Largest number of open connections. Further ones wait. The default is 4,096."""
    header_timeout_seconds: float
    """Time limit for the headers of a request, and for an idle connection between two requests. The default is 10
    seconds.
    """
    body_timeout_seconds: float
    """Longest time during which no part of a request's body arrives, or the client reads no part of an answer. The
    default is 30 seconds.
    """
    retry_window_seconds: float
    """How long pictures that were requested with an `Idempotency-Key` are still made after their caller has
    disconnected. Until then the same call returns them. After that they are cancelled, and the same call makes new
    ones. The default is 60 seconds.
    """
    body_bytes_per_second: int
    """Smallest average speed of a request's body in bytes per second. A body may take one `body_timeout_seconds` longer
    than this speed requires. 0 means no limit. The default is 1,024.
    """
    body_time_limit_seconds: float
    """Time limit for the whole body of a request. The default is 3,600 seconds."""
    event_keep_alive_seconds: float
    """Time between two keep-alive messages of an idle event stream. The default is 15 seconds."""


class WorkerSettings(TypedDict, total=False):
    """Settings of workers: how they are reached and deployed. Settings that are not given have their defaults."""

    address_template: str | None
    """Template for the address of an account that has none, such as `https://{workspace}--must.modal.run`. Without a
    template every account needs an address.
    """
    networks: Sequence[str]
    """Addresses and networks where workers may be, in addition to public addresses. `http://` is allowed only there."""
    api_key: str | None
    """The API key that workers require. It is used for accounts without their own key."""
    deploy_command: Sequence[str]
    """Program and arguments that deploy a workspace. `{workspace}` and `{label}` are replaced. The program runs in the
    folder that was the working folder of the process when the platform was opened.
    """
    deploy_limit_seconds: float
    """Time limit for a deployment. The default is 300 seconds."""
    connect_timeout_seconds: float
    """Time limit for connecting. The default is 3 seconds."""
    answer_timeout_seconds: float
    """Time limit for an answer. It must be longer than a submission may wait for a place in the queue of a worker. The
    default is 40 seconds.
    """
    transfer_timeout_seconds: float
    """Time limit for the transfer of a result. The default is 900 seconds."""
    max_result_bytes: int
    """Largest size of a result from a worker, in bytes. The default is 268,435,456."""
    health_tries: int
    """How many times a worker is asked for its health after a deployment. The default is 12."""
    health_pause_seconds: float
    """Time between two of these requests. The default is 5 seconds."""
    poll_interval_seconds: float
    """Longest time between two requests for the status of a task at a worker. The first requests follow each other
    faster. The default is 1 second.
    """
    recheck_interval_seconds: float
    """Time between two automatic checks of a failed account. 0 means that there are none. The default is 60 seconds."""


class Settings(TypedDict, total=False):
    """The settings of a platform. Settings that are not given have their defaults."""

    models_dir: str | PathLike[str] | None
    """Folder that contains one folder of weights for each model. The default is `models` in the data folder."""
    catalog: str | PathLike[str] | None
    """Catalog file to use instead of the built-in catalog."""
    device: DeviceChoice
    """Whether inference runs on the CPU or on a GPU. The default is `auto`."""
    threads: int
    """Number of threads for inference on the CPU. 0 means one for each core. The default is 0."""
    lanes: Sequence[str]
    """Models that get their own lane, so that no task of another model evicts their pipeline."""
    paused: bool
    """Whether tasks are kept without running. They run when the folder is opened again without this setting."""
    control_socket: bool
    """Whether the program `must` can reach this platform while it is open, over a socket in the data folder
    (`run/control.sock`) that only the folder's owner can open. The default is true.
    """
    queue_depth: int
    """Number of places in the shared queue. The default is 25."""
    queue_wait_seconds: float
    """How long a submission waits for a place in a full queue before it fails with `queue_overloaded`. The default is
    30 seconds.
    """
    image_limit_seconds: float
    """Time limit for generating a picture. The default is 300 seconds."""
    video_limit_seconds: float
    """Time limit for generating a clip. The default is 900 seconds."""
    image_stale_seconds: float
    """Time after which a picture that is still processing fails with `task_stale`. The default is 600 seconds."""
    video_stale_seconds: float
    """Time after which a clip that is still processing fails with `task_stale`. The default is 1,800 seconds."""
    idle_evict_seconds: float
    """How long an unused pipeline stays loaded. The default is 300 seconds."""
    log_level: LogLevel | Literal["error", "warn", "info", "debug", "trace"]
    """Least important level of log records that the host's log function receives. The default is `info`."""
    master_key: str | None
    """Master keys as the text of a key file. If given, `master_key_file` is not used."""
    master_key_file: str | PathLike[str] | None
    """File of the master keys. The default is `keys/master.key` in the data folder. It is made when it is first needed.
    Keep a copy of it, and preferably do not keep it in the same place as the data.
    """
    audit_key_file: str | PathLike[str] | None
    """File of the keys that sign the audit log. The default is `keys/audit.key` in the data folder."""
    audit_anchor_file: str | PathLike[str] | None
    """File to which checkpoints of the audit log are appended. The default is `audit.anchors` in the data folder. It
    protects best if people who can change the data folder cannot change this file.
    """
    admin_key: str | None
    """The key that opens admin sessions, at least 16 characters."""
    frontend_origins: Sequence[str]
    """Origins of pages that may call from another site, exactly as browsers and web views send them:
    `https://studio.example:8443`, `tauri://localhost`.
    """
    trusted_proxies: Sequence[str]
    """Addresses and networks of proxies whose `X-Forwarded-For` is trusted: `10.0.0.7`, `fd00::/8`."""
    sessions_per_minute: int
    """How many generation sessions one address may start in 60 seconds, 1 to 10,000. Raise it if many people share an
    address. The default is 10.
    """
    sign_in_required: bool
    """Whether people must sign in. Starting a generation session then requires an API key, each task has an owner, and
    over HTTP each caller sees only its own tasks. Administrators and the host see all tasks.
    """
    environment: Environment
    """The environment that this platform runs in. Provider tokens for another environment are refused. The default is
    `dev`.
    """
    api_key: str | None
    """An API key that the operator chooses, at least 16 characters. It is valid as long as it is set."""
    http: HttpSettings
    """Settings of the HTTP service: bodies, connections, cookies."""
    workers: WorkerSettings
    """Settings of workers that tasks may be sent to: how they are reached and deployed."""
