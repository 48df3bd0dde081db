"""Converts parameters that are neither JSON nor bytes: pictures in many forms, and numbers of libraries such as numpy.

This module does not import Pillow, numpy or torch: it recognises their objects by their attributes.
"""

from __future__ import annotations

import inspect
import io
import operator
import os
import sys
from collections.abc import Callable
from typing import Any

from must._errors import ValidationError
from must._exceptions import MustError
from must._must import MAX_IMAGE_BYTES, png_of_pixels, read_image_file

MAX_DEPTH = 16
"""Maximum nesting of lists and dicts; parameters of the catalog need three levels."""

PNG_MODES = frozenset({"1", "L", "LA", "I;16", "P", "RGB", "RGBA"})
"""Modes of Pillow that a PNG can store without conversion."""

FLOATS = frozenset("efdg")
"""Buffer formats of floating-point numbers."""


def plain(name: str, value: Any, pictures: bool) -> bytes | bool | int | float | str:
    """The value as a number, as text, or, where `pictures` are allowed, as the bytes of a picture's file.

    Raises:
        ValidationError: The value is of another type, or reading it failed.
        PayloadTooLargeError: The file is too large for a picture.
    """
    try:
        found = _plain(name, value, pictures)
    except MustError:
        raise
    except Exception as error:
        raise _unreadable(name, error) from error
    if found is None:
        also = ", or an image as bytes, a path, an open file, a Pillow image or an array" if pictures else ""
        raise ValidationError(
            f"{name} cannot be of type {type(value).__name__}: give a string, a number, a boolean, a list, a dict{also}"
        )
    return found


