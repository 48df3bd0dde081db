"""Signing in: with `sign_in_required`, sessions need an access key, and callers see only their own tasks.
Administrators see all tasks. Without the setting, tasks have no owner."""

import concurrent.futures
import contextlib
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import ADMIN_KEY, API_KEY, Server, failure, listening, serving

UNKNOWN = "0198c9f2-6d3c-7b8e-9f00-1d2c3b4a5968"
REQUEST = {"model": "tiny-image", "prompt": "a red circle", "steps": 4}


def session(server: Server, key: str | None = None) -> httpx.Response:
    return server.bare("POST", "/auth/session", headers={"X-API-Key": key} if key else {})


def cookie_of(answer: httpx.Response) -> str:
    assert answer.status_code == 201, answer.text
    return answer.headers["set-cookie"].split(";")[0]


def finish(client: httpx.Client, task: str) -> dict[str, Any]:
    for _ in range(600):
        state: dict[str, Any] = client.get(f"/status/{task}").json()
        if state["status"] in ("done", "failed"):
            return state
        time.sleep(0.1)
    raise AssertionError(f"{task} did not end")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@contextlib.contextmanager
def signing_in(folder: Path, **settings: Any) -> Iterator[Server]:
    with serving(folder, {"sign_in_required": True, "sessions_per_minute": 100, **settings}) as running:
        yield running


def test_a_session_can_only_be_started_with_a_key(folder: Path) -> None:
    with signing_in(folder, paused=True) as server:
        refused = failure(session(server), 401, "session_required")
        assert "access key" in refused["user_action"]
        failure(session(server, "wrong"), 403, "invalid_api_key")
        cookie = cookie_of(session(server, API_KEY))
        assert server.bare("GET", "/models", headers={"Cookie": cookie}).status_code == 200
        studio = server.bare("GET", "/studio").json()
        assert studio == {"sign_in_required": True, "session": None, "models": None}
        shown = server.bare("GET", "/studio", headers={"Cookie": cookie}).json()
        assert (shown["session"]["name"], shown["session"]["owner"]) == ("settings", "key:settings")
        assert {model["id"] for model in shown["models"]} >= {"tiny-image", "tiny-video"}
        assert server.bare("DELETE", "/auth/session", headers={"Cookie": cookie}).status_code == 204
        assert server.bare("GET", "/studio", headers={"Cookie": cookie}).json()["session"] is None


def test_owners_see_only_their_own_tasks(folder: Path) -> None:
    # A session from before the setting was on is an owner too; it is the second owner here.
    with serving(folder, {"paused": True}) as server:
        stranger = cookie_of(session(server))
        before = server.submit()
        assert server.bare("GET", f"/status/{before}", headers={"Cookie": stranger}).status_code == 200
    with signing_in(folder) as server:
        anna = server.open({"Cookie": cookie_of(session(server, API_KEY))})
        other = server.open({"Cookie": stranger})
        bearer = server.open({"Authorization": f"Bearer {API_KEY}"})
        task = anna.post("/generate", json=REQUEST).json()["task_id"]
        clip = bearer.post("/v1/videos", json={"model": "tiny-video", "prompt": "a red circle"}).json()["id"]
        assert finish(anna, task)["status"] == finish(anna, clip)["status"] == "done"
        for client in (anna, server.client):
            assert client.get(f"/results/{task}").status_code == client.get(f"/preview/{task}").status_code == 200
            assert [item["id"] for item in client.get("/gallery").json()["items"]] == [clip, task]
        calls = [
            ("GET", "/status/{}"),
            ("GET", "/events/{}"),
            ("GET", "/results/{}"),
            ("GET", "/preview/{}"),
            ("POST", "/tasks/{}/cancel"),
            ("DELETE", "/gallery/{}"),
        ]
        for method, path in calls:
            foreign = other.request(method, path.format(task))
            missing = other.request(method, path.format(UNKNOWN))
            failure(foreign, 404, "task_not_found")
            assert foreign.text.replace(task, "ID") == missing.text.replace(UNKNOWN, "ID")
            assert set(foreign.headers) == set(missing.headers)
        # Tasks from before the setting was on have no owner.
        for client in (anna, other):
            failure(client.get(f"/status/{before}"), 404, "task_not_found")
        own = other.post("/generate", json=REQUEST).json()["task_id"]
        assert finish(other, own)["status"] == "done"
        assert [item["id"] for item in other.get("/gallery").json()["items"]] == [own]
        assert [item["id"] for item in bearer.get("/v1/videos").json()["data"]] == [clip]
        failure(bearer.get(f"/v1/videos/{own}"), 404, "task_not_found")
        headers = {"Idempotency-Key": "one"}
        first, again, others = (
            client.post("/generate", json=REQUEST, headers=headers).json()["task_id"]
            for client in (anna, server.client, other)
        )
        assert first == again != others
        assert finish(other, others)["status"] == "done"

        admin = server.admin()
        everybody = admin.get("/admin/tasks", params={"per_page": 100}).json()
        owners = {item["id"]: item["owner"] for item in everybody["items"]}
        assert (owners[task], owners[clip], owners[before]) == ("key:settings", "key:settings", None)
        assert owners[own].startswith("session:")
        filtered = admin.get("/admin/tasks", params={"owner": owners[own], "status": "done"}).json()
        assert [item["id"] for item in filtered["items"]] == [others, own]
        assert admin.get(filtered["items"][0]["result_url"]).headers["content-type"] == "image/png"
        assert admin.get(filtered["items"][0]["preview_url"]).headers["content-type"] == "image/jpeg"
        nobodys = admin.get("/admin/tasks", params={"owner": ""}).json()
        assert [item["id"] for item in nobodys["items"]] == [before]
        assert admin.delete(f"/admin/tasks/{own}").json() == {"deleted": True, "id": own}
        failure(other.get(f"/status/{own}"), 404, "task_not_found")
        assert anna.delete(f"/gallery/{task}").status_code == 200
        events = admin.get("/admin/logs", params={"action": "task_delete"}).json()["logs"]
        by = {event["target"]: (event["actor"].split(":")[0], event["details"]["owner"]) for event in events}
        assert by == {f"task:{task}": ("session", "key:settings"), f"task:{own}": ("admin", owners[own])}
        assert admin.get("/admin/audit/verify").json()["ok"] is True


