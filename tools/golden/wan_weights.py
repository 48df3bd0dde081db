"""Small random Wan checkpoints of every variant, saved as diffusers and transformers save them.

All numbers are stored in 16 bits (the wide transformer's matrices in 8), so that readers of the files get the same values as the
reference run. Each other transformer is saved in two shards: a body that several transformers share, stored once in `shared/`,
and its own ends (patch embedding, output projection, image tokens, control blocks).
"""

import json
import math
import pathlib
import shutil
import zlib

import torch
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanTransformer3DModel, WanVACETransformer3DModel
from safetensors.torch import save_file
from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModel, UMT5Config, UMT5EncoderModel

TEXT_LENGTH = 512
TEXT_DIM = 64
IMAGE_DIM = 80
IMAGE_TOKENS = 5

MEAN_22 = [-0.2289, -0.0052, -0.1323, -0.2339, -0.2799, 0.0174, 0.1838, 0.1557, -0.1382, 0.0542, 0.2813, 0.0891, 0.1570,
           -0.0098, 0.0375, -0.1825, -0.2246, -0.1207, -0.0698, 0.5109, 0.2665, -0.2108, -0.2158, 0.2502, -0.2055, -0.0322,
           0.1109, 0.1567, -0.0729, 0.0899, -0.2799, -0.1230, -0.0313, -0.1649, 0.0117, 0.0723, -0.2839, -0.2083, -0.0520,
           0.3748, 0.0152, 0.1957, 0.1433, -0.2944, 0.3573, -0.0548, -0.1681, -0.0667]
STD_22 = [0.4765, 1.0364, 0.4514, 1.1677, 0.5313, 0.4990, 0.4818, 0.5013, 0.8158, 1.0344, 0.5894, 1.0901, 0.6885, 0.6165,
          0.8454, 0.4978, 0.5759, 0.3523, 0.7135, 0.6804, 0.5833, 1.4146, 0.8986, 0.5659, 0.7069, 0.5338, 0.4889, 0.4917,
          0.4069, 0.4999, 0.6866, 0.4093, 0.5709, 0.6065, 0.6415, 0.4944, 0.5726, 1.2042, 0.5458, 1.6887, 0.3971, 1.0600,
          0.3943, 0.5537, 0.5444, 0.4089, 0.7468, 0.7744]

CLIP_TOKENS = dict(in_channels=36, image_dim=IMAGE_DIM, added_kv_proj_dim=128)
# Folder of a transformer: the shared body, if any, and the differences from the text-to-video configuration. The wide one has rows
# of 256 weights, which some quantised encodings need.
TRANSFORMERS = {
    "t2v/transformer": ("a", {}),
    "i2v/transformer": ("a", CLIP_TOKENS),
    "flf2v/transformer": ("b", CLIP_TOKENS | dict(pos_embed_seq_len=2 * IMAGE_TOKENS)),
    "vace/transformer": ("b", dict(vace_layers=[0, 1], vace_in_channels=96)),
    "t2v_a14b/transformer": ("b", {}),
    "t2v_a14b/transformer_2": ("a", {}),
    "i2v_a14b/transformer": ("a", dict(in_channels=36)),
    "i2v_a14b/transformer_2": ("b", dict(in_channels=36)),
    "ti2v_5b/transformer": ("b", dict(in_channels=48, out_channels=48)),
    "wide/transformer": (None, dict(num_attention_heads=2, ffn_dim=512, num_layers=1)),
}
BODIES = {folder: body for folder, (body, _) in TRANSFORMERS.items()}

ENDS = ("patch_embedding", "vace_", "proj_out.", "condition_embedder.image_embedder")
ADDED = ("add_k_proj", "add_v_proj", "norm_added_k")


def is_end(name: str) -> bool:
    """Whether a tensor is in the shard that a transformer does not share."""
    return name.startswith(ENDS) or any(part in name for part in ADDED)


def spread(name: str, shape: torch.Size, scale: float) -> tuple[float, float]:
    """Mean and deviation of a tensor's values, chosen so that every part of a model has an effect."""
    if name.endswith("scale_shift_table"):
        return 0.0, 0.3
    if name.endswith((".bias", "embeddings.class_embedding", "pos_embed")):
        return 0.0, 0.1 if name.endswith(".bias") else 0.5
    if "norm" in name or name.endswith("gamma"):
        return 1.0, 0.1
    if name.endswith(("shared.weight", "relative_attention_bias.weight")):
        return 0.0, 1.0
    if name.endswith("position_embedding.weight"):
        return 0.0, 0.5
    return 0.0, scale / math.sqrt(math.prod(shape[1:]))


