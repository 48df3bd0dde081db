"""The load of a platform.

Made from types in core/src by `cargo xtask regen`; do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class LaneStatus:
    """The pipelines that a lane has loaded, and counts of their use since the platform was opened."""

    model: str | None
    """The model that the lane belongs to. Null for the shared lane."""
    loaded: tuple[str, ...]
    """Ids of the models whose weights are loaded. The most recently used one is the last."""
    memory_bytes: int
    """Memory that the loaded pipelines use, in bytes."""
    hits: int
    """Number of tasks that found their pipeline loaded."""
    misses: int
    """Number of tasks that did not find their pipeline loaded."""
    loads: int
    """Number of times that a pipeline was loaded."""
    evictions: int
    """Number of times that a pipeline was unloaded, because of memory, idleness or an error."""

    @classmethod
    def from_native(cls, raw: Mapping[str, Any]) -> Self:
        """Read the native form. Members that this version does not know are ignored."""
        return cls(
            model=raw["model"],
            loaded=tuple(raw["loaded"]),
            memory_bytes=raw["memory_bytes"],
            hits=raw["hits"],
            misses=raw["misses"],
            loads=raw["loads"],
            evictions=raw["evictions"],
        )


@dataclass(frozen=True, slots=True)
class Load:
    """The load of the lanes."""

    lanes: tuple[LaneStatus, ...]
    """Every lane. The shared lane is the last."""
    waiting: int
    """Number of tasks that wait for a lane."""

    @classmethod
    def from_native(cls, raw: Mapping[str, Any]) -> Self:
        """Read the native form. Members that this version does not know are ignored."""
        return cls(
            lanes=tuple(LaneStatus.from_native(item) for item in raw["lanes"]),
            waiting=raw["waiting"],
        )
