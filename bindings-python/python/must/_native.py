"""Shared by the threaded and the asyncio platform: opening, closing at exit, calls of the native part."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import threading
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from must._errors import ValidationError
from must._exceptions import MustError
from must._host import Host
from must._log import LogRecord
from must._must import Logs, NativeHttpService, NativePlatform, NativeSubmission
from must._settings import Settings
from must._submit_options import SubmitOptions
from must._types import LogFunction, Parameter

CLOSE_TIMEOUT = 10.0
"""Seconds that closing waits for running tasks by default."""

EXIT_TIMEOUT = 5.0
"""Seconds that closing waits for running tasks when the program did not close the platform itself."""


LOG_TIMEOUT = 1.0
"""Seconds that closing waits for a log function to process the remaining records."""


class LogThread:
    """Calls a log function with the records of one platform, one at a time, until the platform is closed."""

    def __init__(self, log: LogFunction) -> None:
        """Start the thread."""
        if not callable(log):
            raise ValidationError("log must be a function", "Pass a function of one argument, or leave it out.")
        self.logs = Logs()
        self._thread = threading.Thread(target=_call_log, args=(self.logs, log), name="must-log", daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait up to `LOG_TIMEOUT` for the thread to end. Does nothing when called on that thread."""
        if self._thread is not threading.current_thread():
            self._thread.join(LOG_TIMEOUT)


def _call_log(logs: Logs, log: LogFunction) -> None:
    while (raw := logs.next()) is not None:
        try:
            log(LogRecord.from_native(raw))
        except Exception:
            # Report the exception like one of any thread, and continue with the next record.
            threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread())))


class Opened:
    """An open platform of the native part, and its log thread if it has one."""

    def __init__(
        self, data_dir: str | os.PathLike[str], settings: Settings, log: LogFunction | None, host: Host | None
    ) -> None:
        """Open the data folder. Settings that are `None` count as not given."""
        host = Host() if host is None else host
        if not isinstance(host, Host):
            raise ValidationError("host must be a Host", "Pass a must.Host, or leave it out.")
        plain = {
            name: os.fspath(value) if isinstance(value, os.PathLike) else value for name, value in settings.items()
        }
        self._log = None if log is None else LogThread(log)
        try:
            self.native = NativePlatform(
                os.fspath(data_dir),
                plain,
                None if self._log is None else self._log.logs,
                host.master_keys,
                host.audit_keys,
                host.anchor,
                None if host.clock is None else host.clock._native,
            )
        except BaseException:
            if self._log is not None:
                self._log.logs.end()
                self._log.join()
            raise

    @functools.cached_property
    def http_service(self) -> NativeHttpService:
        """The HTTP service of the platform."""
        return self.native.http_service()

    def close(self, timeout: float) -> None:
        """Close the platform, then wait for its log function to process the remaining records."""
        self.native.close(timeout)
        if self._log is not None:
            self._log.join()


def close_at_exit(owner: object, opened: Opened) -> None:
    """Close the platform when `owner` is garbage-collected or the interpreter exits."""
    weakref.finalize(owner, _close_quietly, opened)


def _close_quietly(opened: Opened) -> None:
    # An error means that it is closed already or that this is a forked child: nothing has to be closed then.
    with contextlib.suppress(MustError):
        opened.close(EXIT_TIMEOUT)


def submit(
    native: NativePlatform,
    model: str,
    prompt: str | None,
    mode: str | None,
    options: SubmitOptions,
    image_paths: bool,
    parameters: Mapping[str, Parameter],
) -> dict[str, Any]:
    """Submit a generation."""
    return native.submit(model, mode, dict(options), {**parameters, "prompt": prompt}, image_paths)


def submit_async(
    native: NativePlatform,
    model: str,
    prompt: str | None,
    mode: str | None,
    options: SubmitOptions,
    image_paths: bool,
    parameters: Mapping[str, Parameter],
) -> NativeSubmission:
    """Start a submission that can be awaited without a Python thread."""
    return native.submit_async(model, mode, dict(options), {**parameters, "prompt": prompt}, image_paths)


def save(media: tuple[bytes, str, str], path: str | os.PathLike[str]) -> Path:
    """Write a result to a file, or into a folder under its own name. Returns the file's path."""
    data, _, file_name = media
    target = Path(path)
    if target.is_dir():
        target /= file_name
    target.write_bytes(data)
    return target
