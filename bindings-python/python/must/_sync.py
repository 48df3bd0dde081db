"""The platform for threads: every call blocks, lets other threads run meanwhile, and can be interrupted by Ctrl-C."""

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
from must._load import Load
from must._media import Media
from must._models import Model
from must._must import NativeHttpService
from must._secrets import Secrets
from must._settings import Settings
from must._submit_options import Idempotency, SubmitOptions
from must._tasks import TaskPage, TaskQuery, TaskState
from must._types import LogFunction, Parameter


class Platform:
    """A running platform in one data folder.

    Opening it recovers tasks that a crash interrupted and starts the lanes. Any thread of this process may use it; a
    child made by `fork` gets `InvalidStateError` from every call and cannot open a platform of its own. A platform that
    is left open is closed when it is garbage-collected or the interpreter exits.

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
        """Open the data folder, which is made when absent. `host` has functions and a clock of the host.

        Relative paths are resolved now, so they stay valid when the working folder changes.

        `log` is called with each `LogRecord` that is at least as important as the setting `log_level`, on a thread of
        its own, one record at a time, and may call the platform; its exceptions go to `threading.excepthook`. The
        platform does not wait for it: when it is more than a thousand records behind, records are dropped, and one
        record says how many. Closing waits up to a second for it to process the remaining records.

        >>> records = []
        >>> with must.Platform("data", log=records.append, log_level="debug"):
        ...     pass
        >>> any(record.message == "the data folder is open" for record in records)
        True

        Raises:
            DataDirLockedError: Another process or another platform has the folder open.
            DependencyUnavailableError: The folder cannot be written, or the requested GPU cannot be used.
            StorageFullError: The disk is full.
            StorageCorruptError: The database is damaged.
            ValidationError: A setting or the catalog is invalid.
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
        """Ask running tasks to stop, wait for them up to `deadline_seconds`, and close the data folder.

        The platform accepts no more work from the start of this call on. Unfinished tasks continue when the folder is
        opened again. Closing again does nothing.
        """
        self._opened.close(deadline_seconds)

    def load(self) -> Load:
        """State of the lanes and their pipelines.

        >>> platform.load().waiting
        0
        """
        return Load.from_native(self._native.load())

    def metrics(self) -> str:
        """The platform's metrics, in the text format of Prometheus.

        >>> "# TYPE must_audit_events gauge" in platform.metrics()
        True
        """
        return self._native.metrics()

    def backup(self, folder: str | PathLike[str], *, caller: Caller | None = None) -> Backup:
        """Copy the data folder into a new or empty folder while the platform works, and check the copy.

        To restore, open the folder as a data folder, with the key files, which are not in it. The folder appears under
        its name once it is complete, and not at all if the call fails. Use this, not a second SQLite library on the
        database.

        >>> copy = platform.backup("copy")
        >>> copy.audit_ok, copy.tasks
        (True, 0)

        Raises:
            ValidationError: The folder is not empty, or is inside the data folder.
            StorageFullError: There is not enough space for it.
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
            ValidationError: The address is invalid.
            DependencyUnavailableError: The address is in use.
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

        `target` is the path with the query as it was sent; `peer` is the client's address, by which throttling counts.
        Every refusal of the request itself is an answer and raises nothing.

        >>> response = platform.handle("GET", "/health", peer="192.0.2.7")
        >>> response.status
        200

        Raises:
            ValidationError: The request is not valid HTTP, such as a method with a space.
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
        idempotency: Idempotency | None = None,
        trace_parent: str | None = None,
        local_only: bool = False,
        remix_of: str | None = None,
        image_paths: bool = True,
        **parameters: Parameter,
    ) -> Task:
        """Check the request, store it as a task, and return a handle without waiting for the result.

        `model` is an id or an alias, `mode` one of the model's modes (its default when left out), `parameters` are the
        model's own: see `parameters_schema` in `models()`. When the queue is full, this waits up to the setting
        `queue_wait_seconds`.

        `owner` is the owner of the task: the `owner` that `auth.authorize` returns, or any name when tasks are not
        served over HTTP. `idempotency` makes the submission safe to repeat: for a day, the same key of the same owner
        returns the same task. `trace_parent` is the header `traceparent` of the trace that the submission belongs to,
        `local_only` keeps the task on this platform even if workers are ready, and `remix_of` is the id of the task
        whose clip this one remixes.

        Images may be bytes, a path, a file open in binary mode, a data URI, a Pillow image, or an array of pixels
        (`uint8`, height by width, or height by width by 3 or 4). A string that is not a data URI is the path of a file:
        set `image_paths` to false when parameters come from other people, who could name any file of this machine.

        >>> first = platform.submit("tiny-image", "a red circle", seed=7, steps=4)
        >>> sketch = first.wait() and first.result()
        >>> second = platform.submit("tiny-image", "a red circle", mode="img2img", reference_image=sketch, steps=4)
        >>> print(second.wait().status)
        done
        >>> once = {"owner": "shop", "key": "order-1234"}
        >>> bought = platform.submit("tiny-image", "a blue circle", owner="anna", idempotency=once)
        >>> platform.submit("tiny-image", "a blue circle", owner="anna", idempotency=once).id == bought.id
        True
        >>> try:
        ...     platform.submit("tiny-image", "a red circle", steps=1000)
        ... except must.ValidationError as error:
        ...     print(error.code)
        validation_error

        Raises:
            ValidationError: The catalog does not allow a parameter, which the detail names.
            PayloadTooLargeError: An image is too large.
            ModelUnavailableError: The model's weights are not on this machine.
            QueueOverloadedError: The queue was still full after the wait.
            NoWorkersError: No worker took the task, and it cannot run on this machine.
            StorageFullError: The disk is full.
        """
        options: SubmitOptions = {
            "owner": owner,
            "idempotency": idempotency,
            "trace_parent": trace_parent,
            "local_only": local_only,
            "remix_of": remix_of,
        }
        raw = _native.submit(self._native, model, prompt, mode, options, image_paths, parameters)
        return Task(self, TaskState.from_native(raw))

    def task(self, id: str) -> Task:
        """A handle of an existing task, also of one from an earlier process.

        >>> task = platform.submit("tiny-image", "a red circle", steps=4)
        >>> platform.task(task.id).state.prompt
        'a red circle'

        Raises:
            TaskNotFoundError: No task has this id.
        """
        return Task(self, TaskState.from_native(self._native.status(id)))

    def tasks(self, **query: Unpack[TaskQuery]) -> TaskPage:
        """One page of tasks of every status, newest first by default.

        >>> failed = platform.tasks(status="failed", per_page=50)
        >>> len(failed), failed.total, failed.has_more
        (0, 0, False)
        """
        return TaskPage.from_native(self._native.tasks(dict(query)))

    def gallery(self, **query: Unpack[TaskQuery]) -> TaskPage:
        """One page of finished tasks with a result, newest first by default.

        >>> [state.prompt for state in platform.gallery(type="video")]
        []
        """
        return TaskPage.from_native(self._native.gallery(dict(query)))

    def delete(self, id: str) -> None:
        """Remove an ended task and its files.

        >>> task = platform.submit("tiny-image", "a red circle", steps=4)
        >>> state = task.wait()
        >>> platform.delete(task.id)

        Raises:
            TaskNotFoundError: No task has this id.
            InvalidStateError: The task has not ended: cancel it first.
        """
        self._native.delete(id)


class Task:
    """A handle of one task. Iterating it gives its changes until it has ended.

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
        """The last state that this handle received; `status()` asks for the current one."""
        return self._state

    def status(self) -> TaskState:
        """The current state of the task."""
        return self._update(self._platform._native.status(self.id))

    def __iter__(self) -> Iterator[TaskState]:
        """The current state, then every change, last the final state. A failed task does not raise.

        Changes in quick succession are merged into one.

        Raises:
            InvalidStateError: The platform was closed before the task ended.
        """
        events = self._platform._native.events(self.id)
        while (raw := events.next(None)) is not None:
            yield self._update(raw)

    def wait(self, timeout_seconds: float | None = None, *, raise_on_failure: bool = True) -> TaskState:
        """Wait until the task has ended, at most `timeout_seconds`, and return its final state.

        When the wait ends early, by the timeout or by Ctrl-C, the generation continues.

        >>> task = platform.submit("tiny-video", "a red circle moving left", steps=50)
        >>> cancelled = task.cancel()
        >>> try:
        ...     task.wait(timeout_seconds=60)
        ... except must.CancelledError as error:
        ...     print(error.code)
        cancelled

        Raises:
            TimeoutError: The task did not end in time.
            MustError: The task's own error when it failed, unless `raise_on_failure` is false.
            InvalidStateError: The platform was closed before the task ended.
        """
        end = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        events = self._platform._native.events(self.id)
        while (raw := events.next(None if end is None else end - time.monotonic())) is not None:
            self._update(raw)
        return self._state.raise_for_failure() if raise_on_failure else self._state

    def cancel(self) -> bool:
        """Ask the task to end: true when it was waiting or running, false when it had ended already.

        A running task stops within one step and fails with the code `cancelled`. Any thread may cancel.
        """
        return self._platform._native.cancel(self.id)

    def result(self) -> Media:
        """The result's bytes: an image or a video file, with `image()` for Pillow and `frames()` for numpy.

        Raises:
            ResultNotReadyError: The task has not ended.
            ResultGoneError: The task failed, or its files no longer exist.
        """
        return Media(*self._platform._native.result(self.id))

    def preview(self) -> Media:
        """The preview's bytes: a JPEG of at most 512 by 512 pixels. Raises as `result` does."""
        return Media(*self._platform._native.preview(self.id))

    def save(self, path: str | PathLike[str]) -> Path:
        """Write the result to the file `path`, or into the folder `path` under its own name. Returns the file's path.

        >>> task = platform.submit("tiny-image", "a red circle", seed=7, steps=4)
        >>> state = task.wait()
        >>> task.save(".").name.startswith("tiny-image-7-a-red-circle-")
        True
        """
        return _native.save(self._platform._native.result(self.id), path)

    def _update(self, raw: dict[str, object]) -> TaskState:
        self._state = TaskState.from_native(raw)
        return self._state
