"""Who may call: API keys, generation sessions, admin sessions."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from must._calls import Awaited, Blocking, Request, call, nothing, reader
from must._facts import Caller, Principal, RequestFacts, given


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key without its secret."""

    id: str
    """Stable id."""
    name: str
    """What a person calls it."""
    status: str
    """Whether it is good: `active`, `rotated`, `expired` or `revoked`."""
    created_at: datetime
    """When it was issued, in UTC."""
    expires_at: datetime
    """When it ends by itself."""
    revoked_at: datetime | None
    """When it was revoked."""
    replaced_by: str | None
    """Id of the key that took its place."""
    owner: str
    """Whose tasks are made with it while the setting `sign_in_required` is on; a key that is replaced hands this on."""


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key. Its secret is shown this once."""

    key: ApiKey
    """The key."""
    secret: str = field(repr=False)
    """What a caller sends as `X-API-Key`."""

    @classmethod
    def from_native(cls, raw: dict[str, Any]) -> Self:
        """Read the native form."""
        return cls(reader(ApiKey)(raw["key"]), raw["secret"])


@dataclass(frozen=True, slots=True)
class IssuedSession:
    """A new session. Its token is shown this once."""

    id: str
    """Stable id."""
    cookie: str
    """Name of the cookie: `gg_session` or `gg_admin_session`, where no other platform's session is in it."""
    token: str = field(repr=False)
    """Value of the cookie."""
    expires_at: datetime | None
    """When it ends by itself; none for an admin session, which ends when it is idle."""


@dataclass(frozen=True, slots=True)
class SessionState:
    """How a generation session stands."""

    id: str
    """Stable id."""
    active: bool
    """Whether it is good."""
    expires_at: datetime
    """When it ends by itself."""


@dataclass(frozen=True, slots=True)
class AdminSessionState:
    """How an admin session stands."""

    id: str
    """Stable id."""
    active: bool
    """Whether it is good."""
    idle_timeout_seconds: int
    """How long it may be idle."""
    last_activity_at: datetime
    """When it was last used."""


def _sessions(raw: dict[str, Any]) -> int:
    return int(raw["sessions"])


def _keys(raw: list[Any]) -> list[ApiKey]:
    return [reader(ApiKey)(key) for key in raw]


def _flag(raw: object) -> bool:
    return bool(raw)


class AuthCalls:
    """API keys and generation sessions."""

    __slots__ = ()

    @call
    def authorize(self, facts: RequestFacts) -> Request[Principal]:
        """Say who a request is from, or raise the error that it is to be answered with."""
        return Request("auth.authorize", Principal.from_native, {"facts": facts.to_native()})

    @call
    def open_session(self, facts: RequestFacts) -> Request[IssuedSession]:
        """Open a generation session for a request of the route `auth`."""
        return Request("auth.open_session", reader(IssuedSession), {"facts": facts.to_native()})

    @call
    def session_state(self, facts: RequestFacts) -> Request[SessionState]:
        """How the session in the request's cookie stands."""
        return Request("auth.session_state", reader(SessionState), {"facts": facts.to_native()})

    @call
    def revoke_session(self, id: str, *, caller: Caller | None = None) -> Request[None]:
        """End a session."""
        return Request("auth.revoke_session", nothing, {"id": id, "caller": given(caller)})

    @call
    def revoke_all_sessions(self, *, caller: Caller | None = None) -> Request[int]:
        """End every session; how many there were."""
        return Request("auth.revoke_all_sessions", _sessions, {"caller": given(caller)})

    @call
    def allows_origin(self, origin: str) -> Request[bool]:
        """Whether a browser's page of this origin may call."""
        return Request("auth.allows_origin", _flag, {"origin": origin})

    @call
    def issue_key(
        self, name: str, *, valid_for: float | None = None, caller: Caller | None = None
    ) -> Request[IssuedKey]:
        """Issue an API key, good for `valid_for` seconds where that is given."""
        arguments = {"name": name, "valid_for": valid_for, "caller": given(caller)}
        return Request("auth.issue_key", IssuedKey.from_native, arguments)

    @call
    def keys(self) -> Request[list[ApiKey]]:
        """Every key, revoked ones too."""
        return Request("auth.keys", _keys)

    @call
    def rotate_key(self, id: str, *, overlap: float | None = None, caller: Caller | None = None) -> Request[IssuedKey]:
        """Issue a key in the place of another, which stays good for `overlap` seconds."""
        arguments = {"id": id, "overlap": overlap, "caller": given(caller)}
        return Request("auth.rotate_key", IssuedKey.from_native, arguments)

    @call
    def revoke_key(self, id: str, *, caller: Caller | None = None) -> Request[int]:
        """Revoke a key; how many of its sessions ended with it."""
        return Request("auth.revoke_key", _sessions, {"id": id, "caller": given(caller)})


class AdminCalls:
    """Admin sessions."""

    __slots__ = ()

    @call
    def open_session(self, facts: RequestFacts) -> Request[IssuedSession]:
        """Open an admin session for a request of the route `admin_login`."""
        return Request("admin.open_session", reader(IssuedSession), {"facts": facts.to_native()})

    @call
    def session_state(self, id: str, *, caller: Caller | None = None) -> Request[AdminSessionState]:
        """How a session stands."""
        return Request("admin.session_state", reader(AdminSessionState), {"id": id, "caller": given(caller)})

    @call
    def revoke_session(self, id: str, *, caller: Caller | None = None) -> Request[None]:
        """End a session."""
        return Request("admin.revoke_session", nothing, {"id": id, "caller": given(caller)})

    @call
    def revoke_all_sessions(self, *, caller: Caller | None = None) -> Request[int]:
        """End every session; how many there were."""
        return Request("admin.revoke_all_sessions", _sessions, {"caller": given(caller)})


class Auth(AuthCalls, Blocking):
    """API keys and generation sessions of a `Platform`."""

    __slots__ = ()


class AsyncAuth(AuthCalls, Awaited):
    """API keys and generation sessions of an `AsyncPlatform`."""

    __slots__ = ()


class Admin(AdminCalls, Blocking):
    """Admin sessions of a `Platform`."""

    __slots__ = ()


class AsyncAdmin(AdminCalls, Awaited):
    """Admin sessions of an `AsyncPlatform`."""

    __slots__ = ()
