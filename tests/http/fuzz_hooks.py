"""What schemathesis has to know beyond the document: how pictures look, and that a key stands for one submission."""

import base64
import struct
import uuid
import zlib
from typing import Any

import schemathesis
from hypothesis import strategies


def picture(side: int, shade: int) -> bytes:
    """A gray PNG."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\x00" + bytes([shade]) * side) * side
    parts = [chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)), chunk(b"IDAT", zlib.compress(rows))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")


pictures = strategies.builds(picture, strategies.sampled_from([1, 16, 64]), strategies.integers(0, 255))
schemathesis.openapi.media_type("image/png", pictures, aliases=["image/jpeg", "image/webp"])
schemathesis.openapi.format(
    "data-uri-image", pictures.map(lambda png: "data:image/png;base64," + base64.b64encode(png).decode())
)


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    """Two different submissions under one key are refused, and rightly so: each gets a key of its own."""
    if "Idempotency-Key" in (case.headers or {}):
        case.headers["Idempotency-Key"] = str(uuid.uuid4())
