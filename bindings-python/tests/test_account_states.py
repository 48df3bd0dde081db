"""Accounts of workers: every state, with an address where nothing listens and with a fake worker."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import must

TOKEN_ID = "ak-canary-5f0e1d"
TOKEN_SECRET = "as-canary-7b6a59"
TOKENS = {"token_id": TOKEN_ID, "token_secret": TOKEN_SECRET}
WORKERS: must.WorkerSettings = {
    "networks": ["127.0.0.0/8"],
    "api_key": "canary-key-of-the-settings",
    "health_tries": 3,
    "health_pause_seconds": 0.05,
    # Otherwise a failed account might be checked again between two lines of a test.
    "recheck_interval_seconds": 0,
}
ANSWERS = {
    "/health": {"ok": True, "status": "ok", "version": "0.1.0", "app": "must"},
    "/models": {"models": []},
}


class Worker:
    """A fake worker: it answers like a healthy worker, or not like a worker while `healthy` is false."""

    def __init__(self) -> None:
        self.healthy = True
        self.seen: list[tuple[str, str | None]] = []
        worker = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                worker.seen.append((self.path, self.headers["X-API-Key"]))
                body = json.dumps(ANSWERS[self.path] if worker.healthy else {}).encode()
                self.send_response(200 if worker.healthy else 503)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.stop()


@pytest.fixture
def dead_address() -> Iterator[str]:
    """An address that refuses every connection: its port is bound, and nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def opened(tmp_path: Path, **workers: Any) -> must.Platform:
    settings: Any = {**WORKERS, **workers}
    return must.Platform(tmp_path / "data", device="cpu", paused=True, workers=settings)


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[must.Platform]:
    with opened(tmp_path) as platform:
        yield platform


def checked(platform: must.Platform, id: str) -> must.Account:
    """The account once no check of it is running."""
    end = time.monotonic() + 20
    while (account := platform.accounts.get(id)).status is must.AccountStatus.CHECKING:
        assert time.monotonic() < end, account
        time.sleep(0.02)
    return account


def test_an_account_from_registration_to_removal(gateway: must.Platform, dead_address: str) -> None:
    accounts = gateway.accounts
    account = accounts.add("team-a", address=dead_address, caller=must.Caller("ops", "cli", "ticket-7"), **TOKENS)
    assert (account.label, account.workspace, account.address) == ("team-a", "team-a", dead_address)
    assert (account.status, account.error, account.models) == (must.AccountStatus.PENDING, None, None)
    assert (account.active, account.dispatched, account.deployment) == (0, 0, None)
    assert (account.checked_at, account.used_at) == (None, None)
    assert account.created_at.tzinfo is not None
    assert accounts.list() == [account]
    assert accounts.get(account.id) == accounts.get("team-a") == account

    failed = accounts.health(account.id)
    assert failed.status is must.AccountStatus.FAILED
    assert failed.error is not None
    assert failed.error.code == "remote_failed"
    assert failed.error.detail
    assert failed.checked_at is not None
    assert failed.checked_at >= account.created_at
    renamed = accounts.update("team-a", label="The first team")
    assert (renamed.label, renamed.workspace, renamed.status) == ("The first team", "team-a", failed.status)

    disabled = accounts.disable("team-a")
    assert (disabled.status, disabled.error) == (must.AccountStatus.DISABLED, None)
    assert accounts.update("team-a", **TOKENS).status is must.AccountStatus.DISABLED
    for refused in (accounts.disable, accounts.health):
        with pytest.raises(must.InvalidStateError):
            refused("team-a")
    assert accounts.enable("team-a").status is must.AccountStatus.FAILED
    with pytest.raises(must.InvalidStateError):
        accounts.enable("team-a")

    accounts.remove("team-a")
    assert accounts.list() == []
    with pytest.raises(must.NotFoundError):
        accounts.get(account.id)
    events = gateway.audit.list(limit=100)
    added = next(event for event in events if event.action == "account_create")
    assert (added.actor, added.source, added.correlation_id) == ("ops", "cli", "ticket-7")
    assert added.target == f"account:{account.id}"
    assert {f"account_{it}" for it in ("update", "health", "disable", "enable", "remove")} <= {
        event.action for event in events
    }


