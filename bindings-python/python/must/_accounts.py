"""Accounts of workers that tasks may be sent to.

Made from the table in core/src/platform/calls by `cargo xtask regen`; do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self, TypeAlias

from must._calls import Awaited, Blocking, Request, call, each, given, maybe, nothing
from must._facts import Caller


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
    """Gets nothing until an administrator enables it."""


@dataclass(frozen=True, slots=True)
class AccountFailure:
    """Why an account failed."""

    code: str
    """Name of an error code, such as `remote_failed`."""
    detail: str
    """What happened."""

    @classmethod
    def from_native(cls, raw: Mapping[str, Any]) -> Self:
        """Read the native form. Members that this version does not know are left out."""
        return cls(
            code=raw["code"],
            detail=raw["detail"],
        )


@dataclass(frozen=True, slots=True)
class Deployment:
    """The last deployment of a workspace."""

    started_at: datetime
    """When it began."""
    finished_at: datetime | None
    """When the command ended; none while it runs."""
    ok: bool
    """Whether the command succeeded."""
    output: str
    """The end of what it wrote, without the account's tokens."""

    @classmethod
    def from_native(cls, raw: Mapping[str, Any]) -> Self:
        """Read the native form. Members that this version does not know are left out."""
        return cls(
            started_at=datetime.fromisoformat(raw["started_at"]),
            finished_at=maybe(datetime.fromisoformat)(raw["finished_at"]),
            ok=raw["ok"],
            output=raw["output"],
        )


@dataclass(frozen=True, slots=True)
class Account:
    """An account, without its tokens."""

    id: str
    """Stable id."""
    label: str
    """What people call it."""
    workspace: str
    """Its workspace: what ids of its tasks begin with."""
    address: str
    """Where the workspace is reached."""
    status: AccountStatus
    """Where it stands."""
    error: AccountFailure | None
    """Why it failed; only while it is `failed`."""
    models: tuple[str, ...] | None
    """Ids of the models that the worker offers; none while that is unknown."""
    active: int
    """Tasks that have not ended there."""
    dispatched: int
    """Tasks that were ever accepted there."""
    created_at: datetime
    """When it was registered."""
    updated_at: datetime
    """When anything last changed."""
    checked_at: datetime | None
    """When its health was last asked for."""
    used_at: datetime | None
    """When a task was last sent to it."""
    deployment: Deployment | None
    """Its last deployment."""

    @classmethod
    def from_native(cls, raw: Mapping[str, Any]) -> Self:
        """Read the native form. Members that this version does not know are left out."""
        return cls(
            id=raw["id"],
            label=raw["label"],
            workspace=raw["workspace"],
            address=raw["address"],
            status=AccountStatus(raw["status"]),
            error=maybe(AccountFailure.from_native)(raw["error"]),
            models=maybe(tuple)(raw["models"]),
            active=raw["active"],
            dispatched=raw["dispatched"],
            created_at=datetime.fromisoformat(raw["created_at"]),
            updated_at=datetime.fromisoformat(raw["updated_at"]),
            checked_at=maybe(datetime.fromisoformat)(raw["checked_at"]),
            used_at=maybe(datetime.fromisoformat)(raw["used_at"]),
            deployment=maybe(Deployment.from_native)(raw["deployment"]),
        )


