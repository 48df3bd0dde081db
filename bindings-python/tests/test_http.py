"""The HTTP API: as a server, one request at a time, and as an ASGI application."""

import asyncio
import json
import threading
import urllib.request
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import fastapi
import httpx2
import pytest
import uvicorn

import must
from must import asgi
from must._http import encoded

KEY = "an-api-key-of-the-tests"
HEADERS = [("X-API-Key", KEY), ("Host", "must.test")]
JSON = [*HEADERS, ("Content-Type", "application/json")]
CIRCLE = json.dumps({"model": "tiny-image", "prompt": "a red circle", "steps": 4}).encode()


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[must.Platform]:
    with must.Platform(tmp_path / "data", api_key=KEY, http={"max_body_bytes": 100_000}) as platform:
        yield platform


def test_a_server_answers_until_it_is_stopped(platform: must.Platform) -> None:
    with platform.serve("127.0.0.1:0") as server:
        with urllib.request.urlopen(f"{server.url}/health", timeout=10) as answer:
            assert json.load(answer)["app"] == "must"
        assert server.url == f"http://{server.address}"
    assert server.stop() is True
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"{server.url}/health", timeout=10)
    with pytest.raises(must.ValidationError):
        platform.serve("nonsense")


def test_handle_returns_the_response_to_a_request(platform: must.Platform) -> None:
    response = platform.handle("GET", "/models", HEADERS)
    assert (response.status, ("content-type", "application/json") in response.headers) == (200, True)
    assert json.loads(response.read())["models"]
    assert platform.handle("GET", "/models").status == 401
    submitted = platform.handle("POST", "/generate", JSON, CIRCLE)
    task = json.loads(submitted.read())["task_id"]
    events = b"".join(platform.handle("GET", f"/events/{task}", HEADERS))
    assert events.count(b"event: status") >= 1
    assert b'"status":"done"' in events.splitlines()[-2]
    picture = platform.handle("GET", f"/results/{task}", [*HEADERS, ("Range", "bytes=0-7")])
    assert (picture.status, picture.read()) == (206, b"\x89PNG\r\n\x1a\n")
    assert platform.handle("POST", "/generate", JSON, b" " * 100_001).status == 413
    with pytest.raises(must.ValidationError):
        platform.handle("NO METHOD", "/health")
    assert "must_http_request_seconds" in platform.metrics()


def test_asyncio_takes_no_thread_for_a_stream(tmp_path: Path) -> None:
    async def run() -> None:
        async with must.AsyncPlatform(tmp_path / "data", api_key=KEY, paused=True) as platform:
            submitted = await platform.handle("POST", "/generate", JSON, CIRCLE)
            task = json.loads(await submitted.read())["task_id"]
            streams = [await platform.handle("GET", f"/events/{task}", HEADERS) for _ in range(50)]
            before = threading.active_count()

            async def follow(stream: must.AsyncResponse) -> bytes:
                return b"".join([chunk async for chunk in stream])

            following = [asyncio.ensure_future(follow(stream)) for stream in streams]
            await asyncio.sleep(0.1)
            assert threading.active_count() == before
            assert (await platform.handle("POST", f"/tasks/{task}/cancel", HEADERS)).status == 202
            assert all(b"cancelled" in text for text in await asyncio.gather(*following))
            async with asyncio.timeout(5):
                server = await platform.serve("127.0.0.1:0")
                assert server.stop() is True

    asyncio.run(run())


def test_mounted_in_fastapi(platform: must.Platform) -> None:
    app = fastapi.FastAPI()
    app.mount("/must", asgi.App(platform))

    async def run() -> None:
        transport = httpx2.ASGITransport(app=app, client=("192.0.2.9", 1))
        async with httpx2.AsyncClient(transport=transport, base_url="http://must.test", headers=HEADERS[:1]) as client:
            assert (await client.get("/must/health")).json()["ok"] is True
            submitted = await client.post("/must/generate", json=json.loads(CIRCLE))
            task = submitted.json()["task_id"]
            events = await client.get(f"/must/events/{task}")
            assert '"status":"done"' in events.text
            assert (await client.get(f"/must/results/{task}")).headers["content-type"] == "image/png"
            missing = await client.get("/must/status/0198c9f2-6d3c-7b8e-9f00-1d2c3b4a5968?")
            assert (missing.status_code, missing.json()["code"]) == (404, "task_not_found")
            picture = {"model": "tiny-image", "prompt": "a red circle", "steps": 4, "response_format": "url"}
            bearer = {"Authorization": f"Bearer {KEY}"}
            made = await client.post("/must/v1/images/generations", json=picture, headers=bearer)
            address = made.json()["data"][0]["url"]
            assert address.startswith("http://must.test/must/results/")
            del client.headers["X-API-Key"]
            assert (await client.get(address)).headers["content-type"] == "image/png"
            client.headers["X-API-Key"] = KEY
            large = await client.post("/must/generate", content=b" " * 200_000)
            assert (large.status_code, large.json()["code"]) == (413, "payload_too_large")

    asyncio.run(run())


