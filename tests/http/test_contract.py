"""Every row of the contract: success, each failure, each kind of access."""

import re
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest
from conftest import ADMIN_KEY, API_KEY, SCRAPE_TOKEN, Server, failure, serving

UNKNOWN = "0198c9f2-6d3c-7b8e-9f00-1d2c3b4a5968"
GENERATION = [
    ("GET", "/models"),
    ("POST", "/generate"),
    ("GET", f"/status/{UNKNOWN}"),
    ("GET", f"/events/{UNKNOWN}"),
    ("POST", f"/tasks/{UNKNOWN}/cancel"),
    ("GET", f"/results/{UNKNOWN}"),
    ("GET", f"/preview/{UNKNOWN}"),
    ("GET", "/gallery"),
    ("DELETE", f"/gallery/{UNKNOWN}"),
]
ADMIN = [
    ("GET", "/admin/session"),
    ("DELETE", "/admin/session"),
    ("GET", "/admin/health"),
    ("GET", "/admin/logs"),
    ("GET", "/admin/audit/verify"),
    ("GET", "/admin/secrets"),
    ("POST", "/admin/secrets/hub/rotate"),
    ("POST", "/admin/secrets/hub/revoke"),
    ("GET", "/admin/accounts"),
    ("POST", "/admin/accounts"),
    ("GET", "/admin/accounts/team-a"),
    ("PATCH", "/admin/accounts/team-a"),
    ("DELETE", "/admin/accounts/team-a"),
    ("POST", "/admin/accounts/team-a/enable"),
    ("POST", "/admin/accounts/team-a/disable"),
    ("POST", "/admin/accounts/team-a/health"),
    ("POST", "/admin/accounts/team-a/deploy"),
    ("POST", "/admin/deploy-all"),
    ("GET", "/metrics"),
]


def test_health_is_open(server: Server) -> None:
    answer = server.bare("GET", "/health")
    assert answer.status_code == 200
    assert answer.json() == {"ok": True, "status": "ok", "version": "0.1.0", "app": "must"}
    head = server.bare("HEAD", "/health")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(answer.content))


@pytest.mark.parametrize(("method", "path"), GENERATION)
def test_generation_calls_need_a_key_or_a_session(server: Server, method: str, path: str) -> None:
    failure(server.bare(method, path), 401, "session_required")
    failure(server.bare(method, path, headers={"X-API-Key": "wrong"}), 403, "invalid_api_key")
    failure(server.bare(method, path, params={"api_key": "wrong"}), 403, "invalid_api_key")
    both = {"X-API-Key": "wrong", "Cookie": "gg_session=whatever"}
    failure(server.bare(method, path, headers=both), 403, "invalid_api_key")
    failure(server.bare(method, path, headers={"X-API-Key": ""}), 403, "invalid_api_key")
    failure(server.bare(method, path, headers={"Cookie": "gg_session=whatever"}), 401, "session_required")
    assert server.bare(method, path, params={"api_key": API_KEY}).status_code not in (401, 403)


@pytest.mark.parametrize(("method", "path"), ADMIN)
def test_admin_calls_need_an_admin_session(server: Server, method: str, path: str) -> None:
    failure(server.bare(method, path), 401, "admin_session_required")
    failure(server.bare(method, path, headers={"X-API-Key": API_KEY}), 401, "admin_session_required")
    failure(server.bare(method, path, headers={"X-Admin-Key": ADMIN_KEY}), 401, "admin_session_required")
    failure(server.bare(method, path, params={"admin_key": ADMIN_KEY}), 403, "admin_key_invalid")


def test_a_generation_session(server: Server) -> None:
    answer = server.bare("POST", "/auth/session")
    assert answer.status_code == 201
    body = answer.json()
    assert body["active"] is True
    assert body["session_status"] == "active"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", body["expires_at"])
    cookie = answer.headers["set-cookie"]
    assert re.fullmatch(r"gg_session=[^;]+; Path=/; HttpOnly; SameSite=Strict; Secure; Max-Age=86400", cookie)
    headers = {"Cookie": cookie.split(";")[0]}
    state = server.bare("GET", "/auth/session", headers=headers)
    assert state.json() == {"active": True, "valid": True, "expires_at": body["expires_at"]}
    assert server.bare("GET", "/models", headers=headers).status_code == 200
    failure(server.bare("POST", "/generate_direct", headers=headers), 401, "session_required")
    ended = server.bare("DELETE", "/auth/session", headers=headers)
    assert (ended.status_code, ended.content) == (204, b"")
    assert "Max-Age=0" in ended.headers["set-cookie"]
    failure(server.bare("GET", "/auth/session", headers=headers), 401, "session_expired")
    failure(server.bare("GET", "/models", headers=headers), 401, "session_expired")
    failure(server.bare("GET", "/auth/session"), 401, "session_required")
    failure(server.bare("DELETE", "/auth/session"), 401, "session_required")


