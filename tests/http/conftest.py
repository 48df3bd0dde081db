"""Servers to test against: the `must` program that MUST_PROGRAM names, each with its own data folder.

MUST_TRANSPORT chooses another way to the same API: `handle` or `asgi` of the Python module, `node` of the Node addon.
Tests of sockets and processes are then left out. The workers of a gateway are always `must` programs.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from transports import mounted

API_KEY = "an-api-key-of-the-tests"
ADMIN_KEY = "an-admin-key-of-the-tests"
SCRAPE_TOKEN = "a-scrape-token-of-the-tests"
ORIGIN = "https://studio.example"
TRANSPORT = os.environ.get("MUST_TRANSPORT", "socket")

over_sockets = pytest.mark.skipif(TRANSPORT != "socket", reason="a test of sockets or of the program")


@dataclass
class Server:
    """A running server: `must serve`, or a platform behind the transport that MUST_TRANSPORT names."""

    url: str
    data: Path
    transport: httpx.BaseTransport | None = None
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = self.open({"X-API-Key": API_KEY})

    def open(self, headers: dict[str, str]) -> httpx.Client:
        """A client that sends these headers with every request."""
        # The server closes idle connections after two seconds (`header_timeout_seconds` of `listening`).
        limits = httpx.Limits(keepalive_expiry=1)
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, limits=limits, transport=self.transport)

    def bare(self, method: str, path: str, **given: Any) -> httpx.Response:
        """Make one request with only the given headers."""
        with self.open({}) as client:
            return client.request(method, self.url + path, **given)

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.url.removeprefix("http://").split(":")
        return host, int(port)

    def submit(self, **request: Any) -> str:
        answer = self.client.post("/generate", json={"model": "tiny-image", "prompt": "a red circle", **request})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["task_id"])

    def finish(self, task: str) -> dict[str, Any]:
        """Follow a task by its events until it has ended."""
        last: dict[str, Any] = {}
        with self.client.stream("GET", f"/events/{task}") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    last = json.loads(line.removeprefix("data: "))
        assert last["status"] in ("done", "failed"), last
        return last

    def admin(self) -> httpx.Client:
        """A client with an admin session."""
        answer = self.bare("POST", "/admin/session", headers={"X-Admin-Key": ADMIN_KEY})
        assert answer.status_code == 204, answer.text
        return self.open({"Cookie": answer.headers["set-cookie"].split(";")[0]})

    def raw(self, sent: bytes, *, half_close: bool = False, timeout: float = 20) -> bytes:
        """Send these bytes, and read until the server closes the connection."""
        with socket.create_connection(self.address, timeout=timeout) as connection:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(sent)
                if half_close:
                    connection.shutdown(socket.SHUT_WR)
            received = b""
            with contextlib.suppress(ConnectionResetError, TimeoutError):
                while part := connection.recv(65536):
                    received += part
            return received


def failure(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Assert that an answer is this failure, in the shape of all failures, or in that of the calls under /v1."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    body: dict[str, Any] = answer.json()
    if answer.request.url.path.startswith("/v1/"):
        assert list(body) == ["code", "detail", "user_action", "error"], body
        assert list(body["error"]) == ["message", "type", "param", "code"], body
        assert body["error"]["code"] == code, body
    else:
        assert list(body) == ["code", "detail", "user_action"], body
    assert body["code"] == code, body
    assert all(body.values()), body
    return body


@contextlib.contextmanager
def serving(data: Path, settings: dict[str, Any] | None = None, **variables: str) -> Iterator[Server]:
    """A server for the duration of the block. It has to stop gracefully."""
    if TRANSPORT != "socket":
        keys = {"api_key": API_KEY, "admin_key": variables.get("MUST_ADMIN_KEY", ADMIN_KEY), "frontend_origins": [ORIGIN]}
        http = {"scrape_token": SCRAPE_TOKEN, **(settings or {}).get("http", {})}
        with mounted(TRANSPORT, data, {**(settings or {}), **keys, "http": http}) as transport:
            yield Server("http://must.test", data, transport)
    else:
        with listening(data, settings, **variables) as running:
            yield running


@contextlib.contextmanager
def listening(data: Path, settings: dict[str, Any] | None = None, **variables: str) -> Iterator[Server]:
    """A server on a socket, independent of MUST_TRANSPORT."""
    config = data.with_suffix(".json")
    config.write_text(json.dumps({"http": {"header_timeout_seconds": 2, "body_timeout_seconds": 2}, **(settings or {})}))
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("MUST_")},
        "MUST_API_KEY": API_KEY,
        "MUST_ADMIN_KEY": ADMIN_KEY,
        "MUST_SCRAPE_TOKEN": SCRAPE_TOKEN,
        "MUST_FRONTEND_ORIGINS": ORIGIN,
        **variables,
    }
    program = os.environ["MUST_PROGRAM"]
    process = subprocess.Popen(
        [program, "--json", "--data", str(data), "serve", "--addr", "127.0.0.1:0", "--config", str(config)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout is not None
    try:
        yield Server(json.loads(process.stdout.readline())["listening"], data)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, "the server did not stop gracefully"
        process.stdout.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server of most tests."""
    with serving(tmp_path_factory.mktemp("server") / "data") as running:
        yield running


@pytest.fixture(scope="session")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that gateways send tasks to."""
    with listening(tmp_path_factory.mktemp("worker") / "data") as running:
        yield running


@pytest.fixture(scope="session")
def done(server: Server) -> dict[str, Any]:
    """The state of a finished clip."""
    return server.finish(server.submit(model="tiny-video", prompt="a red circle moving left", seed=1))


@pytest.fixture
def paused(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """A function that starts servers whose tasks stay pending."""
    with contextlib.ExitStack() as stack:

        def start(**settings: Any) -> Server:
            given = {"paused": True, "queue_depth": 100_000, "queue_wait_seconds": 0.2, **settings}
            return stack.enter_context(serving(tmp_path / f"data{len(settings)}", given))

        yield start
