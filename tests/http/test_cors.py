"""Browsers with pages of other sites: only exact origins are allowed."""

import pytest
from conftest import ORIGIN, Server, failure

PATHS = ["/health", "/generate", "/gallery", "/auth/session", "/admin/session", "/admin/health", "/v1/videos", "/nowhere"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("origin", ["https://evil.example", "null", f"{ORIGIN}.evil.example", f"{ORIGIN}:444"])
def test_other_origins_are_refused(server: Server, path: str, origin: str) -> None:
    for method, more in [("GET", {}), ("OPTIONS", {"Access-Control-Request-Method": "POST"})]:
        answer = server.bare(method, path, headers={"Origin": origin, **more})
        failure(answer, 403, "cors_origin_blocked")
        assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_the_allowed_origin_gets_credentialed_headers(server: Server) -> None:
    headers = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
    preflight = server.bare("OPTIONS", "/generate", headers=headers)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == ORIGIN
    assert preflight.headers["access-control-allow-credentials"] == "true"
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert "x-api-key" in preflight.headers["access-control-allow-headers"]
    assert "origin" in preflight.headers["vary"]
    answer = server.bare("GET", "/models", headers={"Origin": ORIGIN})
    failure(answer, 401, "session_required")
    assert answer.headers["access-control-allow-origin"] == ORIGIN


def test_own_pages_are_allowed_and_changes_from_other_sites_are_refused(server: Server) -> None:
    assert server.client.get("/models", headers={"Origin": server.url}).status_code == 200
    for site in ("cross-site", "same-site"):
        answer = server.client.post("/generate", json={}, headers={"Sec-Fetch-Site": site})
        failure(answer, 403, "cors_origin_blocked")
    answer = server.client.post("/generate", json={}, headers={"Sec-Fetch-Site": "same-origin"})
    failure(answer, 422, "validation_error")
    # Behind a proxy that puts its own name into Host, only the browser knows that the origin is the same.
    proxied = {"Origin": "https://must.example", "Host": "127.0.0.1:8000"}
    answer = server.client.post("/generate", json={}, headers={**proxied, "Sec-Fetch-Site": "same-origin"})
    failure(answer, 422, "validation_error")
    for site in ({"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "none"}, {}):
        answer = server.client.post("/generate", json={}, headers={**proxied, **site})
        failure(answer, 403, "cors_origin_blocked")
