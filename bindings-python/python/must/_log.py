"""The log records of a platform.

Made from types in core/src by `cargo xtask regen`; do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self


class LogLevel(StrEnum):
    """The importance of a log record."""

    ERROR = "error"
    """Something was lost, or will be unless a person acts."""
    WARN = "warn"
    """Something is wrong, but work continues."""
    INFO = "info"
    """Information for the person who runs the platform."""
    DEBUG = "debug"
    """What the platform does, such as loading and unloading pipelines."""
    TRACE = "trace"
    """Everything."""

    @property
    def number(self) -> int:
        """The matching level of `logging`. It is 5 for `trace`."""
        return {"error": 40, "warn": 30, "info": 20, "debug": 10, "trace": 5}[self.value]


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A log record. It contains no prompt, no picture and no secret. Control characters in its texts are escaped, so
    that printing them to a terminal is safe.
    """

    time: datetime
    """When it was logged."""
    level: LogLevel
    """How important it is."""
    target: str
    """The module that logged it, such as `must::task::runner`."""
    message: str
    """What happened, in one sentence."""
    fields: Mapping[str, Any]
    """What it is about: `task`, `code`, `model` and so on."""

    @classmethod
    def from_native(cls, raw: Mapping[str, Any]) -> Self:
        """Read the native form. Members that this version does not know are ignored."""
        return cls(
            time=datetime.fromisoformat(raw["time"]),
            level=LogLevel(raw["level"]),
            target=raw["target"],
            message=raw["message"],
            fields=raw["fields"],
        )
