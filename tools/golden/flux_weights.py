"""Small random checkpoints of FLUX.1 dev and schnell, saved as diffusers and transformers save them.

All numbers are stored in 16 bits (the convolutions of the autoencoder in 8), so that readers of the files get the same values as the
reference run. Both transformers share one body, stored once in `shared/`. The guidance embedding is a separate shard, which schnell
does not have. """

import json
import math
import pathlib
import shutil
import zlib

import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxTransformer2DModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, T5Config, T5EncoderModel

TEXT_DIM = 64
POOLED_DIM = 64
TRANSFORMER = dict(patch_size=1, in_channels=64, num_layers=2, num_single_layers=2, attention_head_dim=32,
                   num_attention_heads=2, joint_attention_dim=TEXT_DIM, pooled_projection_dim=POOLED_DIM,
                   axes_dims_rope=(4, 14, 14))
VARIANTS = {"dev": True, "schnell": False}
GUIDANCE = "time_text_embed.guidance_embedder."
NORMS = ("norm_q.weight", "norm_k.weight", "norm_added_q.weight", "norm_added_k.weight", "layer_norm.weight",
         "layer_norm1.weight", "layer_norm2.weight", "norm1.weight", "norm2.weight", "group_norm.weight", "conv_norm_out.weight")
# Factors for some weights, so that every part of a model has an effect and none dominates.
SCALES = {".norm1.linear.": 0.5, ".norm1_context.linear.": 0.5, ".norm.linear.": 0.5, "norm_out.linear.": 0.5,
          "SelfAttention.q": 0.25, "SelfAttention.o": 0.7, "DenseReluDense.wo": 0.7, "decoder.conv_out": 0.6}


def spread(name: str, shape: torch.Size) -> tuple[float, float]:
    """Mean and deviation of a tensor's values."""
    if name.endswith(".bias"):
        return 0.0, 0.1
    if name.endswith(NORMS):
        return 1.0, 0.1
    if name.endswith(("shared.weight", "relative_attention_bias.weight")):
        return 0.0, 1.0
    if name.endswith("embedding.weight"):
        return 0.0, 0.5
    scale = next((value for part, value in SCALES.items() if part in name), 1.0)
    return 0.0, scale / math.sqrt(math.prod(shape[1:]))


def fill(model: torch.nn.Module, part: str, dtype: torch.dtype) -> torch.nn.Module:
    """Fills each tensor from its own random generator, seeded by its name, and rounds it to `dtype`."""
    for name, parameter in model.named_parameters():
        generator = torch.Generator("cpu").manual_seed(zlib.crc32(f"flux/{part}/{name}".encode()))
        mean, deviation = spread(name, parameter.shape)
        parameter.data = (mean + deviation * torch.randn(parameter.shape, generator=generator)).to(dtype)
    return model.eval()


def save(tensors: dict[str, torch.Tensor], path: pathlib.Path) -> None:
    """A safetensors file as the libraries write it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous() for name, value in tensors.items()}, path, metadata={"format": "pt"})


def make_transformers(root: pathlib.Path) -> None:
    body = "diffusion_pytorch_model-00001-of-0000{}.safetensors"
    for variant, guided in VARIANTS.items():
        model = fill(FluxTransformer2DModel(guidance_embeds=guided, **TRANSFORMER), "transformer", torch.bfloat16)
        folder = root / variant / "transformer"
        model.save_config(folder)
        tensors = model.state_dict()
        own = {name: value for name, value in tensors.items() if name.startswith(GUIDANCE)}
        save({name: value for name, value in tensors.items() if name not in own}, root / "shared" / "transformer.safetensors")
        if not guided:
            continue
        files = [body.format(2), "diffusion_pytorch_model-00002-of-00002.safetensors"]
        save(own, folder / files[1])
        size = sum(value.numel() * value.element_size() for value in tensors.values())
        index = {"metadata": {"total_size": size},
                 "weight_map": {name: files[1 if name in own else 0] for name in sorted(tensors)}}
        path = folder / "diffusion_pytorch_model.safetensors.index.json"
        path.write_text(json.dumps(index, indent=2, sort_keys=True) + "\n")


def make_t5(folder: pathlib.Path) -> None:
    config = T5Config(vocab_size=64, d_model=TEXT_DIM, d_kv=32, d_ff=128, num_layers=2, num_heads=2,
                      feed_forward_proj="gated-gelu", tie_word_embeddings=False)
    fill(T5EncoderModel(config), "text_encoder_2", torch.bfloat16).to(torch.bfloat16).save_pretrained(folder)


def make_t5_tokenizer(source: pathlib.Path, folder: pathlib.Path) -> None:
    """The vocabulary of the tiny models, with the length limit of the published folders."""
    folder.mkdir(parents=True, exist_ok=True)
    data = json.loads((source / "tokenizer.json").read_text())
    data["truncation"] = data["padding"] = None
    (folder / "tokenizer.json").write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
    config = json.loads((source / "tokenizer_config.json").read_text())
    for name in ("is_local", "local_files_only", "max_length", "pad_to_multiple_of", "stride", "truncation_side",
                 "truncation_strategy", "pad_token_type_id"):
        config.pop(name, None)
    config["model_max_length"] = 512
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def byte_letters() -> list[str]:
    """The letters that stand for bytes in CLIP's vocabulary, in the order of their ids."""
    printed = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printed]
    return [chr(byte) for byte in printed] + [chr(256 + index) for index in range(len(others))]