async def awaited(name: str, value: Any, depth: int = 0) -> Any:
    """The value with the bytes of every file in it that has an async `read`, such as FastAPI's `UploadFile`.

    Raises:
        ValidationError: Reading one failed, or the value is nested too deeply.
    """
    if depth > MAX_DEPTH:
        raise ValidationError(f"{name} is nested too deeply")
    if isinstance(value, dict):
        return {
            key: await awaited(f"{name}.{key}" if name else str(key), item, depth + 1) for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [await awaited(f"{name}[{index}]", item, depth + 1) for index, item in enumerate(value)]
    if not inspect.iscoroutinefunction(getattr(value, "read", None)):
        return value
    try:
        return await _read_awaited(name, value)
    except MustError:
        raise
    except Exception as error:
        raise _unreadable(name, error) from error


def _plain(name: str, value: Any, pictures: bool) -> bytes | bool | int | float | str | None:
    if isinstance(value, os.PathLike):
        return read_image_file(name, os.fsdecode(value)) if pictures else os.fsdecode(value)
    if inspect.isawaitable(value):
        raise _not_awaited(name, value)
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and not shape:
        # A scalar of numpy or torch, which is an array too.
        item = value.item()
        return item if isinstance(item, (bool, int, float, str)) else None
    if pictures and (data := _picture(name, value)) is not None:
        return data
    if hasattr(type(value), "__index__"):
        return operator.index(value)
    if hasattr(type(value), "__float__"):
        return float(value)
    return None


def _picture(name: str, value: Any) -> bytes | None:
    pillow = sys.modules.get("PIL.Image")
    if pillow is not None and isinstance(value, pillow.Image):
        return _of_pillow(name, value)
    if callable(getattr(value, "read", None)):
        return _of_file(name, value)
    try:
        view = memoryview(value)
    except TypeError:
        if not hasattr(type(value), "__array__"):
            return None
        view = memoryview(value.__array__())
    if view.ndim == 1 and view.itemsize == 1:
        # Bytes of a file. The core refuses files that are too large, so there is no need to copy more than its limit.
        return view[: MAX_IMAGE_BYTES + 1].tobytes()
    return _of_array(name, view)


def _of_pillow(name: str, image: Any) -> bytes:
    """A PNG of the image's pixels, with its colour profile unless the pixels have to be converted."""
    if image.mode == "F":
        raise _fractions(name, "an image of mode F")
    options: dict[str, Any] = {"compress_level": 1, "exif": b""}
    if image.mode not in PNG_MODES and image.mode != "I":
        # The colour profile no longer fits after the conversion.
        image = image.convert("RGBA" if image.mode in ("RGBa", "La", "PA") else "RGB")
        options["icc_profile"] = None
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


def _of_array(name: str, view: memoryview) -> bytes:
    """A PNG of an array of pixels: height by width, or height by width by channels."""
    kind = str(getattr(view.obj, "dtype", view.format))
    if view.format.lstrip("@=<>!") in FLOATS:
        raise _fractions(name, f"an array of {kind}")
    if view.format != "B":
        raise ValidationError(
            f"{name} is an array of {kind}, not of uint8",
            'Scale it to whole numbers from 0 to 255 and convert it: array.astype("uint8").',
        )
    shape = view.shape or ()
    if view.ndim == 2 or (view.ndim == 3 and shape[2] in (1, 3, 4)):
        channels = shape[2] if view.ndim == 3 else 1
        return png_of_pixels(name, shape[1], shape[0], channels, view.tobytes())
    advice = "Give height by width for grey, or height by width by 3 or 4."
    if view.ndim == 3 and shape[0] in (1, 3, 4):
        advice = "Put the channels last: array.transpose(1, 2, 0), or tensor.permute(1, 2, 0)."
    elif view.ndim == 4:
        advice = "Give one picture at a time, such as array[0]."
    raise ValidationError(f"{name} is an array of shape {'x'.join(map(str, shape))}, which is not a picture", advice)


def _of_file(name: str, file: Any) -> bytes:
    """The whole contents of a file, whatever its position is; the position is restored."""
    if inspect.iscoroutinefunction(file.read):
        raise _not_awaited(name, None)
    if isinstance(file, io.TextIOBase):
        raise _text(name)
    position = _rewound(file)
    try:
        return _read(name, file.read)
    finally:
        if position is not None:
            file.seek(position)


def _rewound(file: Any) -> int | None:
    """Moves the file to its start and returns its old position; `None` when it cannot seek."""
    try:
        if hasattr(file, "seekable") and not file.seekable():
            return None
        position: int = file.tell()
        file.seek(0)
    except (AttributeError, OSError):
        return None
    return position


def _read(name: str, read: Callable[..., Any]) -> bytes:
    """All bytes from `read`, up to one more than a picture may have, which the core then refuses."""
    parts: list[bytes] = []
    wanted = MAX_IMAGE_BYTES + 1
    while wanted > 0:
        try:
            part = read(wanted)
        except TypeError:
            # Some files only support reading everything at once.
            part, wanted = read(), 0
        data = _checked(name, part)
        parts.append(data)
        wanted -= len(data)
        if not data:
            break
    return b"".join(parts)


def _checked(name: str, part: Any) -> bytes:
    if inspect.isawaitable(part):
        raise _not_awaited(name, part)
    if isinstance(part, str):
        raise _text(name)
    if not isinstance(part, (bytes, bytearray, memoryview)):
        raise ValidationError(f"{name} is a file whose read returned {type(part).__name__}, not bytes")
    return bytes(part)


async def _read_awaited(name: str, file: Any) -> bytes:
    position = 0
    if hasattr(file, "tell"):
        position = await _value_of(file.tell())
    if hasattr(file, "seek"):
        await _value_of(file.seek(0))
    parts: list[bytes] = []
    wanted = MAX_IMAGE_BYTES + 1
    try:
        while wanted > 0 and (data := _checked(name, await file.read(wanted))):
            parts.append(data)
            wanted -= len(data)
    finally:
        if hasattr(file, "seek"):
            await _value_of(file.seek(position))
    return b"".join(parts)


async def _value_of(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


def _not_awaited(name: str, waiting: Any) -> ValidationError:
    if inspect.iscoroutine(waiting):
        waiting.close()
    return ValidationError(
        f"{name} has an async read, which this call cannot await",
        "Give what `await upload.read()` gives, or `upload.file`; AsyncPlatform awaits the file itself.",
    )


def _text(name: str) -> ValidationError:
    return ValidationError(f"{name} must be a file that was opened in binary mode", 'Open it with open(path, "rb").')


def _fractions(name: str, what: str) -> ValidationError:
    return ValidationError(
        f"{name} is {what}, whose value range is unknown",
        'Scale it to 0 to 255 and convert it: (array * 255).round().astype("uint8") for values from 0 to 1.',
    )


def _unreadable(name: str, error: Exception) -> ValidationError:
    lines = str(error).splitlines()
    said = f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
    return ValidationError(f"{name} cannot be read: {said}", "Check the file or the object that was given.")
