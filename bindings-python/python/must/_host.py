"""What a host provides to a platform besides settings: functions for keys and checkpoints, and a clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from must._errors import ValidationError
from must._must import NativeClock

KeyFunction: TypeAlias = Callable[[], str]
"""Gives keys as the text of a key file: one key a line, `VERSION BASE64` with 32 bytes in base64.

The highest version encrypts or signs, the others only decrypt or verify. Any exception means that it has no keys."""

AnchorFunction: TypeAlias = Callable[[str], object]
"""Stores a checkpoint of the audit log, a signed note. Any exception means that it was not stored."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ManualClock:
    """A clock whose time changes only by `advance`: for tests of expiry and time windows.

    >>> clock = must.ManualClock()
    >>> with must.Platform("data", host=must.Host(clock=clock)) as platform:
    ...     issued = platform.auth.issue_key("studio", valid_for_seconds=60)
    ...     clock.advance(61)
    ...     print(platform.auth.keys()[0].status)
    expired
    """

    def __init__(self, now: datetime | None = None) -> None:
        """Start at `now`, which needs a time zone; at the current time when left out.

        Raises:
            ValidationError: `now` has no time zone, or is before 1970.
        """
        now = datetime.now(UTC) if now is None else now
        if now.tzinfo is None:
            raise ValidationError("the time of a clock needs a time zone", "Pass datetime.now(UTC), for example.")
        self._native = NativeClock((now - EPOCH) // timedelta(milliseconds=1))

    @property
    def now(self) -> datetime:
        """The clock's time, in UTC."""
        return EPOCH + timedelta(milliseconds=self._native.now())

    def advance(self, seconds: float) -> None:
        """Advance the time by 0 or more seconds."""
        if not seconds >= 0:
            raise ValidationError("a clock can only be advanced by 0 or more seconds", "Pass a number of seconds.")
        self._native.advance(seconds)


@dataclass(frozen=True, slots=True)
class Host:
    """What a host provides to a platform.

    The functions are called on threads of the library, outside any event loop; they must not block for long. Their
    exceptions go to `sys.unraisablehook`; the platform's error says only that the function failed.

    >>> kept = []
    >>> with must.Platform("data", host=must.Host(anchor=kept.append)) as platform:
    ...     issued = platform.auth.issue_key("studio")
    >>> kept[-1].count("\\n\\n")
    1
    """

    master_keys: KeyFunction | None = None
    """Gives the master keys, which seal stored secrets, in place of a file or a setting. Called when the platform is
    opened and when the master key is rotated."""
    audit_keys: KeyFunction | None = None
    """Gives the keys that sign the audit log, in place of a file."""
    anchor: AnchorFunction | None = None
    """Receives each checkpoint of the audit log, in addition to the anchor file, to store it where nobody with access
    to the data folder can change it. Every write waits for it, so it must not call the platform; while it fails, calls
    that need an audit event fail."""
    clock: ManualClock | None = None
    """The clock for everything that expires, is counted in a time window, or is written to the audit log."""

    def __post_init__(self) -> None:
        """Check that the functions are callable."""
        for name in ("master_keys", "audit_keys", "anchor"):
            function = getattr(self, name)
            if function is not None and not callable(function):
                raise ValidationError(f"{name} must be a function", "Pass a function, or leave it out.")
        if self.clock is not None and not isinstance(self.clock, ManualClock):
            raise ValidationError("clock must be a ManualClock", "Pass a must.ManualClock, or leave it out.")
