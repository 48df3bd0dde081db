"""The audit log: who did what, each event tied to all before it and signed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

from must._calls import Awaited, Blocking, Request, absolute, call, reader
from must._facts import Caller, given

Outcome: TypeAlias = Literal["success", "failure", "denied"]
"""How what an event tells of went."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One event of the log."""

    v: int
    """Version of the form that is hashed."""
    seq: int
    """Number of the event, from 0, without gaps."""
    timestamp: str
    """When: RFC 3339 in UTC; see `time`."""
    actor: str
    """Who."""
    source: str
    """From where."""
    action: str
    """What was done."""
    target: str
    """To what."""
    outcome: Outcome
    """How it went."""
    correlation_id: str
    """What ties it to a request."""
    details: Mapping[str, str]
    """More about it."""
    prev: str
    """Leaf hash of the event before, in hexadecimal; zeros for the first."""
    signed: int | None
    """How many events the newest checkpoint was over when this one was written; none in version 1 of the form."""

    @property
    def time(self) -> datetime:
        """When, in UTC."""
        return datetime.fromisoformat(self.timestamp)


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some events, newest first; iterating it gives the events."""

    logs: tuple[AuditEvent, ...]
    """The events."""
    next: int | None
    """What to give as `before` for the events after these; none at the end."""

    def __iter__(self) -> Iterator[AuditEvent]:
        """The events."""
        return iter(self.logs)

    def __len__(self) -> int:
        """How many events there are on this page."""
        return len(self.logs)

    @classmethod
    def from_native(cls, raw: dict[str, Any]) -> Self:
        """Read the native form."""
        return cls(tuple(reader(AuditEvent)(event) for event in raw["logs"]), raw["next"])


@dataclass(frozen=True, slots=True)
class Fault:
    """The first thing that is wrong with the log."""

    seq: int
    """Number of the event at fault."""
    damage: str
    """What kind of damage it is."""
    detail: str
    """What was found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What verifying the whole log found."""

    ok: bool
    """Whether all of it is as it was written."""
    origin: str
    """Name of the log."""
    min_index: int
    """Number of the first event that is still kept."""
    size: int
    """How many events were ever written."""
    root: str
    """Root hash of the tree over them."""
    checkpoints: int
    """How many stored checkpoints were checked: every one."""
    anchors: int
    """How many checkpoints of the anchor file were compared."""
    fault: Fault | None
    """What is wrong, where something is."""

    @classmethod
    def from_native(cls, raw: dict[str, Any]) -> Self:
        """Read the native form."""
        fault = raw["fault"]
        return reader(cls)(raw | {"fault": reader(Fault)(fault) if fault else None})


@dataclass(frozen=True, slots=True, kw_only=True)
class InclusionProof:
    """That an event is in the log."""

    index: int
    """Number of the event."""
    leaf: str
    """Its leaf hash."""
    proof: tuple[str, ...]
    """Hashes from the leaf to the root."""
    checkpoint: str
    """Signed checkpoint that the proof ends in."""
    text: str
    """The same as the text of a `.tlog-proof` file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsistencyProof:
    """That the log only grew."""

    old_size: int
    """Size that it had."""
    old_root: str
    """Root hash that it had."""
    proof: tuple[str, ...]
    """Hashes from the old root to the new one."""
    checkpoint: str
    """Signed checkpoint that the proof ends in."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A copy of the log that can be verified without the platform."""

    folder: Path
    """Where it is."""
    size: int
    """How many events were ever written."""
    min_index: int
    """Number of the first event in it."""
    files: int
    """How many files it has."""
    verifier: str
    """Verifier key of the log."""

    @classmethod
    def from_native(cls, raw: dict[str, Any]) -> Self:
        """Read the native form."""
        return reader(cls)(raw | {"folder": Path(raw["folder"])})


@dataclass(frozen=True, slots=True)
class Pruned:
    """What pruning did."""

    removed: int
    """How many events are gone."""
    min_index: int
    """Number of the first event that is still kept."""


