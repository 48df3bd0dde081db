"""What a request says about itself, and who it is from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, Self, TypeAlias
from urllib.parse import parse_qsl

Route: TypeAlias = Literal["generation", "auth", "admin_login", "admin"]
"""What kind of call a request asks for."""

ADMIN_QUERY_NAMES = frozenset({"admin_key", "admin-key", "admin_api_key", "x-admin-key"})
"""Names under which a query must not hold an admin key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFacts:
    """Everything about a request that access is judged by. Its `repr` shows no credential."""

    route: Route
    """What kind of call it is."""
    header_keys: tuple[str, ...] = field(default=(), repr=False)
    """The value of every `X-API-Key` header."""
    query_keys: tuple[str, ...] = field(default=(), repr=False)
    """The value of every `api_key` in the query."""
    cookies: tuple[str, ...] = field(default=(), repr=False)
    """Every `Cookie` header, as it came."""
    admin_header_keys: tuple[str, ...] = field(default=(), repr=False)
    """The value of every `X-Admin-Key` header."""
    query_admin_key_present: bool = False
    """Whether the query holds an admin key, which is refused."""
    origin: str | None = None
    """The `Origin` header."""
    peer: str | None = None
    """The address at the other end of the socket."""
    forwarded_for: tuple[str, ...] = ()
    """Every `X-Forwarded-For` header, in order."""
    correlation_id: str | None = None
    """What ties audit events to the request; made when left out."""

    @classmethod
    def from_headers(
        cls,
        route: Route,
        headers: Iterable[tuple[str, str]],
        query: str = "",
        peer: str | None = None,
    ) -> Self:
        """Read the header lines of a request, the raw text of its query, and the address it came from.

        A header or query name that comes more than once must be given more than once: two different keys are refused.
        """
        lines = [(name.lower(), value) for name, value in headers]
        pairs = parse_qsl(query.lstrip("?"), keep_blank_values=True)

        def every(name: str) -> tuple[str, ...]:
            return tuple(value for found, value in lines if found == name)

        origins = every("origin")
        return cls(
            route=route,
            header_keys=every("x-api-key"),
            query_keys=tuple(value for name, value in pairs if name == "api_key"),
            cookies=every("cookie"),
            admin_header_keys=every("x-admin-key"),
            query_admin_key_present=any(name.lower() in ADMIN_QUERY_NAMES for name, _ in pairs),
            # Browsers send one; two are no origin that is allowed.
            origin=", ".join(origins) if origins else None,
            peer=peer,
            forwarded_for=every("x-forwarded-for"),
            correlation_id=next(iter(every("x-request-id")), None),
        )

    def to_native(self) -> dict[str, Any]:
        """The native form."""
        raw = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: value for name, value in raw.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Caller:
    """On whose behalf an administrative call is made; goes into its audit event."""

    actor: str
    """Who, such as `key:ID`, or a name that the host gives."""
    source: str
    """From where: an address, `cli`, `host`."""
    correlation_id: str | None = None
    """What ties the call to a request; made when left out."""

    def to_native(self) -> dict[str, Any]:
        """The native form."""
        raw = {"actor": self.actor, "source": self.source, "correlation_id": self.correlation_id}
        return {name: value for name, value in raw.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a request is from."""

    kind: Literal["api_key", "session", "anonymous", "admin_key", "admin_session"]
    """What it showed."""
    id: str
    """Id of the key or session; empty without one."""
    name: str
    """Name of the key; empty without one."""
    actor: str
    """The same as the audit log names it."""
    caller: Caller
    """The caller of administrative calls on its behalf."""
    owner: str | None = None
    """Whose tasks the caller makes and sees.

    None for administrators, and while the setting `sign_in_required` is off: such a caller sees all.
    """

    @classmethod
    def from_native(cls, raw: dict[str, Any]) -> Self:
        """Read the native form."""
        by = raw["caller"]
        caller = Caller(by["actor"], by["source"], by["correlation_id"])
        return cls(raw["kind"], raw["id"], raw["name"], raw["actor"], caller, raw["owner"])


def given(caller: Caller | None) -> dict[str, Any] | None:
    """The native form of a caller, where there is one."""
    return None if caller is None else caller.to_native()
