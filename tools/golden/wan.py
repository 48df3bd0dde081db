"""Writes `tests/golden/wan`: small random checkpoints of every Wan variant, and results of the reference pipelines with them.

    PYTHON tools/golden/wan.py

Runs the pipelines of diffusers in float32 on the CPU. A second run writes the same files. `cases.json` lists the requests;
`<variant>/parts.json` says which files make the variant's whole folder; `<variant>/golden.safetensors` holds tensors without
a batch axis, named `<case>.<what>`; `names.json` holds the names of all tensors in the other published layouts.
"""

import json
import os
import pathlib
import shutil
import sys
import tempfile

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch
from diffusers import (AutoencoderKLWan, WanImageToVideoPipeline, WanPipeline, WanTransformer3DModel, WanVACEPipeline,
                       WanVACETransformer3DModel)
from diffusers.pipelines.wan import pipeline_wan, pipeline_wan_i2v, pipeline_wan_vace
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import wan_names  # noqa: E402
import wan_weights  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "tests" / "golden" / "wan"

PROMPTS = [
    "a large red circle moving left on a white background",
    "a small blue triangle standing still on a black background",
    "",
    "a green cross  moving up on a gray background",
]
# Values of most requests.
BASE = dict(prompt=0, negative=3, width=32, height=32, frames=5, steps=4, guidance=5.0)
PICTURE = BASE | dict(prompt=1, frames=1)
PLAIN = dict(boundary_ratio=None, expand_timesteps=False)
VARIANTS = {
    "t2v": dict(pipeline=WanPipeline, shift=5.0, options=PLAIN, cases={
        "clip": BASE | dict(width=48, seed=1),
        "picture": PICTURE | dict(negative=2, seed=2, guidance=6.0),
        "unguided": PICTURE | dict(height=48, seed=3, guidance=1.0),
    }),
    "i2v": dict(pipeline=WanImageToVideoPipeline, shift=3.0, options=PLAIN, cases={
        "clip": BASE | dict(frames=9, seed=4, image="square_first"),
        "resized": BASE | dict(width=48, seed=5, image="large"),
        "picture": PICTURE | dict(seed=6, image="square_first"),
    }),
    "flf2v": dict(pipeline=WanImageToVideoPipeline, shift=16.0, options=PLAIN, cases={
        "clip": BASE | dict(width=48, seed=7, image="first", last="last"),
        "picture": PICTURE | dict(seed=8, image="square_first", image_tokens_twice=True),
    }),
    "vace": dict(pipeline=WanVACEPipeline, shift=16.0, options=dict(boundary_ratio=None), cases={
        "t2v": BASE | dict(seed=9),
        "first": BASE | dict(seed=10, video="vace_first", mask="vace_first_mask"),
        "first_last": BASE | dict(frames=9, seed=11, video="vace_first_last", mask="vace_first_last_mask"),
        "region": BASE | dict(width=48, seed=12, video="vace_region", mask="vace_region_mask"),
        "references": BASE | dict(seed=13, references=["tall", "square_last"], conditioning_scale=0.75),
        "picture": PICTURE | dict(seed=14),
        "picture_reference": PICTURE | dict(seed=15, references=["square_first"]),
    }),
    "t2v_a14b": dict(pipeline=WanPipeline, shift=12.0, options=PLAIN | dict(boundary_ratio=0.875), cases={
        "clip": BASE | dict(steps=6, seed=16, guidance=4.0, guidance_2=3.0),
        "picture": PICTURE | dict(steps=6, seed=17, guidance=4.0),
    }),
    "i2v_a14b": dict(pipeline=WanImageToVideoPipeline, shift=5.0, options=PLAIN | dict(boundary_ratio=0.9), cases={
        "clip": BASE | dict(seed=18, guidance=3.5, guidance_2=3.0, image="square_first"),
        "first_last": BASE | dict(seed=19, guidance=3.5, image="square_first", last="square_last"),
        "picture": PICTURE | dict(seed=20, guidance=3.5, image="square_first"),
    }),
    "ti2v_5b": dict(pipeline=WanPipeline, shift=5.0, options=PLAIN | dict(expand_timesteps=True), cases={
        "t2v": BASE | dict(width=64, seed=21),
        "i2v": BASE | dict(height=64, seed=22, image="tall"),
        "picture": PICTURE | dict(seed=23),
    }),
    "wide": dict(pipeline=WanPipeline, shift=5.0, options=PLAIN, cases={"picture": PICTURE | dict(width=48, seed=24)}),
}


