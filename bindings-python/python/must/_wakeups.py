"""Lets many asyncio tasks of one loop wait for the library through one file descriptor."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from must._must import Events, NativeAnswer, NativeSubmission, Wakeups


class Waiters:
    """The waiters of one loop. The loop watches the file descriptor only while there are waiters."""

    _of_loop: ClassVar[WeakKeyDictionary[asyncio.AbstractEventLoop, Waiters]] = WeakKeyDictionary()

    def __init__(self) -> None:
        """Made by `of_running_loop`."""
        self._wakeups = Wakeups()
        self._tokens = itertools.count()
        self._waiting: dict[int, asyncio.Future[None]] = {}

    @classmethod
    def of_running_loop(cls) -> Waiters:
        """The waiters of the running loop."""
        loop = asyncio.get_running_loop()
        waiters = cls._of_loop.get(loop)
        if waiters is None:
            waiters = cls._of_loop[loop] = cls()
        return waiters

    async def next_change(self, events: Events) -> dict[str, Any] | None:
        """The next change of a task; `None` once it has ended."""
        while True:
            token = next(self._tokens)
            ready, change = events.poll(self._wakeups, token)
            if ready:
                return change
            await self._woken(token)

    async def submitted(self, submission: NativeSubmission) -> dict[str, Any]:
        """The task of a submission, once it is stored."""
        while True:
            token = next(self._tokens)
            task = submission.poll(self._wakeups, token)
            if task is not None:
                return task
            await self._woken(token)

    async def head(self, answer: NativeAnswer) -> tuple[int, list[tuple[str, bytes]]]:
        """Status and headers of an answer."""
        while True:
            token = next(self._tokens)
            _, head = answer.poll_head(self._wakeups, token)
            if head is not None:
                return head
            await self._woken(token)

    async def chunk(self, answer: NativeAnswer) -> bytes | None:
        """The next piece of an answer's body; `None` at its end."""
        while True:
            token = next(self._tokens)
            ready, chunk = answer.poll_chunk(self._wakeups, token)
            if ready:
                return chunk
            await self._woken(token)

    async def _woken(self, token: int) -> None:
        # The loop has not run since the poll, so `_wake` has not yet taken a wakeup that came in between.
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.add_reader(self._wakeups.fileno(), self._wake)
        woken = self._waiting[token] = loop.create_future()
        try:
            await woken
        finally:
            del self._waiting[token]
            if not self._waiting:
                loop.remove_reader(self._wakeups.fileno())

    def _wake(self) -> None:
        for token in self._wakeups.drain():
            woken = self._waiting.get(token)
            if woken is not None and not woken.done():
                woken.set_result(None)
