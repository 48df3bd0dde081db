"""Writes tests/golden/encodings: small files of every encoding, and their numbers as decoded by the reference libraries.

Also writes diffusion/fuzz/seeds, with the same data in smaller pieces.

Needs gguf 0.19.0 and bitsandbytes 0.50.2 beside requirements.txt. GGML blocks are random, because the gguf package can only quantise
to a few types; it dequantises all of them. Run from anywhere: python tools/golden/encodings.py
"""

import json
import pathlib
import re

import bitsandbytes.functional as bnb
import gguf
import numpy
import torch
from gguf.quants import dequantize
from safetensors import safe_open
from safetensors.torch import save_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "tests" / "golden" / "encodings"
SEEDS = ROOT / "diffusion" / "fuzz" / "seeds"
Q = gguf.GGMLQuantizationType
expected: dict[str, torch.Tensor] = {}


def blocks(kind: Q, rows: int, columns: int, rng: numpy.random.Generator) -> numpy.ndarray:
    """Random blocks, with scales that float16 can represent."""
    block, size = gguf.GGML_QUANT_SIZES[kind]
    count = rows * columns // block
    data = rng.integers(0, 256, (count, size), dtype=numpy.uint8)
    # Positions of the float16 numbers in a block.
    scales = {
        Q.Q4_0: [0], Q.Q4_1: [0, 2], Q.Q5_0: [0], Q.Q5_1: [0, 2], Q.Q8_0: [0],
        Q.Q2_K: [80, 82], Q.Q3_K: [108], Q.Q4_K: [0, 2], Q.Q5_K: [0, 2], Q.Q6_K: [208],
    }[kind]
    for at in scales:
        numbers = rng.normal(0, 0.01, (count, 1)).astype(numpy.float16)
        # A subnormal number too.
        numbers[0] = numpy.float16(3e-7)
        data[:, at : at + 2] = numbers.view(numpy.uint8)
    return data.reshape(rows, -1)


def write_gguf() -> None:
    rng = numpy.random.default_rng(1)
    writer = gguf.GGUFWriter(OUT / "types.gguf", "wan")
    writer.add_string("tokenizer.ggml.model", "t5")
    writer.add_array("tokenizer.ggml.tokens", ["<pad>", "</s>", "\u2581\u00e9t\u00e9", "\U0001f98a"])
    writer.add_array("tokenizer.ggml.scores", [0.0, -1.5, -2.25, -1e10])
    writer.add_array("tokenizer.ggml.token_type", [3, 3, 1, 1])
    writer.add_bool("tokenizer.ggml.add_space_prefix", True)
    writer.add_uint32("tokenizer.ggml.eos_token_id", 1)
    kinds = [Q.Q4_0, Q.Q4_1, Q.Q5_0, Q.Q5_1, Q.Q8_0, Q.Q2_K, Q.Q3_K, Q.Q4_K, Q.Q5_K, Q.Q6_K]
    for kind in kinds:
        columns = 256 if kind.name.endswith("_K") else 96
        data = blocks(kind, 3, columns, rng)
        writer.add_tensor(kind.name, data, raw_dtype=kind)
        expected[f"gguf/{kind.name}"] = torch.from_numpy(dequantize(data, kind))
    dense = rng.normal(0, 1, (3, 5)).astype(numpy.float32)
    writer.add_tensor("F32", dense)
    expected["gguf/F32"] = torch.from_numpy(dense)
    half = dense.astype(numpy.float16)
    half[0] = [numpy.inf, -numpy.inf, 6e-8, -1e-6, 65504]
    writer.add_tensor("F16", half)
    expected["gguf/F16"] = torch.from_numpy(half.astype(numpy.float32))
    brain = torch.from_numpy(dense).to(torch.bfloat16)
    writer.add_tensor("BF16", brain.view(torch.uint8).numpy(), raw_dtype=Q.BF16)
    expected["gguf/BF16"] = brain.to(torch.float32)
    # A convolution as in ComfyUI-GGUF's files, and five axes as from its tools.
    data = blocks(Q.Q8_0, 2, 256, rng)
    writer.add_array("comfy.gguf.orig_shape.conv.weight", [4, 8, 4, 4])
    writer.add_tensor("conv.weight", data, raw_dtype=Q.Q8_0)
    expected["gguf/conv.weight"] = torch.from_numpy(dequantize(data, Q.Q8_0).reshape(4, 8, 4, 4))
    video = rng.normal(0, 1, (2, 3, 1, 2, 2)).astype(numpy.float32)
    writer.add_tensor("patch_embedding.weight", video)
    expected["gguf/patch_embedding.weight"] = torch.from_numpy(video)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def text(value: object) -> torch.Tensor:
    return torch.tensor(list(json.dumps(value).encode()), dtype=torch.uint8)


