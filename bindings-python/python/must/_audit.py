"""The audit log: who did what. Each event is signed and linked to all earlier ones.

Made from the table in core/src/platform/calls by `cargo xtask regen`; do not edit.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

from must._calls import Awaited, Blocking, Request, absolute, call, given, maybe, moment
from must._facts import Caller

Outcome: TypeAlias = Literal["success", "failure", "denied"]
"""The outcome of the action that an event records.

- `success`: The action was done.
- `failure`: The action was tried and failed.
- `denied`: The action was refused.
"""


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One event of the log. Its JSON form, compact and in this order, is the leaf whose hash the tree holds. Events
    that were written in version 1 are shown in this form, too, but their hash is over their own form.
    """

    v: int
    """Version of the form that is hashed."""
    seq: int
    """Number of the event, from 0, without gaps."""
    timestamp: str
    """The time of the event, in UTC."""
    actor: str
    """Who did it."""
    source: str
    """Where the action came from."""
    action: str
    """The action."""
    target: str
    """What the action was applied to."""
    outcome: Outcome
    """The outcome."""
    correlation_id: str
    """An id that links the event to a request."""
    details: Mapping[str, str]
    """More details by name."""
    prev: str
    """Leaf hash of the event before, in hexadecimal; zeros for the first."""
    signed: int | None
    """How many events the newest checkpoint covered when this event was written, so that a missing checkpoint is
    detected. `None` in version 1.
    """

    @property
    def time(self) -> datetime:
        """The time of the event, in UTC."""
        return datetime.fromisoformat(self.timestamp)

    @classmethod
    def from_native(cls, raw: Mapping[str, Any]) -> Self:
        """Read the native form. Members that this version does not know are ignored."""
        return cls(
            v=raw["v"],
            seq=raw["seq"],
            timestamp=raw["timestamp"],
            actor=raw["actor"],
            source=raw["source"],
            action=raw["action"],
            target=raw["target"],
            outcome=raw["outcome"],
            correlation_id=raw["correlation_id"],
            details=raw["details"],
            prev=raw["prev"],
            signed=raw["signed"],
        )


@dataclass(frozen=True, slots=True)
class AuditPage:
    """A page of events, newest first."""

    logs: tuple[AuditEvent, ...]
    """The events."""
    next: int | None
    """The value of `before` for the next page. Null on the last page."""

    def __iter__(self) -> Iterator[AuditEvent]:
        """The events."""
        return iter(self.logs)

    def __len__(self) -> int:
        """The number of events on this page."""
        return len(self.logs)

    @classmethod
    def from_native(cls, raw: Mapping[str, Any]) -> Self:
        """Read the native form. Members that this version does not know are ignored."""
        return cls(
            logs=tuple(AuditEvent.from_native(item) for item in raw["logs"]),
            next=raw["next"],
        )


Damage: TypeAlias = Literal[
    "missing",
    "altered",
    "broken_chain",
    "time_reversed",
    "tree",
    "checkpoint",
    "truncated",
    "rewritten",
    "storage",
]
"""A kind of damage to the log.

- `missing`: An event is missing.
- `altered`: An event does not match its hash.
- `broken_chain`: An event does not follow the one before it.
- `time_reversed`: An event is older than the one before it.
- `tree`: The stored tree does not match the events.
- `checkpoint`: A checkpoint is missing or was changed, does not match these events, or was not signed with a key of
  this log.
- `truncated`: Events at the end are missing.
- `rewritten`: The log is not the one that was anchored.
- `storage`: The database's own check fails, so lists of events may be incomplete.
"""