def _text_or_none(raw: str | None) -> str | None:
    return raw


def _moment(time: datetime | int | str | None) -> int | str | None:
    return round(time.timestamp() * 1000) if isinstance(time, datetime) else time


class AuditCalls:
    """The audit log."""

    __slots__ = ()

    @call
    def append(
        self,
        *,
        actor: str,
        source: str,
        action: str,
        target: str,
        outcome: Outcome,
        correlation_id: str | None = None,
        details: Mapping[str, str] | None = None,
    ) -> Request[AuditEvent]:
        """Write an event of the host's own. It must hold no secret."""
        arguments = {"actor": actor, "source": source, "action": action, "target": target, "outcome": outcome}
        more = {"correlation_id": correlation_id, "details": None if details is None else dict(details)}
        return Request("audit.append", reader(AuditEvent), arguments | more)

    @call
    def list(
        self,
        *,
        before: int | None = None,
        limit: int | None = None,
        actor: str | None = None,
        action: str | None = None,
        outcome: Outcome | None = None,
        since: datetime | int | str | None = None,
        until: datetime | int | str | None = None,
        caller: Caller | None = None,
    ) -> Request[AuditPage]:
        """Some events, newest first. Reading the log is itself logged.

        A moment may be given as events say it, too, and as milliseconds since 1970.
        """
        arguments = {"before": before, "limit": limit, "actor": actor, "action": action, "outcome": outcome}
        more = {"since": _moment(since), "until": _moment(until), "caller": given(caller)}
        return Request("audit.list", AuditPage.from_native, arguments | more)

    @call
    def verify(self) -> Request[Verdict]:
        """Read the whole log and compare it with its hashes, signatures and anchors."""
        return Request("audit.verify", Verdict.from_native)

    @call
    def prove_inclusion(self, index: int) -> Request[InclusionProof]:
        """Prove that an event is in the log."""
        return Request("audit.prove_inclusion", reader(InclusionProof), {"index": index})

    @call
    def prove_consistency(self, old_size: int) -> Request[ConsistencyProof]:
        """Prove that the log only grew since it had `old_size` events."""
        return Request("audit.prove_consistency", reader(ConsistencyProof), {"old_size": old_size})

    @call
    def export(self, folder: str | os.PathLike[str], *, caller: Caller | None = None) -> Request[Exported]:
        """Write a copy of the log into a new folder, as static files that other tools verify."""
        arguments = {"folder": absolute(folder), "caller": given(caller)}
        return Request("audit.export", Exported.from_native, arguments)

    @call
    def prune(self, age: float, *, caller: Caller | None = None) -> Request[Pruned]:
        """Remove events older than `age` seconds; what is left can still be verified."""
        return Request("audit.prune", reader(Pruned), {"age": age, "caller": given(caller)})

    @call
    def checkpoint(self) -> Request[str | None]:
        """The newest signed checkpoint; none when the log is empty."""
        return Request("audit.checkpoint", _text_or_none)

    @call
    def verifier(self) -> Request[str]:
        """The key that verifies the log's signatures."""
        return Request("audit.verifier", str)

    @call
    def rotate_key(self, *, overlap: float | None = None, caller: Caller | None = None) -> Request[AuditEvent]:
        """Sign with a new key from now on; the event that says so.

        The old key signs too for `overlap` seconds, 24 hours when left out.
        """
        return Request("audit.rotate_key", reader(AuditEvent), {"overlap": overlap, "caller": given(caller)})

    @call
    def recover(self, reason: str, *, caller: Caller | None = None) -> Request[AuditEvent]:
        """Go on with a damaged log, which stays as it is; the event that says why."""
        return Request("audit.recover", reader(AuditEvent), {"reason": reason, "caller": given(caller)})


class Audit(AuditCalls, Blocking):
    """The audit log of a `Platform`."""

    __slots__ = ()


class AsyncAudit(AuditCalls, Awaited):
    """The audit log of an `AsyncPlatform`."""

    __slots__ = ()