def write_eight_bits() -> None:
    generator = torch.Generator().manual_seed(2)
    tensors: dict[str, torch.Tensor] = {}

    def layer(name: str, shape: tuple[int, ...], kind: torch.dtype) -> torch.Tensor:
        weight = torch.randn(shape, generator=generator)
        weight = (weight * 20).round().to(kind) if kind == torch.int8 else weight.to(kind)
        tensors[f"{name}.weight"] = weight
        return weight

    def add(name: str, factor: torch.Tensor | None, numbers: torch.Tensor) -> None:
        expected[f"eight_bits/{name}.weight"] = numbers if factor is None else numbers * factor

    every = torch.arange(256, dtype=torch.uint8).view(16, 16)
    for name, kind in [("every_e4m3", torch.float8_e4m3fn), ("every_e5m2", torch.float8_e5m2)]:
        tensors[f"{name}.weight"] = every.clone().view(kind)
        add(name, None, every.view(kind).float())
    for kind, short in [(torch.float8_e4m3fn, "e4m3"), (torch.float8_e5m2, "e5m2"), (torch.int8, "int8")]:
        for name, scale_name, shape in [
            ("old", "scale_weight", ()),
            ("new", "weight_scale", (1,)),
            ("vector", "weight_scale", (6,)),
            ("column", "weight_scale", (6, 1)),
            ("blocks", "weight_scale", (2, 3)),
            ("inverse", "weight_scale_inv", (1, 2)),
        ]:
            weight = layer(f"{short}.{name}", (6, 8) if name == "inverse" else (6, 9), kind)
            factor = torch.rand(shape, generator=generator) + 0.1
            tensors[f"{short}.{name}.{scale_name}"] = factor
            if name == "blocks":
                factor = factor.repeat_interleave(3, 0).repeat_interleave(3, 1)
            elif name == "vector":
                factor = factor.view(6, 1)
            elif name == "inverse":
                factor = factor.repeat_interleave(6, 0).repeat_interleave(4, 1)
            add(f"{short}.{name}", factor, weight.float())
        tensors[f"{short}.old.scale_input"] = torch.tensor(3.0)
        tensors[f"{short}.new.input_scale"] = torch.tensor([3.0])
    tensors["scaled_fp8"] = torch.empty(0, dtype=torch.float8_e4m3fn)
    tensors["bias"] = torch.randn(3, generator=generator)
    expected["eight_bits/bias"] = tensors["bias"]
    # ComfyUI's description beside a layer.
    for name, kind, stored, format in [
        ("quant.e4m3", torch.float8_e4m3fn, None, {"format": "float8_e4m3fn"}),
        ("quant.e5m2", torch.float8_e5m2, torch.uint8, {"format": "float8_e5m2", "full_precision_matrix_mult": True}),
        ("quant.bare", torch.float8_e4m3fn, torch.uint8, "float8_e4m3fn"),
        ("quant.int8", torch.int8, None, {"format": "int8_tensorwise"}),
    ]:
        weight = layer(name, (4, 7), kind)
        if stored is not None:
            tensors[f"{name}.weight"] = weight.view(stored)
        factor = torch.rand((), generator=generator) + 0.1
        tensors[f"{name}.weight_scale"] = factor
        tensors[f"{name}.comfy_quant"] = text(format)
        add(name, factor, weight.float())
    # ComfyUI's description of all layers together, whose names may lack their prefix.
    layers = {}
    for name, said in [("model.diffusion_model.a.b", "a.b"), ("model.diffusion_model.c", "model.diffusion_model.c")]:
        weight = layer(name, (4, 7), torch.float8_e4m3fn)
        tensors[f"{name}.weight"] = weight.view(torch.uint8)
        factor = torch.rand((), generator=generator) + 0.1
        tensors[f"{name}.weight_scale"] = factor
        layers[said] = {"format": "float8_e4m3fn"} if said == "a.b" else "float8_e4m3fn"
        add(name, factor, weight.float())
    said = json.dumps({"format_version": "1.0", "layers": layers})
    save_file(tensors, OUT / "eight_bits.safetensors", {"_quantization_metadata": said})