def fill(model: torch.nn.Module, key, dtype: torch.dtype, scales: dict[str, float] | None = None) -> torch.nn.Module:
    """Fills each tensor from its own random generator, seeded by `key(name)`, and rounds it to `dtype`."""
    scales = scales or {}
    for name, parameter in model.named_parameters():
        generator = torch.Generator("cpu").manual_seed(zlib.crc32(key(name).encode()))
        scale = next((value for part, value in scales.items() if part in name), 1.0)
        mean, deviation = spread(name, parameter.shape, scale)
        parameter.data = (mean + deviation * torch.randn(parameter.shape, generator=generator)).to(dtype)
    return model.eval()


def transformer(overrides: dict) -> torch.nn.Module:
    """A transformer with one head of the published size, without values."""
    config = dict(num_attention_heads=1, attention_head_dim=128, in_channels=16, out_channels=16, text_dim=TEXT_DIM,
                  freq_dim=256, ffn_dim=256, num_layers=2) | overrides
    return (WanVACETransformer3DModel if "vace_layers" in config else WanTransformer3DModel)(**config)


def save(tensors: dict[str, torch.Tensor], path: pathlib.Path) -> None:
    """A safetensors file as the libraries write it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous() for name, value in tensors.items()}, path, metadata={"format": "pt"})


def save_shards(model: torch.nn.Module, body: str, folder: pathlib.Path, shared: pathlib.Path) -> None:
    """Saves the ends of a transformer beside its configuration, its body in `shared`, and the index of both."""
    model.save_config(folder)
    tensors = model.state_dict()
    files = [f"diffusion_pytorch_model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    save({name: value for name, value in tensors.items() if is_end(name)}, folder / files[0])
    save({name: value for name, value in tensors.items() if not is_end(name)}, shared / f"body_{body}.safetensors")
    size = sum(value.numel() * value.element_size() for value in tensors.values())
    weight_map = {name: files[0 if is_end(name) else 1] for name in sorted(tensors)}
    index = {"metadata": {"total_size": size}, "weight_map": weight_map}
    path = folder / "diffusion_pytorch_model.safetensors.index.json"
    path.write_text(json.dumps(index, indent=2, sort_keys=True) + "\n")


def make_transformers(root: pathlib.Path) -> None:
    """Every transformer of `TRANSFORMERS`. One without a shared body is one file, its matrices in float8."""
    for folder, (body, overrides) in TRANSFORMERS.items():
        key = lambda name: f"{folder}/{name}" if body is None or is_end(name) else f"body_{body}/{name}"
        model = fill(transformer(overrides), key, torch.bfloat16)
        if body is not None:
            save_shards(model, body, root / folder, root / "shared")
            continue
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.data = parameter.data.to(torch.float8_e4m3fn)
        model.save_pretrained(root / folder)


def make_text_encoder(folder: pathlib.Path) -> None:
    config = UMT5Config(vocab_size=64, d_model=TEXT_DIM, d_kv=64, d_ff=128, num_layers=2, num_decoder_layers=2, num_heads=1,
                        relative_attention_num_buckets=32, relative_attention_max_distance=128)
    model = fill(UMT5EncoderModel(config), lambda name: f"text_encoder/{name}", torch.bfloat16,
                 {"SelfAttention.q": 0.25, "SelfAttention.o": 0.7, "DenseReluDense.wo": 0.7})
    model.to(torch.bfloat16).save_pretrained(folder)


def make_tokenizer(source: pathlib.Path, folder: pathlib.Path) -> None:
    """The vocabulary of the tiny models without a length limit, like UMT5's tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    data = json.loads((source / "tokenizer.json").read_text())
    data["truncation"] = data["padding"] = None
    (folder / "tokenizer.json").write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
    config = json.loads((source / "tokenizer_config.json").read_text())
    for name in ("is_local", "local_files_only", "max_length", "pad_to_multiple_of", "stride", "truncation_side",
                 "truncation_strategy", "pad_token_type_id"):
        config.pop(name, None)
    config["model_max_length"] = int(1e30)
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def make_image_encoder(encoder: pathlib.Path, processor: pathlib.Path) -> None:
    """A CLIP image encoder of 28x28 pixels in 4 patches, with heads of the published size."""
    config = CLIPVisionConfig(hidden_size=IMAGE_DIM, intermediate_size=96, num_hidden_layers=3, num_attention_heads=1,
                              image_size=28, patch_size=14, projection_dim=32, hidden_act="gelu")
    model = fill(CLIPVisionModel(config), lambda name: f"image_encoder/{name}", torch.float16)
    model.to(torch.float16).save_pretrained(encoder)
    CLIPImageProcessor(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}).save_pretrained(processor)