def picture(height: int, width: int, x: float, colour: tuple, back: tuple) -> np.ndarray:
    """A disc on a background with a gradient, so that no two rows or columns are equal."""
    rows, columns = np.mgrid[0:height, 0:width]
    frame = np.empty((height, width, 3))
    frame[:] = back
    frame += (np.stack([rows * 40 / height, columns * 40 / width, (rows + columns) * 20 / height], -1) - 20)
    inside = (rows - height / 2) ** 2 + (columns - x * width) ** 2 < (min(height, width) / 4) ** 2
    frame[inside] = colour
    return np.clip(frame, 0, 255).round().astype(np.uint8)


def pictures() -> dict[str, np.ndarray]:
    """Every picture, clip and mask of the cases."""
    red, blue = (220, 40, 40), (50, 80, 220)
    images = {
        "first": picture(32, 48, 0.3, red, (200, 200, 190)),
        "last": picture(32, 48, 0.7, blue, (60, 70, 60)),
        "square_first": picture(32, 32, 0.3, red, (200, 200, 190)),
        "square_last": picture(32, 32, 0.7, blue, (60, 70, 60)),
        "tall": picture(64, 32, 0.4, blue, (190, 160, 120)),
        "large": picture(45, 70, 0.35, red, (120, 160, 190)),
    }
    grey = np.full((32, 32, 3), 128, np.uint8)
    for name, frames, known in [("vace_first", 5, {0: "square_first"}),
                                ("vace_first_last", 9, {0: "square_first", 8: "square_last"})]:
        images[name] = np.stack([images[known[index]] if index in known else grey for index in range(frames)])
        masks = [np.full((32, 32), 0 if index in known else 255, np.uint8) for index in range(frames)]
        images[f"{name}_mask"] = np.stack(masks)
    images["vace_region"] = np.stack([picture(32, 48, 0.2 + 0.12 * index, red, (120, 160, 190)) for index in range(5)])
    # Values on both sides of one half, and an edge inside a square of 8 pixels.
    mask = np.zeros((5, 32, 48), np.uint8)
    for index in range(5):
        mask[index, 5:21, 3 + index : 30] = 255
        mask[index, 22:30, 30:45] = 100 + 20 * index
    images["vace_region_mask"] = mask
    return images


def plain(tensor: torch.Tensor) -> torch.Tensor:
    """Without its batch axis."""
    assert tensor.shape[0] == 1, tensor.shape
    return tensor[0].detach().clone()


def statistics(vae) -> tuple[torch.Tensor, torch.Tensor]:
    shape = (1, -1, 1, 1, 1)
    return torch.tensor(vae.config.latents_mean).view(shape), torch.tensor(vae.config.latents_std).view(shape)


def encode(vae, video: torch.Tensor) -> torch.Tensor:
    mean, deviation = statistics(vae)
    return (vae.encode(video).latent_dist.mode() - mean) * (1.0 / deviation)


def decode(vae, latents: torch.Tensor) -> torch.Tensor:
    mean, deviation = statistics(vae)
    return vae.decode(latents / (1.0 / deviation) + mean, return_dict=False)[0]


class Recorder:
    """Records one run of a pipeline: noise, denoiser calls, the latents that are decoded."""

    def __init__(self, pipe):
        self.pipe, self.draws, self.calls, self.samples, self.decoded = pipe, [], [], [], None
        self.hooks = []
        for expert in ("transformer", "transformer_2"):
            model = getattr(pipe, expert, None)
            if model is not None:
                hook = lambda module, inputs, options, output, expert=expert: self.calls.append((expert, options, output[0]))
                self.hooks.append(model.register_forward_hook(hook, with_kwargs=True))
        self.modules = [pipeline_wan, pipeline_wan_i2v, pipeline_wan_vace]
        self.randn, self.decode = pipeline_wan.randn_tensor, pipe.vae.decode

        def randn(shape, **options):
            self.draws.append(list(shape[1:]))
            self.noise = self.randn(shape, **options)
            return self.noise

        def decode(latents, **options):
            self.decoded = latents
            return self.decode(latents, **options)

        for module in self.modules:
            module.randn_tensor = randn
        pipe.vae.decode = decode

    def step_end(self, pipe, step, time, values):
        self.samples.append(values["latents"])
        return {}

    def close(self):
        for hook in self.hooks:
            hook.remove()
        for module in self.modules:
            module.randn_tensor = self.randn
        del self.pipe.vae.decode


