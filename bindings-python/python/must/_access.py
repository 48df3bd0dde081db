"""Access control: API keys, generation sessions, admin sessions.

Made from the table in core/src/platform/calls by `cargo xtask regen`; do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Self, TypeAlias

from must._calls import Awaited, Blocking, Request, call, each, given, maybe, nothing
from must._facts import Caller, Principal, RequestFacts


@dataclass(frozen=True, slots=True)
class IssuedSession:
    """A new session. Its token is shown only here."""

    id: str
    """Stable id."""
    cookie: str
    """Name of the cookie: `gg_session` or `gg_admin_session`. It has a suffix if the request has a session of another
    platform on the same host in the cookie of that name.
    """
    token: str = field(repr=False)
    """Value of the cookie."""
    expires_at: datetime | None
    """When the session expires. Null for an admin session, which expires after a time without calls."""

    @classmethod
    def from_native(cls, raw: Mapping[str, Any]) -> Self:
        """Read the native form. Members that this version does not know are ignored."""
        return cls(
            id=raw["id"],
            cookie=raw["cookie"],
            token=raw["token"],
            expires_at=maybe(datetime.fromisoformat)(raw["expires_at"]),
        )


@dataclass(frozen=True, slots=True)
class SessionState:
    """The state of a generation session."""

    id: str
    """Stable id."""
    active: bool
    """Always true: asking for a session that has ended is an error."""
    expires_at: datetime
    """When the session expires."""

    @classmethod
    def from_native(cls, raw: Mapping[str, Any]) -> Self:
        """Read the native form. Members that this version does not know are ignored."""
        return cls(
            id=raw["id"],
            active=raw["active"],
            expires_at=datetime.fromisoformat(raw["expires_at"]),
        )


KeyStatus: TypeAlias = Literal["active", "rotated", "expired", "revoked"]
"""Whether a key can be used.