def test_a_passed_check_makes_an_account_ready(gateway: must.Platform, worker: Worker) -> None:
    accounts = gateway.accounts
    account = accounts.add("Team A", workspace="team-a", address=worker.url, **TOKENS)
    assert (account.label, account.workspace) == ("Team A", "team-a")
    assert worker.seen == [], "registering sends no request"
    ready = accounts.health("team-a")
    assert (ready.status, ready.error, ready.models) == (must.AccountStatus.READY, None, ())
    assert worker.seen == [(path, WORKERS["api_key"]) for path in ("/health", "/models")]

    assert accounts.update("team-a", api_key="canary-key-of-its-own").status is must.AccountStatus.READY
    assert worker.seen[-1] == ("/models", "canary-key-of-its-own"), "a change is checked, with the new key"
    assert accounts.update("team-a", **TOKENS).status is must.AccountStatus.READY
    assert worker.seen[-1] == ("/models", "canary-key-of-its-own"), "a new token leaves the key as it is"

    worker.healthy = False
    assert accounts.get("team-a").status is must.AccountStatus.READY
    assert accounts.health("team-a").status is must.AccountStatus.FAILED
    accounts.disable("team-a")
    worker.healthy = True
    assert accounts.enable("team-a").status is must.AccountStatus.READY
    assert f"account-{account.id}" in {secret.name for secret in gateway.secrets.status()}


def test_a_workspace_is_deployed_in_the_background(tmp_path: Path, worker: Worker) -> None:
    go = tmp_path / "go"
    script = 'while [ ! -e "$1" ]; do sleep 0.05; done; echo "deploying $2 for $3 with $MODAL_TOKEN_SECRET"'
    command = ["sh", "-c", script, "deploy", str(go), "{workspace}", "{label}"]
    with opened(tmp_path, deploy_command=command, deploy_limit_seconds=30) as platform:
        accounts = platform.accounts
        accounts.add("Team A", workspace="team-a", address=worker.url, **TOKENS)
        begun = accounts.deploy("team-a")
        assert begun.status is must.AccountStatus.CHECKING
        assert begun.deployment is not None
        assert begun.deployment.started_at >= begun.created_at
        assert (begun.deployment.finished_at, begun.deployment.ok) == (None, False)
        for refused in (accounts.deploy, accounts.health):
            with pytest.raises(must.InvalidStateError):
                refused("team-a")
        assert accounts.deploy_all() == []

        go.touch()
        ready = checked(platform, "team-a")
        assert ready.status is must.AccountStatus.READY
        assert ready.deployment is not None
        assert ready.deployment.ok
        assert ready.deployment.finished_at is not None
        assert ready.deployment.finished_at >= ready.deployment.started_at
        assert "deploying team-a for Team A with" in ready.deployment.output
        assert TOKEN_SECRET not in ready.deployment.output

        accounts.add("team-b", address=worker.url, **TOKENS)
        accounts.disable("team-b")
        with pytest.raises(must.InvalidStateError):
            accounts.deploy("team-b")
        assert [account.workspace for account in accounts.deploy_all()] == ["team-a"]
        assert checked(platform, "team-a").status is must.AccountStatus.READY


def test_a_failed_deployment_makes_the_account_failed(tmp_path: Path, worker: Worker) -> None:
    with opened(tmp_path, deploy_command=["sh", "-c", "echo it went wrong; exit 3"]) as platform:
        platform.accounts.add("team-a", address=worker.url, **TOKENS)
        platform.accounts.deploy("team-a")
        failed = checked(platform, "team-a")
        assert failed.status is must.AccountStatus.FAILED
        assert failed.error is not None
        assert failed.error.code == "remote_failed"
        assert failed.deployment is not None
        assert not failed.deployment.ok
        assert "it went wrong" in failed.deployment.output
    assert worker.seen == [], "health is not asked for after that"


def test_without_a_command_nothing_is_deployed(gateway: must.Platform, dead_address: str) -> None:
    gateway.accounts.add("team-a", address=dead_address, **TOKENS)
    for refused in (lambda: gateway.accounts.deploy("team-a"), gateway.accounts.deploy_all):
        with pytest.raises(must.ValidationError):
            refused()
    assert gateway.accounts.get("team-a").status is must.AccountStatus.PENDING


