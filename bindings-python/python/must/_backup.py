"""A copy of the data folder that is made while the platform is running.

Made from the table in core/src/platform/calls by `cargo xtask regen`; do not edit.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from must._calls import Request, absolute, given
from must._facts import Caller


@dataclass(frozen=True, slots=True)
class Backup:
    """A finished backup: where it is and what it contains."""

    folder: Path
    """The folder of the backup. It opens as a data folder."""
    database_bytes: int
    """Size of the database in bytes."""
    tasks: int
    """Number of tasks, of every status."""
    files: int
    """Number of result and preview files."""
    file_bytes: int
    """Total size of these files in bytes."""
    missing_files: int
    """Number of files that finished tasks refer to but that the platform no longer has."""
    audit_events: int
    """Number of events in the audit log."""
    audit_ok: bool
    """Whether the audit log in the backup is complete and unchanged."""
    key_files: tuple[Path, ...]
    """Key files that the backup needs but does not contain. Empty if no key is kept in a file."""

    @classmethod
    def from_native(cls, raw: Mapping[str, Any]) -> Self:
        """Read the native form. Members that this version does not know are ignored."""
        return cls(
            folder=Path(raw["folder"]),
            database_bytes=raw["database_bytes"],
            tasks=raw["tasks"],
            files=raw["files"],
            file_bytes=raw["file_bytes"],
            missing_files=raw["missing_files"],
            audit_events=raw["audit_events"],
            audit_ok=raw["audit_ok"],
            key_files=tuple(Path(item) for item in raw["key_files"]),
        )


def backup(folder: str | os.PathLike[str], *, caller: Caller | None = None) -> Request[Backup]:
    """Copies the data folder into a new or empty folder while the platform is running, and checks the copy. To restore,
    open the copy as a data folder. The key files are not in the copy and are needed too.

    Args:
        folder: A folder outside the data folder that does not exist yet or is empty.

    Raises:
        MustError: `validation_error` if the folder is not empty or is inside the data folder; `storage_full`;
            `storage_corrupt` if the database is damaged; `dependency_unavailable` if the folder cannot be written.
    """
    return Request("backup", Backup.from_native, {"folder": absolute(folder), "caller": given(caller)})
