"""Building, widening, loading and saving the models (a diffusers folder)."""

import json
import os
import shutil

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanTransformer3DModel
from safetensors.torch import load_file, save_file
from transformers import T5Tokenizer, UMT5Config, UMT5EncoderModel

from world import WORDS

LATENT_CHANNELS = 16
INPUT_CHANNELS = 36  # noisy latents 16, mask 4, condition latents 16
PROMPT_TOKENS = 16
FLOW_SHIFT = 3.0


def new_tokenizer():
    """A word tokenizer for the vocabulary of the world."""
    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -3.0)]
    vocabulary = special + [("\u2581" + word, -2.0) for word in WORDS]
    tokenizer = T5Tokenizer(vocab=vocabulary, extra_ids=0, model_max_length=PROMPT_TOKENS)
    # This call stores the settings, so that the saved tokenizer pads and cuts to the prompt length.
    tokenizer("", padding="max_length", max_length=PROMPT_TOKENS, truncation=True)
    return tokenizer


def new_text_encoder():
    """A UMT5 encoder of width 128 with two layers, freshly initialised."""
    config = UMT5Config(
        vocab_size=64, d_model=128, d_kv=32, d_ff=256, num_layers=2, num_heads=4,
        feed_forward_proj="gated-gelu", dropout_rate=0.0, tie_word_embeddings=False,
        relative_attention_num_buckets=16, relative_attention_max_distance=32,
    )
    encoder = UMT5EncoderModel(config)
    torch.nn.init.normal_(encoder.shared.weight, std=1.0)
    return encoder


def new_transformer():
    """The diffusion transformer, in the shape of Wan 2.2 image-to-video (no CLIP), freshly initialised."""
    return WanTransformer3DModel(
        patch_size=(1, 2, 2), num_attention_heads=4, attention_head_dim=64, in_channels=INPUT_CHANNELS,
        out_channels=LATENT_CHANNELS, text_dim=128, freq_dim=256, ffn_dim=768, num_layers=6,
        cross_attn_norm=True, qk_norm="rms_norm_across_heads", rope_max_seq_len=1024,
    )


def widen_transformer(narrow):
    """A 36-channel transformer that computes what a 16-channel one does: the new input weights are zero."""
    wide = new_transformer()
    weights = dict(narrow.state_dict())
    old = weights["patch_embedding.weight"]
    new = torch.zeros_like(wide.patch_embedding.weight)
    new[:, : old.shape[1]] = old
    weights["patch_embedding.weight"] = new
    wide.load_state_dict(weights)
    return wide


def new_scheduler():
    """UniPC for flow matching, as the Wan pipelines use it."""
    return UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=FLOW_SHIFT
    )


def load(folder):
    """(tokenizer, text encoder, transformer, autoencoder) of a diffusers folder, in float32.

    A transformer with 16 input channels is widened.
    """
    tokenizer = T5Tokenizer.from_pretrained(os.path.join(folder, "tokenizer"))
    text_encoder = UMT5EncoderModel.from_pretrained(os.path.join(folder, "text_encoder"), dtype=torch.float32)
    transformer = WanTransformer3DModel.from_pretrained(os.path.join(folder, "transformer"))
    if transformer.config.in_channels != INPUT_CHANNELS:
        transformer = widen_transformer(transformer)
    return tokenizer, text_encoder, transformer.float(), load_vae(folder)


def load_vae(folder):
    """The autoencoder of a diffusers folder, in float32."""
    return AutoencoderKLWan.from_pretrained(os.path.join(folder, "vae")).float().eval()


def _halve(path):
    """Rewrite a safetensors file with float16 tensors."""
    tensors = {name: tensor.half().contiguous() for name, tensor in load_file(path).items()}
    save_file(tensors, path, metadata={"format": "pt"})
    os.chmod(path, 0o644)


def save(folder, tokenizer, text_encoder, transformer, vae):
    """Write a complete diffusers folder with float16 weights, replacing what is there."""
    shutil.rmtree(folder, ignore_errors=True)
    tokenizer.save_pretrained(os.path.join(folder, "tokenizer"))
    text_encoder.save_pretrained(os.path.join(folder, "text_encoder"))
    transformer.save_pretrained(os.path.join(folder, "transformer"))
    vae.save_pretrained(os.path.join(folder, "vae"))
    new_scheduler().save_pretrained(os.path.join(folder, "scheduler"))
    _halve(os.path.join(folder, "text_encoder", "model.safetensors"))
    for part in ("transformer", "vae"):
        _halve(os.path.join(folder, part, "diffusion_pytorch_model.safetensors"))
    for part in ("text_encoder", "transformer", "vae"):
        _clean_config(os.path.join(folder, part, "config.json"))
    _write_index(folder)


def _clean_config(path):
    """Remove metadata that only says where and how the file was made."""
    with open(path) as file:
        config = json.load(file)
    config.pop("_name_or_path", None)
    if "dtype" in config:
        config["dtype"] = "float16"
    with open(path, "w") as file:
        json.dump(config, file, indent=2, sort_keys=True)
        file.write("\n")


def _write_index(folder):
    index = {
        "_class_name": "WanImageToVideoPipeline",
        "_diffusers_version": "0.42.1",
        "boundary_ratio": None,
        "expand_timesteps": False,
        "image_encoder": [None, None],
        "image_processor": [None, None],
        "scheduler": ["diffusers", "UniPCMultistepScheduler"],
        "text_encoder": ["transformers", "UMT5EncoderModel"],
        "tokenizer": ["transformers", "T5Tokenizer"],
        "transformer": ["diffusers", "WanTransformer3DModel"],
        "transformer_2": [None, None],
        "vae": ["diffusers", "AutoencoderKLWan"],
    }
    with open(os.path.join(folder, "model_index.json"), "w") as file:
        json.dump(index, file, indent=2)
        file.write("\n")
