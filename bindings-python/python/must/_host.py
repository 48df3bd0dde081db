"""What a host lends to a platform besides settings: keys of its own key store, a place for checkpoints, a clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from must._errors import ValidationError
from must._must import NativeClock

KeyFunction: TypeAlias = Callable[[], str]
"""Gives keys as the text of a key file: one key a line, `VERSION BASE64` with 32 bytes in base64.

The highest version seals and signs, the others open and verify. Whatever it raises means that there are no keys."""

AnchorFunction: TypeAlias = Callable[[str], object]
"""Keeps a checkpoint of the audit log, a signed note. Whatever it raises means that it was not kept."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ManualClock:
    """A clock that stands still until it is told to go on: for tests of what expires or is counted in a window.

    >>> clock = must.ManualClock()
    >>> with must.Platform("data", host=must.Host(clock=clock)) as platform:
    ...     issued = platform.auth.issue_key("studio", valid_for_seconds=60)
    ...     clock.advance(61)
    ...     print(platform.auth.keys()[0].status)
    expired
    """

    def __init__(self, now: datetime | None = None) -> None:
        """Show `now`, which has a time zone; the present when left out.

        Raises:
            ValidationError: It has no time zone, or is before 1970.
        """
        now = datetime.now(UTC) if now is None else now
        if now.tzinfo is None:
            raise ValidationError("the time of a clock needs a time zone", "Pass datetime.now(UTC), for example.")
        self._native = NativeClock((now - EPOCH) // timedelta(milliseconds=1))

    @property
    def now(self) -> datetime:
        """What it shows, in UTC."""
        return EPOCH + timedelta(milliseconds=self._native.now())

    def advance(self, seconds: float) -> None:
        """Go on by so many seconds, 0 or more."""
        if not seconds >= 0:
            raise ValidationError("a clock goes on by 0 or more seconds", "Pass a length of time.")
        self._native.advance(seconds)


@dataclass(frozen=True, slots=True)
class Host:
    """What a host lends.

    The functions are called on threads of the library, beside any event loop; they must not block for long. What they
    raise goes to `sys.unraisablehook`, and the platform says that the function failed, not why.

    >>> kept = []
    >>> with must.Platform("data", host=must.Host(anchor=kept.append)) as platform:
    ...     issued = platform.auth.issue_key("studio")
    >>> kept[-1].count("\\n\\n")
    1
    """

    master_keys: KeyFunction | None = None
    """Gives the master keys, which seal stored secrets, instead of a file or a setting. Called when the platform is
    opened and when the master key is rotated."""
    audit_keys: KeyFunction | None = None
    """Gives the keys that sign the audit log, likewise."""
    anchor: AnchorFunction | None = None
    """Takes each checkpoint of the audit log, besides the anchor file, to keep it where nobody who can write the data
    folder can reach it. Every write waits for it, so it must not call the platform; while it fails, what needs an audit
    event fails."""
    clock: ManualClock | None = None
    """What time it is for everything that expires, is counted in a window, or is written to the audit log."""

    def __post_init__(self) -> None:
        """Refuse what cannot be called."""
        for name in ("master_keys", "audit_keys", "anchor"):
            function = getattr(self, name)
            if function is not None and not callable(function):
                raise ValidationError(f"{name} must be a function", "Pass a function, or leave it out.")
        if self.clock is not None and not isinstance(self.clock, ManualClock):
            raise ValidationError("clock must be a ManualClock", "Pass a must.ManualClock, or leave it out.")
