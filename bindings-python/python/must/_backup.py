"""A copy of the data folder that is made while the platform works."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from must._calls import Request, absolute, reader
from must._facts import Caller, given


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds."""

    folder: Path
    """Where it is: a folder that opens as a data folder."""
    database_bytes: int
    """Bytes of the database."""
    tasks: int
    """Tasks of every status."""
    files: int
    """Files of results and previews."""
    file_bytes: int
    """Bytes of these."""
    missing_files: int
    """Files that finished tasks name and that the platform itself no longer has."""
    audit_events: int
    """Events of the audit log."""
    audit_ok: bool
    """Whether the audit log in it is whole."""
    key_files: tuple[Path, ...]
    """Key files that are needed to use it and are not in it."""

    @classmethod
    def from_native(cls, raw: dict[str, Any]) -> Self:
        """Read the native form."""
        paths = {"folder": Path(raw["folder"]), "key_files": [Path(path) for path in raw["key_files"]]}
        return reader(cls)(raw | paths)


def backup(folder: str | os.PathLike[str], caller: Caller | None) -> Request[Backup]:
    """Copy the data folder into a new or empty folder."""
    return Request("backup", Backup.from_native, {"folder": absolute(folder), "caller": given(caller)})