def write_bitsandbytes() -> None:
    generator = torch.Generator().manual_seed(3)
    tensors: dict[str, torch.Tensor] = {}
    for kind in ["nf4", "fp4"]:
        for nested in [False, True]:
            # 19435 elements: 304 blocks, of which the last is short, and two blocks of maxima.
            for name, shape in [("even", (6, 64)), ("odd", (65, 299) if nested and kind == "nf4" else (3, 43))]:
                weight = torch.randn(shape, generator=generator) * 0.02
                packed, state = bnb.quantize_4bit(weight, blocksize=64, compress_statistics=nested, quant_type=kind)
                name = f"x.{kind}.{'nested' if nested else 'plain'}.{name}.weight"
                tensors[name] = packed
                for part, value in state.as_dict(packed=True).items():
                    tensors[f"{name}.{part}"] = value
                expected[f"bitsandbytes/{name}"] = bnb.dequantize_4bit(packed, state)
    weight = torch.randn((5, 24), generator=generator).half()
    packed, maxima, _ = bnb.int8_vectorwise_quant(weight)
    tensors["int8.weight"] = packed
    tensors["int8.SCB"] = maxima
    tensors["int8.weight_format"] = torch.tensor(0, dtype=torch.uint8)
    expected["bitsandbytes/int8.weight"] = bnb.int8_vectorwise_dequant(packed, maxima)
    save_file(tensors, OUT / "bitsandbytes.safetensors")


def write_dense() -> None:
    tensors = {
        "F64": torch.tensor([[1e300, -1e-300], [0.1, 3.0]], dtype=torch.float64),
        "F32": torch.tensor([[0.1, -2.5], [1e-40, float("inf")]]),
        "F16": torch.tensor([[0.1, -2.5], [6e-8, float("inf")]], dtype=torch.float16),
        "BF16": torch.tensor([[0.1, -2.5], [1e-40, float("inf")]], dtype=torch.bfloat16),
        "I64": torch.tensor([[1 << 62, -1], [16777217, 7]]),
        "I32": torch.tensor([[1 << 30, -1], [16777217, 7]], dtype=torch.int32),
        "I16": torch.tensor([[32767, -32768], [0, 7]], dtype=torch.int16),
        "I8": torch.tensor([[127, -128], [0, 7]], dtype=torch.int8),
        "U64": torch.tensor([[1 << 62, 1], [16777217, 7]], dtype=torch.uint64),
        "U32": torch.tensor([[1 << 31, 1], [16777217, 7]], dtype=torch.uint32),
        "U16": torch.tensor([[65535, 1], [0, 7]], dtype=torch.uint16),
        "U8": torch.tensor([[255, 1], [0, 7]], dtype=torch.uint8),
        "BOOL": torch.tensor([[True, False], [True, True]]),
        "scalar": torch.tensor(2.5),
        "v_pred": torch.empty(0),
        "none": torch.empty(3, 0, 5, dtype=torch.bfloat16),
    }
    save_file(tensors, OUT / "dense.safetensors", {"modelspec.architecture": "stable-diffusion-xl-v1-base"})
    for name, tensor in tensors.items():
        expected[f"dense/{name}"] = tensor.to(torch.float32)


