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
    """The state of an account."""

    PENDING = "pending"
    """Registered, but never checked."""
    CHECKING = "checking"
    """Being deployed or checked."""
    READY = "ready"
    """It gets tasks."""
    FAILED = "failed"
    """It did not pass a check, or a task could not be sent to it."""
    DISABLED = "disabled"
    """It gets no tasks until an administrator enables it."""


@dataclass(frozen=True, slots=True)
class AccountFailure:
    """Why an account failed."""

    code: str
    """Name of an error code, such as `remote_failed`."""
    detail: str
    """What happened."""

    @classmethod
    def from_native(cls, raw: Mapping[str, Any]) -> Self:
        """Read the native form. Members that this version does not know are ignored."""
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
    """When the command ended. Null while it runs."""
    ok: bool
    """Whether the command succeeded. False while it runs."""
    output: str
    """The last part of the command's output, without the account's tokens."""

    @classmethod
    def from_native(cls, raw: Mapping[str, Any]) -> Self:
        """Read the native form. Members that this version does not know are ignored."""
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
    """A name for people to read."""
    workspace: str
    """Its workspace. The ids of its tasks begin with it."""
    address: str
    """The base URL of the workspace."""
    status: AccountStatus
    """Its state."""
    error: AccountFailure | None
    """Why it failed. Given only while the state is `failed`."""
    models: tuple[str, ...] | None
    """Ids of the models that the worker offers. Null while they are unknown."""
    active: int
    """Number of tasks at this worker or on their way to it that have not ended."""
    dispatched: int
    """Number of tasks that this worker has ever accepted."""
    created_at: datetime
    """When it was registered."""
    updated_at: datetime
    """When the account last changed."""
    checked_at: datetime | None
    """When the last check of the account ended."""
    used_at: datetime | None
    """When a task was last sent to it."""
    deployment: Deployment | None
    """Its last deployment."""

    @classmethod
    def from_native(cls, raw: Mapping[str, Any]) -> Self:
        """Read the native form. Members that this version does not know are ignored."""
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
"""A list. In classes with a method `list`, the builtin cannot be named."""


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
        """Registers an account. It is `pending` until it is checked.

        Args:
            label: A name for people to read: 1 to 64 characters.
            token_id: Id of the provider's token.
            token_secret: The provider's token.
            workspace: Its workspace: 3 to 64 of the characters `a-z 0-9 -`. The ids of its tasks begin with it. The
                default is the label, which then must have this form.
            address: The base URL of the workspace. The default is made from the template of the settings.
            api_key: The API key that the worker requires. The default is the key of the settings.

        Raises:
            MustError: `validation_error`, also if the workspace is already registered, or if the address is neither
                public nor in one of the networks of the settings.
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
        """Lists every account in the order of registration."""
        return Request("accounts.list", each(Account.from_native))

    @call
    def get(self, id: str) -> Request[Account]:
        """Returns one account.

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
        """Changes an account. If it is ready or being checked and its address, token or key has changed, it is checked
        again.

        Args:
            id: Id of the account, or its workspace.
            label: A name for people to read: 1 to 64 characters.
            address: The base URL of the workspace.
            token_id: Id of the provider's token. It must be given together with `token_secret`.
            token_secret: The provider's token. It must be given together with `token_id`.
            api_key: The API key that the worker requires.

        Raises:
            MustError: `not_found`; `validation_error`, also if only one of `token_id` and `token_secret` is given.
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
        """Checks a disabled account and enables it. Its status is then `ready` or `failed`.

        Args:
            id: Id of the key, session, account or task that the call acts on.

        Raises:
            MustError: `not_found`; `invalid_state` if the account is not disabled.
        """
        return Request("accounts.enable", Account.from_native, {"id": id, "caller": given(caller)})

    @call
    def disable(self, id: str, *, caller: Caller | None = None) -> Request[Account]:
        """Sends no more tasks to an account. Its unfinished tasks are still followed until they end.

        Args:
            id: Id of the key, session, account or task that the call acts on.

        Raises:
            MustError: `not_found`; `invalid_state` if the account is already disabled.
        """
        return Request("accounts.disable", Account.from_native, {"id": id, "caller": given(caller)})

    @call
    def health(self, id: str, *, caller: Caller | None = None) -> Request[Account]:
        """Asks the worker for its health once. The status of the account is then `ready` or `failed`.

        Args:
            id: Id of the key, session, account or task that the call acts on.

        Raises:
            MustError: `not_found`; `invalid_state` if the account is disabled or being checked.
        """
        return Request("accounts.health", Account.from_native, {"id": id, "caller": given(caller)})

    @call
    def deploy(self, id: str, *, caller: Caller | None = None) -> Request[Account]:
        """Deploys a workspace in the background. The status of the account is `checking` until the worker has been
        asked for its health.

        Args:
            id: Id of the key, session, account or task that the call acts on.

        Raises:
            MustError: `not_found`; `validation_error` if the settings have no deploy command; `invalid_state` if
                the account is disabled or being checked.
        """
        return Request("accounts.deploy", Account.from_native, {"id": id, "caller": given(caller)})

    @call
    def deploy_all(self, *, caller: Caller | None = None) -> Request[AccountList]:
        """Deploys every account that is neither disabled nor being checked, and returns these accounts.

        Raises:
            MustError: `validation_error` if the settings have no deploy command.
        """
        return Request("accounts.deploy_all", each(Account.from_native), {"caller": given(caller)})

    @call
    def remove(self, id: str, *, caller: Caller | None = None) -> Request[None]:
        """Removes an account. Its unfinished tasks fail with `remote_failed`.

        Args:
            id: Id of the key, session, account or task that the call acts on.

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
