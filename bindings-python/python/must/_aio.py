"""The platform for asyncio: no call blocks the loop, and waiting for a task takes no thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack, cast

from must import _native
from must._access import AsyncAdmin, AsyncAuth
from must._accounts import AsyncAccounts
from must._audit import AsyncAudit
from must._backup import Backup, backup
from must._errors import InvalidStateError
from must._facts import Caller
from must._host import Host
from must._http import AsyncResponse, Server, encoded
from must._images import awaited
from must._load import Load
from must._media import Media
from must._models import Model
from must._must import NativeHttpService, NativePlatform
from must._native import Opened
from must._secrets import AsyncSecrets
from must._settings import Settings
from must._submit_options import Idempotency, SubmitOptions
from must._tasks import TaskPage, TaskQuery, TaskState
from must._types import AsyncFile, LogFunction, Parameter
from must._wakeups import Waiters

T = TypeVar("T")

CALLERS = 4
"""Number of threads for calls. Most calls are short. The library checks submissions on its own threads."""


class AsyncPlatform:
    """A running platform in one data folder; see `Platform`.

    >>> import asyncio
    >>> async def main():
    ...     async with must.AsyncPlatform("data") as platform:
    ...         task = await platform.submit("tiny-image", "a red circle", seed=7, steps=4)
    ...         async for state in task:
    ...             last = f"{state.progress}% {state.status}"
    ...         path = await task.save("circle.png")
    ...         return last, path.name
    >>> asyncio.run(main())
    ('100% done', 'circle.png')

    Cancelling an asyncio task that waits does not stop the generation; `AsyncTask.cancel` does.
    """

    def __init__(
        self,
        data_dir: str | PathLike[str],
        *,
        log: LogFunction | None = None,
        host: Host | None = None,
        **settings: Unpack[Settings],
    ) -> None:
        """Store the settings for `open`, which `async with` calls. See `Platform`.

        `log` is called on a thread of its own; the functions of `host` are called on threads of the library.
        """
        self._data_dir = data_dir
        self._settings = settings
        self._log = log
        self._host = host
        self._opened: _native.Opened | None = None
        self._callers = ThreadPoolExecutor(CALLERS, thread_name_prefix="must-call")

    @property
    def auth(self) -> AsyncAuth:
        """API keys and generation sessions."""
        return AsyncAuth(self)

    @property
    def admin(self) -> AsyncAdmin:
        """Admin sessions."""
        return AsyncAdmin(self)

    @property
    def secrets(self) -> AsyncSecrets:
        """Secrets in the vault."""
        return AsyncSecrets(self)

    @property
    def accounts(self) -> AsyncAccounts:
        """Accounts of workers that tasks may be sent to."""
        return AsyncAccounts(self)

    @property
    def audit(self) -> AsyncAudit:
        """The audit log."""
        return AsyncAudit(self)

    async def open(self) -> Self:
        """Open the data folder. Opening again does nothing. Raises as `Platform` does."""
        if self._opened is None:
            loop = asyncio.get_running_loop()
            opened = await loop.run_in_executor(
                self._callers, _native.Opened, self._data_dir, self._settings, self._log, self._host
            )
            _native.close_at_exit(self, opened)
            self._opened = opened
        return self

    async def __aenter__(self) -> Self:
        """Open the platform."""
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the platform."""
        await self.close()

    async def close(self, deadline_seconds: float = _native.CLOSE_TIMEOUT) -> None:
        """Ask running tasks to stop, wait for them up to `deadline_seconds`, and close the data folder.

        The platform accepts no more work from the start of this call on. Unfinished tasks continue when the folder is
        opened again. Closing again does nothing.
        """
        if self._opened is not None:
            await self._call(self._opened.close, deadline_seconds)

    async def load(self) -> Load:
        """State of the lanes and their pipelines."""
        return Load.from_native(await self._call(self._native.load))

    async def metrics(self) -> str:
        """The platform's metrics, in the text format of Prometheus."""
        return await self._call(self._native.metrics)

    async def backup(self, folder: str | PathLike[str], *, caller: Caller | None = None) -> Backup:
        """Copy the data folder into a new or empty folder while the platform works; see `Platform.backup`."""
        return await self._call(backup(folder, caller=caller).run, self._native)

    async def serve(self, address: str = "127.0.0.1:8000") -> Server:
        """Serve the HTTP API at an address, on threads of the library; see `Platform.serve`."""
        return Server(await self._call(self._http_service.serve, address))

    async def handle(
        self,
        method: str,
        target: str,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        *,
        peer: str | None = None,
    ) -> AsyncResponse:
        """Answer one HTTP request without a socket; see `Platform.handle`. It takes no thread while it waits."""
        return await AsyncResponse.of(self._http_service.handle(method, target, encoded(headers), body, peer, None))

    async def models(self) -> list[Model]:
        """The models of the catalog, each with the rules of its parameters and whether it can run here."""
        return cast("list[Model]", await self._call(self._native.models))

    async def submit(
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
        **parameters: Parameter | AsyncFile,
    ) -> AsyncTask:
        """Check the request and store it as a task; see `Platform.submit`.

        An image may also be a file with an async `read`, such as FastAPI's `UploadFile`. When a submission is
        cancelled before it returns, its task is cancelled too.
        """
        options: SubmitOptions = {
            "owner": owner,
            "idempotency": idempotency,
            "trace_parent": trace_parent,
            "local_only": local_only,
            "remix_of": remix_of,
        }
        ready = await awaited("", parameters)
        submission = await self._call(
            _native.submit_async, self._native, model, prompt, mode, options, image_paths, ready
        )
        try:
            raw = await Waiters.of_running_loop().submitted(submission)
        finally:
            # When the caller gives up before it has the task's id, the task must not run: nobody could cancel it.
            submission.close()
        return AsyncTask(self, TaskState.from_native(raw))

    async def task(self, id: str) -> AsyncTask:
        """A handle of an existing task; see `Platform.task`."""
        return AsyncTask(self, TaskState.from_native(await self._call(self._native.status, id)))

    async def tasks(self, **query: Unpack[TaskQuery]) -> TaskPage:
        """One page of tasks of every status, newest first by default."""
        return TaskPage.from_native(await self._call(self._native.tasks, dict(query)))

    async def gallery(self, **query: Unpack[TaskQuery]) -> TaskPage:
        """One page of finished tasks with a result, newest first by default."""
        return TaskPage.from_native(await self._call(self._native.gallery, dict(query)))

    async def delete(self, id: str) -> None:
        """Remove an ended task and its files; see `Platform.delete`."""
        await self._call(self._native.delete, id)

    @property
    def _native(self) -> NativePlatform:
        return self._opened_or_raise.native

    @property
    def _http_service(self) -> NativeHttpService:
        return self._opened_or_raise.http_service

    @property
    def _opened_or_raise(self) -> Opened:
        if self._opened is None:
            raise InvalidStateError("the platform is not open", "Use `async with`, or await `open()` first.")
        return self._opened

    async def _call(self, call: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._callers, call, *arguments)


