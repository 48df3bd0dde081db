"""The platform for threads: every call blocks, lets other threads run meanwhile, and gives way to Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Self, Unpack, cast

from must import _native
from must._access import Admin, Auth
from must._accounts import Accounts
from must._audit import Audit
from must._backup import Backup, backup
from must._facts import Caller
from must._host import Host
from must._http import Response, Server, encoded
from must._media import Media
from must._must import NativeHttpService
from must._secrets import Secrets
from must._types import Load, LogFunction, Model, Page, Parameter, Query, Settings, TaskState


class Platform:
    """A running platform in one data folder.

    Opening it brings back what a crash interrupted and starts the lanes. Any thread of this process may use it; a child
    made by `fork` gets `InvalidStateError` from every call and cannot open a platform of its own. Left open, a platform
    is closed when it is collected or the interpreter ends.

    >>> with must.Platform("data", threads=2, queue_depth=100) as platform:
    ...     task = platform.submit("tiny-video", "a red circle moving left", seed=7, steps=4)
    ...     state = task.wait()
    ...     path = task.save("clip.mp4")
    >>> print(state.status, path.name)
    done clip.mp4
    """

    def __init__(
        self,
        data_dir: str | PathLike[str],
        *,
        log: LogFunction | None = None,
        host: Host | None = None,
        **settings: Unpack[Settings],
    ) -> None:
        """Open the data folder; it is made when absent. `host` is what the host lends.

        Relative paths are seen from the working folder as it is now, and stay where they are when that changes.

        `log` is a function that hears what the platform logs, records at least as important as the setting `log_level`.
        It is called with a `LogRecord` on a thread of its own, one record at a time, and may call the platform; what it
        raises goes to `threading.excepthook`. Nothing waits for it: when it falls more than a thousand records behind,
        records are dropped, and one says how many. Closing gives it a second to take what is left.

        >>> records = []
        >>> with must.Platform("data", log=records.append, log_level="debug"):
        ...     pass
        >>> any(record.message == "the data folder is open" for record in records)
        True

        Raises:
            DataDirLockedError: Another process or platform has the folder open.
            DependencyUnavailableError: The folder cannot be written, or the GPU asked for cannot be used.
            StorageFullError: The disk is full.
            StorageCorruptError: The database is damaged.
            ValidationError: A setting or the catalog makes no sense.
            InvalidStateError: This process was forked from one that had a platform open.
        """
        self._opened = _native.Opened(data_dir, settings, log, host)
        self._native = self._opened.native
        _native.close_at_exit(self, self._opened)

    @property
    def auth(self) -> Auth:
        """API keys and generation sessions.

        >>> issued = platform.auth.issue_key("studio", caller=must.Caller("operator", "cli"))
        >>> facts = must.RequestFacts.from_headers("generation", [("X-API-Key", issued.secret)])
        >>> principal = platform.auth.authorize(facts)
        >>> principal.kind, principal.name
        ('api_key', 'studio')
        >>> platform.auth.revoke_key(issued.key.id, caller=principal.caller)
        0
        >>> try:
        ...     platform.auth.authorize(facts)
        ... except must.InvalidApiKeyError as error:
        ...     print(error.http_status, error.detail)
        403 the API key was revoked
        """
        return Auth(self)

    @property
    def admin(self) -> Admin:
        """Admin sessions.

        >>> login = must.RequestFacts.from_headers("admin_login", [("X-Admin-Key", "a key of 16 letters or more")])
        >>> session = platform.admin.open_session(login)
        >>> facts = must.RequestFacts.from_headers("admin", [("Cookie", f"{session.cookie}={session.token}")])
        >>> platform.auth.authorize(facts).kind
        'admin_session'
        """
        return Admin(self)

    @property
    def secrets(self) -> Secrets:
        """Secrets in the vault.

        >>> platform.secrets.put("clip-provider", "a token")
        >>> platform.secrets.rotate("clip-provider", "the next token")
        >>> platform.secrets.get("clip-provider")
        'the next token'
        >>> platform.secrets.revoke("clip-provider")
        """
        return Secrets(self)

    @property
    def accounts(self) -> Accounts:
        """Accounts of workers that tasks may be sent to.

        >>> address = "https://team-a.example.com"
        >>> account = platform.accounts.add("team-a", token_id="ak-1", token_secret="as-1", address=address)
        >>> print(account.status)
        pending
        >>> platform.accounts.remove("team-a")
        """
        return Accounts(self)

    @property
    def audit(self) -> Audit:
        """The audit log.

        >>> event = platform.audit.append(
        ...     actor="nightly-job", source="host", action="cleanup", target="gallery", outcome="success"
        ... )
        >>> [found.actor for found in platform.audit.list(action="cleanup")]
        ['nightly-job']
        >>> platform.audit.verify().ok
        True
        """
        return Audit(self)

    def __enter__(self) -> Self:
        """The platform itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the platform."""
        self.close()

    def close(self, deadline_seconds: float = _native.CLOSE_TIMEOUT) -> None:
        """Stop taking work, ask what runs to stop, wait at most `deadline_seconds` for it, and close the data folder.

        Tasks that have not finished go on when the folder is opened again. Closing again does nothing.
        """
        self._opened.close(deadline_seconds)

    def load(self) -> Load:
        """How the lanes and their pipelines stand.

        >>> platform.load().waiting
        0
        """
        return Load.from_native(self._native.load())

    def metrics(self) -> str:
        """What the platform counts and measures, in the text format of Prometheus.

        >>> "# TYPE must_audit_events gauge" in platform.metrics()
        True
        """
        return self._native.metrics()

    def backup(self, folder: str | PathLike[str], *, caller: Caller | None = None) -> Backup:
        """Copy the data folder into a new or empty folder while the platform works, and check the copy.

        To restore, open the folder as a data folder, with the key files, which are not in it. The folder appears under
        its name when all of it is there; when this fails, there is nothing. Use this and not a second SQLite.

        >>> copy = platform.backup("copy")
        >>> copy.audit_ok, copy.tasks
        (True, 0)

        Raises:
            ValidationError: The folder holds something, or is inside the data folder.
            StorageFullError: There is no room for it.
            StorageCorruptError: The database is damaged.
            DependencyUnavailableError: The folder cannot be written.
        """
        return backup(folder, caller=caller).run(self._native)

    def serve(self, address: str = "127.0.0.1:8000") -> Server:
        """Serve the HTTP API at an address, on threads of the library; port 0 takes a free one.

        >>> with platform.serve("127.0.0.1:0") as server:
        ...     server.url.startswith("http://127.0.0.1:")
        True

        Raises:
            ValidationError: The address is none.
            DependencyUnavailableError: It is taken.
        """
        return Server(self._http_service.serve(address))

    def handle(
        self,
        method: str,
        target: str,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        *,
        peer: str | None = None,
    ) -> Response:
        """Answer one HTTP request without a socket; `must.asgi.App` does it for ASGI servers.

        `target` is the path with the query as it was sent; throttling counts by `peer`, the address at the other end.

        >>> response = platform.handle("GET", "/health", peer="192.0.2.7")
        >>> response.status
        200
        """
        return Response(self._http_service.handle(method, target, encoded(headers), body, peer, None))

    @property
    def _http_service(self) -> NativeHttpService:
        return self._opened.http_service

    def models(self) -> list[Model]:
        """The models of the catalog, each with the rules of its parameters and whether it can run here.

        >>> tiny = next(model for model in platform.models() if model["id"] == "tiny-image")
        >>> tiny["available"], tiny["modes"], tiny["parameters_schema"]["steps"]["maximum"]
        (True, ['txt2img', 'img2img'], 50.0)
        """
        return cast("list[Model]", self._native.models())

    def submit(
        self,
        model: str,
        prompt: str | None = None,
        *,
        mode: str | None = None,
        owner: str | None = None,
        image_paths: bool = True,
        **parameters: Parameter,
    ) -> Task:
        """Check the request, make a durable task, and return at once with its handle.

        `model` is an id or an alias, `mode` one of the model's modes (its default when left out), `parameters` are the
        model's own: see `parameters_schema` in `models()`. A full queue is waited for, up to the setting
        `queue_wait_seconds`.
        `owner` says whose task it is to be: the `owner` that `auth.authorize` answers with, or a name of your own where
        nobody asks over HTTP.

        Images may be bytes, a path, a file open in binary mode, a data URI, a Pillow image, or an array of pixels
        (`uint8`, height by width, or by 3 or 4). Text that is not a data URI is the path of a file: set `image_paths`
        to false where parameters come from somebody else, who could name any file of this machine.

        >>> first = platform.submit("tiny-image", "a red circle", seed=7, steps=4)
        >>> sketch = first.wait() and first.result()
        >>> second = platform.submit("tiny-image", "a red circle", mode="img2img", reference_image=sketch, steps=4)
        >>> print(second.wait().status)
        done
        >>> try:
        ...     platform.submit("tiny-image", "a red circle", steps=1000)
        ... except must.ValidationError as error:
        ...     print(error.code)
        validation_error

        Raises:
            ValidationError: The catalog does not allow the request; the detail names the parameter.
            PayloadTooLargeError: An image is too large.
            ModelUnavailableError: The model's weights are not on this machine.
            QueueOverloadedError: The queue stayed full.
            StorageFullError: The disk is full.
        """
        raw = _native.submit(self._native, model, prompt, mode, owner, image_paths, parameters)
        return Task(self, TaskState.from_native(raw))

    def task(self, id: str) -> Task:
        """The handle of a task that was submitted before, by this process or an earlier one.

        >>> task = platform.submit("tiny-image", "a red circle", steps=4)
        >>> platform.task(task.id).state.prompt
        'a red circle'

        Raises:
            TaskNotFoundError: There is no such task.
        """
        return Task(self, TaskState.from_native(self._native.status(id)))

    def tasks(self, **query: Unpack[Query]) -> Page:
        """One page of the tasks of every status, newest first unless asked otherwise.

        >>> failed = platform.tasks(status="failed", per_page=50)
        >>> len(failed), failed.total, failed.has_more
        (0, 0, False)
        """
        return Page.from_native(self._native.tasks(dict(query)))

    def gallery(self, **query: Unpack[Query]) -> Page:
        """One page of the finished tasks that have a result, newest first unless asked otherwise.

        >>> [state.prompt for state in platform.gallery(type="video")]
        []
        """
        return Page.from_native(self._native.gallery(dict(query)))

    def delete(self, id: str) -> None:
        """Remove an ended task and its files.

        >>> task = platform.submit("tiny-image", "a red circle", steps=4)
        >>> state = task.wait()
        >>> platform.delete(task.id)

        Raises:
            TaskNotFoundError: There is no such task.
            InvalidStateError: It has not ended: cancel it first.
        """
        self._native.delete(id)


class Task:
    """A handle on one task. Iterating it follows its changes until it has ended.

    >>> task = platform.submit("tiny-image", "a red circle", steps=4)
    >>> for state in task:
    ...     last = f"{state.progress}% {state.status}"
    >>> print(last)
    100% done
    """

    __slots__ = ("_platform", "_state")

    def __init__(self, platform: Platform, state: TaskState) -> None:
        """Made by `Platform.submit` and `Platform.task`."""
        self._platform = platform
        self._state = state

    def __repr__(self) -> str:
        """Id and last known status."""
        return f"<must.Task {self.id} {self._state.status}>"

    @property
    def id(self) -> str:
        """Stable id."""
        return self._state.id

    @property
    def state(self) -> TaskState:
        """The state that this handle saw last; `status()` asks anew."""
        return self._state

    def status(self) -> TaskState:
        """The task as it stands."""
        return self._see(self._platform._native.status(self.id))

    def __iter__(self) -> Iterator[TaskState]:
        """The present state, then every change, last the state that the task ended in. A failure is not raised.

        Changes that come quickly one after another are one.

        Raises:
            InvalidStateError: The platform was closed before the task ended.
        """
        events = self._platform._native.events(self.id)
        while (raw := events.next(None)) is not None:
            yield self._see(raw)

    def wait(self, timeout_seconds: float | None = None, *, raise_on_failure: bool = True) -> TaskState:
        """Wait until the task has ended, at most `timeout_seconds`, and return the state it ended in.

        Stopping to wait, by the timeout or by Ctrl-C, leaves the generation running.

        >>> task = platform.submit("tiny-video", "a red circle moving left", steps=50)
        >>> cancelled = task.cancel()
        >>> try:
        ...     task.wait(timeout_seconds=60)
        ... except must.CancelledError as error:
        ...     print(error.code)
        cancelled

        Raises:
            TimeoutError: The task has not ended in time.
            MustError: The task's own error when it failed, unless `raise_on_failure` is false.
            InvalidStateError: The platform was closed before the task ended.
        """
        end = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        events = self._platform._native.events(self.id)
        while (raw := events.next(None if end is None else end - time.monotonic())) is not None:
            self._see(raw)
        return self._state.raise_for_failure() if raise_on_failure else self._state

    def cancel(self) -> bool:
        """Ask the task to end: true when it was waiting or running, false when it had ended already.

        A running one stops within one step and ends failed, with the code `cancelled`. Any thread may cancel.
        """
        return self._platform._native.cancel(self.id)

    def result(self) -> Media:
        """The result's bytes: an image or a video file, with `image()` for Pillow and `frames()` for numpy.

        Raises:
            ResultNotReadyError: The task has not ended.
            ResultGoneError: The task failed, or its files are gone.
        """
        return Media(*self._platform._native.result(self.id))

    def preview(self) -> Media:
        """The preview's bytes: a JPEG of at most 512 by 512 pixels. Raises as `result` does."""
        return Media(*self._platform._native.preview(self.id))

    def save(self, path: str | PathLike[str]) -> Path:
        """Write the result to `path`, or under a name of its own into the folder `path`, and return where it is.

        >>> task = platform.submit("tiny-image", "a red circle", seed=7, steps=4)
        >>> state = task.wait()
        >>> task.save(".").name.startswith("tiny-image-7-a-red-circle-")
        True
        """
        return _native.save(self._platform._native.result(self.id), path)

    def _see(self, raw: dict[str, object]) -> TaskState:
        self._state = TaskState.from_native(raw)
        return self._state
