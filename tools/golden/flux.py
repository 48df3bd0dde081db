"""Writes `tests/golden/flux`: small random checkpoints of FLUX.1 dev and schnell, and results of the reference pipelines with them.

    PYTHON tools/golden/flux.py

Runs the pipelines of diffusers in float32 on the CPU. A second run writes the same files. `cases.json` lists prompts and
requests; `<variant>/parts.json` says which files make the variant's whole folder; `<variant>/golden.safetensors` holds tensors
without a batch axis, named `<case>.<what>`, latents as `[channels, 1, height, width]`.

Two things differ from diffusers. An input picture is encoded to the mean of the autoencoder's distribution, where diffusers takes a
random sample. And a case with `comfyui` uses the noise levels of ComfyUI's "euler" with its "simple" scheduler: evenly spaced
entries, from the end, of a table with that shift.
"""

import json
import math
import os
import pathlib
import shutil
import sys
import tempfile

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, FluxImg2ImgPipeline, FluxPipeline, FluxTransformer2DModel
from diffusers.pipelines.flux import pipeline_flux_img2img
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import flux_weights  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "tests" / "golden" / "flux"

PROMPTS = [
    "a large red circle moving left on a white background",
    "a small blue triangle standing still on a black background",
    "",
    "a green cross  moving up on a gray background",
    # Longer than CLIP reads and shorter than T5 reads.
    ", ".join(["a large red circle on a white background", "a small yellow square on a black background"] * 4),
]
LENGTHS = {"dev": 512, "schnell": 256}
BASE = dict(prompt=0, width=48, height=48, steps=4, guidance=3.5)
# Entries of ComfyUI's tables and the logarithms of their shifts: `ModelSamplingFlux` and `ModelSamplingDiscreteFlow`.
COMFYUI = {"dev": dict(entries=10000, mu=1.15), "schnell": dict(entries=1000, mu=0.0)}
# Cases whose picture is stored; for the others the latents are stored.
PICTURES = ("square", "change_60", "four_steps")
# Cases whose first and last denoiser calls are stored.
CALLS = ("square", "landscape", "portrait", "negative", "four_steps", "one_step")
CASES = {
    "dev": {
        # bfloat16 can represent 1000 times this guidance exactly.
        "square": BASE | dict(width=64, height=64, guidance=4.0, seed=1),
        "landscape": BASE | dict(prompt=1, width=96, steps=3, guidance=1.0, seed=2),
        "portrait": BASE | dict(prompt=3, height=80, guidance=7.0, seed=3),
        "one_step": BASE | dict(prompt=2, steps=1, seed=4),
        "long_prompt": BASE | dict(prompt=4, steps=2, seed=5),
        "negative": BASE | dict(negative=3, true_cfg=2.0, steps=3, seed=6),
        "euler": BASE | dict(steps=5, seed=7, comfyui=True),
        "euler_landscape": BASE | dict(prompt=1, width=80, steps=7, seed=8, comfyui=True),
        "change_30": BASE | dict(image="square", strength=0.3, seed=9),
        "change_60": BASE | dict(image="wide", strength=0.6, width=80, seed=10),
        "change_85": BASE | dict(image="square", strength=0.85, steps=5, seed=11),
        "change_100": BASE | dict(image="square", strength=1.0, steps=2, seed=12),
    },
    "schnell": {
        "four_steps": BASE | dict(prompt=1, seed=13),
        "one_step": BASE | dict(prompt=0, steps=1, seed=14),
        "portrait": BASE | dict(prompt=3, height=80, steps=2, seed=15),
        "change_50": BASE | dict(image="square", strength=0.5, seed=16),
        "euler": BASE | dict(prompt=1, steps=3, seed=17, comfyui=True),
    },
}


def picture(height: int, width: int) -> np.ndarray:
    """A disc on a background with a gradient, so that no two rows or columns are equal."""
    rows, columns = np.mgrid[0:height, 0:width]
    frame = np.empty((height, width, 3))
    frame[:] = (120, 160, 190)
    frame += np.stack([rows * 40 / height, columns * 40 / width, (rows + columns) * 20 / height], -1) - 20
    frame[(rows - height / 2) ** 2 + (columns - 0.4 * width) ** 2 < (min(height, width) / 4) ** 2] = (220, 40, 40)
    return np.clip(frame, 0, 255).round().astype(np.uint8)


