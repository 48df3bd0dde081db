"""Accounts over HTTP, and tasks that a gateway hands to workers in processes of their own, which die at any moment."""

import contextlib
import json
import os
import random
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import ADMIN_KEY, API_KEY, Server, failure, serving

TOKENS = {"token_id": "canary-token-id", "token_secret": "canary-token-secret"}
WORKERS = {
    "networks": ["127.0.0.0/8"],
    "api_key": API_KEY,
    "poll_interval": 0.1,
    "answer_timeout": 5,
    "recheck_interval": 0.3,
    "deploy_command": ["true"],
    "health_pause": 0.1,
}


class Mortal:
    """A server on a port of its own that may be killed and started again on the same folder."""

    def __init__(self, data: Path, settings: dict[str, Any]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.data = data
        self.url = f"http://127.0.0.1:{self.port}"
        config = data.with_suffix(".json")
        config.write_text(json.dumps({"threads": 1, "queue_depth": 1000, **settings}))
        address = f"127.0.0.1:{self.port}"
        program = os.environ["MUST_PROGRAM"]
        self.command = [program, "--json", "--data", str(data), "serve", "--addr", address, "--config", str(config)]
        self.start()

    def start(self) -> None:
        # The way to a worker is its registered address, whatever proxies there are.
        proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:1")
        environment = {**os.environ, **proxies, "MUST_API_KEY": API_KEY, "MUST_ADMIN_KEY": ADMIN_KEY}
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self.process.stdout is not None
        assert "listening" in self.process.stdout.readline()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def again(self, pause: float) -> None:
        self.kill()
        time.sleep(pause)
        self.start()

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"X-API-Key": API_KEY}, timeout=60)

    def admin(self) -> httpx.Client:
        answer = httpx.post(f"{self.url}/admin/session", headers={"X-Admin-Key": ADMIN_KEY})
        cookie = answer.headers["set-cookie"].split(";")[0]
        return httpx.Client(base_url=self.url, headers={"Cookie": cookie}, timeout=60)

    def finished(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        with self.client() as client:
            while True:
                query = {"per_page": 100, "page": len(items) // 100 + 1}
                page = client.get("/gallery", params=query).json()
                items += page["items"]
                if not page["has_more"]:
                    return items


@contextlib.contextmanager
def mortals(folder: Path, **settings: dict[str, Any]) -> Iterator[list[Mortal]]:
    running: list[Mortal] = []
    try:
        for name, given in settings.items():
            running.append(Mortal(folder / name, given))
        yield running
    finally:
        for one in running:
            one.kill()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("gateway") / "data", {"workers": {**WORKERS, "recheck_interval": 0}}) as running:
        yield running


def test_an_account_lives_its_life(gateway: Server, server: Server) -> None:
    admin = gateway.admin()
    new = {"label": "Team A", "workspace": "team-a", "address": server.url, **TOKENS}
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
    failure(server.client.get(f"/status/{task.removeprefix('team-a::')}"), 404, "task_not_found")
    # What has to run here does.
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
    assert admin.get(here).json()["deployment"]["ok"]
    assert admin.post("/admin/deploy-all").status_code == 202
    while admin.get(here).json()["status"] == "checking":
        assert time.monotonic() < deadline
    assert admin.delete(here).json() == {"removed": True, "id": account["id"]}
    failure(admin.get(here), 404, "not_found")
    failure(gateway.client.get(f"/status/{task}"), 400, "proxy_target_invalid")
    said = json.dumps(admin.get("/admin/logs", params={"limit": 1000}).json()) + json.dumps(account)
    assert "canary" not in said
    for action in ("create", "health", "disable", "enable", "deploy", "update", "remove"):
        assert f'"account_{action}"' in said, action


@pytest.mark.parametrize("verb", ["", "/enable", "/disable", "/health", "/deploy"])
def test_an_account_that_is_none(gateway: Server, verb: str) -> None:
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
def test_what_makes_no_account(gateway: Server, change: dict[str, Any]) -> None:
    good = {"label": "Team X", "workspace": "team-x", "address": "http://127.0.0.1:1", **TOKENS}
    body = failure(gateway.admin().post("/admin/accounts", json=good | change), 422, "validation_error")
    assert "canary" not in json.dumps(body)
    failure(gateway.admin().get("/admin/accounts/team-x"), 404, "not_found")


@pytest.mark.parametrize("task", ["team-z::abc", "TEAM::abc", "team-a::..%2F..%2Fadmin", "%3A%3Aabc", "127.0.0.1::abc"])
def test_a_strange_workspace_is_no_target(gateway: Server, task: str) -> None:
    for method, path in [
        ("GET", "/status/{}"),
        ("GET", "/events/{}"),
        ("POST", "/tasks/{}/cancel"),
        ("GET", "/results/{}"),
        ("GET", "/preview/{}"),
        ("DELETE", "/gallery/{}"),
    ]:
        failure(gateway.client.request(method, path.format(task)), 400, "proxy_target_invalid")


def test_without_workers_and_without_weights_there_is_nobody(tmp_path: Path) -> None:
    with serving(tmp_path / "data", {"workers": WORKERS}) as gateway:
        gateway.admin().post("/admin/accounts", json={"label": "team-a", "address": "http://127.0.0.1:1", **TOKENS})
        answer = gateway.client.post("/generate", json={"model": "pony", "prompt": "a red circle"})
        failure(answer, 503, "no_workers")
        assert gateway.client.get("/gallery").json()["total"] == 0
        gateway.finish(gateway.submit())


def test_nothing_is_lost_or_done_twice_whoever_dies(tmp_path: Path) -> None:
    seed = int(os.environ.get("MUST_KILL_SEED", "1"))
    dice = random.Random(seed)
    settings = {"gateway": {"workers": WORKERS}, "first": {}, "second": {}}
    with mortals(tmp_path, **settings) as (gateway, first, second):
        admin = gateway.admin()
        for name, worker in (("first", first), ("second", second)):
            admin.post("/admin/accounts", json={"label": name, "address": worker.url, **TOKENS})
            assert admin.post(f"/admin/accounts/{name}/health").json()["status"] == "ready"
        acknowledged: dict[int, str] = {}
        stop = threading.Event()
        numbers = iter(range(10_000))
        lock = threading.Lock()

        def submit(own_dice: random.Random) -> None:
            with gateway.client() as client:
                while not stop.is_set():
                    with lock:
                        number = next(numbers)
                    request = {"model": "tiny-image", "prompt": "a red circle", "seed": number, "steps": 4}
                    # As a client would: again and again under the same key until there is an answer.
                    while number not in acknowledged:
                        with contextlib.suppress(httpx.HTTPError):
                            headers = {"Idempotency-Key": f"number-{number}"}
                            answer = client.post("/generate", json=request, headers=headers)
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
            dice.choice([first, first, second, second, gateway]).again(dice.random() * 0.4)
        stop.set()
        for thread in threads:
            thread.join(60)
        assert len(acknowledged) >= 12, len(acknowledged)
        assert len(set(acknowledged.values())) == len(acknowledged)

        deadline = time.monotonic() + 150
        with gateway.client() as client:
            for number, task in acknowledged.items():
                while (state := client.get(f"/status/{task}").json())["status"] not in ("done", "failed"):
                    assert time.monotonic() < deadline, (number, task, state)
                    time.sleep(0.1)
                assert state["status"] == "done", (number, task, state)
                assert state["seed"] == number
                result = client.get(f"/results/{task}")
                assert result.status_code == 200 and result.content.startswith(b"\x89PNG"), result.text
        finished = gateway.finished()
        assert sorted(item["seed"] for item in finished) == sorted(acknowledged), "each once, and no other"
        assert {item["id"] for item in finished} == set(acknowledged.values())
        # What a worker had taken before it fell silent is ended there, or removed when it was faster.
        for name, worker in (("first", first), ("second", second)):
            own = sorted(item["seed"] for item in finished if item["workspace"] == name)
            assert own, f"nothing ran at {name}"
            while (there := sorted(item["seed"] for item in worker.finished())) != own:
                assert time.monotonic() < deadline, (name, own, there)
                time.sleep(0.2)