MERGES = ["r e", "re d</w>", "i n", "in g</w>", "l a", "la r", "g e</w>", "lar ge</w>", "o n</w>"]


def make_clip_tokenizer(folder: pathlib.Path) -> int:
    """A vocabulary like CLIP's, with few merges. Returns the number of ids; the last one ends a text."""
    folder.mkdir(parents=True, exist_ok=True)
    letters = byte_letters()
    tokens = letters + [f"{letter}</w>" for letter in letters] + [merge.replace(" ", "") for merge in MERGES]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({token: index for index, token in enumerate(tokens)}, ensure_ascii=False))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(MERGES) + "\n")
    config = dict(tokenizer_class="CLIPTokenizer", model_max_length=77, bos_token="<|startoftext|>", errors="replace",
                  eos_token="<|endoftext|>", pad_token="<|endoftext|>", unk_token="<|endoftext|>", do_lower_case=True)
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    return len(tokens)


def make_clip(folder: pathlib.Path, vocabulary: int) -> None:
    """A CLIP text encoder whose configuration has the ids of the published folders. With these ids, the library finds the end of a
    text by its largest id."""
    config = CLIPTextConfig(vocab_size=vocabulary, hidden_size=POOLED_DIM, intermediate_size=128, projection_dim=POOLED_DIM,
                            num_hidden_layers=2, num_attention_heads=1, max_position_embeddings=77, hidden_act="quick_gelu",
                            bos_token_id=0, eos_token_id=2, pad_token_id=1)
    fill(CLIPTextModel(config), "text_encoder", torch.bfloat16).to(torch.bfloat16).save_pretrained(folder)


def make_autoencoder(folder: pathlib.Path) -> None:
    model = AutoencoderKL(block_out_channels=(32, 32, 32, 32), layers_per_block=2, latent_channels=16,
                          down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
                          use_quant_conv=False, use_post_quant_conv=False, scaling_factor=0.3611, shift_factor=0.1159,
                          force_upcast=True, sample_size=1024)
    fill(model, "vae", torch.bfloat16)
    for parameter in model.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.to(torch.float8_e4m3fn)
    model.save_pretrained(folder)


def scheduler(guided: bool) -> FlowMatchEulerDiscreteScheduler:
    """The scheduler of the published folders."""
    return FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=3.0 if guided else 1.0,
                                           use_dynamic_shifting=guided, base_shift=0.5, max_shift=1.15,
                                           base_image_seq_len=256, max_image_seq_len=4096)


def make_variants(root: pathlib.Path) -> None:
    """The files of a variant besides shared weights, and `parts.json`, which says where each file belongs in the complete folder."""
    for variant, guided in VARIANTS.items():
        scheduler(guided).save_pretrained(root / variant / "scheduler")
        index = {"_class_name": "FluxPipeline", "_diffusers_version": "0.42.1",
                 "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
                 "text_encoder": ["transformers", "CLIPTextModel"], "text_encoder_2": ["transformers", "T5EncoderModel"],
                 "tokenizer": ["transformers", "CLIPTokenizer"], "tokenizer_2": ["transformers", "T5Tokenizer"],
                 "transformer": ["diffusers", "FluxTransformer2DModel"], "vae": ["diffusers", "AutoencoderKL"]}
        (root / variant / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
        parts = {part: f"shared/{part}" for part in ("text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "vae")}
        parts |= {part: f"{variant}/{part}" for part in ("scheduler", "transformer")}
        files = {f"{part}/{path.name}": f"{folder}/{path.name}" for part, folder in parts.items()
                 for path in sorted((root / folder).iterdir())}
        body = "diffusion_pytorch_model-00001-of-00002" if guided else "diffusion_pytorch_model"
        files[f"transformer/{body}.safetensors"] = "shared/transformer.safetensors"
        files["model_index.json"] = f"{variant}/model_index.json"
        (root / variant / "parts.json").write_text(json.dumps({"files": dict(sorted(files.items()))}, indent=1) + "\n")


def make(root: pathlib.Path, tiny_tokenizer: pathlib.Path) -> None:
    make_transformers(root)
    make_t5(root / "shared" / "text_encoder_2")
    make_t5_tokenizer(tiny_tokenizer, root / "shared" / "tokenizer_2")
    make_clip(root / "shared" / "text_encoder", make_clip_tokenizer(root / "shared" / "tokenizer"))
    make_autoencoder(root / "shared" / "vae")
    make_variants(root)


def assemble(root: pathlib.Path, variant: str, folder: pathlib.Path) -> pathlib.Path:
    """Makes the complete folder of a variant from `parts.json`."""
    for target, source in json.loads((root / variant / "parts.json").read_text())["files"].items():
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / source, folder / target)
    return folder
