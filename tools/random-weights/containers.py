"""Writers of safetensors and GGUF that keep no tensor in memory: they write headers, and then the bytes of one tensor after the other."""

import json
import math
import struct

import numpy as np

from values import BLOCK, DENSE

GGML_TYPE = {"F32": 0, "F16": 1, "Q8_0": 8, "Q4_K": 12, "Q5_K": 13, "Q6_K": 14, "BF16": 30}
ALIGNMENT = 32


def size(shape, encoding):
    """Bytes of a tensor."""
    if encoding in BLOCK:
        record, numbers = BLOCK[encoding]
        return math.prod(shape) // numbers * record.itemsize
    return math.prod(shape) * DENSE[encoding]


def safetensors(path, tensors):
    """Write a file. `tensors` is a list of `(name, shape, encoding, chunks)`; `chunks()` gives the arrays to write."""
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, shape, encoding, _ in tensors:
        end = offset + size(shape, encoding)
        header[name] = {"dtype": encoding, "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, _, _, chunks in tensors:
            for chunk in chunks():
                file.write(memoryview(np.ascontiguousarray(chunk)).cast("B"))
    return 8 + len(text) + offset


def text(value):
    return struct.pack("<Q", len(value.encode())) + value.encode()


def field(key, value):
    if isinstance(value, str):
        return text(key) + struct.pack("<I", 8) + text(value)
    if isinstance(value, float):
        return text(key) + struct.pack("<If", 6, value)
    return text(key) + struct.pack("<II", 4, value)


def gguf(path, metadata, tensors):
    """Write a GGUF 3 file with such tensors. Shapes are written with the fastest axis first."""
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(metadata))
    head += b"".join(field(key, value) for key, value in metadata.items())
    offset = 0
    for name, shape, encoding, _ in tensors:
        head += text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *reversed(shape))
        head += struct.pack("<IQ", GGML_TYPE[encoding], offset)
        offset += size(shape, encoding) + -size(shape, encoding) % ALIGNMENT
    with open(path, "wb") as file:
        file.write(head + b"\0" * (-len(head) % ALIGNMENT))
        for _, shape, encoding, chunks in tensors:
            for chunk in chunks():
                file.write(memoryview(np.ascontiguousarray(chunk)).cast("B"))
            file.write(b"\0" * (-size(shape, encoding) % ALIGNMENT))
        return file.tell()