def test_an_admin_session(server: Server) -> None:
    failure(server.bare("POST", "/admin/session"), 403, "admin_key_invalid")
    failure(server.bare("POST", "/admin/session", headers={"X-Admin-Key": "wrong"}), 403, "admin_key_invalid")
    in_query = server.bare("POST", "/admin/session", params={"admin_key": ADMIN_KEY}, headers={"X-Admin-Key": ADMIN_KEY})
    failure(in_query, 403, "admin_key_invalid")
    admin = server.admin()
    state = admin.get("/admin/session").json()
    assert state["active"] is True
    assert state["idle_timeout_seconds"] == 12 * 3600
    health = admin.get("/admin/health").json()
    assert health["ok"] is True
    assert health["lanes"]
    assert admin.get("/admin/audit/verify").json()["ok"] is True
    logs = admin.get("/admin/logs", params={"action": "admin_session_create", "limit": 1}).json()["logs"]
    assert logs[0]["action"] == "admin_session_create"
    assert all(logs[0][name] for name in ("actor", "source", "target", "outcome", "correlation_id"))
    failure(admin.get("/admin/logs", params={"limit": 5000}), 422, "validation_error")
    failure(admin.get("/admin/logs", params={"nonsense": 1}), 422, "validation_error")
    names = {secret["name"] for secret in admin.get("/admin/secrets").json()["secrets"]}
    assert {"admin_key", "api_key", "audit_key", "master_key"} <= names
    failure(admin.post("/admin/secrets/nothing/rotate", json={"value": "x"}), 404, "not_found")
    failure(admin.post("/admin/secrets/nothing/revoke"), 404, "not_found")
    assert admin.post("/admin/secrets/audit_key/rotate").json() == {"name": "audit_key", "done": "rotated"}
    assert admin.delete("/admin/session").status_code == 204
    failure(admin.get("/admin/session"), 401, "admin_session_expired")


def test_models_are_the_catalog(server: Server) -> None:
    models = {model["id"]: model for model in server.client.get("/models").json()["models"]}
    assert set(models) == {"pony", "flux", "anisora", "phr00t", "tiny-image", "tiny-video"}
    assert models["phr00t"]["fixed_parameters"] == {"steps": 4, "cfg_scale": 1.0}
    assert models["tiny-video"]["available"] is True
    assert models["flux"]["available"] is False
    names = {"id", "name", "type", "category", "description", "modes", "default_mode", "parameters_schema", "available"}
    assert all(names <= set(model) for model in models.values())


def test_a_clip_from_submission_to_deletion(server: Server) -> None:
    task = server.submit(model="tiny-video", prompt="a blue square moving up", seed=7)
    early = server.client.get(f"/results/{task}")
    if early.status_code != 200:
        failure(early, 425, "result_not_ready")
    done = server.finish(task)
    assert done["status"] == "done"
    assert (done["progress"], done["seed"], done["error"], done["error_code"]) == (100, 7, None, None)
    assert server.client.get(f"/status/{task}").json() == done
    clip = server.client.get(done["result_url"])
    assert clip.headers["content-type"] == "video/mp4"
    assert clip.content[4:8] == b"ftyp"
    preview = server.client.get(done["preview_url"])
    assert preview.headers["content-type"] == "image/jpeg"
    assert preview.content[:3] == b"\xff\xd8\xff"
    failure(server.client.post(f"/tasks/{task}/cancel"), 409, "invalid_state")
    page = server.client.get("/gallery", params={"type": "video", "per_page": 1}).json()
    assert page["items"][0]["id"] == task
    assert (page["page"], page["per_page"], len(page["items"])) == (1, 1, 1)
    assert server.client.delete(f"/gallery/{task}").json() == {"deleted": True, "id": task}
    for call in (f"/status/{task}", f"/results/{task}", f"/preview/{task}", f"/events/{task}"):
        failure(server.client.get(call), 404, "task_not_found")
    failure(server.client.delete(f"/gallery/{task}"), 404, "task_not_found")