def arguments(case: dict, images: dict) -> dict:
    """Arguments of the pipeline for the pictures of a case."""
    image = lambda name: Image.fromarray(images[name])
    frames = lambda name: [Image.fromarray(frame) for frame in images[name]]
    given = {}
    if "image" in case:
        given["image"] = image(case["image"])
    if "last" in case:
        given["last_image"] = image(case["last"])
    if "video" in case:
        given |= dict(video=frames(case["video"]), mask=frames(case["mask"]))
    if "references" in case:
        given["reference_images"] = [image(name) for name in case["references"]]
    if "conditioning_scale" in case:
        given["conditioning_scale"] = case["conditioning_scale"]
    if "guidance_2" in case:
        given["guidance_scale_2"] = case["guidance_2"]
    return given


def run(pipe, case: dict, images: dict) -> tuple[Recorder, torch.Tensor]:
    """One request to the reference pipeline; its frames as [frames, h, w, 3] from 0 to 1."""
    # diffusers cannot make a single frame with a first-last-frame model, so the one image is used for both.
    if case.get("image_tokens_twice"):
        original = pipe.encode_image
        pipe.encode_image = lambda image, device: original([image, image], device)
    recorder = Recorder(pipe)
    try:
        result = pipe(prompt=PROMPTS[case["prompt"]], negative_prompt=PROMPTS[case["negative"]], height=case["height"],
                      width=case["width"], num_frames=case["frames"], num_inference_steps=case["steps"],
                      guidance_scale=case["guidance"],
                      generator=torch.Generator("cpu").manual_seed(case["seed"]), output_type="np",
                      callback_on_step_end=recorder.step_end, **arguments(case, images))
    finally:
        recorder.close()
        if case.get("image_tokens_twice"):
            del pipe.encode_image
    return recorder, torch.from_numpy(np.asarray(result.frames[0]))


def final_latents(pipe, case: dict, recorder: Recorder) -> torch.Tensor:
    """The normalised latents that are decoded: without reference frames, with the known frame put back."""
    latents = recorder.samples[-1]
    if "references" in case:
        latents = latents[:, :, len(case["references"]) :]
    if pipe.config.get("expand_timesteps") and "image" in case:
        latents = torch.cat([recorder.calls[-1][1]["hidden_states"][:, :, :1], latents[:, :, 1:]], 2)
    mean, deviation = statistics(pipe.vae)
    assert torch.equal(latents / (1.0 / deviation) + mean, recorder.decoded)
    return latents


def record(pipe, name: str, case: dict, images: dict) -> tuple[dict, dict]:
    """Runs a case; its tensors and its entry of `cases.json`."""
    recorder, frames = run(pipe, case, images)
    guided = case["guidance"] > 1.0
    passes = 2 if guided else 1
    assert len(recorder.draws) == 1 and len(recorder.calls) == passes * case["steps"]
    experts = [expert for expert, _, _ in recorder.calls[::passes]]
    kept = sorted({index for expert in set(experts)
                   for index in (experts.index(expert), len(experts) - 1 - experts[::-1].index(expert))})
    first = recorder.calls[0][1]
    tensors = {"noise": plain(recorder.noise)}
    channels = recorder.noise.shape[1]
    if first.get("encoder_hidden_states_image") is not None:
        states = first["encoder_hidden_states_image"]
        tensors["image_states"] = states.reshape(-1, states.shape[-1]).clone()
    if first["hidden_states"].shape[1] > channels:
        tensors["condition"] = plain(first["hidden_states"])[channels:]
    elif "image" in case:
        tensors["condition"] = plain(first["hidden_states"])[:, :1]
    if "control_hidden_states" in first:
        tensors["control"] = plain(first["control_hidden_states"])
    calls = []
    for step in kept:
        expert, options, output = recorder.calls[passes * step]
        time = options["timestep"]
        tensors[f"call.{step}.input"] = plain(options["hidden_states"])
        tensors[f"call.{step}.timestep"] = plain(time) if time.ndim == 2 else time.clone()
        tensors[f"call.{step}.cond"] = plain(output)
        if guided:
            tensors[f"call.{step}.uncond"] = plain(recorder.calls[passes * step + 1][2])
        calls.append({"step": step, "expert": expert})
    tensors["latents"] = plain(final_latents(pipe, case, recorder))
    tensors["frames"] = frames
    times = [int(options["timestep"].max()) for _, options, _ in recorder.calls[::passes]]
    clipped = ((frames == 0) | (frames == 1)).float().mean()
    print(f"  {name}: frames {tuple(frames.shape)}, mean {frames.mean():.2f}, deviation {frames.std():.2f}, "
          f"clipped {clipped:.1%}, latents to {tensors['latents'].abs().max():.1f}, times {times}, experts {experts}")
    draws = [{"seed": case["seed"], "shape": recorder.draws[0]}]
    entry = case | {"draws": draws, "timesteps": times, "experts": experts, "calls": calls}
    return {f"{name}.{key}": value for key, value in tensors.items()}, entry


