"""Secrets that the platform keeps sealed.

Made from the table in core/src/platform/calls by `cargo xtask regen`; do not edit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Self, TypeAlias

from must._calls import Awaited, Blocking, Request, call, each, given, maybe, nothing
from must._facts import Caller

SecretState: TypeAlias = Literal["valid", "overlapping", "expired", "revoked"]
"""The state of a secret.

- `valid`: In use.
- `overlapping`: Replaced, but still accepted until its overlap ends.
- `expired`: Past its rotation limit, or replaced and past its overlap.
- `revoked`: Revoked.
"""


@dataclass(frozen=True, slots=True)
class SecretStatus:
    """Facts about a secret, without its value."""

    name: str
    """Name to rotate or revoke it by."""
    kind: str
    """`master_key`, `pepper`, `provider_token`, `stored`, `api_key`, `admin_key` or `audit_key`."""
    id: str
    """Tells secrets of the same name apart."""
    state: SecretState
    """The state of the secret."""
    issued_at: datetime
    """When it was made. For a key that is kept elsewhere, when it was first seen."""
    rotate_by: datetime
    """When it must be replaced at the latest."""
    overlap_until: datetime | None
    """Until when it is accepted after it was replaced."""
    revoked_at: datetime | None
    """When it was revoked."""

    @classmethod
    def from_native(cls, raw: Mapping[str, Any]) -> Self:
        """Read the native form. Members that this version does not know are left out."""
        return cls(
            name=raw["name"],
            kind=raw["kind"],
            id=raw["id"],
            state=raw["state"],
            issued_at=datetime.fromisoformat(raw["issued_at"]),
            rotate_by=datetime.fromisoformat(raw["rotate_by"]),
            overlap_until=maybe(datetime.fromisoformat)(raw["overlap_until"]),
            revoked_at=maybe(datetime.fromisoformat)(raw["revoked_at"]),
        )


class SecretsCalls:
    """Secrets, encrypted at rest."""

    __slots__ = ()

    @call
    def status(self) -> Request[list[SecretStatus]]:
        """How every secret stands, with API keys (`key:ID`), the admin key and the audit key among them."""
        return Request("secrets.status", each(SecretStatus.from_native))

    @call
    def put(self, name: str, value: str, *, caller: Caller | None = None) -> Request[None]:
        """Keeps a secret under a name, sealed; one that has the name already is replaced at once.

        Args:
            name: What it is stored under.
            value: The secret.

        Raises:
            MustError: `validation_error` for a name that is not 1 to 64 of `a-z 0-9 _ -` or that holds an account's
                tokens, and for a value that is empty.
        """
        return Request("secrets.put", nothing, {"name": name, "value": value, "caller": given(caller)})

    @call
    def put_provider_token(
        self,
        name: str,
        value: str,
        *,
        scopes: Iterable[str],
        environment: str,
        caller: Caller | None = None,
    ) -> Request[None]:
        """Keeps a provider's token with what it may be used for and the environment that it is for.

        Args:
            name: What it is stored under.
            value: The token.
            scopes: What it may be used for: `inference`, `model:download`.
            environment: What it is for: `dev`, `stage` or `prod`, which must be the platform's own.

        Raises:
            MustError: `validation_error` for a wider scope or another environment than the platform's own.
        """
        return Request(
            "secrets.put_provider_token",
            nothing,
            {
                "name": name,
                "value": value,
                "scopes": list(scopes),
                "environment": environment,
                "caller": given(caller),
            },
        )

    @call
    def get(self, name: str) -> Request[str]:
        """The secret itself.

        Args:
            name: What it is stored under.

        Raises:
            MustError: `not_found`; `dependency_unavailable` when it was revoked, is past its rotation limit, does
                not open or, for a provider token, is not for this environment.
        """
        return Request("secrets.get", str, {"name": name})

    @call
    def rotate(
        self,
        name: str,
        value: str | None = None,
        *,
        overlap_seconds: float | None = None,
        caller: Caller | None = None,
    ) -> Request[None]:
        """Puts `value`, or for a secret of the platform's own a new one, in a secret's place.

        Args:
            name: What it is stored under.
            value: The new value, for a secret that comes from outside; `master_key`, `pepper` and `audit_key` are
                drawn at random.
            overlap_seconds: How long the old value stays good, where its kind has an overlap: 7 days at most. When
                left out, a day over HTTP, and otherwise not at all.

        Raises:
            MustError: `validation_error`, `not_found`.
        """
        return Request(
            "secrets.rotate",
            nothing,
            {
                "name": name,
                "value": value,
                "overlap_seconds": overlap_seconds,
                "caller": given(caller),
            },
        )

    @call
    def revoke(self, name: str, *, confirm: str | None = None, caller: Caller | None = None) -> Request[None]:
        """Ends a secret at once, every version of it. Revoking `pepper` ends every API key and session, and takes its
        name again as `confirm`; a new pepper is made in the same change, so that an administrator can sign in with
        the admin key.

        Args:
            name: What it is stored under.
            confirm: The secret's name again. Needed for `pepper`, which ends every API key and session with it, the
                caller's own too.

        Raises:
            MustError: `not_found`; `validation_error` for the master key, which is rotated.
        """
        return Request("secrets.revoke", nothing, {"name": name, "confirm": confirm, "caller": given(caller)})


class Secrets(SecretsCalls, Blocking):
    """Secrets, encrypted at rest, of a `Platform`."""

    __slots__ = ()


class AsyncSecrets(SecretsCalls, Awaited):
    """Secrets, encrypted at rest, of an `AsyncPlatform`."""

    __slots__ = ()
