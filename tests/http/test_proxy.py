"""Behind nginx with a configuration that only has `proxy_pass`."""

import contextlib
import gzip
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from conftest import API_KEY, SCRAPE_TOKEN, Server, over_sockets, serving

pytestmark = [
    over_sockets,
    pytest.mark.skipif(
        shutil.which("nginx") is None and "MUST_REQUIRE_TOOLS" not in os.environ, reason="there is no nginx"
    ),
]

SCRIPT = Path(__file__).resolve().parents[1] / "browser" / "events.mjs"

# `gzip on` is in Debian's own nginx.conf; the other lines set the places of files.
CONFIGURATION = """
daemon off;
{user}
pid {folder}/nginx.pid;
error_log stderr;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    gzip on;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass {behind};
        }}
    }}
}}
"""


@contextlib.contextmanager
def nginx(folder: Path, behind: str) -> Iterator[str]:
    """nginx in front of a server for the duration of the block."""
    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    user = "user root;" if os.geteuid() == 0 else ""
    configuration = folder / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(folder=folder, port=port, behind=behind, user=user))
    process = subprocess.Popen(["nginx", "-e", "stderr", "-p", folder, "-c", configuration])
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            assert process.poll() is None
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    """A server whose event streams send a keep-alive every second, and its address at nginx."""
    folder = tmp_path_factory.mktemp("proxied")
    with serving(folder / "data", {"http": {"event_keep_alive_seconds": 1}}) as server, nginx(folder / "nginx", server.url) as url:
        yield server, url


def asking(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, headers={"X-API-Key": API_KEY}, timeout=30)


def test_events_come_one_by_one(tmp_path: Path) -> None:
    settings = {"paused": True, "http": {"event_keep_alive_seconds": 3}}
    with serving(tmp_path / "data", settings) as server, nginx(tmp_path / "nginx", server.url) as url, asking(url) as client:
        task = client.post("/generate", json={"model": "tiny-image", "prompt": "a red circle"}).json()["task_id"]
        began = time.monotonic()
        with client.stream("GET", f"/events/{task}") as answer:
            lines = answer.iter_lines()
            seen = [next(lines)]
            first = time.monotonic() - began
            while seen.count(":") < 2:
                seen.append(next(lines))
            alive = time.monotonic() - began
            client.post(f"/tasks/{task}/cancel")
            seen.extend(lines)
        # The task did not change until it was cancelled, so nginx passed these events on without waiting for more data.
        assert first < 3
        assert 6 <= alive < 20
        assert sum(line.startswith("data: ") for line in seen) == 2
        assert '"error_code":"cancelled"' in "".join(seen)
        assert answer.headers["cache-control"] == "no-cache, no-transform"


def test_event_source_stops_at_the_end(proxied: tuple[Server, str]) -> None:
    server, url = proxied
    for through in (url, server.url):
        before = streams(server)
        outcome = subprocess.run(["node", SCRIPT, through], capture_output=True, text=True, timeout=200, check=False)
        assert outcome.returncode == 0, outcome.stderr
        seen = json.loads(outcome.stdout)
        assert seen == {"states": seen["states"], "opened": 1, "closed": True, "session": 201}, seen
        assert seen["states"][-1] == "done"
        after = streams(server)
        assert {status: after[status] - before[status] for status in after} == {"200": 1, "204": 1}


def streams(server: Server) -> dict[str, int]:
    """The number of answers to requests for streams, by status."""
    text = server.bare("GET", "/metrics", headers={"Authorization": f"Bearer {SCRAPE_TOKEN}"}).text
    counts = {"200": 0, "204": 0}
    for line in text.splitlines():
        if line.startswith('must_http_request_seconds_count{method="GET",path="/events/{id}"'):
            counts[line.split('status="')[1].split('"')[0]] = int(line.rsplit(" ", 1)[1])
    return counts


def test_the_page_and_its_calls_work(proxied: tuple[Server, str]) -> None:
    _, url = proxied
    with httpx.Client(base_url=url) as client:
        assert '<div id="root">' in client.get("/").text
        script = client.get("/assets/app.js")
        assert script.headers["content-encoding"] == "gzip"
        assert client.get("/assets/app.js", headers={"If-None-Match": script.headers["etag"]}).status_code == 304
        # nginx sends its upstream's name as the host; the browser says that the page calls its own address.
        page = {"Origin": url, "Sec-Fetch-Site": "same-origin"}
        assert client.post("/auth/session", headers=page).status_code == 201
        stranger = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
        assert client.post("/auth/session", headers=stranger).status_code == 403


def test_bodies_and_media_get_through(proxied: tuple[Server, str]) -> None:
    server, url = proxied
    with asking(url) as client:
        body = gzip.compress(json.dumps({"model": "tiny-video", "prompt": "a red circle", "seed": 1}).encode())
        packed = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        submitted = client.post("/generate", content=body, headers=packed)
        assert submitted.status_code == 202, submitted.text
        done = server.finish(submitted.json()["task_id"])
        whole = client.get(done["result_url"])
        assert whole.content == server.client.get(done["result_url"]).content
        assert "filename*=UTF-8''tiny-video-1-a-red-circle-" in whole.headers["content-disposition"]
        part = client.get(done["result_url"], headers={"Range": "bytes=10-19"})
        assert (part.status_code, part.content) == (206, whole.content[10:20])
        assert client.get(done["result_url"], headers={"If-None-Match": whole.headers["etag"]}).status_code == 304