def plain(tensor: torch.Tensor) -> torch.Tensor:
    """Without its batch axis."""
    assert tensor.shape[0] == 1, tensor.shape
    return tensor[0].detach().clone()


def comfyui_levels(steps: int, entries: int, mu: float) -> list[float]:
    """Noise levels of ComfyUI's "simple" scheduler for a flow model."""
    times = [1 - int(index * entries / steps) / entries for index in range(steps)]
    return [math.exp(mu) / (math.exp(mu) + (1 / time - 1)) for time in times]


class Recorder:
    """Records one run of a pipeline: denoiser calls and the latents after each step."""

    def __init__(self, pipe):
        self.calls, self.latents = [], None
        keep = lambda module, inputs, options, output: self.calls.append((options, output[0]))
        self.hook = pipe.transformer.register_forward_hook(keep, with_kwargs=True)

    def step_end(self, pipe, step, time, values):
        self.latents = values["latents"]
        return {}


def run(pipe, variant: str, case: dict, images: dict) -> tuple[Recorder, torch.Tensor]:
    """One request to the reference pipeline; its picture as [h, w, 3] from 0 to 1."""
    options = dict(prompt=PROMPTS[case["prompt"]], height=case["height"], width=case["width"],
                   num_inference_steps=case["steps"], guidance_scale=case["guidance"],
                   max_sequence_length=LENGTHS[variant], output_type="np",
                   generator=torch.Generator("cpu").manual_seed(case["seed"]))
    if "negative" in case:
        options |= dict(negative_prompt=PROMPTS[case["negative"]], true_cfg_scale=case["true_cfg"])
    if "image" in case:
        options |= dict(image=Image.fromarray(images[case["image"]]), strength=case["strength"])
    own = pipe.scheduler
    if case.get("comfyui"):
        pipe.scheduler = FlowMatchEulerDiscreteScheduler(shift=1.0)
        options["sigmas"] = comfyui_levels(case["steps"], **COMFYUI[variant])
    recorder = Recorder(pipe)
    try:
        result = pipe(**options, callback_on_step_end=recorder.step_end)
    finally:
        recorder.hook.remove()
        pipe.scheduler = own
    return recorder, torch.from_numpy(np.asarray(result.images[0]))


def record(pipe, variant: str, name: str, case: dict, images: dict) -> tuple[dict, dict]:
    """Runs a case; its tensors and its entry of `cases.json`."""
    recorder, frames = run(pipe, variant, case, images)
    passes = 2 if "negative" in case else 1
    unpacked = lambda packed: FluxPipeline._unpack_latents(packed, case["height"], case["width"], 8)
    steps = len(recorder.calls) // passes
    tensors = {"latents": plain(unpacked(recorder.latents)).unsqueeze(1)}
    if name in PICTURES:
        tensors["frames"] = frames
    kept = sorted({0, steps - 1})
    for step in kept if name in CALLS else []:
        for branch, (options, output) in zip(("cond", "uncond"), recorder.calls[passes * step :][:passes]):
            tensors[f"call.{step}.input"] = plain(unpacked(options["hidden_states"])).unsqueeze(1)
            tensors[f"call.{step}.{branch}"] = plain(unpacked(output)).unsqueeze(1)
    times = [float(options["timestep"]) for options, _ in recorder.calls[::passes]]
    clipped = ((frames == 0) | (frames == 1)).float().mean()
    print(f"  {name}: mean {frames.mean():.2f}, deviation {frames.std():.2f}, clipped {clipped:.1%}, latents to "
          f"{tensors['latents'].abs().max():.1f}, times {[round(time, 4) for time in times]}")
    entry = case | {"times": times, "calls": kept if name in CALLS else []}
    return {f"{name}.{key}": value for key, value in tensors.items()}, entry


