"""What the threaded and the asyncio platform share: opening, closing at exit, asking the native part."""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from must._exceptions import MustError
from must._must import NativePlatform
from must._types import Parameter, Settings

CLOSE_TIMEOUT = 10.0
"""Seconds that closing waits for what runs, unless told otherwise."""

EXIT_TIMEOUT = 5.0
"""The same for a platform that was left open until the interpreter ends."""


def open_native(data_dir: str | os.PathLike[str], settings: Settings) -> NativePlatform:
    """Open the data folder. Settings that are `None` count as not given."""
    plain = {name: os.fspath(value) if isinstance(value, os.PathLike) else value for name, value in settings.items()}
    return NativePlatform(os.fspath(data_dir), plain)


def close_at_exit(owner: object, native: NativePlatform) -> None:
    """Close `native` when `owner` is collected or the interpreter ends, whichever is first."""
    weakref.finalize(owner, _close_quietly, native)


def _close_quietly(native: NativePlatform) -> None:
    # Closed already, or a forked child: in both cases there is nothing to close.
    with contextlib.suppress(MustError):
        native.close(EXIT_TIMEOUT)


def submit(
    native: NativePlatform,
    model: str,
    prompt: str | None,
    mode: str | None,
    parameters: Mapping[str, Parameter],
) -> dict[str, Any]:
    """Submit a generation."""
    return native.submit(model, mode, {**parameters, "prompt": prompt})


def save(media: tuple[bytes, str, str], path: str | os.PathLike[str]) -> Path:
    """Write a result to a file, or under its own name into a folder."""
    data, _, file_name = media
    target = Path(path)
    if target.is_dir():
        target /= file_name
    target.write_bytes(data)
    return target
