"""The HTTP API of a platform: as a server, or one request at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from types import TracebackType
from typing import Self

from must._must import NativeAnswer, NativeServer
from must._wakeups import Waiters

Headers = list[tuple[str, str]]
"""Names and values in order; a name may occur more than once."""

STOP_TIMEOUT = 10.0
"""Seconds that stopping waits for running calls by default."""


class Server:
    """A running HTTP server. It stops at the end of a `with` block, by `stop`, or when it is garbage-collected.

    >>> with platform.serve("127.0.0.1:0") as server:
    ...     print(server.url.removesuffix(server.address))
    http://
    """

    def __init__(self, native: NativeServer) -> None:
        """Made by `Platform.serve` and `AsyncPlatform.serve`."""
        self._native = native

    @property
    def address(self) -> str:
        """The address that it listens at, such as `127.0.0.1:8000`."""
        return self._native.address

    @property
    def url(self) -> str:
        """The address as a URL."""
        return f"http://{self.address}"

    def stop(self, deadline_seconds: float = STOP_TIMEOUT) -> bool:
        """Accept no more connections, end event streams, and wait up to `deadline_seconds` for running calls.

        True when all of them ended in time.
        """
        return self._native.stop(deadline_seconds)

    def __enter__(self) -> Self:
        """The server itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server."""
        self.stop()


class Response:
    """The answer to a request: `status`, `headers`, and a body that arrives piece by piece.

    Iterating gives the pieces; an event stream lasts until its task has ended. `close` ends it earlier.

    >>> import json
    >>> response = platform.handle("GET", "/health")
    >>> response.status, json.loads(response.read())["app"]
    (200, 'must')
    """

    def __init__(self, native: NativeAnswer) -> None:
        """Made by `Platform.handle`."""
        self._native = native
        self.status, headers = native.head()
        self.headers: Headers = [(name, value.decode("latin-1")) for name, value in headers]

    def __iter__(self) -> Iterator[bytes]:
        """The pieces of the body."""
        while (chunk := self._native.chunk()) is not None:
            yield chunk

    def read(self) -> bytes:
        """The whole body, or the rest of it."""
        return b"".join(self)

    def close(self) -> None:
        """End the answer before its body is complete."""
        self._native.close()


class AsyncResponse:
    """`Response` for asyncio: `async for chunk in response`."""

    def __init__(self, native: NativeAnswer, status: int, headers: list[tuple[str, bytes]]) -> None:
        """Made by `AsyncPlatform.handle`."""
        self._native = native
        self.status = status
        self.headers: Headers = [(name, value.decode("latin-1")) for name, value in headers]

    @classmethod
    async def of(cls, native: NativeAnswer) -> Self:
        """Wait for the head of an answer."""
        try:
            status, headers = await Waiters.of_running_loop().head(native)
        except BaseException:
            native.close()
            raise
        return cls(native, status, headers)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The pieces of the body."""
        while (chunk := await Waiters.of_running_loop().chunk(self._native)) is not None:
            yield chunk

    async def read(self) -> bytes:
        """The whole body, or the rest of it."""
        return b"".join([chunk async for chunk in self])

    def close(self) -> None:
        """End the answer before its body is complete."""
        self._native.close()


def encoded(headers: Iterable[tuple[str | bytes, str | bytes]]) -> list[tuple[bytes, bytes]]:
    """Headers as bytes."""

    def plain(text: str | bytes) -> bytes:
        return text if isinstance(text, bytes) else text.encode("latin-1")

    return [(plain(name), plain(value)) for name, value in headers]