def test_a_slow_body_is_accepted_while_it_arrives(tmp_path: Path) -> None:
    bounds: must.HttpSettings = {
        "body_timeout_seconds": 1.5,
        "body_bytes_per_second": 2000,
        "body_time_limit_seconds": 6,
    }

    async def post(app: asgi.App, pieces: list[bytes], pause: float) -> tuple[int, dict[str, Any]]:
        async def coming() -> AsyncIterator[dict[str, Any]]:
            for piece in pieces:
                yield {"type": "http.request", "body": piece, "more_body": True}
                await asyncio.sleep(pause)
            yield {"type": "http.request", "body": b"", "more_body": False}
            await asyncio.Event().wait()

        messages = coming()
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(name.lower(), value) for name, value in encoded(JSON)]
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/generate",
            "headers": headers,
            "query_string": b"",
            "client": None,
        }
        await app(scope, messages.__anext__, send)
        return sent[0]["status"], json.loads(b"".join(message["body"] for message in sent[1:]))

    with must.Platform(tmp_path / "data", api_key=KEY, paused=True, http=bounds) as platform:
        app = asgi.App(platform)

        async def run() -> None:
            status, body = await post(app, [CIRCLE, *[b" " * 1000] * 10], 0.25)
            assert (status, body["status"]) == (202, "pending")
            for pieces, pause, why in [
                ([b" "] * 30, 0.1, "less than 2000 bytes a second"),
                ([CIRCLE[:5], CIRCLE[5:]], 4, "nothing more of the body came for 1.5 s"),
                ([b" " * 2000] * 40, 0.2, "not complete after 6 s"),
            ]:
                status, body = await post(app, pieces, pause)
                assert (status, body["code"], list(body)) == (
                    422,
                    "validation_error",
                    ["code", "detail", "user_action"],
                )
                assert why in body["detail"]

        asyncio.run(run())


def mounted(platform: must.Platform, root_path: str) -> fastapi.FastAPI:
    """The application at `/must`, and at `/in ner/must` inside another mounted application."""
    with warnings.catch_warnings():
        # Newer versions of FastAPI may warn, because they prefer the server's setting.
        # Older versions have only this argument.
        warnings.simplefilter("ignore")
        app, inner = fastapi.FastAPI(root_path=root_path), fastapi.FastAPI()
    inner.get("/own")(lambda: "its own")
    inner.mount("/must", asgi.App(platform))
    app.mount("/must", asgi.App(platform))
    app.mount("/in ner", inner)
    return app


async def request_everything(client: httpx2.AsyncClient, mount: str) -> None:
    """Requests a page, a file of the page, a call, a stream, a result, and a missing path."""
    assert (await client.get(f"{mount}/health")).json()["ok"] is True
    page = await client.get(f"{mount}/")
    assert (page.status_code, "<div id=" in page.text) == (200, True)
    submitted = await client.post(f"{mount}/generate", json=json.loads(CIRCLE))
    task = submitted.json()["task_id"]
    assert '"status":"done"' in (await client.get(f"{mount}/events/{task}")).text
    assert (await client.get(f"{mount}/results/{task}?")).headers["content-type"] == "image/png"
    missing = await client.get(f"{mount}/status/0198c9f2-6d3c-7b8e-9f00-1d2c3b4a5968")
    assert (missing.status_code, missing.json()["code"]) == (404, "task_not_found")
    assert (await client.get(f"{mount}ard/health")).json() == {"detail": "Not Found"}


@pytest.mark.parametrize(
    ("root_path", "asked_at", "mount"),
    [
        ("", "", "/must"),
        ("", "", "/in%20ner/must"),
        # A proxy strips it. FastAPI itself then finds no route in a nested application.
        ("/api", "", "/must"),
        ("/api/", "", "/must"),
        ("/a/pi v1", "", "/must"),
        # A proxy does not strip it.
        ("/api", "/api", "/must"),
        ("/api", "/api", "/in%20ner/must"),
    ],
)
def test_mounted_below_a_root_path(platform: must.Platform, root_path: str, asked_at: str, mount: str) -> None:
    async def run() -> None:
        transport = httpx2.ASGITransport(app=mounted(platform, root_path), client=("192.0.2.9", 1))
        async with httpx2.AsyncClient(transport=transport, base_url="http://must.test", headers=HEADERS[:1]) as client:
            await request_everything(client, asked_at + mount)

    asyncio.run(run())


