"""Accounts over HTTP, and tasks that a gateway sends to worker processes that are killed at any moment."""

import contextlib
import json
import os
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import Server, failure, over_sockets, serving
from server_processes import TOKENS, WORKERS, server_processes


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("gateway") / "data", {"workers": {**WORKERS, "recheck_interval_seconds": 0}}) as running:
        yield running


def test_an_account_from_registration_to_removal(gateway: Server, worker: Server) -> None:
    admin = gateway.admin()
    new = {"label": "Team A", "workspace": "team-a", "address": worker.url, **TOKENS}
    added = admin.post("/admin/accounts", json=new)
    assert added.status_code == 201, added.text
    account = added.json()
    assert account["status"] == "pending"
    here = f"/admin/accounts/{account['id']}"
    assert admin.get(here).json() == account
    assert admin.get("/admin/accounts/team-a").json() == account
    assert admin.get("/admin/accounts").json() == {"accounts": [account]}
    assert admin.get("/admin/health").json()["accounts"]["pending"] == 1
    checked = admin.post(f"{here}/health").json()
    assert (checked["status"], checked["models"]) == ("ready", ["tiny-image", "tiny-video"])
    failure(admin.post(f"{here}/enable"), 409, "invalid_state")

    task = gateway.submit(seed=3)
    assert task.startswith("team-a::")
    state = gateway.finish(task)
    assert (state["status"], state["seed"]) == ("done", 3)
    result = gateway.client.get(f"/results/{task}")
    assert (result.status_code, result.headers["content-type"]) == (200, "image/png")
    part = gateway.client.get(f"/results/{task}", headers={"Range": "bytes=1-3"})
    assert (part.status_code, part.content) == (206, b"PNG")
    assert gateway.client.get(f"/preview/{task}").headers["content-type"] == "image/jpeg"
    assert gateway.client.get("/gallery").json()["items"][0]["workspace"] == "team-a"
    failure(gateway.client.post(f"/tasks/{task}/cancel"), 409, "invalid_state")
    assert gateway.client.delete(f"/gallery/{task}").json() == {"deleted": True, "id": task}
    failure(worker.client.get(f"/status/{task.removeprefix('team-a::')}"), 404, "task_not_found")
    # /generate_direct runs on the gateway itself.
    direct = gateway.client.post("/generate_direct", json={"model": "tiny-image", "prompt": "a red circle"})
    assert "::" not in direct.json()["task_id"]

    assert admin.patch(here, json={"label": "Team B"}).json()["label"] == "Team B"
    assert admin.post(f"{here}/disable").json()["status"] == "disabled"
    for action in ("disable", "health", "deploy"):
        failure(admin.post(f"{here}/{action}"), 409, "invalid_state")
    assert admin.post(f"{here}/enable").json()["status"] == "ready"
    assert admin.post(f"{here}/deploy").status_code == 202
    deadline = time.monotonic() + 30
    while admin.get(here).json()["status"] == "checking":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert admin.get(here).json()["deployment"]["ok"]
    assert admin.post("/admin/deploy-all").status_code == 202
    while admin.get(here).json()["status"] == "checking":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert admin.delete(here).json() == {"removed": True, "id": account["id"]}
    failure(admin.get(here), 404, "not_found")
    failure(gateway.client.get(f"/status/{task}"), 400, "proxy_target_invalid")
    said = json.dumps(admin.get("/admin/logs", params={"limit": 1000}).json()) + json.dumps(account)
    assert "canary" not in said
    for action in ("create", "health", "disable", "enable", "deploy", "update", "remove"):
        assert f'"account_{action}"' in said, action


@pytest.mark.parametrize("verb", ["", "/enable", "/disable", "/health", "/deploy"])
def test_calls_on_an_unknown_account_are_refused(gateway: Server, verb: str) -> None:
    method = "POST" if verb else "GET"
    failure(gateway.admin().request(method, f"/admin/accounts/nobody{verb}"), 404, "not_found")


@pytest.mark.parametrize(
    "change",
    [
        {"workspace": "TEAM"},
        {"address": "http://169.254.169.254"},
        {"address": "https://localhost@evil.example"},
        {"address": "file:///etc/passwd"},
        {"label": ""},
        {"token_secret": ["canary"]},
        {"surprise": 1},
        {"address": None},
    ],
)
def test_invalid_accounts_are_refused(gateway: Server, change: dict[str, Any]) -> None:
    good = {"label": "Team X", "workspace": "team-x", "address": "http://127.0.0.1:1", **TOKENS}
    body = failure(gateway.admin().post("/admin/accounts", json=good | change), 422, "validation_error")
    assert "canary" not in json.dumps(body)
    failure(gateway.admin().get("/admin/accounts/team-x"), 404, "not_found")


