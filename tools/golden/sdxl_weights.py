"""Weights of the small SDXL checkpoints, from the names of their tensors.

Every tensor `<part>/<name>` has a stream of bytes: SplitMix64, seeded with the FNV-1a hash (64 bits) of that text, gives one
number for eight elements, lowest byte first. The lowest three bits of a byte are m, the next bit is e, and the highest bit is the
sign. The size of the number is (8 + m) / 16 / 2^e, multiplied by a power of two from the listing. Gains of normalisations are 0.75,
0.875, 1 or 1.125 by the lowest two bits. All of these numbers are exact in float16, bfloat16 and fp8 e4m3.

References: <https://prng.di.unimi.it/splitmix64.c>, <http://www.isthe.com/chongo/tech/comp/fnv/>.
"""

import json
import math

import numpy as np
import torch

MASK = (1 << 64) - 1


def seed(text: str) -> int:
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 & MASK
    return value


def stream(text: str, count: int) -> np.ndarray:
    words = -(-count // 8)
    with np.errstate(over="ignore"):
        state = np.uint64(seed(text)) + np.arange(1, words + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state ^= state >> np.uint64(31)
    return state.astype("<u8").view(np.uint8)[:count]


def values(text: str, shape: list[int], exponent: int | None) -> np.ndarray:
    """The numbers of a tensor; an exponent of None says that they are gains."""
    found = stream(text, math.prod(shape))
    if exponent is None:
        numbers = 0.75 + (found & 3) * 0.125
    else:
        numbers = (8.0 + (found & 7)) / 16.0 / (1 + (found >> 3 & 1)) * (1.0 - 2.0 * (found >> 7)) * 2.0**exponent
    return numbers.astype(np.float32).reshape(shape)


def exponent(name: str, shape: tuple) -> int | None:
    """The exponent that keeps states at about 1, so that every part of a model has an effect."""
    if name.endswith(".bias"):
        return -4
    if "norm" in name:
        return None
    if name.endswith("embedding.weight") and "position" not in name:
        return 0
    if name.endswith("position_embedding.weight"):
        return -2
    return -round(math.log2(0.6 * math.sqrt(math.prod(shape[1:]))))


def listing(model) -> list:
    return [[name, list(tensor.shape), exponent(name, tensor.shape)] for name, tensor in sorted(model.state_dict().items())
            if not name.endswith("position_ids")]


def fill(part: str, model: torch.nn.Module) -> None:
    state = model.state_dict()
    for name, shape, power in listing(model):
        state[name].copy_(torch.from_numpy(values(f"{part}/{name}", shape, power)))


def text(weights: dict) -> str:
    lists = ",\n".join(f"{json.dumps(name)}: [\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]" for name, rows in weights.items())
    return "{\n" + lists + "\n}\n"
