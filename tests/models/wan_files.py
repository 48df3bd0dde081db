"""Small models of the Wan family in common layouts, in the folders of `anisora` and `phr00t`.

Most are made of the checkpoints in `tests/golden/wan`, which have random weights. Tensors get the names of a layout, and
their bytes are copied unchanged. This needs only Python.
"""

import json
import shutil
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from small import catalog as catalog

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "wan"
TINY = ROOT / "diffusion" / "models" / "tiny"

SMALL = 32
"""Pixels of a side of the smallest clip that the tests' catalog allows."""

HUGE = 1 << 16
"""Pixels of a side of a clip that is too large for the memory of any machine."""

HIGH_NOISE = "diffusion_models/wan_high_noise.safetensors"
LOW_NOISE = "diffusion_models/wan_low_noise.safetensors"
TEXT_ENCODER = "text_encoders/umt5.safetensors"
AUTOENCODER = "vae/wan_vae.safetensors"

NETWORKS = {HIGH_NOISE: "transformer", LOW_NOISE: "transformer_2", TEXT_ENCODER: "text_encoder", AUTOENCODER: "vae"}
"""ComfyUI's split files of a variant with two experts."""

TEXT_PREFIX = "text_encoders.umt5xxl.transformer."
"""The prefix of the text encoder's names in ComfyUI's files that hold every part."""


@dataclass(frozen=True)
class Tensor:
    """A tensor as it is stored in a file."""

    dtype: str
    shape: list[int]
    data: bytes


Part = dict[str, Tensor]


def read(files: Iterable[Path]) -> Part:
    """All tensors of these safetensors files."""
    part: Part = {}
    for file in files:
        content = file.read_bytes()
        (length,) = struct.unpack_from("<Q", content)
        data = content[8 + length :]
        for name, entry in json.loads(content[8 : 8 + length]).items():
            if name != "__metadata__":
                start, end = entry["data_offsets"]
                part[name] = Tensor(entry["dtype"], entry["shape"], data[start:end])
    return part


def write(path: Path, part: Part) -> None:
    """Write a safetensors file with these tensors."""
    header, offset = {}, 0
    for name, tensor in part.items():
        end = offset + len(tensor.data)
        header[name] = {"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(tensor.data for tensor in part.values()))


def network(variant: str, name: str) -> Part:
    """A network of a golden variant, with the names that ComfyUI's files use."""
    listed = json.loads((GOLDEN / variant / "parts.json").read_text())
    ours = (at for at in listed["files"] if at.startswith(f"{name}/") and at.endswith(".safetensors"))
    part = read(GOLDEN / listed["files"][at] for at in ours)
    if name == "text_encoder":
        # ComfyUI uses the names of the transformers library here.
        return part
    table = json.loads((GOLDEN / "names.json").read_text())[listed["parts"][name]]["original"]
    return {theirs: part[ours] for ours, _, theirs in table if theirs}


def tokenizer(folder: Path) -> None:
    """Write the small vocabulary with digits added, because a motion score is part of the text."""
    place = folder / "tokenizer"
    shutil.copytree(GOLDEN / "shared" / "tokenizer", place, copy_function=shutil.copyfile, dirs_exist_ok=True)
    described = json.loads((place / "tokenizer.json").read_text())
    described["model"]["vocab"] += [[digit, -2.0] for digit in "0123456789"]
    (place / "tokenizer.json").write_text(json.dumps(described))


def split_file(folder: Path, file: str, variant: str = "i2v_a14b") -> None:
    """Write one of the split files."""
    write(folder / file, network(variant, NETWORKS[file]))


def split_files(folder: Path, *, without: str | None = None) -> None:
    """Write the split files of Wan 2.2 I2V A14B, as AniSora V3.2 has them, except `without`."""
    tokenizer(folder)
    for file in NETWORKS:
        if file != without:
            split_file(folder, file)


def one_file(path: Path, variant: str, transformer: str = "transformer") -> None:
    """Write one file with every part, and the vocabulary beside it."""
    tokenizer(path.parent)
    names = {"model.diffusion_model.": transformer, TEXT_PREFIX: "text_encoder", "vae.": "vae"}
    parts = {prefix: network(variant, name) for prefix, name in names.items()}
    write(path, {prefix + name: tensor for prefix, part in parts.items() for name, tensor in part.items()})


def two_files(folder: Path) -> None:
    """Write two files with every part, for high noise and for low noise."""
    for noise, transformer in (("high_noise", "transformer"), ("low_noise", "transformer_2")):
        one_file(folder / f"rapid-{noise}.safetensors", "i2v_a14b", transformer)


def random_weights(models: Path) -> None:
    """Write both models with random weights: `anisora` as split files, `phr00t` as one VACE file."""
    split_files(models / "anisora")
    one_file(models / "phr00t" / "rapid-mega.safetensors", "vace")


def trained_weights(models: Path) -> None:
    """Write both models with the tiny model's weights, which have the shape of Wan 2.2 I2V. `anisora` has two equal transformers."""
    for model in ("anisora", "phr00t"):
        shutil.copytree(TINY, models / model, ignore=shutil.ignore_patterns("model_index.json", "scheduler"))
    shutil.copytree(TINY / "transformer", models / "anisora" / "transformer_2")