AccountList: TypeAlias = list[Account]
"""Several, where a method is called `list`."""


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
        """Registers an account, which is `pending` until it is checked.

        Args:
            label: What people call it: 1 to 64 characters.
            token_id: Id of the provider's token.
            token_secret: The provider's token.
            workspace: What ids of its tasks begin with: 3 to 64 of `a-z 0-9 -`. When left out it is the label,
                which then must be such a name.
            address: Where the workspace is reached, a base URL; made by the template of the settings when left out.
            api_key: The API key that the worker asks for; the one of the settings when left out.

        Raises:
            MustError: `validation_error`, also for a workspace that is registered, and for an address that is not
                public and in none of the networks of the settings.
        """
        return Request(
            "accounts.add",
            Account.from_native,
            {
                "label": label,
                "token_id": token_id,
                "token_secret": token_secret,
                "workspace": workspace,
                "address": address,
                "api_key": api_key,
                "caller": given(caller),
            },
        )

    @call
    def list(self) -> Request[AccountList]:
        """Every account, in the order in which they were registered."""
        return Request("accounts.list", each(Account.from_native))

    @call
    def get(self, id: str) -> Request[Account]:
        """One account.

        Args:
            id: Id of the account, or its workspace.

        Raises:
            MustError: `not_found`.
        """
        return Request("accounts.get", Account.from_native, {"id": id})

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
        """Changes an account; a ready one is checked again when its address, token or key changed.

        Args:
            id: Id of the account, or its workspace.
            label: What people call it: 1 to 64 characters.
            address: Where the workspace is reached, a base URL.
            token_id: Id of the provider's token; together with `token_secret`.
            token_secret: The provider's token; together with `token_id`.
            api_key: The API key that the worker asks for.

        Raises:
            MustError: `not_found`; `validation_error`, also for half a token.
        """
        return Request(
            "accounts.update",
            Account.from_native,
            {
                "id": id,
                "label": label,
                "address": address,
                "token_id": token_id,
                "token_secret": token_secret,
                "api_key": api_key,
                "caller": given(caller),
            },
        )

    @call
    def enable(self, id: str, *, caller: Caller | None = None) -> Request[Account]:
        """Checks a disabled account and takes it back in; it is `ready` or `failed` then.

        Args:
            id: Id of what the call is about.

        Raises:
            MustError: `not_found`; `invalid_state` for an account that is not disabled.
        """
        return Request("accounts.enable", Account.from_native, {"id": id, "caller": given(caller)})

    @call
    def disable(self, id: str, *, caller: Caller | None = None) -> Request[Account]:
        """Sends nothing more to an account; the tasks that it has are followed to their end.

        Args:
            id: Id of what the call is about.

        Raises:
            MustError: `not_found`; `invalid_state` for an account that is disabled.
        """
        return Request("accounts.disable", Account.from_native, {"id": id, "caller": given(caller)})

    @call
    def health(self, id: str, *, caller: Caller | None = None) -> Request[Account]:
        """Asks the worker for its health once; the account is `ready` or `failed` then.

        Args:
            id: Id of what the call is about.

        Raises:
            MustError: `not_found`; `invalid_state` for an account that is disabled or being checked.
        """
        return Request("accounts.health", Account.from_native, {"id": id, "caller": given(caller)})

    @call
    def deploy(self, id: str, *, caller: Caller | None = None) -> Request[Account]:
        """Deploys a workspace in the background; the account is `checking` until its health has been asked for.

        Args:
            id: Id of what the call is about.

        Raises:
            MustError: `not_found`; `validation_error` without a command in the settings; `invalid_state` for an
                account that is disabled or being checked.
        """
        return Request("accounts.deploy", Account.from_native, {"id": id, "caller": given(caller)})

    @call
    def deploy_all(self, *, caller: Caller | None = None) -> Request[AccountList]:
        """Deploys every account that is neither disabled nor being checked, and gives those.

        Raises:
            MustError: `validation_error` without a command in the settings.
        """
        return Request("accounts.deploy_all", each(Account.from_native), {"caller": given(caller)})

    @call
    def remove(self, id: str, *, caller: Caller | None = None) -> Request[None]:
        """Removes an account; what it had not finished ends failed with `remote_failed`.

        Args:
            id: Id of what the call is about.

        Raises:
            MustError: `not_found`.
        """
        return Request("accounts.remove", nothing, {"id": id, "caller": given(caller)})


class Accounts(AccountsCalls, Blocking):
    """Accounts of workers, of a `Platform`. An account is named by its id or its workspace."""

    __slots__ = ()


class AsyncAccounts(AccountsCalls, Awaited):
    """Accounts of workers, of an `AsyncPlatform`. An account is named by its id or its workspace."""

    __slots__ = ()