def test_bad_submissions_store_nothing(server: Server) -> None:
    before = server.client.get("/gallery").json()["total"]
    for request in [
        {},
        {"model": "nonsense", "prompt": "x"},
        {"model": "tiny-image"},
        {"model": "tiny-image", "prompt": "   "},
        {"model": "tiny-image", "prompt": "x" * 2001},
        {"model": "tiny-image", "prompt": "x", "nonsense": 1},
        {"model": "tiny-image", "prompt": "x", "seed": 2**31},
        {"model": "phr00t", "prompt": "x", "steps": 5},
        {"model": "tiny-video", "prompt": "x", "mode": "i2v"},
        {"model": "tiny-video", "prompt": "x", "mode": "i2v", "reference_image": "data:image/png;base64,AAAA"},
    ]:
        failure(server.client.post("/generate", json=request), 422, "validation_error")
    failure(server.client.post("/generate", json={"model": "flux", "prompt": "x"}), 503, "model_unavailable")
    for body, kind in [
        (b"", "application/json"),
        (b"[]", "application/json"),
        (b"null", "application/json"),
        (b"{", "application/json"),
        (b"\xff\xfe{}", "application/json"),
        (b'{"a":' * 1000 + b"1" + b"}" * 1000, "application/json"),
        (b"model=tiny-image", "application/x-www-form-urlencoded"),
    ]:
        answer = server.client.post("/generate", content=body, headers={"Content-Type": kind})
        failure(answer, 422, "validation_error")
    assert server.client.get("/gallery").json()["total"] == before


def test_a_repeated_submission_is_one_task(paused: Callable[..., Server]) -> None:
    server = paused()
    request = {"model": "tiny-image", "prompt": "a red circle"}
    headers = {"Idempotency-Key": "once"}
    first = server.client.post("/generate", json=request, headers=headers)
    assert server.client.post("/generate", json=request, headers=headers).json() == first.json()
    other = server.client.post("/generate", json={**request, "seed": 1}, headers=headers)
    failure(other, 422, "validation_error")
    session = server.bare("POST", "/auth/session").headers["set-cookie"].split(";")[0]
    mine = server.bare("POST", "/generate", json=request, headers={"Cookie": session, **headers})
    assert mine.json() != first.json(), "another caller's key is another key"


def test_a_type_has_to_fit_the_model(server: Server) -> None:
    """Clients of an earlier platform send the type too."""
    for model, kind in (("tiny-image", "image"), ("tiny-video", "video"), ("tiny-image", None)):
        assert server.finish(server.submit(model=model, type=kind))["status"] == "done"
    for wrong in ("video", "picture", 1):
        answer = server.client.post("/generate", json={"model": "tiny-image", "prompt": "a red circle", "type": wrong})
        assert "type" in failure(answer, 422, "validation_error")["detail"]


def test_cancelling_and_a_full_queue(paused: Callable[..., Server]) -> None:
    server = paused(queue_depth=1)
    request = {"model": "tiny-image", "prompt": "a red circle"}
    answers = [server.client.post("/generate", json=request) for _ in range(3)]
    task = answers[0].json()["task_id"]
    failure(answers[-1], 503, "queue_overloaded")
    failure(server.client.delete(f"/gallery/{task}"), 409, "invalid_state")
    assert server.client.post(f"/tasks/{task}/cancel").status_code == 202
    ended = server.finish(task)
    assert (ended["status"], ended["error_code"]) == ("failed", "cancelled")
    failure(server.client.get(f"/results/{task}"), 410, "result_gone")
    assert server.client.get("/gallery").json()["total"] == 0


def test_sessions_and_logins_are_throttled(paused: Callable[..., Server]) -> None:
    server = paused()
    answers = [server.bare("POST", "/auth/session") for _ in range(11)]
    assert [answer.status_code for answer in answers] == [201] * 10 + [429]
    limited = failure(answers[-1], 429, "rate_limited")
    assert limited["user_action"]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    wrong = {"X-Admin-Key": "wrong"}
    logins = [server.bare("POST", "/admin/session", headers=wrong).status_code for _ in range(31)]
    assert logins == [403] * 30 + [429]


def test_admin_calls_are_throttled_by_session(paused: Callable[..., Server]) -> None:
    admin = paused().admin()
    codes = [admin.get("/admin/session").status_code for _ in range(121)]
    assert codes == [200] * 120 + [429]


