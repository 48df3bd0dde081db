"""Random values for tensors of any size, cut from one block of random numbers.

Generating 14 billion random numbers takes minutes; cutting them from one block takes only as long as writing them. The block's
length is prime, and each tensor starts at another place in it, so that rows and tensors differ.
"""

import math

import numpy as np

NORMALS = 4_194_301
BLOCKS = 65_537
CHUNK = 1 << 22

# GGML types: numbers and bytes of a block.
Q8_0 = np.dtype([("d", "<f2"), ("q", "i1", 32)])
Q4_K = np.dtype([("d", "<f2"), ("dmin", "<f2"), ("scales", "u1", 12), ("q", "u1", 128)])
Q5_K = np.dtype([("d", "<f2"), ("dmin", "<f2"), ("scales", "u1", 12), ("high", "u1", 32), ("q", "u1", 128)])
Q6_K = np.dtype([("low", "u1", 128), ("high", "u1", 64), ("scales", "i1", 16), ("d", "<f2")])
# These types are only used to compute sizes.
Q3_K, Q2_K = np.dtype((np.void, 110)), np.dtype((np.void, 84))
BLOCK = {
    "Q8_0": (Q8_0, 32),
    "Q2_K": (Q2_K, 256),
    "Q3_K": (Q3_K, 256),
    "Q4_K": (Q4_K, 256),
    "Q5_K": (Q5_K, 256),
    "Q6_K": (Q6_K, 256),
}
DENSE = {"F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1}
# Standard deviation of the numbers in fp8. The largest fp8 number, 448, is 5.6 deviations away.
FP8_DEVIATION = 80.0


def deviation(shape, kind):
    """Standard deviation of a tensor's values, chosen so that matrices preserve the size of their inputs."""
    inputs = math.prod(shape[1:])
    return {
        "weight": 1 / math.sqrt(inputs),
        "query": 1 / math.sqrt(inputs * 64),
        "bias": 0.02,
        "gain": 0.05,
        "modulation": 0.1,
        "embedding": 1.0,
        "token": 0.03,
    }[kind]


def bf16(values):
    bits = values.view("<u4")
    return ((bits + np.uint32(0x7FFF) + ((bits >> 16) & 1)) >> 16).astype("<u2")


def e4m3(values):
    """Nearest codes of float8 e4m3fn (no infinities, largest 448)."""
    codes = np.arange(127)
    exponent, mantissa = codes >> 3, codes & 7
    table = np.where(exponent > 0, (1 + mantissa / 8) * 2.0 ** (exponent - 7), mantissa / 8 * 2.0**-6)
    between = (table[1:] + table[:-1]) / 2
    magnitude = np.searchsorted(between.astype(np.float32), np.abs(values)).astype("u1")
    return magnitude | (np.signbit(values).astype("u1") << 7)


class Values:
    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.normals = self.random.standard_normal(NORMALS, dtype=np.float32)
        self.fp8 = None
        self.blocks = {}

    def chunks(self, shape, kind, encoding):
        """The bytes of a tensor, in pieces of some megabytes."""
        count, spread = math.prod(shape), deviation(shape, kind)
        if encoding in BLOCK:
            record, numbers = BLOCK[encoding]
            assert shape[-1] % numbers == 0, f"rows of {shape} are not whole blocks of {encoding}"
            yield from self.cut(self.quantised(encoding, spread), count // numbers)
        elif encoding == "F8_E4M3":
            if self.fp8 is None:
                self.fp8 = e4m3(self.normals * np.float32(FP8_DEVIATION))
            yield from self.cut(self.fp8, count)
        else:
            mean = np.float32(1.0 if kind == "gain" else 0.0)
            for piece in self.cut(self.normals, count):
                piece = piece * np.float32(spread) + mean
                yield {"F32": lambda x: x, "F16": lambda x: x.astype("<f2"), "BF16": bf16}[encoding](piece)

    def cut(self, block, count):
        start = int(self.random.integers(len(block)))
        while count:
            piece = block[start : start + min(count, CHUNK)]
            yield piece
            count, start = count - len(piece), 0 if start + len(piece) == len(block) else start + len(piece)

    def quantised(self, encoding, spread):
        """Valid GGML blocks whose decoded numbers have this deviation."""
        kept = self.blocks.get(encoding)
        if kept is None:
            kept = self.blocks[encoding] = self.draw(encoding)
        block, unit = kept
        # Scales are stored in float16, so small ones only lose a little precision.
        block["d"] = spread / unit
        if "dmin" in block.dtype.names:
            block["dmin"] = spread / unit * (7.5 if encoding == "Q4_K" else 15.5)
        return block

    def draw(self, encoding):
        """Blocks of random codes and scales, and the deviation of their numbers where `d` is 1."""
        random = self.random
        block = np.zeros(BLOCKS, BLOCK[encoding][0])
        for field in block.dtype.names:
            if field not in ("d", "dmin", "scales"):
                low, high = (-127, 128) if block.dtype[field].base == np.dtype("i1") else (0, 256)
                block[field] = random.integers(low, high, block[field].shape, block.dtype[field].base)
        if encoding == "Q8_0":
            return block, 127 / math.sqrt(3)
        if encoding == "Q6_K":
            scales = random.integers(16, 49, (BLOCKS, 16)) * random.choice([-1, 1], (BLOCKS, 16))
            block["scales"] = scales
            return block, math.sqrt(np.mean(scales**2.0)) * 64 / math.sqrt(12)
        # Eight scales and eight offsets of six bits. Each offset is near its scale, so that the decoded numbers centre on 0.
        scales = random.integers(24, 57, (BLOCKS, 8)).astype("u1")
        offsets = (scales + random.integers(-6, 7, scales.shape)).astype("u1")
        packed = block["scales"]
        packed[:, 0:4] = scales[:, :4] | (scales[:, 4:] >> 4 << 6)
        packed[:, 4:8] = offsets[:, :4] | (offsets[:, 4:] >> 4 << 6)
        packed[:, 8:12] = (scales[:, 4:] & 15) | (offsets[:, 4:] & 15) << 4
        levels = 16 if encoding == "Q4_K" else 32
        middle = (levels - 1) / 2
        unit = np.mean(scales**2.0) * (levels**2 - 1) / 12 + np.mean((middle * (scales.astype(float) - offsets)) ** 2)
        return block, math.sqrt(unit)