def half_precision(folder: pathlib.Path, vace: bool, tensors: dict, cases: dict, texts: list) -> dict:
    """The first saved call of each expert again, with weights and arithmetic in bfloat16, as float32."""
    results = {}
    name, case = next(iter(cases.items()))
    for call in case["calls"]:
        key = f"{name}.call.{call['step']}"
        if call["expert"] in results:
            continue
        model = (WanVACETransformer3DModel if vace else WanTransformer3DModel).from_pretrained(
            folder, subfolder=call["expert"], torch_dtype=torch.bfloat16)
        take = lambda part: tensors[f"{name}.{part}"][None].to(torch.bfloat16)
        time = tensors[f"{key}.timestep"]
        options = dict(hidden_states=tensors[f"{key}.input"][None].to(torch.bfloat16),
                       timestep=time if len(time) == 1 else time[None],
                       encoder_hidden_states=texts[case["prompt"]][None].to(torch.bfloat16))
        if f"{name}.image_states" in tensors:
            options["encoder_hidden_states_image"] = take("image_states")
            if model.config.pos_embed_seq_len is not None:
                options["encoder_hidden_states_image"] = take("image_states").reshape(2, -1, wan_weights.IMAGE_DIM)
        if vace:
            options["control_hidden_states"] = take("control")
        output = plain(model(**options).sample.float())
        exact = tensors[f"{key}.cond"]
        print(f"  bfloat16 {call['expert']}: relative difference {(output - exact).abs().max() / exact.abs().max():.1e}")
        results[call["expert"]] = (f"{key}.cond.bf16", output)
    return dict(results.values())


def shared_parts(pipe, images: dict) -> tuple[dict, dict]:
    """Text states, image states and prepared pictures; prompts with their ids. `pipe` has an image encoder."""
    tensors, ids = {}, []
    for index, prompt in enumerate(PROMPTS):
        text = pipe.tokenizer([pipeline_wan.prompt_clean(prompt)], padding="max_length", max_length=wan_weights.TEXT_LENGTH,
                              truncation=True, add_special_tokens=True, return_attention_mask=True)
        ids.append(text.input_ids[0][: sum(text.attention_mask[0])])
        states = plain(pipe._get_t5_prompt_embeds(prompt, max_sequence_length=wan_weights.TEXT_LENGTH))
        assert states[len(ids[-1]) :].abs().max() == 0
        tensors[f"text.{index}"] = states[: len(ids[-1])]
    for name in ("square_first", "large"):
        image = Image.fromarray(images[name])
        tensors[f"image_encoder.{name}.pixels"] = plain(pipe.image_processor(images=image, return_tensors="pt").pixel_values)
        tensors[f"image_encoder.{name}.states"] = plain(pipe.encode_image(image))
    large = Image.fromarray(images["large"])
    tensors["image.large.32x48"] = plain(pipe.video_processor.preprocess(large, height=32, width=48))
    return tensors, {"prompts": PROMPTS, "tokens": ids, "text_length": wan_weights.TEXT_LENGTH}


def references(pipe, images: dict) -> dict:
    """A reference picture on its white canvas."""
    image = [Image.fromarray(images["tall"])]
    _, _, prepared = pipe.preprocess_conditions(None, None, image, 1, 32, 32, 5, torch.float32, "cpu")
    return {"reference.tall.32x32": prepared[0][0]}