@pytest.mark.parametrize("task", ["team-z::abc", "TEAM::abc", "team-a::..%2F..%2Fadmin", "%3A%3Aabc", "127.0.0.1::abc"])
def test_an_unknown_workspace_is_refused(gateway: Server, task: str) -> None:
    for method, path in [
        ("GET", "/status/{}"),
        ("GET", "/events/{}"),
        ("POST", "/tasks/{}/cancel"),
        ("GET", "/results/{}"),
        ("GET", "/preview/{}"),
        ("DELETE", "/gallery/{}"),
    ]:
        failure(gateway.client.request(method, path.format(task)), 400, "proxy_target_invalid")


def test_without_workers_and_without_weights_a_task_is_refused(tmp_path: Path) -> None:
    with serving(tmp_path / "data", {"workers": WORKERS}) as gateway:
        gateway.admin().post("/admin/accounts", json={"label": "team-a", "address": "http://127.0.0.1:1", **TOKENS})
        answer = gateway.client.post("/generate", json={"model": "pony", "prompt": "a red circle"})
        failure(answer, 503, "no_workers")
        assert gateway.client.get("/gallery").json()["total"] == 0
        gateway.finish(gateway.submit())


@over_sockets
def test_no_task_is_lost_or_made_twice_when_processes_are_killed(tmp_path: Path) -> None:
    seed = int(os.environ.get("MUST_KILL_SEED", "1"))
    dice = random.Random(seed)
    settings = {"gateway": {"workers": WORKERS}, "first": {}, "second": {}}
    with server_processes(tmp_path, **settings) as (gateway, first, second):
        admin = gateway.admin()
        for name, worker in (("first", first), ("second", second)):
            admin.post("/admin/accounts", json={"label": name, "address": worker.url, **TOKENS})
            assert admin.post(f"/admin/accounts/{name}/health").json()["status"] == "ready"
        acknowledged: dict[int, str] = {}
        stop = threading.Event()
        numbers = iter(range(10_000))
        lock = threading.Lock()

        def submit(own_dice: random.Random) -> None:
            while not stop.is_set():
                with lock:
                    number = next(numbers)
                request = {"model": "tiny-image", "prompt": "a red circle", "seed": number, "steps": 4}
                # Like a client: repeat it with the same key until there is an answer.
                while number not in acknowledged:
                    with contextlib.suppress(httpx.HTTPError):
                        headers = {"Idempotency-Key": f"number-{number}"}
                        answer = gateway.client.post("/generate", json=request, headers=headers)
                        if answer.status_code == 202:
                            acknowledged[number] = answer.json()["task_id"]
                            break
                    time.sleep(0.05)
                time.sleep(0.3 + own_dice.random() * 0.5)

        threads = [threading.Thread(target=submit, args=(random.Random(seed + number),)) for number in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(12):
            time.sleep(dice.random() * 0.6)
            dice.choice([first, first, second, second, gateway]).restart(dice.random() * 0.4)
        stop.set()
        for thread in threads:
            thread.join(60)
        assert len(acknowledged) >= 12, len(acknowledged)
        assert len(set(acknowledged.values())) == len(acknowledged)

        deadline = time.monotonic() + 150
        for number, task in acknowledged.items():
            while (state := gateway.client.get(f"/status/{task}").json())["status"] not in ("done", "failed"):
                assert time.monotonic() < deadline, (number, task, state)
                time.sleep(0.1)
            assert state["status"] == "done", (number, task, state)
            assert state["seed"] == number
            result = gateway.client.get(f"/results/{task}")
            assert result.status_code == 200 and result.content.startswith(b"\x89PNG"), result.text
        finished = gateway.finished()
        assert sorted(item["seed"] for item in finished) == sorted(acknowledged), "each once, and no other"
        assert {item["id"] for item in finished} == set(acknowledged.values())
        # A task that a worker took before it was killed is ended there, or removed if it had already ended.
        for name, worker in (("first", first), ("second", second)):
            own = sorted(item["seed"] for item in finished if item["workspace"] == name)
            assert own, f"nothing ran at {name}"
            while (there := sorted(item["seed"] for item in worker.finished())) != own:
                assert time.monotonic() < deadline, (name, own, there)
                time.sleep(0.2)