def make_autoencoders(shared: pathlib.Path) -> None:
    scales = {"decoder.conv_out": 0.8, "time_conv": 1.2}
    old = AutoencoderKLWan(base_dim=8)
    fill(old, lambda name: f"vae_2.1/{name}", torch.float16, scales).save_pretrained(shared / "vae_2.1")
    new = AutoencoderKLWan(base_dim=4, decoder_base_dim=5, z_dim=48, is_residual=True, in_channels=12, out_channels=12,
                           patch_size=2, scale_factor_spatial=16, latents_mean=MEAN_22, latents_std=STD_22)
    fill(new, lambda name: f"vae_2.2/{name}", torch.float16, scales).save_pretrained(shared / "vae_2.2")


def scheduler(shift: float) -> UniPCMultistepScheduler:
    return UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, num_train_timesteps=1000,
                                   flow_shift=shift)


def model_index(pipeline: str, parts: dict[str, str], options: dict) -> dict:
    """What a pipeline writes in `model_index.json`; `None` stands for an optional part that is not there."""
    classes = {
        "image_encoder": ["transformers", "CLIPVisionModel"],
        "image_processor": ["transformers", "CLIPImageProcessor"],
        "scheduler": ["diffusers", "UniPCMultistepScheduler"],
        "text_encoder": ["transformers", "UMT5EncoderModel"],
        "tokenizer": ["transformers", "T5Tokenizer"],
        "transformer": ["diffusers", "WanVACETransformer3DModel" if "VACE" in pipeline else "WanTransformer3DModel"],
        "vae": ["diffusers", "AutoencoderKLWan"],
    }
    classes["transformer_2"] = classes["transformer"]
    optional = ["transformer_2"] + (["image_encoder", "image_processor"] if "ImageToVideo" in pipeline else [])
    entries = {name: classes[name] for name in parts} | {name: [None, None] for name in optional if name not in parts}
    return {"_class_name": pipeline, "_diffusers_version": "0.42.1"} | dict(sorted((entries | options).items()))


def make_variant(root: pathlib.Path, variant: str, pipeline: str, shift: float, options: dict) -> None:
    """The files of a variant that are not weights, and `parts.json`: which file goes where in its whole folder."""
    vae = "vae_2.2" if variant == "ti2v_5b" else "vae_2.1"
    shared = {"text_encoder": "text_encoder", "tokenizer": "tokenizer", "vae": vae}
    if variant in ("i2v", "flf2v"):
        shared |= {"image_encoder": "image_encoder", "image_processor": "image_processor"}
    experts = {folder.split("/")[1]: folder for folder in TRANSFORMERS if folder.startswith(f"{variant}/")}
    parts = {part: f"shared/{folder}" for part, folder in shared.items()} | {"scheduler": f"{variant}/scheduler"} | experts
    scheduler(shift).save_pretrained(root / variant / "scheduler")
    index = json.dumps(model_index(pipeline, parts, options), indent=2) + "\n"
    (root / variant / "model_index.json").write_text(index)
    files = {f"{part}/{path.name}": f"{folder}/{path.name}" for part, folder in parts.items()
             for path in sorted((root / folder).iterdir())}
    for part, folder in experts.items():
        if BODIES[folder] is not None:
            files[f"{part}/diffusion_pytorch_model-00002-of-00002.safetensors"] = f"shared/body_{BODIES[folder]}.safetensors"
    files["model_index.json"] = f"{variant}/model_index.json"
    text = json.dumps({"parts": dict(sorted(parts.items())), "files": dict(sorted(files.items()))}, indent=1)
    (root / variant / "parts.json").write_text(text + "\n")


def assemble(root: pathlib.Path, variant: str, folder: pathlib.Path) -> pathlib.Path:
    """The whole folder of a variant, as `parts.json` says."""
    for target, source in json.loads((root / variant / "parts.json").read_text())["files"].items():
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / source, folder / target)
    return folder
