"""ICC profiles, written byte by byte from the standard (ICC.1:2022), and the colours that they describe."""

import struct

import numpy as np

BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
D50 = np.array([0.9642, 1.0, 0.8249])
D65 = (0.3127, 0.3290)
SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
ADOBE = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
WIDE = ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001))


def xyz(point: tuple[float, float]) -> np.ndarray:
    x, y = point
    return np.array([x / y, 1.0, (1 - x - y) / y])


def colorants(primaries, white) -> np.ndarray:
    """Columns: XYZ of red, green and blue under D50."""
    columns = np.stack([xyz(point) for point in primaries], axis=1)
    columns = columns * np.linalg.solve(columns, xyz(white))
    ratio = (BRADFORD @ D50) / (BRADFORD @ xyz(white))
    return np.linalg.inv(BRADFORD) @ np.diag(ratio) @ BRADFORD @ columns


def fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def xyz_tag(values) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(fixed(value) for value in values)


def curve(gamma: float | None) -> bytes:
    """A curve of one exponent, or sRGB's."""
    if gamma is None:
        return b"para\0\0\0\0\0\x03\0\0" + b"".join(map(fixed, (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)))
    return b"para\0\0\0\0\0\0\0\0" + fixed(gamma)


def profile(space: bytes, kind: bytes, connection: bytes, tags: list[tuple[bytes, bytes]], version: int = 4) -> bytes:
    text = "Made for the tests of MUST".encode("utf-16-be")
    words = b"mluc\0\0\0\0\0\0\0\1\0\0\0\x0cenUS" + struct.pack(">II", len(text), 28) + text
    tags = [(b"desc", words), (b"cprt", words), (b"wtpt", xyz_tag(D50)), *tags]
    table, body, at = b"", b"", 128 + 4 + 12 * len(tags)
    for name, content in tags:
        content += b"\0" * (-len(content) % 4)
        table += name + struct.pack(">II", at + len(body), len(content))
        body += content
    header = struct.pack(">I4sB3x4s4s4s", at + len(body), b"\0\0\0\0", version, kind, space, connection)
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 24 + struct.pack(">I", 0)
    header += b"".join(fixed(value) for value in D50)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def matrix_profile(primaries, gamma: float | None, white=D65, order=(0, 1, 2)) -> bytes:
    columns = colorants(primaries, white)[:, list(order)]
    names = zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns.T, strict=True)
    curves = [(name, curve(gamma)) for name in (b"rTRC", b"gTRC", b"bTRC")]
    return profile(b"RGB ", b"mntr", b"XYZ ", [*((name, xyz_tag(column)) for name, column in names), *curves])


def grey_profile(gamma: float) -> bytes:
    return profile(b"GRAY", b"mntr", b"XYZ ", [(b"kTRC", curve(gamma))])


def lab(xyz_values: np.ndarray) -> np.ndarray:
    ratio = xyz_values / D50
    root = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def table_profile(space: bytes, kind: bytes, channels: int, points: int, to_xyz) -> bytes:
    """A profile of version 2 with a table of 16 bits from device to Lab."""
    grid = np.stack(np.meshgrid(*[np.linspace(0, 1, points)] * channels, indexing="ij"), axis=-1).reshape(-1, channels)
    values = lab(to_xyz(grid))
    # Version 2 counts L from 0 to 0xFF00, and a and b from -128 at 0 to +127 at 0xFF00.
    words = np.stack([values[:, 0] / 100, (values[:, 1] + 128) / 255, (values[:, 2] + 128) / 255], axis=-1)
    words = (words.clip(0, 1) * 0xFF00).round().astype(">u2")
    identity = b"".join(map(fixed, (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    table = b"mft2\0\0\0\0" + bytes([channels, 3, points, 0]) + identity + struct.pack(">HH", 2, 2)
    table += struct.pack(">HH", 0, 0xFFFF) * channels + words.tobytes() + struct.pack(">HH", 0, 0xFFFF) * 3
    return profile(space, kind, b"Lab ", [(b"A2B0", table)], version=2)


def inks_to_xyz(inks: np.ndarray) -> np.ndarray:
    """Idealised paper and inks: each ink absorbs most of its part of the light, and black absorbs all of it."""
    takes = np.array([[0.95, 0.25, 0.08], [0.10, 0.90, 0.25], [0.02, 0.08, 0.90]])
    light = np.ones((*inks.shape[:-1], 3))
    for ink in range(3):
        light = light * (1 - inks[..., ink : ink + 1] * takes[ink])
    light = light * (1 - inks[..., 3:4])
    return light @ colorants(SRGB, D65).T
