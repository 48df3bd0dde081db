"""A proxy that records requests and holds an exchange at a named point for a test."""

from __future__ import annotations

import contextlib
import json
import re
import select
import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import Any, Literal

Point = Literal["connected", "asked", "read", "answered", "half"]
"""The point at which an exchange is held.

connected  the client has connected, and nothing was read from it
asked      the proxy has the whole request, and the server has nothing
read       the server has read the whole request and has not answered
answered   the proxy has the whole answer, and the client has nothing
half       the proxy has the whole answer, and the client has half of it
"""

PATIENCE = 30.0


@dataclass
class Hold:
    """Which exchanges to hold, and the exchanges that were held."""

    point: Point
    method: str
    path: re.Pattern[str]
    requests: list[tuple[str, str]] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)
    reached: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    cut_off: bool = True

    def wait(self) -> None:
        """Wait until an exchange is held."""
        assert self.reached.wait(PATIENCE), f"no {self.method} {self.path.pattern} reached the point {self.point}"

    def go(self) -> None:
        """Release the held exchanges and hold no more."""
        self.cut_off = False
        self.over.set()

    def cut(self) -> None:
        """Break the connections of the held exchanges, as when a process ends."""
        self.over.set()

    def answer(self) -> Any:
        """The JSON of the first held answer."""
        return json.loads(self.answers[0].partition(b"\r\n\r\n")[2])

    def matches(self, point: Point, method: str, path: str) -> bool:
        return point == self.point and method == self.method and self.path.fullmatch(path) is not None

    def hold(self, request: tuple[str, str], answer: bytes = b"") -> bool:
        """Hold one exchange. Returns whether it may continue afterwards."""
        self.requests.append(request)
        self.answers.append(answer)
        self.reached.set()
        return self.until_over()

    def until_over(self) -> bool:
        self.over.wait(PATIENCE)
        return not self.cut_off


class Broken(Exception):
    """The exchange was cut off."""


class HoldingProxy:
    """Passes on one request on each connection."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.asked: list[tuple[str, str]] = []
        self._hold: Hold | None = None
        self._through = threading.Event()
        self._through.set()
        self._listen()

    def _listen(self) -> None:
        self._thread = threading.Thread(target=self._accept, args=(self._listener,))
        self._thread.start()

    def hold(self, point: Point, method: str, path: str) -> Hold:
        """Hold every matching exchange from now on, until the returned hold is released or cut."""
        self._hold = Hold(point, method, re.compile(path))
        return self._hold

    def shut(self) -> None:
        """Refuse connections, as if nothing listened."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def open(self) -> None:
        """Accept connections again, and continue parked ones."""
        if self._listener.fileno() < 0:
            self._listener = socket.create_server(("127.0.0.1", self.port))
            self._listen()
        self._through.set()

    def park(self) -> None:
        """Accept connections, and let them wait until `open`."""
        self._through.clear()

    def close(self) -> None:
        if self._hold is not None:
            self._hold.cut()
        self._through.set()
        if self._listener.fileno() >= 0:
            self.shut()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        near.settimeout(PATIENCE)
        with near:
            try:
                self._exchange(near)
            except (Broken, OSError):
                # The client sees a reset connection.
                with contextlib.suppress(OSError):
                    near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _exchange(self, near: socket.socket) -> None:
        hold = self._hold
        if hold is not None and hold.point == "connected" and not hold.over.is_set():
            # The request is only peeked at, to identify it.
            seen = _peek(near)
            # The server gets a connection on which nothing is sent.
            with socket.create_connection(self._target, timeout=PATIENCE):
                if hold.matches("connected", *seen) and not hold.hold(seen):
                    raise Broken
        request = _message(near)
        asked = _asked(request)
        self.asked.append(asked)
        self._held("asked", asked)
        if not self._through.wait(PATIENCE):
            raise Broken
        with socket.create_connection(self._target, timeout=PATIENCE) as far:
            far.sendall(request)
            if self._wanted("read", asked) is not None:
                while _unread(self._target[1], far.getsockname()[1]):
                    pass
                if select.select([far], [], [], 0)[0]:
                    raise AssertionError("it was answered before it could be held")
                self._held("read", asked)
            answer = _message(far)
        self._held("answered", asked, answer)
        head, blank, body = answer.partition(b"\r\n\r\n")
        closing = head + b"\r\nconnection: close" + blank + body
        if self._wanted("half", asked) is not None:
            half = len(closing) - max(len(body), 2) // 2
            near.sendall(closing[:half])
            self._held("half", asked, answer)
            closing = closing[half:]
        near.sendall(closing)

    def _wanted(self, point: Point, asked: tuple[str, str]) -> Hold | None:
        hold = self._hold
        return hold if hold is not None and not hold.over.is_set() and hold.matches(point, *asked) else None

    def _held(self, point: Point, asked: tuple[str, str], answer: bytes = b"") -> None:
        hold = self._wanted(point, asked)
        if hold is not None and not hold.hold(asked, answer):
            raise Broken


def _asked(request: bytes) -> tuple[str, str]:
    method, path, *_ = request.split(b"\r\n", 1)[0].decode("ascii").split(" ")
    return method, path


def _peek(near: socket.socket) -> tuple[str, str]:
    while b"\r\n" not in (seen := near.recv(65536, socket.MSG_PEEK)):
        if not seen:
            raise Broken
    return _asked(seen)


def _message(source: socket.socket) -> bytes:
    """Read a whole request or answer."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += _more(source)
    head, _, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: *(\d+)", head.lower())
    missing = (int(length[1]) if length else 0) - len(body)
    parts = [received]
    while missing > 0:
        parts.append(_more(source))
        missing -= len(parts[-1])
    return b"".join(parts)


def _more(source: socket.socket) -> bytes:
    part = source.recv(1 << 20)
    if not part:
        raise Broken
    return part


def _unread(server: int, client: int) -> bool:
    """Whether the server's end of a connection has unread bytes, or does not exist yet."""
    with open("/proc/net/tcp") as table:
        for line in table:
            _, local, remote, state, queues, *_ = line.split()
            if local.endswith(f":{server:04X}") and remote.endswith(f":{client:04X}") and state == "01":
                return queues.split(":")[1] != "00000000"
    return True