def autoencoder(folder: pathlib.Path, name: str, size: tuple[int, int]) -> dict:
    """A clip of three chunks and a picture through an autoencoder, both ways. Latents are normalised."""
    vae = AutoencoderKLWan.from_pretrained(folder, torch_dtype=torch.float32)
    generator = torch.Generator("cpu").manual_seed(len(name))
    height, width = size
    tensors = {}
    for kind, frames in (("clip", 9), ("picture", 1)):
        given = np.stack([picture(height, width, 0.2 + 0.07 * index, (220, 40, 40), (150, 170, 120))
                          for index in range(frames)])
        tensors[f"{name}.{kind}.frames"] = torch.from_numpy(given)
        video = torch.from_numpy(given).permute(3, 0, 1, 2)[None].float() / 255.0 * 2.0 - 1.0
        latents = encode(vae, video)
        tensors[f"{name}.{kind}.latents"] = plain(latents)
        drawn = torch.randn(latents.shape, generator=generator)
        tensors[f"{name}.{kind}.input"] = plain(drawn)
        output = plain(decode(vae, drawn))
        print(f"  {name} {kind}: latents to {latents.abs().max():.2f}, output deviation {output.std():.2f}, "
              f"clipped {(output.abs() == 1).float().mean():.1%}")
        tensors[f"{name}.{kind}.output"] = output
    return tensors


def padded(states: torch.Tensor) -> torch.Tensor:
    return torch.cat([states, states.new_zeros(wan_weights.TEXT_LENGTH - len(states), states.shape[1])])


def make_checkpoints() -> None:
    wan_weights.make_transformers(OUT)
    wan_weights.make_text_encoder(OUT / "shared" / "text_encoder")
    wan_weights.make_tokenizer(ROOT / "diffusion" / "models" / "tiny" / "tokenizer", OUT / "shared" / "tokenizer")
    wan_weights.make_image_encoder(OUT / "shared" / "image_encoder", OUT / "shared" / "image_processor")
    wan_weights.make_autoencoders(OUT / "shared")
    for name, variant in VARIANTS.items():
        wan_weights.make_variant(OUT, name, variant["pipeline"].__name__, variant["shift"], variant["options"])


@torch.no_grad()
def main() -> None:
    torch.set_num_threads(2)
    if OUT.exists():
        shutil.rmtree(OUT)
    OUT.mkdir(parents=True)
    make_checkpoints()
    images = pictures()
    listing, parts, texts = {"variants": {}}, {}, []
    with tempfile.TemporaryDirectory() as scratch:
        load = lambda kind, name: kind.from_pretrained(pathlib.Path(scratch) / name, torch_dtype=torch.float32)
        for name in VARIANTS:
            wan_weights.assemble(OUT, name, pathlib.Path(scratch) / name)
        parts, prompts = shared_parts(load(WanImageToVideoPipeline, "i2v"), images)
        texts = [padded(parts[f"text.{index}"]) for index in range(len(PROMPTS))]
        for name, variant in VARIANTS.items():
            print(name)
            tensors, cases = {}, {}
            for case_name, case in variant["cases"].items():
                kind = WanImageToVideoPipeline if "image" in case else variant["pipeline"]
                pipe = load(kind, name)
                pipe.set_progress_bar_config(disable=True)
                recorded, entry = record(pipe, case_name, case, images)
                tensors |= recorded
                cases[case_name] = {"pipeline": kind.__name__} | entry
                if case_name == "references":
                    parts |= references(pipe, images)
            tensors |= half_precision(pathlib.Path(scratch) / name, name == "vace", tensors, cases, texts)
            wan_weights.save(tensors, OUT / name / "golden.safetensors")
            listing["variants"][name] = {"flow_shift": variant["shift"], **variant["options"], "cases": cases}
    parts |= autoencoder(OUT / "shared" / "vae_2.1", "vae_2.1", (32, 48))
    parts |= autoencoder(OUT / "shared" / "vae_2.2", "vae_2.2", (32, 48))
    wan_weights.save(parts, OUT / "shared" / "golden.safetensors")
    wan_weights.save({key: torch.from_numpy(value) for key, value in images.items()}, OUT / "shared" / "images.safetensors")
    (OUT / "cases.json").write_text(json.dumps(prompts | listing, indent=1, ensure_ascii=False) + "\n")
    names = wan_names.make(OUT, wan_weights.BODIES)
    wan_names.check(names)
    wan_names.write(names, OUT / "names.json")
    total = sum(path.stat().st_size for path in OUT.rglob("*") if path.is_file())
    print(f"{total / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
