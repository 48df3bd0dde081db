"""Accounts of workers that tasks may be sent to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

from must._calls import Awaited, Blocking, Request, call, nothing, reader
from must._facts import Caller, given


class AccountStatus(StrEnum):
    """Where an account stands."""

    PENDING = "pending"
    """Registered, and never checked."""
    CHECKING = "checking"
    """Being deployed or asked for its health."""
    READY = "ready"
    """Gets tasks."""
    FAILED = "failed"
    """Did not pass a check, or failed a task on its way."""
    DISABLED = "disabled"
    """Gets nothing until it is enabled."""


@dataclass(frozen=True, slots=True)
class AccountFailure:
    """Why an account failed."""

    code: str
    """Name of an error."""
    detail: str
    """What happened."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """The last deployment of a workspace."""

    started_at: datetime
    """When it began, in UTC."""
    finished_at: datetime | None
    """When the command ended; none while it runs."""
    ok: bool
    """Whether the command succeeded."""
    output: str
    """The end of what it wrote, without the account's tokens."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account, without its tokens."""

    id: str
    """Stable id."""
    label: str
    """What people call it."""
    workspace: str
    """What ids of its tasks begin with."""
    address: str
    """Where the workspace is reached."""
    status: AccountStatus
    """Where it stands."""
    error: AccountFailure | None
    """Why it failed; only while it is failed."""
    models: tuple[str, ...] | None
    """Ids of the models that the worker offers; none while that is unknown."""
    active: int
    """Tasks that have not ended there."""
    dispatched: int
    """Tasks that were ever accepted there."""
    created_at: datetime
    """When it was registered, in UTC."""
    updated_at: datetime
    """When anything last changed."""
    checked_at: datetime | None
    """When its health was last asked for."""
    used_at: datetime | None
    """When a task was last sent to it."""
    deployment: Deployment | None
    """Its last deployment."""


AccountList: TypeAlias = list[Account]
"""Several accounts. The calls have a method that is named like a list."""


def _account(raw: Mapping[str, Any]) -> Account:
    error, deployment = raw.get("error"), raw.get("deployment")
    whole = dict(raw) | {
        "status": AccountStatus(raw["status"]),
        "error": error and reader(AccountFailure)(error),
        "deployment": deployment and reader(Deployment)(deployment),
    }
    return reader(Account)(whole)


def _accounts(raw: list[Any]) -> list[Account]:
    return [_account(account) for account in raw]


class AccountsCalls:
    """Accounts of workers. An account is named by its id or its workspace."""

    __slots__ = ()

    @call
    def add(
        self,
        label: str,
        *,
        token_id: str,
        token_secret: str,
        workspace: str | None = None,
        address: str | None = None,
        api_key: str | None = None,
        caller: Caller | None = None,
    ) -> Request[Account]:
        """Register an account, which is `pending` until it is checked.

        Where they are left out, its workspace is the label, its address is made by the template of the settings, and
        the API key that its worker asks for is the one of the settings.
        """
        arguments: dict[str, Any] = {"label": label, "token_id": token_id, "token_secret": token_secret}
        arguments |= {"workspace": workspace, "address": address, "api_key": api_key, "caller": given(caller)}
        return Request("accounts.add", _account, arguments)

    @call
    def list(self) -> Request[AccountList]:
        """Every account, in the order in which they were registered."""
        return Request("accounts.list", _accounts)

    @call
    def get(self, id: str) -> Request[Account]:
        """One account."""
        return Request("accounts.get", _account, {"id": id})

    @call
    def update(
        self,
        id: str,
        *,
        label: str | None = None,
        address: str | None = None,
        token_id: str | None = None,
        token_secret: str | None = None,
        api_key: str | None = None,
        caller: Caller | None = None,
    ) -> Request[Account]:
        """Change an account; a ready one is checked again. The two halves of a token are changed together."""
        arguments = {"id": id, "label": label, "address": address, "token_id": token_id, "token_secret": token_secret}
        return Request("accounts.update", _account, arguments | {"api_key": api_key, "caller": given(caller)})

    @call
    def enable(self, id: str, *, caller: Caller | None = None) -> Request[Account]:
        """Check a disabled account and take it back in; it is `ready` or `failed` then."""
        return Request("accounts.enable", _account, {"id": id, "caller": given(caller)})

    @call
    def disable(self, id: str, *, caller: Caller | None = None) -> Request[Account]:
        """Send nothing more to an account; the tasks that it has are followed to their end."""
        return Request("accounts.disable", _account, {"id": id, "caller": given(caller)})

    @call
    def health(self, id: str, *, caller: Caller | None = None) -> Request[Account]:
        """Ask the worker for its health once; the account is `ready` or `failed` then."""
        return Request("accounts.health", _account, {"id": id, "caller": given(caller)})

    @call
    def deploy(self, id: str, *, caller: Caller | None = None) -> Request[Account]:
        """Deploy a workspace in the background; the account is `checking` until its health has been asked for."""
        return Request("accounts.deploy", _account, {"id": id, "caller": given(caller)})

    @call
    def deploy_all(self, *, caller: Caller | None = None) -> Request[AccountList]:
        """Deploy every account that is neither disabled nor being checked."""
        return Request("accounts.deploy_all", _accounts, {"caller": given(caller)})

    @call
    def remove(self, id: str, *, caller: Caller | None = None) -> Request[None]:
        """Let an account go; what it had not finished fails."""
        return Request("accounts.remove", nothing, {"id": id, "caller": given(caller)})


class Accounts(AccountsCalls, Blocking):
    """Accounts of the workers of a `Platform`."""

    __slots__ = ()


class AsyncAccounts(AccountsCalls, Awaited):
    """Accounts of the workers of an `AsyncPlatform`."""

    __slots__ = ()
