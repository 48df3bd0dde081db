"""What schemathesis has to know beyond the document: how pictures look as data URIs."""

import base64
import struct
import zlib

import schemathesis
from hypothesis import strategies


def picture(side: int, shade: int) -> str:
    """A gray PNG as a data URI."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\x00" + bytes([shade]) * side) * side
    parts = [chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)), chunk(b"IDAT", zlib.compress(rows))]
    png = b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(png).decode()


schemathesis.openapi.format(
    "data-uri-image", strategies.builds(picture, strategies.sampled_from([1, 16, 64]), strategies.integers(0, 255))
)
