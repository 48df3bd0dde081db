"""Secrets, which the platform stores encrypted.

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
    """When it must be replaced at the latest. After that it is `expired`, except a pepper, which stays in use."""
    overlap_until: datetime | None
    """Until when it is accepted after it was replaced."""
    revoked_at: datetime | None
    """When it was revoked."""

    @classmethod
    def from_native(cls, raw: Mapping[str, Any]) -> Self:
        """Read the native form. Members that this version does not know are ignored."""
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
    """Secrets, which are encrypted at rest."""

    __slots__ = ()

    @call
    def status(self) -> Request[list[SecretStatus]]:
        """Returns the state of every secret, including API keys (`key:ID`), the admin key and the audit key."""
        return Request("secrets.status", each(SecretStatus.from_native))

    @call
    def put(self, name: str, value: str, *, caller: Caller | None = None) -> Request[None]:
        """Stores a secret under a name, encrypted. An existing secret of this name is replaced immediately.

        Args:
            name: Name of the secret.
            value: The secret.

        Raises:
            MustError: `validation_error` if the name is not 1 to 64 of the characters `a-z 0-9 _ -`, if it is
                `master_key`, `pepper`, `admin_key`, `api_key` or `audit_key`, if it is the name of an account's tokens,
                or if the value is empty.
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
        """Stores a provider's token together with its scopes and its environment.

        Args:
            name: Name of the secret.
            value: The token.
            scopes: What the token may be used for: `inference`, `model:download`.
            environment: The environment that the token is for: `dev`, `stage` or `prod`. It must be the platform's
                own.

        Raises:
            MustError: `validation_error` if a scope is not allowed or the environment is not the platform's own.
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
        """Returns the value of a secret.

        Args:
            name: Name of the secret.

        Raises:
            MustError: `not_found`; `dependency_unavailable` if the secret was revoked, is past its rotation limit
                or cannot be decrypted; `validation_error` if it is a provider token for another environment.
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
        """Replaces a secret with `value`, or, if it is one of the platform's own secrets, with a new random value.

        Args:
            name: Name of the secret.
            value: The new value of a secret that comes from outside. `master_key`, `pepper` and `audit_key` get
                random values.
            overlap_seconds: How long the old value stays valid, if this kind of secret has an overlap: 7 days at
                most. The default is one day over HTTP, and 0 otherwise.

        Raises:
            MustError: `not_found`; `validation_error` if the overlap is more than 7 days, if `value` is missing or
                must not be given, and for API keys, the keys of the settings and the tokens of accounts.
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
        """Revokes every version of a secret immediately. Revoking `pepper` also ends every API key and session, and
        requires the name again as `confirm`. A new pepper is made in the same change, so that an administrator can
        sign in with the admin key.

        Args:
            name: Name of the secret.
            confirm: The name of the secret again. Required for `pepper`, because revoking it ends every API key and
                session, including the caller's own.

        Raises:
            MustError: `not_found`; `validation_error` for the master key and the audit key, which can only be
                rotated, for `admin_key` and `api_key`, which are settings, and if `confirm` is another name or is
                missing for `pepper`.
        """
        return Request("secrets.revoke", nothing, {"name": name, "confirm": confirm, "caller": given(caller)})


class Secrets(SecretsCalls, Blocking):
    """Secrets, which are encrypted at rest, of a `Platform`."""

    __slots__ = ()


class AsyncSecrets(SecretsCalls, Awaited):
    """Secrets, which are encrypted at rest, of an `AsyncPlatform`."""

    __slots__ = ()
