"""Writes `tests/golden/sdxl`: results of the reference with small SDXL checkpoints that have the real names.

    PYTHON tools/golden/sdxl.py

No weights are stored: `sdxl_weights.py` computes them from the names of the tensors, and so do the tests. `<part>/config.json` is saved
by diffusers and transformers. `weights.json` lists the tensors of every part, `names.json` their names in the original layout, and
`cases.json` the requests. `golden.safetensors` has tensors without a batch axis: `<case>.latents`, `<case>.image` and, for single
modules, `<module>.<what>`. A second run writes the same files.
"""

import contextlib
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
from diffusers import (AutoencoderKL, DDIMScheduler, DPMSolverMultistepScheduler, DPMSolverSDEScheduler,
                       EulerAncestralDiscreteScheduler, EulerDiscreteScheduler, LCMScheduler, StableDiffusionXLImg2ImgPipeline,
                       StableDiffusionXLPipeline, UNet2DConditionModel, UniPCMultistepScheduler)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import sdxl_names  # noqa: E402
import sdxl_weights  # noqa: E402
import tokens  # noqa: E402
from discrete_samplers import rounded_correctly  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "tests" / "golden" / "sdxl"
WIDTHS = dict(clip=64, big=128, projection=96)

UNET = dict(
    sample_size=8, in_channels=4, out_channels=4, block_out_channels=(32, 64, 128), layers_per_block=2,
    down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    transformer_layers_per_block=(1, 1, 2), attention_head_dim=(1, 1, 2), cross_attention_dim=WIDTHS["clip"] + WIDTHS["big"],
    use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=256,
    projection_class_embeddings_input_dim=WIDTHS["projection"] + 6 * 256,
)
# Rows of 256 weights and more, which some quantised encodings need.
WIDE = UNET | dict(block_out_channels=(32, 64, 256), transformer_layers_per_block=(1, 1, 1), attention_head_dim=(1, 1, 4))
VAE = dict(
    in_channels=3, out_channels=3, latent_channels=4, block_out_channels=(32, 32, 64, 64), layers_per_block=2, sample_size=64,
    down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4, scaling_factor=0.13025,
    norm_num_groups=32, force_upcast=True,
)
TEXT = dict(vocab_size=49408, max_position_embeddings=77, eos_token_id=2, bos_token_id=0, pad_token_id=1)
CLIP = CLIPTextConfig(hidden_size=WIDTHS["clip"], intermediate_size=128, num_hidden_layers=5, num_attention_heads=1,
                      hidden_act="quick_gelu", projection_dim=WIDTHS["clip"], **TEXT)
BIG = CLIPTextConfig(hidden_size=WIDTHS["big"], intermediate_size=256, num_hidden_layers=6, num_attention_heads=2,
                     hidden_act="gelu", projection_dim=WIDTHS["projection"], **TEXT)

PROMPTS = [
    "score_9, score_8_up, a photo of a cat sitting on a red chair",
    "",
    "blurry, low quality",
    # Words of one token each and no comma, so that every rule for long prompts splits where the chunk is full.
    " ".join(["cat dog house tree river mountain sun moon star sea"] * 17),
    " ".join(["dark sad old bad wrong ugly cold dirty"] * 10),
]