def half_precision(folder: pathlib.Path, tensors: dict, cases: dict, states: torch.Tensor, pooled: torch.Tensor) -> dict:
    """The first call of the first case again, with weights and arithmetic in bfloat16, as float32."""
    name, case = next(iter(cases.items()))
    model = FluxTransformer2DModel.from_pretrained(folder, subfolder="transformer", torch_dtype=torch.bfloat16)
    latents = tensors[f"{name}.call.0.input"].squeeze(1)[None]
    height, width = latents.shape[2:]
    ids = FluxPipeline._prepare_latent_image_ids(1, height // 2, width // 2, "cpu", torch.bfloat16)
    guidance = torch.tensor([case["guidance"]], dtype=torch.bfloat16) if model.config.guidance_embeds else None
    output = model(hidden_states=FluxPipeline._pack_latents(latents, 1, 16, height, width).to(torch.bfloat16),
                   encoder_hidden_states=states[None].to(torch.bfloat16), pooled_projections=pooled[None].to(torch.bfloat16),
                   timestep=torch.tensor([case["times"][0]], dtype=torch.bfloat16), guidance=guidance, img_ids=ids,
                   txt_ids=torch.zeros(len(states), 3, dtype=torch.bfloat16)).sample
    output = plain(FluxPipeline._unpack_latents(output, height * 8, width * 8, 8)).unsqueeze(1).float()
    exact = tensors[f"{name}.call.0.cond"]
    print(f"  bfloat16: relative difference {(output - exact).abs().max() / exact.abs().max():.1e}")
    return {f"{name}.call.0.cond.bf16": output}


def text(pipe, variant: str) -> tuple[dict, list]:
    """Ids of every prompt, pooled states of all and the states of one, with the padding that the transformer reads."""
    tensors, prompts = {}, []
    for index, prompt in enumerate(PROMPTS):
        states, pooled, _ = pipe.encode_prompt(prompt, max_sequence_length=LENGTHS[variant])
        tensors[f"pooled.{index}"] = plain(pooled)
        if index == CASES[variant][next(iter(CASES[variant]))]["prompt"]:
            tensors[f"text.{index}"] = plain(states)
        long = len(pipe.tokenizer(prompt).input_ids)
        prompts.append({"prompt": prompt, "t5": pipe.tokenizer_2(prompt).input_ids, "clip_length": long,
                        "clip": pipe.tokenizer(prompt, max_length=77, truncation=True).input_ids})
    return tensors, prompts


@torch.no_grad()
def main() -> None:
    torch.set_num_threads(2)
    if OUT.exists():
        shutil.rmtree(OUT)
    flux_weights.make(OUT, ROOT / "diffusion" / "models" / "tiny" / "tokenizer")
    images = {"square": picture(48, 48), "wide": picture(48, 80)}
    listing = {"lengths": LENGTHS, "variants": {}}
    # The mean of the posterior instead of a draw.
    draw = pipeline_flux_img2img.retrieve_latents
    pipeline_flux_img2img.retrieve_latents = lambda output, generator=None, sample_mode="": draw(output, None, "argmax")
    with tempfile.TemporaryDirectory() as scratch:
        for variant, wanted in CASES.items():
            print(variant)
            folder = flux_weights.assemble(OUT, variant, pathlib.Path(scratch) / variant)
            pipes = {kind: kind.from_pretrained(folder, torch_dtype=torch.float32) for kind in
                     (FluxPipeline, FluxImg2ImgPipeline)}
            tensors, listing["prompts"] = text(pipes[FluxPipeline], variant)
            cases = {}
            for name, case in wanted.items():
                pipe = pipes[FluxImg2ImgPipeline if "image" in case else FluxPipeline]
                pipe.set_progress_bar_config(disable=True)
                recorded, cases[name] = record(pipe, variant, name, case, images)
                tensors |= recorded
            first = next(iter(cases.values()))["prompt"]
            tensors |= half_precision(folder, tensors, cases, tensors[f"text.{first}"], tensors[f"pooled.{first}"])
            flux_weights.save(tensors, OUT / variant / "golden.safetensors")
            listing["variants"][variant] = cases
    flux_weights.save({name: torch.from_numpy(value) for name, value in images.items()}, OUT / "images.safetensors")
    (OUT / "cases.json").write_text(json.dumps(listing, indent=1, ensure_ascii=False) + "\n")
    total = sum(path.stat().st_size for path in OUT.rglob("*") if path.is_file())
    print(f"{total / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
