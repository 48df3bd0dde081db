"""The same HTTP API without a socket: a platform in this process, over ASGI or `handle`, or a platform in a Node process."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

PEER = ("127.0.0.1", 40000)
NODE_HOST = Path(__file__).parent / "node_host.mjs"


@contextlib.contextmanager
def mounted(kind: str, data: Path, settings: dict[str, Any]) -> Iterator[httpx.BaseTransport]:
    """A platform with this transport for the duration of the block."""
    if kind == "node":
        with _node({"data_dir": str(data), **settings}) as transport:
            yield transport
        return
    import must
    import must.asgi

    with must.Platform(data, **settings) as platform:
        if kind == "handle":
            yield Handle(platform)
        else:
            with _running_loop() as loop:
                yield Asgi(must.asgi.App(platform), loop)


@contextlib.contextmanager
def _running_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _target(request: httpx.Request) -> str:
    return request.url.raw_path.decode("ascii")


class Handle(httpx.BaseTransport):
    """Calls `Platform.handle`. Answers come in pieces."""

    def __init__(self, platform: Any) -> None:
        self._platform = platform

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body = request.read()
        answer = self._platform.handle(request.method, _target(request), request.headers.raw, body, peer=PEER[0])
        return httpx.Response(answer.status, headers=answer.headers, stream=_Pieces(answer))

    def close(self) -> None:
        """Do nothing, because the creator of the platform closes it."""


class _Pieces(httpx.SyncByteStream):
    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        yield from self._answer

    def close(self) -> None:
        self._answer.close()


class Asgi(httpx.BaseTransport):
    """Calls an ASGI application on its own event loop. Answers come as a whole."""

    def __init__(self, app: Any, loop: asyncio.AbstractEventLoop) -> None:
        self.app = app
        self._loop = loop

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body = request.read()
        return asyncio.run_coroutine_threadsafe(self._answer(request, body), self._loop).result(60)

    async def _answer(self, request: httpx.Request, body: bytes) -> httpx.Response:
        path, _, query = _target(request).partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": "http",
            "path": httpx.URL(f"http://x{path}").path,
            "raw_path": path.encode("ascii"),
            "query_string": query.encode("ascii"),
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "client": PEER,
            "root_path": "",
        }
        sent: list[dict[str, Any]] = []
        over = asyncio.Event()
        messages = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def receive() -> dict[str, Any]:
            for message in messages:
                return message
            await over.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        over.set()
        pieces = [message.get("body", b"") for message in sent[1:]]
        return httpx.Response(sent[0]["status"], headers=sent[0]["headers"], content=b"".join(pieces))

    def close(self) -> None:
        """Do nothing, because `mounted` stops the loop and closes the platform."""


class Node(httpx.BaseTransport):
    """Calls `platform.handle` in a Node process over a pipe. Answers come as a whole."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body = base64.b64encode(request.read()).decode()
        headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in request.headers.raw]
        asked = {"method": request.method, "target": _target(request), "headers": headers, "body": body, "peer": PEER[0]}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
            said = json.loads(self._process.stdout.readline())
        return httpx.Response(said["status"], headers=said["headers"], content=base64.b64decode(said["body"]))

    def close(self) -> None:
        """Do nothing, because `_node` ends the process."""


@contextlib.contextmanager
def _node(settings: dict[str, Any]) -> Iterator[Node]:
    process = subprocess.Popen(
        ["node", str(NODE_HOST), json.dumps(_camel(settings))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Node(process)
    finally:
        process.stdin.close()
        assert process.wait(60) == 0
        process.stdout.close()


def _camel(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings with Node's camelCase names."""
    camel: dict[str, Any] = {}
    for name, value in settings.items():
        first, *rest = name.split("_")
        ours = first + "".join(part.capitalize() for part in rest)
        if isinstance(value, dict):
            camel[ours] = _camel(value)
        else:
            camel[ours] = value
    return camel