@dataclass(frozen=True, slots=True)
class Fault:
    """The first fault in a log."""

    seq: int
    """Number of the damaged event. If only a range is known, this is its first event. For a damaged checkpoint it is
    usually the last event that the checkpoint covers.
    """
    damage: Damage
    """The kind of damage."""
    detail: str
    """A description of the fault."""

    @classmethod
    def from_native(cls, raw: Mapping[str, Any]) -> Self:
        """Read the native form. Members that this version does not know are ignored."""
        return cls(
            seq=raw["seq"],
            damage=raw["damage"],
            detail=raw["detail"],
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of verifying the whole log."""

    ok: bool
    """Whether the whole log is as it was written."""
    origin: str
    """Name of the log."""
    min_index: int
    """Number of the first event that is still kept."""
    size: int
    """How many events were ever written."""
    root: str
    """Root hash of the tree over all events, in hexadecimal."""
    checkpoints: int
    """How many stored checkpoints were checked: all of them, unless a fault was found first."""
    anchors: int
    """How many checkpoints of the anchor file were compared."""
    fault: Fault | None
    """The first fault; null when there is none."""

    @classmethod
    def from_native(cls, raw: Mapping[str, Any]) -> Self:
        """Read the native form. Members that this version does not know are ignored."""
        return cls(
            ok=raw["ok"],
            origin=raw["origin"],
            min_index=raw["min_index"],
            size=raw["size"],
            root=raw["root"],
            checkpoints=raw["checkpoints"],
            anchors=raw["anchors"],
            fault=maybe(Fault.from_native)(raw["fault"]),
        )


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """A proof that an event is in the log (RFC 6962, 2.1.1)."""

    index: int
    """Number of the event."""
    leaf: str
    """The event's canonical bytes, as text."""
    proof: tuple[str, ...]
    """Hashes from the leaf to the root, in base64."""
    checkpoint: str
    """The signed checkpoint with the root that the proof leads to."""
    text: str
    """The same proof as the text of a `.tlog-proof` file."""

    @classmethod
    def from_native(cls, raw: Mapping[str, Any]) -> Self:
        """Read the native form. Members that this version does not know are ignored."""
        return cls(
            index=raw["index"],
            leaf=raw["leaf"],
            proof=tuple(raw["proof"]),
            checkpoint=raw["checkpoint"],
            text=raw["text"],
        )


@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """Proves that the log only grew (RFC 6962, 2.1.2)."""

    old_size: int
    """How many events the old log had."""
    old_root: str
    """Root hash of the old log, in hexadecimal."""
    proof: tuple[str, ...]
    """Hashes from the old root to the new one, in base64."""
    checkpoint: str
    """The signed checkpoint whose root the proof gives."""

    @classmethod
    def from_native(cls, raw: Mapping[str, Any]) -> Self:
        """Read the native form. Members that this version does not know are ignored."""
        return cls(
            old_size=raw["old_size"],
            old_root=raw["old_root"],
            proof=tuple(raw["proof"]),
            checkpoint=raw["checkpoint"],
        )


@dataclass(frozen=True, slots=True)
class Exported:
    """A copy of the log that can be verified without the platform."""

    folder: Path
    """The folder of the copy."""
    size: int
    """How many events were ever written."""
    min_index: int
    """Number of the first event in the copy."""
    files: int
    """How many files it has."""
    verifier: str
    """The key that verifies its signatures."""

    @classmethod
    def from_native(cls, raw: Mapping[str, Any]) -> Self:
        """Read the native form. Members that this version does not know are ignored."""
        return cls(
            folder=Path(raw["folder"]),
            size=raw["size"],
            min_index=raw["min_index"],
            files=raw["files"],
            verifier=raw["verifier"],
        )


@dataclass(frozen=True, slots=True)
class Pruned:
    """The result of pruning."""

    removed: int
    """How many events were removed."""
    min_index: int
    """Number of the first event that is still kept."""

    @classmethod
    def from_native(cls, raw: Mapping[str, Any]) -> Self:
        """Read the native form. Members that this version does not know are ignored."""
        return cls(
            removed=raw["removed"],
            min_index=raw["min_index"],
        )


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
        """Writes an event of the host, and returns it when it is durable, signed and anchored. It must contain no
        secret.

        Args:
            actor: Who did it.
            source: Where the action came from: an address, `cli`, `host`.
            action: The action.
            target: What the action was applied to.
            outcome: The outcome of the action.
            correlation_id: An id that links the event to a request. The default is a new id.
            details: More information by name.

        Raises:
            MustError: `validation_error` if a required part of the event is missing.
        """
        return Request(
            "audit.append",
            AuditEvent.from_native,
            {
                "actor": actor,
                "source": source,
                "action": action,
                "target": target,
                "outcome": outcome,
                "correlation_id": correlation_id,
                "details": None if details is None else dict(details),
            },
        )

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
        """Lists a page of events, newest first. This call is itself logged.

        Args:
            before: Only events with a smaller number. Give `next` of the previous page.
            limit: The largest number of events to return, at most 1,000. The default is 100.
            actor: Only events of this actor.
            action: Only events with this action.
            outcome: Only events with this outcome.
            since: Only events at or after this time, in the form of `timestamp` or in milliseconds since 1970.
            until: Only events before this time.

        Raises:
            MustError: `validation_error` if the limit is more than 1,000.
        """
        return Request(
            "audit.list",
            AuditPage.from_native,
            {
                "before": before,
                "limit": limit,
                "actor": actor,
                "action": action,
                "outcome": outcome,
                "since": moment(since),
                "until": moment(until),
                "caller": given(caller),
            },
        )

    @call
    def verify(self) -> Request[Verdict]:
        """Reads the whole log and compares it with its hashes, signatures and anchors. The answer says whether the log
        is damaged; damage is not an error of the call.
        """
        return Request("audit.verify", Verdict.from_native)

    @call
    def prove_inclusion(self, index: int) -> Request[InclusionProof]:
        """Proves that an event is in the log.

        Args:
            index: Number of the event.

        Raises:
            MustError: `not_found` if the event does not exist or was pruned.
        """
        return Request("audit.prove_inclusion", InclusionProof.from_native, {"index": index})

    @call
    def prove_consistency(self, old_size: int) -> Request[ConsistencyProof]:
        """Proves that the log has only grown since it had `old_size` events.

        Args:
            old_size: The number of events that the log had.

        Raises:
            MustError: `validation_error` if the log has fewer events; `not_found` if they were pruned.
        """
        return Request("audit.prove_consistency", ConsistencyProof.from_native, {"old_size": old_size})

    @call
    def export(self, folder: str | os.PathLike[str], *, caller: Caller | None = None) -> Request[Exported]:
        """Writes a copy of the log into a new or empty folder, as static files that other tools can verify.

        Args:
            folder: A folder that does not exist yet or is empty.

        Raises:
            MustError: `validation_error` if the folder is not empty; `dependency_unavailable` if it cannot be
                written.
        """
        return Request("audit.export", Exported.from_native, {"folder": absolute(folder), "caller": given(caller)})

    @call
    def prune(self, age_seconds: float, *, caller: Caller | None = None) -> Request[Pruned]:
        """Removes old events in whole bundles of 256. The remaining events can still be verified.

        Args:
            age_seconds: The age from which events are removed: 90 days or more.

        Raises:
            MustError: `validation_error` if the age is less than 90 days; `dependency_unavailable` if the log is
                damaged.
        """
        return Request("audit.prune", Pruned.from_native, {"age_seconds": age_seconds, "caller": given(caller)})

    @call
    def checkpoint(self) -> Request[str | None]:
        """Returns the newest signed checkpoint, or null if the log is empty."""
        return Request("audit.checkpoint", maybe(str))

    @call
    def verifier(self) -> Request[str]:
        """Returns the key that verifies the signatures of the log."""
        return Request("audit.verifier", str)

    @call
    def rotate_key(self, *, overlap_seconds: float | None = None, caller: Caller | None = None) -> Request[AuditEvent]:
        """Changes the key that signs the log, and returns the event about it.

        Args:
            overlap_seconds: How long the old key also signs. The default is 24 hours.

        Raises:
            MustError: `validation_error` if the host keeps the keys and has not added a newer one, or if the
                overlap is more than 7 days.
        """
        return Request(
            "audit.rotate_key",
            AuditEvent.from_native,
            {
                "overlap_seconds": overlap_seconds,
                "caller": given(caller),
            },
        )

    @call
    def recover(self, reason: str, *, caller: Caller | None = None) -> Request[AuditEvent]:
        """Accepts a log that differs from its anchors, so that writing can continue, and returns the event with the
        reason. The log itself is not changed.

        Args:
            reason: The reason, which is written into the log.

        Raises:
            MustError: `invalid_state` if the log agrees with its anchors.
        """
        return Request("audit.recover", AuditEvent.from_native, {"reason": reason, "caller": given(caller)})


class Audit(AuditCalls, Blocking):
    """The audit log, of a `Platform`."""

    __slots__ = ()


class AsyncAudit(AuditCalls, Awaited):
    """The audit log, of an `AsyncPlatform`."""

    __slots__ = ()
