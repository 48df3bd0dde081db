"""Accounts of workers and tasks that run at a worker: one platform is the gateway of another on this machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import must

KEY = "a key that workers ask for"
CANARY = "canary-token"


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[str]:
    with (
        must.Platform(tmp_path / "worker", api_key=KEY, threads=1) as platform,
        platform.serve("127.0.0.1:0") as server,
    ):
        yield server.url


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[must.Platform]:
    workers: must.WorkerSettings = {
        "networks": ["127.0.0.0/8"],
        "api_key": KEY,
        "poll_interval_seconds": 0.1,
        "health_tries": 1,
        "deploy_command": [sys.executable, "-c", "import os; print(os.environ['MODAL_TOKEN_ID'], '{workspace}')"],
    }
    with must.Platform(tmp_path / "gateway", threads=1, workers=workers) as platform:
        yield platform


def add(gateway: must.Platform, address: str) -> must.Account:
    return gateway.accounts.add("Team A", workspace="team-a", address=address, token_id=CANARY, token_secret=CANARY)


def test_an_account_from_registration_to_removal(gateway: must.Platform, worker: str) -> None:
    account = add(gateway, worker)
    assert (account.status, account.models, account.deployment) == (must.AccountStatus.PENDING, None, None)
    checked = gateway.accounts.health("team-a", caller=must.Caller("admin:test", "test"))
    assert checked.status is must.AccountStatus.READY
    assert checked.models == ("tiny-image", "tiny-video")
    assert checked.checked_at is not None
    assert checked.checked_at >= account.created_at
    assert gateway.accounts.update(account.id, label="Team B").label == "Team B"
    assert gateway.accounts.disable(account.id).status is must.AccountStatus.DISABLED
    with pytest.raises(must.InvalidStateError):
        gateway.accounts.health(account.id)
    assert gateway.accounts.enable(account.id).status is must.AccountStatus.READY
    assert [one.id for one in gateway.accounts.list()] == [account.id]
    assert CANARY not in repr(gateway.accounts.list())
    assert any(event.action == "account_enable" for event in gateway.audit.list().logs)
    gateway.accounts.remove(account.id)
    with pytest.raises(must.NotFoundError):
        gateway.accounts.get(account.id)


def test_a_task_runs_at_the_worker(gateway: must.Platform, worker: str) -> None:
    add(gateway, worker)
    gateway.accounts.health("team-a")
    task = gateway.submit("tiny-image", "a red circle", seed=1)
    assert task.id.startswith("team-a::")
    state = task.wait(timeout_seconds=60)
    assert (state.status, state.workspace) == (must.Status.DONE, "team-a")
    assert task.result().startswith(b"\x89PNG")
    assert gateway.accounts.get("team-a").dispatched == 1
    gateway.delete(task.id)
    with pytest.raises(must.ProxyTargetInvalidError):
        gateway.task("team-b::abc")


def test_a_deployment_runs_in_the_background(gateway: must.Platform, worker: str) -> None:
    add(gateway, worker)
    assert [one.status for one in gateway.accounts.deploy_all()] == [must.AccountStatus.CHECKING]
    while (account := gateway.accounts.get("team-a")).status is must.AccountStatus.CHECKING:
        pass
    assert account.status is must.AccountStatus.READY
    assert account.deployment is not None
    assert account.deployment.ok
    assert account.deployment.output == "******** team-a\n"


@pytest.mark.parametrize(
    "change",
    [
        {"workspace": "NO"},
        {"address": "http://192.0.2.1"},
        {"address": "https://user@host.example"},
        {"token_id": ""},
        {"label": " "},
    ],
)
def test_invalid_accounts_are_refused(gateway: must.Platform, change: dict[str, str]) -> None:
    good = {"label": "Team A", "workspace": "team-a", "address": "http://127.0.0.1:1", "token_id": CANARY}
    arguments = good | {"token_secret": CANARY} | change
    with pytest.raises(must.ValidationError) as raised:
        gateway.accounts.add(arguments.pop("label"), **arguments)  # type: ignore[arg-type]
    assert CANARY not in str(raised.value)
    assert gateway.accounts.list() == []


async def _add_with_asyncio(path: Path) -> None:
    async with must.AsyncPlatform(path, workers={"networks": ["127.0.0.0/8"]}) as platform:
        await platform.accounts.add("team-a", address="http://127.0.0.1:1", token_id=CANARY, token_secret=CANARY)
        account = await platform.accounts.health("team-a")
        assert account.status is must.AccountStatus.FAILED
        assert account.error is not None
        assert account.error.code == "remote_failed"


def test_an_unreachable_worker_fails_its_account_with_asyncio(tmp_path: Path) -> None:
    import asyncio

    asyncio.run(_add_with_asyncio(tmp_path / "data"))
