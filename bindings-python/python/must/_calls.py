"""Administrative calls, written once for threads and for asyncio.

Each method of a service builds a `Request`. The service's base class, `Blocking` or `Awaited`, runs it.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, Self, TypeVar, overload

from must._facts import Caller
from must._must import NativePlatform

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """One call: its name, the function that reads its answer, and its arguments. `None` arguments are not sent."""

    name: str
    read: Callable[[Any], T]
    arguments: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def run(self, native: NativePlatform) -> T:
        """Make the call."""
        return self.read(native.call(self.name, dict(self.arguments)))


class Blocking:
    """A service whose calls block."""

    __slots__ = ("_platform",)

    def __init__(self, platform: HasNative) -> None:
        """Made by `Platform`."""
        self._platform = platform

    def _run(self, request: Request[T]) -> T:
        return request.run(self._platform._native)


class Awaited:
    """A service whose calls are awaited."""

    __slots__ = ("_platform",)

    def __init__(self, platform: HasExecutor) -> None:
        """Made by `AsyncPlatform`."""
        self._platform = platform

    async def _run(self, request: Request[T]) -> T:
        return await self._platform._call(request.run, self._platform._native)


class HasNative(Protocol):
    """A platform for threads."""

    _native: NativePlatform


class HasExecutor(Protocol):
    """A platform for asyncio."""

    @property
    def _native(self) -> NativePlatform: ...

    async def _call(self, call: Callable[..., T], *arguments: Any) -> T: ...


class call(Generic[P, T]):
    """Decorator: turns a method that builds a request into one that makes the call."""

    def __init__(self, build: Callable[Concatenate[Any, P], Request[T]]) -> None:
        """Decorate `build`, which builds the request."""
        self._build = build
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, service: None, owner: type[object]) -> Self: ...
    @overload
    def __get__(self, service: Blocking, owner: type[object]) -> Callable[P, T]: ...
    @overload
    def __get__(self, service: Awaited, owner: type[object]) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, service: Blocking | Awaited | None, owner: type[object]) -> Any:
        """The method, bound to this service."""
        if service is None:
            return self

        @functools.wraps(self._build)
        def method(*arguments: P.args, **named: P.kwargs) -> Any:
            return service._run(self._build(service, *arguments, **named))

        return method


def absolute(path: str | os.PathLike[str]) -> str:
    """The path made absolute now, because the working folder may change before a thread uses the path."""
    text = os.fspath(path)
    # An empty path stays empty, so that the library can report it.
    return os.path.abspath(text) if text else text


def nothing(raw: object) -> None:
    """Reader of an answer without content."""


def given(caller: Caller | None) -> dict[str, Any] | None:
    """The native form of a caller, or `None`."""
    return None if caller is None else caller.to_native()


def moment(time: datetime | int | str | None) -> int | str | None:
    """A time in the library's form: RFC 3339 text or milliseconds since 1970."""
    return round(time.timestamp() * 1000) if isinstance(time, datetime) else time


def maybe(read: Callable[[Any], T]) -> Callable[[Any], T | None]:
    """Reader of a value that may be `None`."""
    return lambda raw: None if raw is None else read(raw)


def each(read: Callable[[Any], T]) -> Callable[[Any], list[T]]:
    """Reader of a list."""
    return lambda raw: [read(item) for item in raw]