def test_the_template_of_the_settings_gives_the_address(tmp_path: Path) -> None:
    with opened(tmp_path, address_template="https://{workspace}--must.modal.run") as platform:
        account = platform.accounts.add("team-a", **TOKENS)
        assert account.address == "https://team-a--must.modal.run"


def test_invalid_accounts_are_refused(gateway: must.Platform, dead_address: str) -> None:
    accounts = gateway.accounts
    accounts.add("team-a", address=dead_address, **TOKENS)
    either: Any = {**TOKENS, "address": dead_address}
    wrong: list[Callable[[], object]] = [
        lambda: accounts.add("team-a", **either),
        lambda: accounts.add(" ", **either),
        lambda: accounts.add("Team B", **either),
        lambda: accounts.add("team-b", **either | {"workspace": "TEAM"}),
        lambda: accounts.add("team-b", **TOKENS),
        lambda: accounts.add("team-b", **either | {"address": "http://8.8.8.8"}),
        lambda: accounts.add("team-b", **either | {"address": "https://10.0.0.1"}),
        lambda: accounts.add("team-b", **either | {"address": f"{dead_address}/path"}),
        lambda: accounts.add("team-b", **either | {"token_id": ""}),
        lambda: accounts.add("team-b", **either | {"token_secret": "two\nlines"}),
        lambda: accounts.add("team-b", **either | {"token_secret": TOKEN_SECRET.encode()}),
        lambda: accounts.add("team-b", **either | {"api_key": f"{TOKEN_SECRET} two words"}),
        lambda: accounts.update("team-a"),
        lambda: accounts.update("team-a", token_id=TOKEN_ID),
        lambda: accounts.update("team-a", token_secret=TOKEN_SECRET),
        lambda: accounts.update("team-a", label=""),
        lambda: accounts.update("team-a", address="ftp://team-a.example"),
    ]
    for attempt in wrong:
        with pytest.raises(must.ValidationError) as refused:
            attempt()
        assert "canary" not in f"{refused.value} {refused.value!r} {refused.value.__notes__}"
    assert [account.workspace for account in accounts.list()] == ["team-a"]
    for of in (accounts.get, accounts.enable, accounts.disable, accounts.health, accounts.remove):
        with pytest.raises(must.NotFoundError):
            of("nobody")
    with pytest.raises(must.NotFoundError):
        accounts.update("nobody", label="somebody")


def test_tokens_are_in_no_answer(gateway: must.Platform, dead_address: str) -> None:
    account = gateway.accounts.add("team-a", address=dead_address, api_key="canary-key-of-its-own", **TOKENS)
    gateway.accounts.health("team-a")
    shown = repr([account, gateway.accounts.list(), gateway.secrets.status(), gateway.audit.list(limit=100)])
    assert "canary" not in shown


def test_the_same_calls_are_awaited(tmp_path: Path, worker: Worker, dead_address: str) -> None:
    async def main() -> None:
        workers: Any = {**WORKERS, "deploy_command": ["true"]}
        async with must.AsyncPlatform(tmp_path / "data", device="cpu", paused=True, workers=workers) as platform:
            accounts = platform.accounts
            account = await accounts.add("team-a", address=worker.url, **TOKENS)
            await accounts.add("team-b", address=dead_address, **TOKENS)
            both = await asyncio.gather(*(accounts.health(of) for of in ("team-a", "team-b")))
            assert [one.status for one in both] == ["ready", "failed"]
            assert (await accounts.disable("team-b")).status == "disabled"
            assert (await accounts.enable("team-b")).status == "failed"
            assert (await accounts.update("team-b", address=worker.url)).status == "failed"
            assert [one.workspace for one in await accounts.deploy_all()] == ["team-a", "team-b"]
            async with asyncio.timeout(20):
                while {one.status for one in await accounts.list()} != {"ready"}:
                    await asyncio.sleep(0.02)
            assert await accounts.get(account.id) == (await accounts.list())[0]
            assert (await accounts.deploy(account.id)).status == "checking"
            await accounts.remove("team-b")
            with pytest.raises(must.NotFoundError):
                await accounts.get("team-b")

    asyncio.run(main())