- `active`: The key is valid.
- `rotated`: The key was replaced, and is valid until it expires.
- `expired`: The key has expired.
- `revoked`: The key was revoked.
"""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key without its secret."""

    id: str
    """The public part of the key: the text between its second-last and its last underscore."""
    name: str
    """The name that the key was issued with."""
    status: KeyStatus
    """Whether it can be used."""
    created_at: datetime
    """When the key was issued."""
    expires_at: datetime
    """When the key expires."""
    revoked_at: datetime | None
    """When the key was revoked."""
    replaced_by: str | None
    """Id of the key that replaced this one."""
    owner: str
    """The owner of the tasks that are made with this key while the setting `sign_in_required` is on: `key:` and the id
    of the first key in its chain of replacements. A key that replaces another keeps its owner.
    """

    @classmethod
    def from_native(cls, raw: Mapping[str, Any]) -> Self:
        """Read the native form. Members that this version does not know are ignored."""
        return cls(
            id=raw["id"],
            name=raw["name"],
            status=raw["status"],
            created_at=datetime.fromisoformat(raw["created_at"]),
            expires_at=datetime.fromisoformat(raw["expires_at"]),
            revoked_at=maybe(datetime.fromisoformat)(raw["revoked_at"]),
            replaced_by=raw["replaced_by"],
            owner=raw["owner"],
        )


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key. Its secret is shown only here."""

    key: ApiKey
    """The key."""
    secret: str = field(repr=False)
    """The text to send as `X-API-Key`."""

    @classmethod
    def from_native(cls, raw: Mapping[str, Any]) -> Self:
        """Read the native form. Members that this version does not know are ignored."""
        return cls(
            key=ApiKey.from_native(raw["key"]),
            secret=raw["secret"],
        )


@dataclass(frozen=True, slots=True)
class AdminSessionState:
    """The state of an admin session."""

    id: str
    """Stable id."""
    active: bool
    """Always true: asking for a session that has ended is an error."""
    idle_timeout_seconds: int
    """How long the session may be idle."""
    last_activity_at: datetime
    """When the session was last used."""

    @classmethod
    def from_native(cls, raw: Mapping[str, Any]) -> Self:
        """Read the native form. Members that this version does not know are ignored."""
        return cls(
            id=raw["id"],
            active=raw["active"],
            idle_timeout_seconds=raw["idle_timeout_seconds"],
            last_activity_at=datetime.fromisoformat(raw["last_activity_at"]),
        )


class AuthCalls:
    """API keys and generation sessions."""

    __slots__ = ()

    @call
    def authorize(self, facts: RequestFacts) -> Request[Principal]:
        """Determines who sent a request.

        Args:
            facts: Facts about the request.

        Raises:
            MustError: the code to answer the request with: `cors_origin_blocked`, `rate_limited`,
                `invalid_api_key`, `session_required`, `session_expired`, `admin_misconfigured`, `admin_key_invalid`,
                `admin_session_required` or `admin_session_expired`.
        """
        return Request("auth.authorize", Principal.from_native, {"facts": facts.to_native()})

    @call
    def open_session(self, facts: RequestFacts) -> Request[IssuedSession]:
        """Opens a generation session for a request of the route `auth`. The request needs an API key while the setting
        `sign_in_required` is on.

        Args:
            facts: Facts about the request.

        Raises:
            MustError: the codes of `auth.authorize`; `validation_error` for facts of another route.
        """
        return Request("auth.open_session", IssuedSession.from_native, {"facts": facts.to_native()})

    @call
    def session_state(self, facts: RequestFacts) -> Request[SessionState]:
        """Returns the state of the session in the request's cookie.

        Args:
            facts: Facts about the request.

        Raises:
            MustError: `session_required`, `session_expired`, `cors_origin_blocked`.
        """
        return Request("auth.session_state", SessionState.from_native, {"facts": facts.to_native()})

    @call
    def revoke_session(self, id: str, *, caller: Caller | None = None) -> Request[None]:
        """Ends a session. The next call with it is refused. Ending it again changes nothing.

        Args:
            id: Id of the key, session, account or task that the call acts on.

        Raises:
            MustError: `not_found`.
        """
        return Request("auth.revoke_session", nothing, {"id": id, "caller": given(caller)})

    @call
    def revoke_all_sessions(self, *, caller: Caller | None = None) -> Request[int]:
        """Ends every session, and returns how many were still active."""
        return Request("auth.revoke_all_sessions", lambda raw: int(raw["sessions"]), {"caller": given(caller)})

    @call
    def allows_origin(self, origin: str) -> Request[bool]:
        """Returns whether web pages of this origin may call the platform.

        Args:
            origin: The origin as the browser sends it, such as `https://studio.example`.
        """
        return Request("auth.allows_origin", bool, {"origin": origin})

    @call
    def issue_key(
        self,
        name: str,
        *,
        valid_for_seconds: float | None = None,
        caller: Caller | None = None,
    ) -> Request[IssuedKey]:
        """Issues an API key.

        Args:
            name: A name for people to read: 1 to 64 characters.
            valid_for_seconds: How long the key is valid. The default is 90 days.

        Raises:
            MustError: `validation_error` if the name is not 1 to 64 characters without control characters, or if
                the validity is 0 or more than 90 days.
        """
        return Request(
            "auth.issue_key",
            IssuedKey.from_native,
            {
                "name": name,
                "valid_for_seconds": valid_for_seconds,
                "caller": given(caller),
            },
        )

    @call
    def keys(self) -> Request[list[ApiKey]]:
        """Lists every key, also revoked ones, newest first."""
        return Request("auth.keys", each(ApiKey.from_native))

    @call
    def rotate_key(
        self,
        id: str,
        *,
        overlap_seconds: float | None = None,
        caller: Caller | None = None,
    ) -> Request[IssuedKey]:
        """Issues a key that replaces another one. It has the same name and the same validity period.

        Args:
            id: Id of the key.
            overlap_seconds: How long the old key stays valid, at most until its own expiry. The default is 24
                hours.

        Raises:
            MustError: `validation_error` if the overlap is more than 7 days; `not_found`; `invalid_state` if the
                key was revoked, has expired or was already rotated.
        """
        return Request(
            "auth.rotate_key",
            IssuedKey.from_native,
            {
                "id": id,
                "overlap_seconds": overlap_seconds,
                "caller": given(caller),
            },
        )

    @call
    def revoke_key(self, id: str, *, caller: Caller | None = None) -> Request[int]:
        """Revokes a key and every session that was opened with it, and returns the number of these sessions. The next
        call with any of them is refused. Revoking it again changes nothing.

        Args:
            id: Id of the key, session, account or task that the call acts on.

        Raises:
            MustError: `not_found`.
        """
        return Request("auth.revoke_key", lambda raw: int(raw["sessions"]), {"id": id, "caller": given(caller)})


class Auth(AuthCalls, Blocking):
    """API keys and generation sessions, of a `Platform`."""

    __slots__ = ()


class AsyncAuth(AuthCalls, Awaited):
    """API keys and generation sessions, of an `AsyncPlatform`."""

    __slots__ = ()


class AdminCalls:
    """Admin sessions."""

    __slots__ = ()

    @call
    def open_session(self, facts: RequestFacts) -> Request[IssuedSession]:
        """Opens an admin session for a request of the route `admin_login`.

        Args:
            facts: Facts about the request.

        Raises:
            MustError: the codes of `auth.authorize`; `validation_error` for facts of another route.
        """
        return Request("admin.open_session", IssuedSession.from_native, {"facts": facts.to_native()})

    @call
    def session_state(self, id: str, *, caller: Caller | None = None) -> Request[AdminSessionState]:
        """Returns the state of an admin session. The id is that of the principal of an authorized admin request.

        Args:
            id: Id of the key, session, account or task that the call acts on.

        Raises:
            MustError: `not_found`, `admin_session_expired`.
        """
        return Request("admin.session_state", AdminSessionState.from_native, {"id": id, "caller": given(caller)})

    @call
    def revoke_session(self, id: str, *, caller: Caller | None = None) -> Request[None]:
        """Ends an admin session. The next call with it is refused. Ending it again changes nothing.

        Args:
            id: Id of the key, session, account or task that the call acts on.

        Raises:
            MustError: `not_found`.
        """
        return Request("admin.revoke_session", nothing, {"id": id, "caller": given(caller)})

    @call
    def revoke_all_sessions(self, *, caller: Caller | None = None) -> Request[int]:
        """Ends every admin session, and returns how many were still active."""
        return Request("admin.revoke_all_sessions", lambda raw: int(raw["sessions"]), {"caller": given(caller)})


class Admin(AdminCalls, Blocking):
    """Admin sessions, of a `Platform`."""

    __slots__ = ()


class AsyncAdmin(AdminCalls, Awaited):
    """Admin sessions, of an `AsyncPlatform`."""

    __slots__ = ()
