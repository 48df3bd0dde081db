"""Pictures for requests, and functions that read clips with ffprobe and ffmpeg."""

import json
import struct
import subprocess
import zlib
from dataclasses import dataclass

SIDE = 64
"""Pixels of a side of the pictures."""

RADIUS = 15
BACKGROUND = (240, 240, 240)


def disc(x: int, color: tuple[int, int, int]) -> bytes:
    """A PNG of a disc like those in the tiny model's training data, with its centre `x` pixels from the left."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    def row(y: int) -> bytes:
        inside = ((column - x) ** 2 + (y - SIDE // 2) ** 2 <= RADIUS**2 for column in range(SIDE))
        return b"\0" + b"".join(bytes(color if yes else BACKGROUND) for yes in inside)

    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"".join(row(y) for y in range(SIDE)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@dataclass(frozen=True)
class Clip:
    """Properties of a clip from ffprobe."""

    codec: str
    size: tuple[int, int]
    frames: int
    rate: str


def probe(data: bytes) -> Clip:
    """The properties of a clip from ffprobe."""
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_streams", "-of", "json", "-"]
    (stream,) = json.loads(subprocess.run(command, input=data, check=True, capture_output=True).stdout)["streams"]
    size = (stream["width"], stream["height"])
    return Clip(stream["codec_name"], size, int(stream["nb_read_frames"]), stream["avg_frame_rate"])


def frames(data: bytes) -> list[bytes]:
    """The pixels of each frame of a clip, or of a picture, of `SIDE` by `SIDE` pixels."""
    command = ["ffmpeg", "-v", "error", "-i", "-", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    pixels = subprocess.run(command, input=data, check=True, capture_output=True).stdout
    size = SIDE * SIDE * 3
    assert pixels
    assert len(pixels) % size == 0
    return [pixels[at : at + size] for at in range(0, len(pixels), size)]


def distance(a: bytes, b: bytes) -> float:
    """The mean absolute difference, from 0 to 255."""
    assert len(a) == len(b)
    return sum(abs(x - y) for x, y in zip(a, b, strict=True)) / len(a)
