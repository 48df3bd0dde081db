"""Secrets in the vault."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from must._calls import Awaited, Blocking, Request, call, nothing, reader
from must._facts import Caller, given


@dataclass(frozen=True, slots=True)
class SecretStatus:
    """How one version of a secret stands. Holds nothing of the secret."""

    name: str
    """What it is stored under."""
    kind: str
    """What kind of secret it is."""
    id: str
    """Id of the version."""
    state: str
    """Where it stands: `valid`, `overlapping`, `expired` or `revoked`."""
    issued_at: datetime
    """When it was stored, in UTC."""
    rotate_by: datetime
    """When it is due to be rotated."""
    overlap_until: datetime | None
    """Until when it is good beside the version after it."""
    revoked_at: datetime | None
    """When it was revoked."""


def _statuses(raw: list[Any]) -> list[SecretStatus]:
    return [reader(SecretStatus)(status) for status in raw]


class SecretsCalls:
    """Secrets in the vault."""

    __slots__ = ()

    @call
    def status(self) -> Request[list[SecretStatus]]:
        """How every secret stands."""
        return Request("secrets.status", _statuses)

    @call
    def put(self, name: str, value: str, *, caller: Caller | None = None) -> Request[None]:
        """Store a secret."""
        return Request("secrets.put", nothing, {"name": name, "value": value, "caller": given(caller)})

    @call
    def put_provider_token(
        self, name: str, value: str, *, scopes: Iterable[str], environment: str, caller: Caller | None = None
    ) -> Request[None]:
        """Store a provider's token with its scopes and the environment it is for, which must be the platform's own."""
        arguments = {"name": name, "value": value, "scopes": list(scopes), "environment": environment}
        return Request("secrets.put_provider_token", nothing, arguments | {"caller": given(caller)})

    @call
    def get(self, name: str) -> Request[str]:
        """The secret itself."""
        return Request("secrets.get", str, {"name": name})

    @call
    def rotate(
        self, name: str, value: str | None = None, *, overlap: float | None = None, caller: Caller | None = None
    ) -> Request[None]:
        """Put `value`, or for a secret of the platform's own a new one, in a secret's place.

        The old one stays good for `overlap` seconds where its kind has an overlap.
        """
        arguments = {"name": name, "value": value, "overlap": overlap, "caller": given(caller)}
        return Request("secrets.rotate", nothing, arguments)

    @call
    def revoke(self, name: str, *, confirm: str | None = None, caller: Caller | None = None) -> Request[None]:
        """End a secret at once.

        Revoking `pepper` ends every API key and session, and takes its name again as `confirm`. A new pepper is made
        in the same change, so that whoever has the admin key can sign in.
        """
        return Request("secrets.revoke", nothing, {"name": name, "confirm": confirm, "caller": given(caller)})


class Secrets(SecretsCalls, Blocking):
    """Secrets in the vault of a `Platform`."""

    __slots__ = ()


class AsyncSecrets(SecretsCalls, Awaited):
    """Secrets in the vault of an `AsyncPlatform`."""

    __slots__ = ()
