"""Random models with other shapes than the included one, to test that the code is general."""

import json
import pathlib

import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from safetensors.torch import save_file


def public_config(model):
    """The configuration without `_use_default_values`, in which the library lists, in random order, the settings with default values."""
    return {name: value for name, value in model.config.items() if name != "_use_default_values"}


def make(folder: pathlib.Path) -> None:
    """Writes a random autoencoder and a random text-to-video transformer, with inputs and outputs of each."""
    torch.manual_seed(1)
    tensors = {}
    vae = AutoencoderKLWan(base_dim=8, z_dim=4, dim_mult=[1, 2, 2], num_res_blocks=2, temperal_downsample=[True, True],
                           latents_mean=[0.1, -0.2, 0.3, 0.0], latents_std=[1.5, 0.7, 1.0, 2.0], scale_factor_spatial=4).eval()
    transformer = WanTransformer3DModel(num_attention_heads=3, attention_head_dim=20, in_channels=4, out_channels=4, text_dim=24,
                                        freq_dim=32, ffn_dim=70, num_layers=2, cross_attn_norm=False,
                                        rope_max_seq_len=64).eval()
    for model in (vae, transformer):
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.02)
    clip = torch.rand(1, 3, 9, 20, 12) * 2 - 1
    latents = torch.randn(1, 4, 3, 5, 3)
    mean, deviation = (torch.tensor(values).view(1, -1, 1, 1, 1) for values in (vae.config.latents_mean, vae.config.latents_std))
    tensors["vae.clip"] = clip[0]
    tensors["vae.latents"] = ((vae.encode(clip).latent_dist.mode() - mean) / deviation)[0]
    tensors["vae.input"] = latents[0]
    tensors["vae.output"] = vae.decode(latents * deviation + mean).sample[0]
    noisy, states = torch.randn(1, 4, 3, 6, 10), torch.randn(1, 7, 24)
    tensors["transformer.input"], tensors["transformer.text"] = noisy[0], states[0]
    tensors["transformer.output"] = transformer(noisy, torch.tensor([500]), states).sample[0]
    for name, model in (("vae", vae), ("transformer", transformer)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / "config.json").write_text(json.dumps(public_config(model), indent=1, default=str) + "\n")
        save_file({key: value.contiguous() for key, value in model.state_dict().items()},
                  folder / name / "diffusion_pytorch_model.safetensors")
    save_file({key: value.contiguous() for key, value in tensors.items()}, folder / "parts.safetensors")
