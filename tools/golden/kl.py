"""Writes `tests/golden/kl`: two small random autoencoders of pictures, and results of the reference library with them.

    PYTHON tools/golden/kl.py

It uses `AutoencoderKL` of diffusers in float32 on the CPU: one like SDXL's (4 latent channels, `sdxl`), and one like FLUX.1's (16
channels and no convolutions beside the latents, `flux`). Most weights are shared and stored once, in `body.safetensors`. Weights that
depend on the latents are in `<name>.safetensors`. `golden.safetensors` has tensors without a batch axis, named `<name>.<case>.<what>`.
"""

import math
import os
import pathlib
import zlib

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "kl"
COMMON = dict(
    down_block_types=["DownEncoderBlock2D"] * 4,
    up_block_types=["UpDecoderBlock2D"] * 4,
    block_out_channels=[32, 32, 64, 64],
    layers_per_block=1,
)
MODELS = {
    "sdxl": dict(latent_channels=4, scaling_factor=0.13025),
    "flux": dict(latent_channels=16, scaling_factor=0.3611, shift_factor=0.1159, use_quant_conv=False,
                 use_post_quant_conv=False),
}
# Height and width of a picture.
SIZES = {"wide": (40, 64), "square": (64, 64)}
# Tensors whose shape depends on the number of latent channels.
ENDS = ("encoder.conv_out.", "decoder.conv_in.", "quant_conv.", "post_quant_conv.")


def spread(name: str, shape: torch.Size) -> tuple[float, float]:
    """Mean and deviation of a tensor's values, chosen so that every part has an effect."""
    if name.endswith(".bias"):
        return 0.0, 0.1
    if "norm" in name:
        return 1.0, 0.2
    return 0.0, 1.0 / math.sqrt(math.prod(shape[1:]))


def fill(model: torch.nn.Module, salt: str) -> None:
    """Fills each tensor from its own random generator and rounds it to float16, in which it is stored."""
    for name, parameter in model.named_parameters():
        key = f"{salt}.{name}" if name.startswith(ENDS) else name
        generator = torch.Generator("cpu").manual_seed(zlib.crc32(key.encode()))
        mean, deviation = spread(name, parameter.shape)
        values = torch.randn(parameter.shape, generator=generator) * deviation + mean
        parameter.data = values.half().float()


def picture(height: int, width: int) -> torch.Tensor:
    """A disc on a background with a gradient, `[1, 3, height, width]` from -1 to 1."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    ground = torch.stack([rows / height, columns / width, (rows + columns) / (height + width)]) * 1.2 - 0.6
    inside = (rows - height / 2) ** 2 + (columns - width * 0.4) ** 2 < (min(height, width) / 4) ** 2
    ground[:, inside] = torch.tensor([0.8, -0.7, -0.6])[:, None]
    return ground[None].float()


def main() -> None:
    torch.set_grad_enabled(False)
    # With several threads the last digits differ from run to run.
    torch.set_num_threads(1)
    OUT.mkdir(parents=True, exist_ok=True)
    golden, body = {}, {}
    for name, options in MODELS.items():
        vae = AutoencoderKL(**COMMON, **options).eval()
        fill(vae, name)
        halves = {key: value.half().contiguous() for key, value in vae.state_dict().items()}
        body = {key: value for key, value in halves.items() if not key.startswith(ENDS)}
        save_file({key: value for key, value in halves.items() if key.startswith(ENDS)}, OUT / f"{name}.safetensors")
        (OUT / f"{name}.json").write_text(vae.to_json_string())
        config = vae.config
        shift = config.shift_factor or 0.0
        for case, (height, width) in SIZES.items():
            image = picture(height, width)
            posterior = vae.encode(image).latent_dist
            latents = (posterior.mode() - shift) * config.scaling_factor
            noise = torch.randn(latents.shape, generator=torch.Generator("cpu").manual_seed(7))
            output = vae.decode(noise / config.scaling_factor + shift, return_dict=False)[0].clamp(-1, 1)
            tensors = dict(picture=image, mean=posterior.mean, deviation=posterior.std, latents=latents, input=noise,
                           output=output)
            golden |= {f"{name}.{case}.{what}": value[0].contiguous() for what, value in tensors.items()}
    save_file(body, OUT / "body.safetensors")
    save_file(golden, OUT / "golden.safetensors")


if __name__ == "__main__":
    main()
