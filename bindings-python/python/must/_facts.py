"""Facts about a request, its sender, and the caller of an administrative call.

Made from the table in core/src/platform/calls by `cargo xtask regen`; do not edit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self, TypeAlias

from must._headers import read_headers

Route: TypeAlias = Literal["generation", "auth", "admin_login", "admin"]
"""The kind of call.

- `generation`: Anything that generates, lists or shows. It needs an API key or a session.
- `auth`: A call for a new generation session.
- `admin_login`: A call for a new admin session. It needs the admin key.
- `admin`: Every other administrative call. It needs an admin session.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFacts:
    """The facts about a request that decide whether it is allowed. In JSON only `route` is required. A list holds every
    value in its order, unchanged: two different keys are refused.
    """

    route: Route
    """The kind of call."""
    header_keys: tuple[str, ...] = field(default=(), repr=False)
    """The value of every `X-API-Key` header line; an empty one counts as present."""
    query_keys: tuple[str, ...] = field(default=(), repr=False)
    """The value of every `api_key` in the query."""
    cookies: tuple[str, ...] = field(default=(), repr=False)
    """Every `Cookie` header line, as it came."""
    admin_header_keys: tuple[str, ...] = field(default=(), repr=False)
    """The value of every `X-Admin-Key` header line."""
    query_admin_key_present: bool = False
    """Whether the query holds an admin key, which is refused."""
    origin: str | None = None
    """The `Origin` header, which browsers send with calls from pages."""
    peer: str | None = None
    """The address at the other end of the socket, without a port."""
    forwarded_for: tuple[str, ...] = ()
    """Every `X-Forwarded-For` header line, in order."""
    correlation_id: str | None = None
    """An id that links audit events to the request: at most 128 visible ASCII characters. Anything else is replaced by
    a new id.
    """

    @classmethod
    def from_headers(
        cls,
        route: Route,
        headers: Iterable[tuple[str, str]],
        query: str = "",
        peer: str | None = None,
    ) -> Self:
        """Read the header lines of a request, the raw text of its query, and the address it came from.

        >>> facts = must.RequestFacts.from_headers("generation", [("X-API-Key", "a key")], "page=2", "192.0.2.7")
        >>> facts.header_keys, facts.peer
        (('a key',), '192.0.2.7')
        >>> "a key" in repr(facts)
        False

        A header or query name that comes more than once must be given more than once: two different keys are refused.
        """
        return cls(route=route, **read_headers(headers, query, peer))

    def to_native(self) -> dict[str, Any]:
        """The native form."""
        raw = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: value for name, value in raw.items() if value is not None}


PrincipalKind: TypeAlias = Literal["api_key", "session", "anonymous", "admin_key", "admin_session"]
"""How a caller proved who it is.

- `api_key`: With an API key.
- `session`: With a generation session.
- `anonymous`: With nothing. Only a call for a new session may be anonymous.
- `admin_key`: With the admin key.
- `admin_session`: With an admin session.
"""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes an administrative call, for the audit log. The default is the host itself."""

    actor: str
    """Who it is: `key:ID`, `admin:ID`, or a name that the host chooses."""
    source: str
    """Where the call comes from: an address, `cli`, `host`."""
    correlation_id: str | None = None
    """An id that links the call to a request. The default is a new id."""

    def to_native(self) -> dict[str, Any]:
        """The native form."""
        raw = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: value for name, value in raw.items() if value is not None}

    @classmethod
    def from_native(cls, raw: Mapping[str, Any]) -> Self:
        """Read the native form. Members that this version does not know are ignored."""
        return cls(
            actor=raw["actor"],
            source=raw["source"],
            correlation_id=raw["correlation_id"],
        )


@dataclass(frozen=True, slots=True)
class Principal:
    """The sender of a request."""

    kind: PrincipalKind
    """The kind of credential that the request has."""
    id: str
    """Id of the key or session. It is `key` for the admin key and empty for an anonymous request."""
    name: str
    """Name of the key, or of the key that the session was opened with; otherwise empty."""
    actor: str
    """The name of the sender in the audit log."""
    caller: Caller
    """The caller to give to administrative calls on behalf of the sender."""
    owner: str | None
    """The owner of the tasks that the sender makes and sees. Null for administrators, and for everyone while the
    setting `sign_in_required` is off: they see all tasks.
    """

    @classmethod
    def from_native(cls, raw: Mapping[str, Any]) -> Self:
        """Read the native form. Members that this version does not know are ignored."""
        return cls(
            kind=raw["kind"],
            id=raw["id"],
            name=raw["name"],
            actor=raw["actor"],
            caller=Caller.from_native(raw["caller"]),
            owner=raw["owner"],
        )
