"""Measures the reference library for `must-benches gpu`: one model with random weights on the first NVIDIA GPU.

    PYTHON gpu.py sdxl|flux|wan WIDTH HEIGHT FRAMES FEW MANY GUIDANCE

Makes the networks of diffusers in their true sizes on the GPU, in bfloat16, with the autoencoder in the type that its pipeline
uses. Prints a line of JSON: `step_seconds`, from the difference of runs with FEW and MANY steps, and `rest_seconds`,
which is the time of decoding. Prompts are random states. There are no text encoders here, but MUST's `rest_seconds`
include them.
"""

import json
import sys
import time

import torch
from diffusers import AutoencoderKL, AutoencoderKLWan, FluxTransformer2DModel, UNet2DConditionModel, WanTransformer3DModel
from diffusers import __version__ as version

SDXL = {
    "sample_size": 128, "cross_attention_dim": 2048, "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": (1, 2, 10), "attention_head_dim": (5, 10, 20), "use_linear_projection": True,
    "addition_embed_type": "text_time", "addition_time_embed_dim": 256, "projection_class_embeddings_input_dim": 2816,
}
KL = {
    "block_out_channels": (128, 256, 512, 512), "layers_per_block": 2, "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
}
WAN = {"num_attention_heads": 12, "attention_head_dim": 128, "ffn_dim": 8960, "num_layers": 30}
BF16 = torch.bfloat16


def make_network(kind, config, dtype):
    """Makes a network with random weights on the GPU."""
    torch.set_default_dtype(dtype)
    with torch.device("cuda"):
        network = kind(**config)
    torch.set_default_dtype(torch.float32)
    return network.to(dtype).eval()


def randn(*shape, dtype=BF16):
    """Returns random numbers on the GPU."""
    return torch.randn(*shape, device="cuda", dtype=dtype)


def sdxl(width, height, _frames, guidance):
    """SDXL with both branches in one batch, like its pipeline. Its autoencoder computes in float32, as its file demands."""
    unet, vae = make_network(UNet2DConditionModel, SDXL, BF16), make_network(AutoencoderKL, KL, torch.float32)
    states, pooled = randn(2, 77, 2048), randn(2, 1280)
    sizes = torch.tensor([[height, width, 0, 0, height, width]] * 2, device="cuda", dtype=BF16)

    def step(latents, time):
        added = {"text_embeds": pooled, "time_ids": sizes}
        both = unet(torch.cat([latents] * 2), time, states, added_cond_kwargs=added, return_dict=False)[0]
        away, towards = both.chunk(2)
        return latents - 0.05 * (away + guidance * (towards - away))

    def decode(latents):
        return vae.decode(latents.float() / 0.13025, return_dict=False)[0]

    return randn(1, 4, height // 8, width // 8), step, decode


def flux(width, height, _frames, guidance):
    """FLUX.1 with one branch and guidance as an input."""
    transformer = make_network(FluxTransformer2DModel, {"guidance_embeds": True}, BF16)
    vae = make_network(AutoencoderKL, KL | {"latent_channels": 16, "use_quant_conv": False, "use_post_quant_conv": False}, BF16)
    down, across = height // 16, width // 16
    states, pooled = randn(1, 512, 4096), randn(1, 768)
    text = torch.zeros(512, 3, device="cuda")
    grid = torch.stack(torch.meshgrid(torch.arange(down), torch.arange(across), indexing="ij"), -1).reshape(-1, 2)
    image = torch.cat([torch.zeros(down * across, 1), grid], 1).cuda()
    scale = torch.full((1,), guidance, device="cuda")

    def step(latents, time):
        return latents - 0.05 * transformer(
            hidden_states=latents, timestep=time.expand(1).to(BF16) / 1000, guidance=scale, pooled_projections=pooled,
            encoder_hidden_states=states, txt_ids=text, img_ids=image, return_dict=False)[0]

    def decode(latents):
        latents = latents.view(1, down, across, 16, 2, 2).permute(0, 3, 1, 4, 2, 5).reshape(1, 16, down * 2, across * 2)
        return vae.decode(latents / 0.3611 + 0.1159, return_dict=False)[0]

    return randn(1, down * across, 64), step, decode


def wan(width, height, frames, guidance):
    """Wan with one branch after the other, like its pipeline. Its autoencoder computes in float32, as its docs say."""
    transformer, vae = make_network(WanTransformer3DModel, WAN, BF16), make_network(AutoencoderKLWan, {}, torch.float32)
    towards, away = randn(1, 512, 4096), randn(1, 512, 4096)

    def step(latents, time):
        one = time.expand(1)
        with_prompt = transformer(latents, one, towards, return_dict=False)[0]
        without = transformer(latents, one, away, return_dict=False)[0]
        return latents - 0.05 * (without + guidance * (with_prompt - without))

    def decode(latents):
        return vae.decode(latents.float(), return_dict=False)[0]

    return randn(1, 16, (frames - 1) // 4 + 1, height // 8, width // 8), step, decode


@torch.no_grad()
def main(name, width, height, frames, few, many, guidance):
    """Measures and prints."""
    latents, step, decode = {"sdxl": sdxl, "flux": flux, "wan": wan}[name](width, height, frames, guidance)

    def run(steps):
        torch.cuda.synchronize()
        began = time.perf_counter()
        at = latents
        for moment in torch.linspace(999, 1, steps, device="cuda"):
            at = step(at, moment)
        torch.cuda.synchronize()
        finished = time.perf_counter()
        decode(at).float().cpu()
        return finished - began, time.perf_counter() - finished

    run(few)
    (short, rest), (long, _) = run(few), run(many)
    figures = {"step_seconds": (long - short) / (many - few), "rest_seconds": rest, "torch": torch.__version__, "diffusers": version}
    print(json.dumps(figures))


if __name__ == "__main__":
    if len(sys.argv) != 8:
        sys.exit(__doc__)
    main(sys.argv[1], *map(int, sys.argv[2:7]), float(sys.argv[7]))