# The configuration of the published base model's scheduler.
TRAINED = dict(num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
LEADING = TRAINED | dict(timestep_spacing="leading", steps_offset=1)
ZERO_SNR = TRAINED | dict(prediction_type="v_prediction", rescale_betas_zero_snr=True, timestep_spacing="trailing")
SCHEDULERS = {
    "euler": (EulerDiscreteScheduler, LEADING),
    "euler_karras": (EulerDiscreteScheduler, LEADING | dict(use_karras_sigmas=True)),
    "euler_a": (EulerAncestralDiscreteScheduler, LEADING),
    "dpmpp_2m": (DPMSolverMultistepScheduler, LEADING | dict(algorithm_type="dpmsolver++")),
    "dpmpp_2m_karras": (DPMSolverMultistepScheduler, LEADING | dict(algorithm_type="dpmsolver++", use_karras_sigmas=True)),
    "dpmpp_sde_karras": (DPMSolverSDEScheduler, LEADING | dict(use_karras_sigmas=True)),
    "ddim": (DDIMScheduler, LEADING | dict(clip_sample=False, set_alpha_to_one=False)),
    "unipc": (UniPCMultistepScheduler, LEADING),
    "lcm": (LCMScheduler, TRAINED),
    "euler_v_zero_snr": (EulerDiscreteScheduler, ZERO_SNR),
    "ddim_v_zero_snr": (DDIMScheduler, ZERO_SNR | dict(clip_sample=False, set_alpha_to_one=False)),
    "euler_v": (EulerDiscreteScheduler, LEADING | dict(prediction_type="v_prediction")),
}
BASE = dict(scheduler="euler", prompt=0, negative=1, width=64, height=64, steps=4, guidance=6.0, seed=1, zeros=True)
CASES = {name: BASE | dict(scheduler=name, seed=10 + at) for at, name in enumerate(SCHEDULERS)} | {
    "unguided": BASE | dict(guidance=1.0, seed=2),
    "unguided_2m": BASE | dict(scheduler="dpmpp_2m_karras", guidance=1.0, seed=3),
    "empty_encoded": BASE | dict(zeros=False, seed=4),
    "negative": BASE | dict(negative=2, seed=5),
    "long": BASE | dict(prompt=3, negative=2, seed=6),
    "long_both": BASE | dict(prompt=3, negative=4, seed=7),
    "long_negative": BASE | dict(negative=4, seed=8),
    "long_empty": BASE | dict(prompt=3, seed=9),
    "odd": BASE | dict(width=72, height=88, seed=30),
    "odd_twice": BASE | dict(width=104, height=40, seed=31),
    "portrait": BASE | dict(width=32, height=128, seed=32),
    "landscape": BASE | dict(width=160, height=24, seed=33),
    **{f"skip_{skip}": BASE | dict(clip_skip=skip, negative=2, seed=40 + skip) for skip in (1, 2, 3, 4)},
    **{f"image_{name}_{part}": BASE | dict(scheduler=name, steps=5, strength=part / 100, seed=50 + part)
       for name in ("euler", "euler_a", "dpmpp_2m_karras", "dpmpp_sde_karras", "ddim", "unipc") for part in (30, 70, 100)},
}
PICTURES = ("euler", "odd", "skip_4", "image_euler_70", "image_euler_100")


def plain(tensor: torch.Tensor) -> torch.Tensor:
    """Without its batch axis."""
    assert tensor.shape[0] == 1, tensor.shape
    return tensor[0].detach().float().clone().contiguous()


def models() -> dict:
    """Every part with its weights."""
    parts = {
        "unet": UNet2DConditionModel(**UNET),
        "vae": AutoencoderKL(**VAE),
        "text_encoder": CLIPTextModel(CLIP),
        "text_encoder_2": CLIPTextModelWithProjection(BIG),
    }
    for name, model in parts.items():
        sdxl_weights.fill(name, model.eval())
    return parts


def chunks(tokenizer, text: str, pad: int) -> torch.Tensor:
    """The ids of a prompt in chunks of 77, `[chunks, 77]`."""
    ids = tokenizer(text, add_special_tokens=False, truncation=False).input_ids
    rows = [ids[at : at + 75] for at in range(0, max(len(ids), 1), 75)]
    return torch.tensor([[49406, *row, 49407, *[pad] * (75 - len(row))] for row in rows])


def encode(pipe, text: str, clip_skip: int | None) -> tuple[torch.Tensor, torch.Tensor]:
    """States and pooled state of a prompt of any length. Each chunk is encoded by itself, and the pooled state is that of the first."""
    layer = -(clip_skip or 2)
    first = pipe.text_encoder(chunks(pipe.tokenizer, text, 49407), output_hidden_states=True).hidden_states[layer]
    second = pipe.text_encoder_2(chunks(pipe.tokenizer_2, text, 0), output_hidden_states=True)
    states = torch.cat([first, second.hidden_states[layer]], -1)
    return states.reshape(1, -1, states.shape[-1]), second.text_embeds[:1]


def embeddings(pipe, case: dict) -> dict:
    """The prompts of a case in the form that the pipeline needs, with equal lengths."""
    skip = case.get("clip_skip")
    states, pooled = encode(pipe, PROMPTS[case["prompt"]], skip)
    negative = PROMPTS[case["negative"]]
    if not negative and case["zeros"]:
        without, without_pooled = torch.zeros_like(states), torch.zeros_like(pooled)
    else:
        without, without_pooled = encode(pipe, negative, skip)
    # The reference requires equal lengths. Attention over repeated copies of all states equals attention over the states once.
    length = math.lcm(states.shape[1], without.shape[1])
    longer = lambda states: states.repeat(1, length // states.shape[1], 1)
    given = dict(prompt_embeds=longer(states), pooled_prompt_embeds=pooled)
    if case["guidance"] > 1.0:
        given |= dict(negative_prompt_embeds=longer(without), negative_pooled_prompt_embeds=without_pooled)
    return given


def reference_embeddings(pipe, case: dict) -> dict:
    """The same with the pipeline's own code, which supports only one chunk."""
    negative = PROMPTS[case["negative"]] or (None if case["zeros"] else "")
    skip = case.get("clip_skip")
    guided = case["guidance"] > 1.0
    states = pipe.encode_prompt(PROMPTS[case["prompt"]], negative_prompt=negative, do_classifier_free_guidance=guided,
                                clip_skip=None if skip is None else skip - 2)
    names = ("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds")
    given = {name: value for name, value in zip(names, states) if value is not None}
    if skip is not None and guided:
        # The reference skips layers only for the prompt; this project skips them for both prompts.
        given["negative_prompt_embeds"] = pipe.encode_prompt(negative, do_classifier_free_guidance=False, clip_skip=skip - 2)[0]
    return given


def picture(height: int, width: int) -> np.ndarray:
    rows, columns = np.mgrid[0:height, 0:width]
    frame = np.stack([rows * 200 / height, columns * 180 / width, (rows + columns) * 90 / (height + width)], -1) + 30
    inside = (rows - height / 2) ** 2 + (columns - width / 3) ** 2 < (min(height, width) / 4) ** 2
    frame[inside] = (220, 60, 40)
    return frame.round().astype(np.uint8)


def run(parts: dict, case: dict, results: dict, name: str) -> dict:
    """Runs one request with the reference, and returns its entry of `cases.json`."""
    kind, settings = SCHEDULERS[case["scheduler"]]
    if kind is DPMSolverSDEScheduler:
        settings = settings | dict(noise_sampler_seed=case["seed"])
    scheduler = kind(**settings)
    pipeline = StableDiffusionXLImg2ImgPipeline if "strength" in case else StableDiffusionXLPipeline
    pipe = pipeline(**parts, scheduler=scheduler, force_zeros_for_empty_prompt=case["zeros"], add_watermarker=False)
    pipe.set_progress_bar_config(disable=True)
    given = embeddings(pipe, case)
    if max(case["prompt"], case["negative"]) < 3:
        for key, value in reference_embeddings(pipe, case).items():
            assert torch.equal(value, given[key]), key
    options = dict(num_inference_steps=case["steps"], guidance_scale=case["guidance"],
                   generator=torch.Generator("cpu").manual_seed(case["seed"]), output_type="latent", **given)
    size = (case["height"], case["width"])
    if "strength" in case:
        image = torch.from_numpy(picture(*size)).permute(2, 0, 1)[None].float() / 255 * 2 - 1
        # The mean of the encoder's distribution, where the pipeline would take a random sample.
        latents = pipe.vae.encode(image).latent_dist.mode() * pipe.vae.config.scaling_factor
        options |= dict(image=latents, strength=case["strength"], original_size=size, target_size=size)
    else:
        options |= dict(height=size[0], width=size[1])
    calls = []
    hook = pipe.unet.register_forward_pre_hook(lambda module, arguments, options: calls.append(float(arguments[1])), with_kwargs=True)
    latents = pipe(**options).images
    hook.remove()
    results[f"{name}.latents"] = plain(latents)
    if name in PICTURES:
        image = pipe.vae.decode(latents / pipe.vae.config.scaling_factor).sample
        results[f"{name}.image"] = plain((image / 2 + 0.5).clamp(0, 1)).permute(1, 2, 0).contiguous()
        clipped = ((results[f"{name}.image"] == 0) | (results[f"{name}.image"] == 1)).float().mean()
        print(f"  {name}: image deviation {results[f'{name}.image'].std():.2f}, clipped {clipped:.1%}")
    print(f"  {name}: latents to {latents.abs().max():.2f}, {len(calls)} calls")
    # Python would write infinite numbers, which JSON does not allow.
    said = lambda key, value: not key.startswith("_") and value is not None and value not in (math.inf, -math.inf)
    config = {key: value for key, value in scheduler.config.items() if said(key, value)}
    return case | {"times": calls, "scheduler_config": {"_class_name": kind.__name__, **config}}


def modules(parts: dict, results: dict) -> None:
    """The UNet and its modules on latents of several sizes."""
    unet = parts["unet"]
    generator = torch.Generator("cpu").manual_seed(99)
    draw = lambda *shape: torch.randn(shape, generator=generator)
    states, pooled = draw(1, 77, UNET["cross_attention_dim"]), draw(1, WIDTHS["projection"])
    results["unet.states"], results["unet.pooled"] = plain(states), plain(pooled)
    for name, (height, width), time in [("even", (8, 8), 999), ("odd", (9, 13), 321.75), ("narrow", (5, 16), 1)]:
        latents = draw(1, 4, height, width)
        told = torch.tensor([[height * 8.0, width * 8.0, 0.0, 0.0, height * 8.0, width * 8.0]])
        kept, hooks = {}, []
        if name == "odd":
            watched = {"time_embedding": unet.time_embedding, "add_embedding": unet.add_embedding, "conv_in": unet.conv_in,
                       "mid_block": unet.mid_block}
            watched |= {f"down_blocks.{at}": block for at, block in enumerate(unet.down_blocks)}
            watched |= {f"up_blocks.{at}": block for at, block in enumerate(unet.up_blocks)}
            watched |= {"resnet": unet.down_blocks[1].resnets[0], "attention": unet.down_blocks[1].attentions[0]}
            for key, module in watched.items():
                take = lambda module, given, output, key=key: kept.__setitem__(key, output[0] if isinstance(output, tuple) else output)
                hooks.append(module.register_forward_hook(take))
        options = dict(encoder_hidden_states=states, added_cond_kwargs={"text_embeds": pooled, "time_ids": told})
        output = unet(latents, torch.tensor(float(time)), **options).sample
        for hook in hooks:
            hook.remove()
        results[f"unet.{name}.input"], results[f"unet.{name}.output"] = plain(latents), plain(output)
        results |= {f"unet.{name}.{key}": plain(value) for key, value in kept.items()}
        print(f"  unet {name}: output to {output.abs().max():.2f}")
        half = UNet2DConditionModel(**UNET).eval()
        half.load_state_dict(unet.state_dict())
        half = half.to(torch.bfloat16)
        options = dict(encoder_hidden_states=states.bfloat16(), added_cond_kwargs={"text_embeds": pooled.bfloat16(), "time_ids": told})
        rounded = half(latents.bfloat16(), torch.tensor(float(time)), **options).sample
        results[f"unet.{name}.bf16"] = plain(rounded)
        print(f"  bfloat16: relative difference {(plain(rounded) - plain(output)).abs().max() / output.abs().max():.1e}")


def texts(pipe, results: dict) -> None:
    for index in (0, 2, 3):
        for skip in (1, 2, 3, 4) if index == 0 else (2,):
            states, pooled = encode(pipe, PROMPTS[index], skip)
            # One row in seven is enough.
            results[f"text.{index}.{skip}"] = plain(states)[::7].contiguous()
        results[f"text.{index}.pooled"] = plain(pooled)


@torch.no_grad()
def main() -> None:
    torch.set_num_threads(2)
    if OUT.exists():
        shutil.rmtree(OUT)
    OUT.mkdir(parents=True)
    parts, results, cases = models(), {}, {}
    weights = {name: sdxl_weights.listing(model) for name, model in parts.items()}
    with torch.device("meta"):
        weights["wide"] = sdxl_weights.listing(UNet2DConditionModel(**WIDE))
    for name, model in parts.items():
        with tempfile.TemporaryDirectory() as folder:
            model.config.save_pretrained(folder) if name.startswith("text") else model.save_config(folder)
            config = json.loads((pathlib.Path(folder) / "config.json").read_text())
        (OUT / name).mkdir()
        config = {key: value for key, value in sorted(config.items()) if not key.endswith("_version")}
        (OUT / name / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = tokens.clip_tokenizer(tokens.pack.fetched(), folder)
    parts |= {"tokenizer": tokenizer, "tokenizer_2": second_tokenizer(tokenizer)}
    modules(parts, results)
    for name, case in CASES.items():
        # At its first level, 4096, a unit in the last place of Euler's sample is 1.7e-4 of the result.
        with rounded_correctly() if name == "euler_v_zero_snr" else contextlib.nullcontext():
            cases[name] = run(parts, case, results, name)
    texts(StableDiffusionXLPipeline(**parts, scheduler=EulerDiscreteScheduler(**LEADING)), results)
    results["picture"] = torch.from_numpy(picture(64, 64))
    from safetensors.torch import save_file
    save_file(results, OUT / "golden.safetensors")
    (OUT / "golden.safetensors").chmod(0o644)
    (OUT / "cases.json").write_text(json.dumps({"prompts": PROMPTS, "cases": cases}, indent=1) + "\n")
    (OUT / "weights.json").write_text(sdxl_weights.text(weights))
    (OUT / "names.json").write_text(sdxl_names.text(sdxl_names.make(parts, weights, UNET, VAE)))
    total = sum(path.stat().st_size for path in OUT.rglob("*") if path.is_file())
    print(f"{total / 1e6:.2f} MB")


def second_tokenizer(tokenizer):
    """The second encoder's tokenizer pads with id 0."""
    import copy
    second = copy.deepcopy(tokenizer)
    second.pad_token = "!"
    assert second.pad_token_id == 0
    return second


if __name__ == "__main__":
    main()
