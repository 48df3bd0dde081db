"""The HTTP API as an ASGI application, for uvicorn, FastAPI and any other server or framework of that kind.

>>> import must.asgi
>>> app = must.asgi.App(platform)
>>> from fastapi import FastAPI
>>> site = FastAPI()
>>> site.mount("/must", app)

uvicorn can serve both: `uvicorn module:app`.

The application works at any mount path, also with `FastAPI(root_path=...)` and uvicorn's `--root-path`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import quote, unquote

from must._aio import AsyncPlatform
from must._exceptions import MustError
from must._http import AsyncResponse
from must._must import NativeAnswer
from must._sync import Platform

__all__ = ["App"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class App:
    """An ASGI 3 application for a platform. It does not close the platform."""

    def __init__(self, platform: Platform | AsyncPlatform) -> None:
        """Answer with this platform."""
        self._platform = platform

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:
            # WebSockets are not supported: close them before they are accepted.
            await receive()
            await send({"type": "websocket.close", "code": 1000})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await self._read(receive)
        except MustError as error:
            await _refuse(error, _target(scope), send)
            return
        if body is None:
            return
        client = scope.get("client")
        # Absolute addresses in the answer begin with these.
        mount = (scope.get("scheme", "http"), scope.get("root_path", ""))
        native = self._platform._http_service.handle(
            scope["method"], _target(scope), list(scope["headers"]), body, client[0] if client else None, mount
        )
        gone = asyncio.ensure_future(_disconnected(receive))
        answering = asyncio.ensure_future(_send_answer(native, send))
        try:
            await asyncio.wait([gone, answering], return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                answering.result()
        finally:
            native.close()
            for task in (gone, answering):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def _read(self, receive: Receive) -> bytes | None:
        """The body; `None` when the client disconnected. A body over the limit is cut after the piece that exceeds it;
        the service refuses it.

        Raises when the body arrives too slowly.
        """
        parts: list[bytes] = []
        service = self._platform._http_service
        size, limit = 0, service.max_body_bytes
        began = last = time.monotonic()
        while True:
            now = time.monotonic()
            try:
                message = await asyncio.wait_for(receive(), service.body_wait(size, now - began, now - last))
            except TimeoutError:
                continue
            if message["type"] == "http.disconnect":
                return None
            part = message.get("body", b"")
            if part:
                last = time.monotonic()
            if size <= limit:
                parts.append(part)
            size += len(part)
            if not message.get("more_body", False):
                return b"".join(parts)


async def _send_answer(native: NativeAnswer, send: Send) -> None:
    response = await AsyncResponse.of(native)
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    async for chunk in response:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _refuse(error: MustError, target: str, send: Send) -> None:
    said: dict[str, Any] = {"code": error.code, "detail": error.detail, "user_action": error.user_action}
    if target.startswith("/v1/"):
        # The form that OpenAI's clients read.
        kind = "server_error" if error.http_status >= 500 else "invalid_request_error"
        message = f"{error.detail}. {error.user_action}"
        said["error"] = {"message": message, "type": kind, "param": None, "code": error.code}
    body = json.dumps(said).encode()
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": error.http_status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _target(scope: Scope) -> str:
    """Path and query as they were sent, below the path that the application is mounted at."""
    path: str = scope["path"]
    # Some servers leave the query in `raw_path`; some do not set it.
    raw = (scope.get("raw_path") or quote(path).encode()).split(b"?")[0].decode("latin-1")
    below = _below(raw, path, scope.get("root_path", ""), scope.get("app_root_path", "")) or "/"
    query = scope.get("query_string", b"").decode("latin-1")
    return f"{below}?{query}" if query else below


def _below(raw: str, path: str, root: str, outer: str) -> str:
    """The end of `raw` that is below the mount.

    `root` is the path of the application, and `outer` its first part, at which a server or a proxy serves the whole
    framework. How much of them `path` contains depends on the server: all of `root` (Starlette from 0.33 on, uvicorn
    from 0.26 on), only the part below `outer` (a proxy has stripped `outer`, as with `FastAPI(root_path=...)`), or
    nothing (earlier versions of both).
    """
    shortened = unquote(raw) != path
    if shortened and (rest := _end(raw, path)) is not None:
        return rest
    inner = root.removeprefix(outer)
    for prefix in (root, inner):
        if prefix.strip("/") and (rest := _without(raw, prefix)) is not None:
            return rest
    return raw


def _without(raw: str, prefix: str) -> str | None:
    """The rest of `raw` after `prefix`, which is not encoded; `None` when `raw` does not begin with it."""
    prefix = prefix.rstrip("/")
    for end in _ends_of_segments(raw):
        if unquote(raw[:end]) == prefix:
            return raw[end:]
    return None


def _end(raw: str, path: str) -> str | None:
    """The end of `raw` that decodes to `path`."""
    for start in _ends_of_segments(raw):
        if unquote(raw[start:]) == path:
            return raw[start:]
    return None


def _ends_of_segments(raw: str) -> list[int]:
    return [*(at for at, letter in enumerate(raw) if letter == "/"), len(raw)]


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
