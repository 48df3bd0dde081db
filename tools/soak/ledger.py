"""The record of a run: acknowledged tasks, calls, absences of servers, and faults.

Two things always hold. A task is recorded here as soon as its caller gets its id. A failed call is explained by a restart of
its server at that time, or it is a fault in the report.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

GRACE = 1.5
"""Seconds before and after an absence in which a failed call counts as explained, because nginx logs only whole seconds."""

MOST_FAULTS = 40
"""Number of faults of one kind that are reported in full; the others are only counted."""


@dataclass
class Absence:
    """The time from the end of a server, by a signal, until it listens again."""

    server: str
    how: str
    began: float
    ended: float | None = None


@dataclass
class Task:
    """A task from its caller's view."""

    server: str
    id: str
    caller: str
    acknowledged: float
    key: str | None = None
    model: str | None = None
    may_be_cancelled: bool = False
    deleted: bool = False
    sha256: str | None = None
    """Hash of its result when it was first fetched."""
    state: str | None = None


@dataclass
class Streams:
    """Counts of event streams by the way in which they ended."""

    opened: int = 0
    with_task: int = 0
    cut_by_restart: int = 0
    longest_after_end: float = 0.0


@dataclass
class Ledger:
    """The record, shared by all callers."""

    tasks: dict[tuple[str, str], Task] = field(default_factory=dict)
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    unmet: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Calls that failed during an absence of a server, by caller and error."""
    faults: dict[str, list[str]] = field(default_factory=dict)
    fault_counts: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    absences: list[Absence] = field(default_factory=list)
    results: dict[str, str] = field(default_factory=dict)
    """SHA-256 of the result of each request, because the same request gives the same bytes."""
    streams: dict[str, Streams] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def fault(self, kind: str, detail: object) -> None:
        """Record a fault."""
        with self._lock:
            self.fault_counts[kind] += 1
            told = self.faults.setdefault(kind, [])
            if len(told) < MOST_FAULTS:
                told.append(f"{time.strftime('%H:%M:%S')} {detail}"[:600])
                print(f"FAULT {kind}: {told[-1]}", flush=True)

    def note(self, kind: str, count: int = 1) -> None:
        """Count an event that is not a fault."""
        with self._lock:
            self.notes[kind] += count

    # Absences of servers

    def away(self, server: str, how: str) -> Absence:
        """Begin an absence, which lasts until `back`."""
        absence = Absence(server, how, time.time())
        with self._lock:
            self.absences.append(absence)
        return absence

    def back(self, absence: Absence) -> None:
        """End an absence, because the server listens again."""
        with self._lock:
            absence.ended = time.time()

    def explained(self, server: str, began: float, ended: float) -> bool:
        """Whether a server was absent at some time between these two."""
        with self._lock:
            return any(
                absence.server == server
                and absence.began - GRACE <= ended
                and (absence.ended is None or began <= absence.ended + GRACE)
                for absence in self.absences
            )

    # Calls and tasks

    def called(self, caller: str, what: str) -> None:
        """Count a successful call."""
        with self._lock:
            self.calls[(caller, what)] += 1

    def failed(self, caller: str, server: str, what: str, began: float, seen: str, ended: float | None = None) -> bool:
        """Record a failed call. Returns whether a restart explains it."""
        if self.explained(server, began, ended or time.time()):
            with self._lock:
                self.unmet[(caller, seen[:60])] += 1
            return True
        self.fault("a call failed while its server was there", f"{caller}, {server}, {what}: {seen}")
        return False

    def acknowledged(self, server: str, id: str, caller: str, **more: Any) -> Task:
        """Record a task when its caller gets its id."""
        with self._lock:
            return self.tasks.setdefault((server, id), Task(server, id, caller, time.time(), **more))

    def result(self, task: Task, asked: str | None, sha256: str) -> None:
        """Record a fetched result. The same task, and the same request, must always give the same bytes."""
        with self._lock:
            if task.sha256 not in (None, sha256):
                self.fault("a result changed", f"{task.server} {task.id}: {task.sha256} and then {sha256}")
            task.sha256 = sha256
            if asked is not None and self.results.setdefault(asked, sha256) != sha256:
                self.fault("the same request gave other bytes", f"{task.server} {task.id}: {asked}")

    def stream(self, caller: str) -> Streams:
        """The streams of a caller."""
        with self._lock:
            return self.streams.setdefault(caller, Streams())

    # Output of programs in other languages

    def told(self, caller: str, line: dict[str, Any]) -> None:
        """Record one line of output of a caller in another process. Times are seconds since 1970."""
        with self._lock, contextlib.suppress(KeyError):
            kind, server = line["kind"], line.get("server", "")
            if kind == "call":
                self.called(caller, line["what"])
            elif kind == "failed":
                self.failed(caller, server, line["what"], line["began"], line["seen"], line.get("ended"))
            elif kind == "task":
                self.acknowledged(server, line["id"], caller, key=line.get("key"), model=line.get("model"))
            elif kind == "ended":
                self.tasks[(server, line["id"])].state = line["state"]
            elif kind == "result":
                self.result(self.tasks[(server, line["id"])], line.get("asked"), line["sha256"])
            elif kind == "deleted":
                self.tasks[(server, line["id"])].deleted = True
            elif kind == "stream":
                self.stream_ended(caller, server, line["began"], line["how"])
            elif kind == "note":
                self.note(f"{caller}: {line['what']}", line.get("count", 1))
            elif kind == "locked":
                self.locked_by(line["detail"])
            elif kind == "fault":
                self.fault(line["what"], f"{caller}, {server}: {line['detail']}")
            return
        self.fault("a caller printed an unknown line", f"{caller}: {line}")

    def locked_by(self, detail: str) -> None:
        """Record that the folder was open at a start. A command may have had it open; a dead process is a fault."""
        number = "".join(character for character in detail.split(" has ")[0] if character.isdigit())
        program = Path(f"/proc/{number}/cmdline")
        name = program.read_bytes().split(b"\0")[0].decode() if number and program.exists() else ""
        if name.endswith("must") or not name:
            self.note("starts that met a command in the folder")
        else:
            self.fault("a start found the folder open", f"{detail}: {name}")

    def stream_ended(self, caller: str, server: str, began: float, how: str, after_end: float = 0.0) -> None:
        """Record the end of a stream: `task` if the task's end was its last event, else the cause."""
        with self._lock:
            streams = self.stream(caller)
            streams.opened += 1
            streams.longest_after_end = max(streams.longest_after_end, after_end)
            if how == "task":
                streams.with_task += 1
            elif self.explained(server, began, time.time()):
                streams.cut_by_restart += 1
            else:
                self.fault("an event stream was cut", f"{caller}, {server}: {how}")