def write_seeds() -> None:
    """Small valid files for the fuzz targets in diffusion/fuzz."""
    for kind in ["safetensors", "gguf", "index", "companions"]:
        (SEEDS / kind).mkdir(parents=True, exist_ok=True)
    rng = numpy.random.default_rng(4)
    for kind in [Q.Q4_0, Q.Q4_1, Q.Q5_0, Q.Q5_1, Q.Q8_0, Q.Q2_K, Q.Q3_K, Q.Q4_K, Q.Q5_K, Q.Q6_K]:
        writer = gguf.GGUFWriter(SEEDS / "gguf" / f"{kind.name}.gguf", "wan")
        columns = gguf.GGML_QUANT_SIZES[kind][0]
        writer.add_tensor("w", blocks(kind, 2, columns, rng), raw_dtype=kind)
        writer.add_tensor("b", rng.normal(0, 1, 3).astype(numpy.float16))
        if kind == Q.Q8_0:
            writer.add_array("comfy.gguf.orig_shape.w", [4, 16])
            writer.add_array("tokenizer.ggml.tokens", ["a", "", "\u00e9"])
            writer.add_array("tokenizer.ggml.scores", [0.0, -1.5])
            writer.add_custom_alignment(64)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    sound = '{"metadata": {"total_size": 2}, "weight_map": {"a": "m-00001-of-00002.safetensors", "b": "m-00002-of-00002.safetensors"}}'
    (SEEDS / "index" / "sound.json").write_text(sound)
    (SEEDS / "index" / "bare.json").write_text('{"weight_map":{"a":"m-00001-of-00002.safetensors"}}')

    # One layer in each file: as safetensors, and as the records that the target `companions` reads.
    names = companion_names()
    for file in ["eight_bits", "bitsandbytes"]:
        with safe_open(OUT / f"{file}.safetensors", "pt") as golden:
            tensors = {name: golden.get_tensor(name) for name in golden.keys()}
            said = golden.metadata()
        layers = {name.removesuffix(".weight") for name in tensors if name.endswith(".weight")}
        for layer in sorted(layers):
            parts = {name: tensor for name, tensor in tensors.items() if name.startswith(f"{layer}.")}
            if "every" in layer or sum(tensor.numel() for tensor in parts.values()) > 2000:
                continue
            short = {f"l{name.removeprefix(layer)}": tensor for name, tensor in parts.items()}
            records = b"".join(record(names, name, tensor) for name, tensor in short.items())
            keep = None
            if layer.startswith("model."):
                formats = said["_quantization_metadata"].replace(layer, "l").replace("a.b", "l")
                keep = {"_quantization_metadata": formats}
                high, low = divmod(len(formats), 256)
                records += bytes([names.index("_quantization_metadata"), 0, 0, low, high]) + formats.encode()
            save_file(short, SEEDS / "safetensors" / f"{file}.{layer}.safetensors", keep)
            (SEEDS / "companions" / f"{file}.{layer}").write_bytes(records)
    save_file({"a": torch.ones(2, 3), "v_pred": torch.empty(0)}, SEEDS / "safetensors" / "dense.safetensors", {"k": "v"})


def companion_names() -> list[str]:
    text = (ROOT / "diffusion" / "fuzz" / "src" / "drive.rs").read_text()
    return re.findall(r'"([^"]+)"', text.split("const NAMES")[1].split("];")[0])


def record(names: list[str], name: str, tensor: torch.Tensor) -> bytes:
    kinds = [torch.uint8, torch.int8, torch.float8_e4m3fn, torch.float8_e5m2, torch.float32]
    data = tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    shape = [] if max(tensor.shape, default=0) > 255 else list(tensor.shape)
    head = [names.index(name), kinds.index(tensor.dtype), len(shape), *shape, len(data) % 256, len(data) // 256]
    return bytes(head) + data


OUT.mkdir(parents=True, exist_ok=True)
write_gguf()
write_eight_bits()
write_bitsandbytes()
write_dense()
save_file({name: tensor.contiguous() for name, tensor in expected.items()}, OUT / "expected.safetensors")
write_seeds()
for file in sorted(OUT.iterdir()):
    print(file.name, file.stat().st_size)