def test_unknown_paths_and_methods_are_refused(server: Server) -> None:
    failure(server.client.get("/nowhere"), 404, "not_found")
    # The client would read two slashes at the beginning as a host, and would remove dots.
    failure(server.client.get(f"{server.url}//health"), 404, "not_found")
    answer = server.client.put("/generate")
    failure(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "POST, OPTIONS"
    failure(server.client.request("NONSENSE", "/gallery"), 405, "method_not_allowed")
    options = server.client.options("/gallery")
    assert (options.status_code, options.headers["allow"]) == (204, "GET, HEAD, OPTIONS")
    for task in ["%2e%2e", "..%2f..%2fmust.db", "a%00b", "%ff", "x" * 300, "a\\b", "no::such"]:
        answer = server.client.get(f"/status/{task}")
        assert answer.status_code in (400, 404), task
        assert answer.json()["code"] in ("not_found", "task_not_found", "proxy_target_invalid"), task


def test_the_web_ui_needs_no_credential_and_has_a_strict_policy(server: Server) -> None:
    page = server.bare("GET", "/")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'")
    assert "unsafe" not in policy
    assert page.headers["cache-control"] == "no-cache"
    for name, kind in [("app.js", "text/javascript"), ("style.css", "text/css"), ("icon.svg", "image/svg+xml")]:
        assert f"./assets/{name}" in page.text
        answer = server.bare("GET", f"/assets/{name}")
        assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, kind)
        assert answer.headers["content-security-policy"] == policy
        again = server.bare("GET", f"/assets/{name}", headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        plain = {"Accept-Encoding": "identity"}
        assert int(server.bare("HEAD", f"/assets/{name}", headers=plain).headers["content-length"]) == len(answer.content)
    failure(server.bare("GET", "/assets/..%2fmust.db"), 404, "not_found")
    failure(server.bare("GET", "/", headers={"Origin": "https://evil.example"}), 403, "cors_origin_blocked")


def test_every_answer_names_its_request(server: Server) -> None:
    answer = server.client.get("/models", headers={"X-Correlation-Id": "mine-1"})
    assert answer.headers["x-request-id"] == "mine-1"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    answer = server.client.get("/models", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    assert answer.headers["x-request-id"] == trace
    assert server.client.get("/models", headers={"X-Request-Id": "x" * 200}).headers["x-request-id"] != "x" * 200


def test_events_survive_a_reconnect(server: Server) -> None:
    task = server.submit(model="tiny-video", prompt="a green cross", steps=50)
    with server.client.stream("GET", f"/events/{task}") as answer:
        first = [next(lines) for lines in [answer.iter_lines()] for _ in range(3)]
    assert any(line.startswith("event: status") for line in first), first
    name = next(line for line in first if line.startswith("id: ")).removeprefix("id: ")
    with server.client.stream("GET", f"/events/{task}", headers={"Last-Event-ID": name}) as answer:
        events = [line for line in answer.iter_lines() if line.startswith("data: ")]
    assert '"status":"done"' in events[-1]


def test_a_reconnect_to_an_ended_stream_gets_204(server: Server) -> None:
    task = server.submit()
    server.finish(task)
    with server.client.stream("GET", f"/events/{task}") as answer:
        lines = list(answer.iter_lines())
        assert answer.headers["cache-control"] == "no-cache, no-transform"
        assert answer.headers["x-accel-buffering"] == "no"
        assert "content-encoding" not in answer.headers
    last = [line.removeprefix("id: ") for line in lines if line.startswith("id: ")][-1]
    ended = server.client.get(f"/events/{task}", headers={"Last-Event-ID": last})
    assert (ended.status_code, ended.content) == (204, b""), "what makes EventSource stop"
    for other in ("", "nonsense", last.replace("done", "processing")):
        again = server.client.get(f"/events/{task}", headers={"Last-Event-ID": other})
        assert '"status":"done"' in again.text, "a client that has not seen the last event gets it"


def test_metrics_count_denials_tasks_and_requests(server: Server) -> None:
    def scrape() -> str:
        answer = server.bare("GET", "/metrics", headers={"Authorization": f"Bearer {SCRAPE_TOKEN}"})
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        return answer.text

    def count(text: str, series: str) -> float:
        found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    denials = 'must_denials_total{code="invalid_api_key"}'
    before = count(scrape(), denials)
    failure(server.bare("GET", "/models", headers={"X-API-Key": "wrong"}), 403, "invalid_api_key")
    server.finish(server.submit())
    after = scrape()
    assert count(after, denials) == before + 1
    assert count(after, 'must_stage_seconds_count{model="tiny-image",stage="denoising"}') >= 1
    assert count(after, 'must_tasks{model="tiny-image",status="done"}') >= 1
    assert count(after, 'must_http_request_seconds_count{method="POST",path="/generate",status="202"}') >= 1
    failure(server.bare("GET", "/metrics", headers={"Authorization": "Bearer wrong"}), 401, "admin_session_required")
    checked = subprocess.run(["promtool", "check", "metrics"], input=after, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_no_admin_key_means_no_login(tmp_path: Any) -> None:
    with serving(tmp_path / "data", {"paused": True}, MUST_ADMIN_KEY="short") as server:
        answer = server.bare("POST", "/admin/session", headers={"X-Admin-Key": "short"})
        failure(answer, 403, "admin_misconfigured")


def test_an_interrupted_task_continues_after_a_restart(tmp_path: Any) -> None:
    with serving(tmp_path / "data") as server:
        task = server.submit(model="tiny-video", steps=50)
        time.sleep(0.2)
    with serving(tmp_path / "data") as server:
        assert server.finish(task)["status"] == "done", "what was interrupted goes on"