class AsyncTask:
    """A handle of one task. `async for` gives its changes until it has ended; `await` waits for its end."""

    __slots__ = ("_platform", "_state")

    def __init__(self, platform: AsyncPlatform, state: TaskState) -> None:
        """Made by `AsyncPlatform.submit` and `AsyncPlatform.task`."""
        self._platform = platform
        self._state = state

    def __repr__(self) -> str:
        """Id and last known status."""
        return f"<must.AsyncTask {self.id} {self._state.status}>"

    @property
    def id(self) -> str:
        """Stable id."""
        return self._state.id

    @property
    def state(self) -> TaskState:
        """The last state that this handle received; `status()` asks for the current one."""
        return self._state

    async def status(self) -> TaskState:
        """The current state of the task."""
        return self._update(await self._platform._call(self._platform._native.status, self.id))

    async def __aiter__(self) -> AsyncIterator[TaskState]:
        """The current state, then every change, last the final state; see `Task.__iter__`."""
        events = await self._platform._call(self._platform._native.events, self.id)
        waiters = Waiters.of_running_loop()
        while (raw := await waiters.next_change(events)) is not None:
            yield self._update(raw)

    def __await__(self) -> Generator[Any, None, TaskState]:
        """Same as `wait()`."""
        return self.wait().__await__()

    async def wait(self, timeout_seconds: float | None = None, *, raise_on_failure: bool = True) -> TaskState:
        """Wait until the task has ended, at most `timeout_seconds`; see `Task.wait`."""
        async with asyncio.timeout(timeout_seconds):
            async for _ in self:
                pass
        return self._state.raise_for_failure() if raise_on_failure else self._state

    async def cancel(self) -> bool:
        """Ask the task to end: true when it was waiting or running, false when it had ended already."""
        return await self._platform._call(self._platform._native.cancel, self.id)

    async def result(self) -> Media:
        """The result's bytes: an image or a video file; see `Task.result`."""
        return Media(*await self._platform._call(self._platform._native.result, self.id))

    async def preview(self) -> Media:
        """The preview's bytes: a JPEG of at most 512 by 512 pixels; raises as `Task.result` does."""
        return Media(*await self._platform._call(self._platform._native.preview, self.id))

    async def save(self, path: str | PathLike[str]) -> Path:
        """Write the result to a file, or into a folder under its own name, and return the file's path."""
        media = await self._platform._call(self._platform._native.result, self.id)
        return await self._platform._call(_native.save, media, path)

    def _update(self, raw: dict[str, object]) -> TaskState:
        self._state = TaskState.from_native(raw)
        return self._state
