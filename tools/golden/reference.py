"""The reference: a diffusers Wan folder run in float32, for clips with and without given frames."""

import pathlib

import numpy as np
import torch
from diffusers import UniPCMultistepScheduler, WanImageToVideoPipeline
from diffusers.pipelines.wan.pipeline_wan_i2v import prompt_clean


def load(folder: pathlib.Path) -> WanImageToVideoPipeline:
    """The pipeline in a folder, in float32, silent."""
    pipe = WanImageToVideoPipeline.from_pretrained(folder, torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def new_scheduler(pipe) -> UniPCMultistepScheduler:
    """A scheduler of the pipeline's configuration with no history."""
    return UniPCMultistepScheduler.from_config(pipe.scheduler.config)


def text_length(pipe) -> int:
    """How many text states the transformer gets."""
    return min(pipe.tokenizer.model_max_length, 512)


def token_ids(pipe, prompt: str) -> list[int]:
    """Token ids of a prompt without padding."""
    text = pipe.tokenizer([prompt_clean(prompt)], padding="max_length", max_length=text_length(pipe), truncation=True,
                          add_special_tokens=True, return_attention_mask=True)
    return text.input_ids[0][: sum(text.attention_mask[0])]


def text_states(pipe, prompt: str) -> torch.Tensor:
    """Text states [1, length, dim], zeros after the last token."""
    return pipe._get_t5_prompt_embeds(prompt, max_sequence_length=text_length(pipe), dtype=torch.float32)


def to_tensor(frames: np.ndarray) -> torch.Tensor:
    """Frames [n, h, w, 3] of bytes into [1, 3, n, h, w] from -1 to 1."""
    return torch.from_numpy(frames).permute(3, 0, 1, 2)[None].float() / 255.0 * 2.0 - 1.0


def _scale(pipe) -> tuple[torch.Tensor, torch.Tensor]:
    shape = (1, -1, 1, 1, 1)
    return torch.tensor(pipe.vae.config.latents_mean).view(shape), torch.tensor(pipe.vae.config.latents_std).view(shape)


def encode(pipe, video: torch.Tensor) -> torch.Tensor:
    """A clip into normalised latents."""
    mean, deviation = _scale(pipe)
    return (pipe.vae.encode(video).latent_dist.mode() - mean) * (1.0 / deviation)


def decode(pipe, latents: torch.Tensor) -> torch.Tensor:
    """Normalised latents into a clip from -1 to 1."""
    mean, deviation = _scale(pipe)
    return pipe.vae.decode(latents / (1.0 / deviation) + mean, return_dict=False)[0]


@torch.no_grad()
def generate(pipe, case: dict, frames: dict, size: int = 64) -> torch.Tensor:
    """A case as [frames, h, w, 3] from 0 to 1. Clips with given frames go through the reference pipeline itself."""
    guidance = case.get("guidance", 3.0)
    generator = torch.Generator("cpu").manual_seed(case["seed"])
    if "first" in case:
        from PIL import Image

        last = Image.fromarray(frames[case["last"]]) if "last" in case else None
        result = pipe(Image.fromarray(frames[case["first"]]), case["prompt"], height=size, width=size, last_image=last,
                      num_frames=case["frames"], num_inference_steps=case["steps"], guidance_scale=guidance,
                      generator=generator, output_type="np", max_sequence_length=text_length(pipe))
        return torch.from_numpy(np.asarray(result.frames[0]))

    channels = pipe.vae.config.z_dim
    shape = (1, channels, (case["frames"] - 1) // 4 + 1, size // 8, size // 8)
    latents = torch.randn(shape, generator=generator)
    zeros = torch.zeros(1, pipe.transformer.config.in_channels - channels, *shape[2:])
    prompts = [case["prompt"], ""] if guidance > 1 else [case["prompt"]]
    states = [text_states(pipe, prompt) for prompt in prompts]
    walk = new_scheduler(pipe)
    walk.set_timesteps(case["steps"])
    times = walk.timesteps
    if "image" in case:
        begin = case["steps"] - int(case["steps"] * case["strength"])
        walk.set_begin_index(begin)
        times = times[begin:]
        image = encode(pipe, to_tensor(frames[case["image"]][None]))
        latents = walk.add_noise(image, latents, times[:1])
    for time in times:
        inputs = torch.cat([latents, zeros], 1)
        velocity, *plain = [pipe.transformer(inputs, time[None], state, return_dict=False)[0] for state in states]
        if plain:
            velocity = plain[0] + guidance * (velocity - plain[0])
        latents = walk.step(velocity, time, latents, return_dict=False)[0]
    video = decode(pipe, latents)
    return (video[0].permute(1, 2, 3, 0) / 2 + 0.5).clamp(0, 1)