@pytest.mark.parametrize("root_path", ["/api", "/api/", "/a/pi v1"])
def test_a_nested_application_is_found_where_fastapi_finds_its_routes(platform: must.Platform, root_path: str) -> None:
    """Where a proxy has stripped the root path, FastAPI does not find even its own nested routes."""

    async def run() -> None:
        app = mounted(platform, root_path)
        transport = httpx2.ASGITransport(app=app, client=("192.0.2.9", 1))
        async with httpx2.AsyncClient(transport=transport, base_url="http://must.test", headers=HEADERS[:1]) as client:
            own = await client.get("/in%20ner/own")
            ours = await client.get("/in%20ner/must/health")
            assert ours.status_code == own.status_code

    asyncio.run(run())


@pytest.mark.parametrize("asked_at", ["", "/must"])
@pytest.mark.parametrize("root_path", ["", "/api"])
def test_under_uvicorn_with_a_root_path(platform: must.Platform, root_path: str, asked_at: str) -> None:
    """uvicorn puts its `--root-path` before every path."""
    app: Any = mounted(platform, "") if asked_at else asgi.App(platform)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", root_path=root_path))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            threading.Event().wait(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}{asked_at}", headers=HEADERS[:1], timeout=30) as client:
            assert client.get("/health").json()["ok"] is True
            assert client.get("/models?").status_code == 200
            assert client.get("/nowhere").json()["code"] == "not_found"
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.mark.parametrize(
    ("scope", "target"),
    [
        # Starlette before 0.33 shortened `path` and left `raw_path`.
        ({"path": "/health", "raw_path": b"/must/health", "root_path": "/must", "app_root_path": ""}, "/health"),
        (
            {"path": "/health", "raw_path": b"/must/health", "root_path": "/api/must", "app_root_path": "/api"},
            "/health",
        ),
        ({"path": "/must", "raw_path": b"/must/must", "root_path": "/must", "app_root_path": ""}, "/must"),
        ({"path": "/", "raw_path": b"/must/", "root_path": "/must", "app_root_path": ""}, "/"),
        # uvicorn before 0.26 gave its root path but left it out of the path.
        ({"path": "/health", "raw_path": b"/health", "root_path": "/api"}, "/health"),
        # The ASGI specification: the whole root path is in the path.
        ({"path": "/api/health", "raw_path": b"/api/health", "root_path": "/api"}, "/health"),
        ({"path": "/api", "raw_path": b"/api", "root_path": "/api"}, "/"),
        ({"path": "/apiary", "raw_path": b"/apiary", "root_path": "/api"}, "/apiary"),
        # Servers without `raw_path`, and one that leaves the query in it.
        ({"path": "/must/sta tus", "root_path": "/must"}, "/sta%20tus"),
        ({"path": "/must/x", "raw_path": None, "root_path": "/must", "query_string": b"a=%20"}, "/x?a=%20"),
        ({"path": "/must/x", "raw_path": b"/must/x?a=1", "root_path": "/must", "query_string": b"a=1"}, "/x?a=1"),
        # Encoded characters below the mount stay encoded.
        ({"path": "/m t/a/b", "raw_path": b"/m%20t/a%2Fb", "root_path": "/m t", "app_root_path": ""}, "/a%2Fb"),
        ({"path": "/health"}, "/health"),
    ],
)
def test_the_target_of_a_scope(scope: dict[str, Any], target: str) -> None:
    assert asgi._target(scope) == target


def test_under_uvicorn(platform: must.Platform) -> None:
    config: Any = uvicorn.Config(asgi.App(platform), port=0, log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            threading.Event().wait(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", headers=HEADERS[:1], timeout=30) as client:
            task = client.post("/generate", json={"model": "tiny-video", "prompt": "a red circle"}).json()["task_id"]
            with client.stream("GET", f"/events/{task}") as events:
                states = [json.loads(line[6:]) for line in events.iter_lines() if line.startswith("data: ")]
            assert states[-1]["status"] == "done"
            assert len(states) > 2, "pieces come as they are made"
            with client.stream("GET", f"/events/{task}"):
                pass
            assert client.get(f"/results/{task}").content[4:8] == b"ftyp"
    finally:
        server.should_exit = True
        thread.join(10)
    assert not thread.is_alive()
