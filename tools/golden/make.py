"""Writes the golden data that the tests of the crate `must-diffusion` compare with.

Runs the reference library (PyTorch, diffusers, transformers) in float32 on the weights in `diffusion/models/tiny` and on small
random models of other shapes, and saves the inputs and outputs of each part to `tests/golden`. Run it again whenever those
weights change:

    PYTHON tools/golden/make.py
"""

import json
import os
import pathlib
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch
from safetensors.torch import save_file

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import reference  # noqa: E402
import synthetic  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "tests" / "golden"

PROMPTS = [
    "a large red circle moving left on a white background",
    "a small blue triangle standing still on a black background",
    "",
    "  A  zebra &amp; a red\tcross ",
    "a red circle " * 12,
]

CASES = {
    "t2v_8": dict(prompt=PROMPTS[0], frames=17, steps=8, seed=7),
    "t2v_20": dict(prompt=PROMPTS[0], frames=17, steps=20, seed=11),
    "picture": dict(prompt=PROMPTS[1], frames=1, steps=8, seed=3),
    "unguided": dict(prompt=PROMPTS[1], frames=1, steps=4, seed=4, guidance=1.0),
    "img2img": dict(prompt=PROMPTS[1], frames=1, steps=8, seed=5, image="first", strength=0.6),
    "i2v": dict(prompt=PROMPTS[0], frames=17, steps=8, seed=9, first="first"),
    "first_last": dict(prompt=PROMPTS[0], frames=17, steps=8, seed=13, first="first", last="last"),
}


def draw(x: int) -> np.ndarray:
    """A 64x64 frame with a red disc at column `x`."""
    rows, columns = np.mgrid[0:64, 0:64]
    frame = np.full((64, 64, 3), 240, np.uint8)
    frame[(rows - 32) ** 2 + (columns - x) ** 2 < 144] = (220, 40, 40)
    return frame


def noise(tensors: dict) -> None:
    for seed, sizes in [(0, [1]), (1, [5, 3]), (42, [15]), (7, [16]), (123, [17, 4, 33]), (2147483647, [100]), (5, [5120])]:
        generator = torch.Generator("cpu").manual_seed(seed)
        for index, size in enumerate(sizes):
            tensors[f"noise.{seed}.{index}"] = torch.randn(size, generator=generator)


def scheduler(pipe, tensors: dict) -> None:
    generator = torch.Generator("cpu").manual_seed(100)
    for steps, begin in [(1, 0), (2, 0), (8, 0), (20, 0), (8, 5)]:
        walk = reference.new_scheduler(pipe)
        walk.set_timesteps(steps)
        walk.set_begin_index(begin)
        sample = torch.randn(1, 4, 1, 3, 3, generator=generator)
        name = f"scheduler.{steps}.{begin}"
        tensors[f"{name}.timesteps"] = walk.timesteps[begin:]
        samples, outputs = [sample], []
        for time in walk.timesteps[begin:]:
            outputs.append(torch.randn(sample.shape, generator=generator))
            samples.append(walk.step(outputs[-1], time, samples[-1], return_dict=False)[0])
        tensors[f"{name}.samples"] = torch.cat(samples)
        tensors[f"{name}.outputs"] = torch.cat(outputs)


@torch.no_grad()
def main() -> None:
    torch.set_num_threads(2)
    OUT.mkdir(parents=True, exist_ok=True)
    pipe = reference.load(ROOT / "diffusion" / "models" / "tiny")
    length = reference.text_length(pipe)
    frames = {"first": draw(20), "last": draw(44)}

    parts: dict[str, torch.Tensor] = {}
    noise(parts)
    scheduler(pipe, parts)
    tokens = [reference.token_ids(pipe, prompt) for prompt in PROMPTS]
    for index, prompt in enumerate(PROMPTS):
        parts[f"text.{index}"] = reference.text_states(pipe, prompt)[0]

    generator = torch.Generator("cpu").manual_seed(200)
    latents = torch.randn(1, pipe.transformer.config.in_channels, 5, 8, 6, generator=generator)
    parts["transformer.input"] = latents[0]
    for time in (999, 374):
        parts[f"transformer.output.{time}"] = pipe.transformer(latents, torch.tensor([time]), parts["text.0"][None]).sample[0]

    clip = np.stack([draw(16 + 3 * index)[8:40, 8:56] for index in range(9)])
    parts["vae.clip"] = torch.from_numpy(clip)
    video = reference.to_tensor(clip)
    parts["vae.latents"] = reference.encode(pipe, video)[0]
    latents = torch.randn(1, pipe.vae.config.z_dim, 3, 4, 6, generator=generator)
    parts["vae.input"] = latents[0]
    parts["vae.output"] = reference.decode(pipe, latents)[0]

    results = {}
    for name, case in CASES.items():
        clip = reference.generate(pipe, case, frames)
        results[name] = clip if name == "t2v_20" else clip.half()
        print(name, tuple(clip.shape))

    for name, frame in frames.items():
        results[f"frame.{name}"] = torch.from_numpy(frame)
    save = lambda tensors, name: save_file({key: value.contiguous() for key, value in tensors.items()}, OUT / name)
    save(parts, "parts.safetensors")
    save(results, "results.safetensors")
    cases = {"prompts": PROMPTS, "tokens": tokens, "length": length, "cases": CASES}
    (OUT / "cases.json").write_text(json.dumps(cases, indent=1, ensure_ascii=False) + "\n")
    synthetic.make(OUT / "synthetic")


if __name__ == "__main__":
    main()
