"""Types of pictures, parameters and the log function, written by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from mmap import mmap
from os import PathLike
from typing import Any, BinaryIO, Protocol, SupportsFloat, SupportsIndex, TypeAlias

from must._log import LogRecord


class ArrayInterface(Protocol):
    """An array of numpy, or an image of Pillow."""

    @property
    def __array_interface__(self) -> Mapping[str, Any]:
        """Description of the array's memory."""


class ArrayLike(Protocol):
    """An object that converts itself to a numpy array, such as a torch tensor in CPU memory."""

    def __array__(self) -> Any:
        """The array."""


class ReadableFile(Protocol):
    """A file open in binary mode, or an object with the same `read`."""

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes; empty at the end."""


class AsyncFile(Protocol):
    """A file with an async `read`, such as FastAPI's `UploadFile`."""

    async def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes; empty at the end."""


Image: TypeAlias = (
    bytes | bytearray | memoryview | mmap | PathLike[str] | str | BinaryIO | ReadableFile | ArrayInterface | ArrayLike
)
"""A picture.

The bytes of a PNG, JPEG or WebP file, its path, a file open in binary mode (read from its start, not its position), or
a data URI; an image of Pillow; or an array of pixels: `uint8`, height by width for grey, height by width by 3 or 4
for RGB without or with alpha."""

Parameter: TypeAlias = (
    bool | int | float | SupportsIndex | SupportsFloat | Image | Sequence["Parameter"] | Mapping[str, Any] | None
)
"""Type of a parameter. `None` counts as not given."""


LogFunction: TypeAlias = Callable[[LogRecord], object]
"""Receives log records of a platform, on a thread of its own, one record at a time."""