def test_admin_calls_on_tasks_need_an_admin_session(server: Server) -> None:
    for method, path in [
        ("GET", "/admin/tasks"),
        ("GET", f"/admin/tasks/{UNKNOWN}/result"),
        ("GET", f"/admin/tasks/{UNKNOWN}/preview"),
        ("POST", f"/admin/tasks/{UNKNOWN}/cancel"),
        ("DELETE", f"/admin/tasks/{UNKNOWN}"),
    ]:
        failure(server.bare(method, path), 401, "admin_session_required")
        failure(server.bare(method, path, headers={"X-API-Key": API_KEY}), 401, "admin_session_required")
        if path != "/admin/tasks":
            failure(server.admin().request(method, path), 404, "task_not_found")
    failure(server.admin().get("/admin/tasks", params={"nonsense": 1}), 422, "validation_error")


def test_a_gateway_keeps_the_owner_of_a_task_at_a_worker(folder: Path, worker: Server) -> None:
    before = serving(folder, {"paused": True})
    with before as server:
        stranger = cookie_of(session(server))
    networks = {"workers": {"networks": ["127.0.0.0/8"], "api_key": API_KEY}}
    with signing_in(folder, **networks) as gateway:
        account = {"label": "team-a", "address": worker.url, "token_id": "ak-1", "token_secret": "as-1"}
        admin = gateway.admin()
        assert admin.post("/admin/accounts", json=account).status_code == 201
        assert admin.post("/admin/accounts/team-a/health").json()["status"] == "ready"
        other = gateway.open({"Cookie": stranger})
        task = gateway.client.post("/generate", json=REQUEST).json()["task_id"]
        assert task.startswith("team-a::")
        assert finish(gateway.client, task)["status"] == "done"
        assert gateway.client.get(f"/results/{task}").headers["content-type"] == "image/png"
        for call in (f"/status/{task}", f"/results/{task}", f"/preview/{task}", f"/events/{task}"):
            foreign, missing = other.get(call), other.get(call.replace(task, "team-a::nothing"))
            failure(foreign, 404, "task_not_found")
            assert foreign.text.replace(task, "ID") == missing.text.replace("team-a::nothing", "ID")
        failure(other.delete(f"/gallery/{task}"), 404, "task_not_found")
        failure(other.get("/status/team-b::nothing"), 400, "proxy_target_invalid")
        assert other.get("/gallery").json()["total"] == 0
        assert gateway.client.get("/gallery").json()["total"] == 1
        # At the worker, the owner is the gateway's key.
        there = worker.client.get(f"/status/{task.removeprefix('team-a::')}")
        assert there.json()["status"] == "done"
        assert admin.delete(f"/admin/tasks/{task}").status_code == 200
        failure(worker.client.get(f"/status/{task.removeprefix('team-a::')}"), 404, "task_not_found")


def test_an_operator_sets_how_many_sessions_an_address_may_start(paused: Callable[..., Server]) -> None:
    server = paused(sessions_per_minute=25)
    with concurrent.futures.ThreadPoolExecutor(8) as callers:
        codes = list(callers.map(lambda _: session(server).status_code, range(40)))
    assert sorted(codes) == [201] * 25 + [429] * 15
    limited = session(server)
    assert 1 <= int(limited.headers["retry-after"]) <= 60
    studio = server.bare("GET", "/studio").json()
    assert studio["sign_in_required"] is False
    assert studio["session"] is None
    assert {model["id"] for model in studio["models"]} >= {"tiny-image", "tiny-video"}
    assert all(server.bare("GET", "/studio").status_code == 200 for _ in range(60)), "reading is not limited"


def test_variables_set_sign_in_and_the_session_limit(tmp_path: Path) -> None:
    key = secrets.token_hex(16)
    variables = {"MUST_SIGN_IN_REQUIRED": "true", "MUST_SESSIONS_PER_MINUTE": "3", "MUST_API_KEY": key}
    with listening(tmp_path / "data", {"paused": True}, **variables) as server:
        failure(session(server), 401, "session_required")
        codes = [session(server, key).status_code for _ in range(3)]
        assert codes == [201, 201, 429]
        assert server.bare("POST", "/admin/session", headers={"X-Admin-Key": ADMIN_KEY}).status_code == 204


def test_without_sign_in_tasks_have_no_owner_and_everyone_sees_them(paused: Callable[..., Server]) -> None:
    server = paused()
    one, two = cookie_of(session(server)), cookie_of(session(server))
    task = server.bare("POST", "/generate", json=REQUEST, headers={"Cookie": one}).json()["task_id"]
    assert server.bare("GET", f"/status/{task}", headers={"Cookie": two}).status_code == 200
    assert server.bare("POST", f"/tasks/{task}/cancel", headers={"Cookie": two}).status_code == 202
    assert server.admin().get("/admin/tasks").json()["items"][0]["owner"] is None
    assert server.bare("DELETE", f"/gallery/{task}", headers={"Cookie": two}).status_code == 200
    assert server.admin().get("/admin/logs", params={"action": "task_delete"}).json()["logs"] == []
