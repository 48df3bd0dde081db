"""Names of the same tensors in the published layouts of Wan's parts: the inverse of the published conversions.

Sources: `scripts/convert_wan_to_diffusers.py` and `loaders/single_file_utils.py` of diffusers, `wan/modules` of Wan 2.1 and
2.2, and `gguf-py/gguf/tensor_mapping.py` of llama.cpp for UMT5.
"""

import json
import pathlib
import re

from safetensors import safe_open

TRANSFORMER = [
    (r"^condition_embedder\.time_embedder\.linear_1", "time_embedding.0"),
    (r"^condition_embedder\.time_embedder\.linear_2", "time_embedding.2"),
    (r"^condition_embedder\.time_proj", "time_projection.1"),
    (r"^condition_embedder\.text_embedder\.linear_1", "text_embedding.0"),
    (r"^condition_embedder\.text_embedder\.linear_2", "text_embedding.2"),
    (r"^condition_embedder\.image_embedder\.norm1", "img_emb.proj.0"),
    (r"^condition_embedder\.image_embedder\.ff\.net\.0\.proj", "img_emb.proj.1"),
    (r"^condition_embedder\.image_embedder\.ff\.net\.2", "img_emb.proj.3"),
    (r"^condition_embedder\.image_embedder\.norm2", "img_emb.proj.4"),
    (r"^condition_embedder\.image_embedder\.pos_embed", "img_emb.emb_pos"),
    (r"^scale_shift_table$", "head.modulation"),
    (r"^proj_out\.", "head.head."),
    (r"^(vace_blocks\.\d+)\.proj_in\.", r"\1.before_proj."),
    (r"^(vace_blocks\.\d+)\.proj_out\.", r"\1.after_proj."),
    (r"\.scale_shift_table$", ".modulation"),
    (r"\.attn1\.", ".self_attn."),
    (r"\.attn2\.", ".cross_attn."),
    (r"\.to_([qkv])\.", r".\1."),
    (r"\.to_out\.0\.", ".o."),
    (r"\.add_([kv])_proj\.", r".\1_img."),
    (r"\.norm_added_k\.", ".norm_k_img."),
    (r"^((?:vace_)?blocks\.\d+)\.norm2\.", r"\1.norm3."),
    (r"\.ffn\.net\.0\.proj\.", ".ffn.0."),
    (r"\.ffn\.net\.2\.", ".ffn.2."),
]

RESNET = [
    (r"\.norm1\.gamma$", ".residual.0.gamma"),
    (r"\.conv1\.", ".residual.2."),
    (r"\.norm2\.gamma$", ".residual.3.gamma"),
    (r"\.conv2\.", ".residual.6."),
    (r"\.conv_shortcut\.", ".shortcut."),
]
AUTOENCODER = [
    (r"^post_quant_conv\.", "conv2."),
    (r"^quant_conv\.", "conv1."),
    (r"^(encoder|decoder)\.norm_out\.", r"\1.head.0."),
    (r"^(encoder|decoder)\.conv_out\.", r"\1.head.2."),
    (r"^(encoder|decoder)\.mid_block\.resnets\.0\.", r"\1.middle.0."),
    (r"^(encoder|decoder)\.mid_block\.attentions\.0\.", r"\1.middle.1."),
    (r"^(encoder|decoder)\.mid_block\.resnets\.1\.", r"\1.middle.2."),
]

UMT5 = [
    (r"^shared\.", "token_embedding."),
    (r"^encoder\.final_layer_norm\.", "norm."),
    (r"^encoder\.block\.(\d+)\.layer\.0\.layer_norm\.", r"blocks.\1.norm1."),
    (r"^encoder\.block\.(\d+)\.layer\.0\.SelfAttention\.relative_attention_bias\.",
     r"blocks.\1.pos_embedding.embedding."),
    (r"^encoder\.block\.(\d+)\.layer\.0\.SelfAttention\.([qkvo])\.", r"blocks.\1.attn.\2."),
    (r"^encoder\.block\.(\d+)\.layer\.1\.layer_norm\.", r"blocks.\1.norm2."),
    (r"^encoder\.block\.(\d+)\.layer\.1\.DenseReluDense\.wi_0\.", r"blocks.\1.ffn.gate.0."),
    (r"^encoder\.block\.(\d+)\.layer\.1\.DenseReluDense\.wi_1\.", r"blocks.\1.ffn.fc1."),
    (r"^encoder\.block\.(\d+)\.layer\.1\.DenseReluDense\.wo\.", r"blocks.\1.ffn.fc2."),
]
UMT5_LLAMA = [
    (r"^shared\.", "token_embd."),
    (r"^encoder\.final_layer_norm\.", "enc.output_norm."),
    (r"^encoder\.block\.(\d+)\.layer\.0\.layer_norm\.", r"enc.blk.\1.attn_norm."),
    (r"^encoder\.block\.(\d+)\.layer\.0\.SelfAttention\.relative_attention_bias\.", r"enc.blk.\1.attn_rel_b."),
    (r"^encoder\.block\.(\d+)\.layer\.0\.SelfAttention\.([qkvo])\.", r"enc.blk.\1.attn_\2."),
    (r"^encoder\.block\.(\d+)\.layer\.1\.layer_norm\.", r"enc.blk.\1.ffn_norm."),
    (r"^encoder\.block\.(\d+)\.layer\.1\.DenseReluDense\.wi_0\.", r"enc.blk.\1.ffn_gate."),
    (r"^encoder\.block\.(\d+)\.layer\.1\.DenseReluDense\.wi_1\.", r"enc.blk.\1.ffn_up."),
    (r"^encoder\.block\.(\d+)\.layer\.1\.DenseReluDense\.wo\.", r"enc.blk.\1.ffn_down."),
]

CLIP = [
    (r"^embeddings\.class_embedding$", "visual.cls_embedding"),
    (r"^embeddings\.patch_embedding\.", "visual.patch_embedding."),
    (r"^embeddings\.position_embedding\.weight$", "visual.pos_embedding"),
    (r"^pre_layrnorm\.", "visual.pre_norm."),
    (r"^post_layernorm\.", "visual.post_norm."),
    (r"^encoder\.layers\.(\d+)\.layer_norm([12])\.", r"visual.transformer.\1.norm\2."),
    (r"^encoder\.layers\.(\d+)\.self_attn\.out_proj\.", r"visual.transformer.\1.attn.proj."),
    (r"^encoder\.layers\.(\d+)\.mlp\.fc1\.", r"visual.transformer.\1.mlp.0."),
    (r"^encoder\.layers\.(\d+)\.mlp\.fc2\.", r"visual.transformer.\1.mlp.2."),
]
# Published files also contain these; no Wan model uses them.
CLIP_UNUSED = [["visual.head", [80, 32]], ["log_scale", []], ["textual.token_embedding.weight", [8, 4]]]


def renamed(name: str, rules) -> str:
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name


def flat_autoencoder(name: str, decoder_blocks: int) -> str:
    """Wan 2.1: blocks of encoder and decoder are flat lists of `decoder_blocks` residual blocks and a resampler."""
    name = re.sub(r"^encoder\.down_blocks\.", "encoder.downsamples.", name)
    found = re.match(r"^decoder\.up_blocks\.(\d+)\.(?:resnets\.(\d+)|upsamplers\.0)\.(.*)$", name)
    if found:
        block, resnet, rest = int(found[1]), found[2], found[3]
        position = block * (decoder_blocks + 1) + (decoder_blocks if resnet is None else int(resnet))
        name = f"decoder.upsamples.{position}.{rest}"
    return name


def nested_autoencoder(name: str, decoder_blocks: int) -> str:
    """Wan 2.2: a resampler follows the residual blocks of its group."""
    name = re.sub(r"^encoder\.down_blocks\.(\d+)\.resnets\.", r"encoder.downsamples.\1.downsamples.", name)
    down, up = rf"encoder.downsamples.\1.downsamples.{decoder_blocks - 1}.", rf"decoder.upsamples.\1.upsamples.{decoder_blocks}."
    name = re.sub(r"^encoder\.down_blocks\.(\d+)\.downsampler\.", down, name)
    name = re.sub(r"^decoder\.up_blocks\.(\d+)\.resnets\.", r"decoder.upsamples.\1.upsamples.", name)
    return re.sub(r"^decoder\.up_blocks\.(\d+)\.upsampler\.", up, name)


def autoencoder(name: str, config: dict) -> str:
    blocks = config["num_res_blocks"] + 1
    name = (nested_autoencoder if config["is_residual"] else flat_autoencoder)(name, blocks)
    name = renamed(name, AUTOENCODER)
    if re.search(r"\.(middle|downsamples|upsamples)\.", name):
        name = renamed(name, RESNET)
    return re.sub(r"^(encoder|decoder)\.conv_in\.", r"\1.conv1.", name)


def clip_original(shapes: dict[str, list[int]]) -> list:
    """Separate attention matrices have no original name; the joined matrices follow as objects."""
    entries, joins = [], []
    for name, shape in shapes.items():
        if re.search(r"self_attn\.[qkv]_proj\.", name):
            entries.append([name, shape, None])
            continue
        original = renamed(name, CLIP)
        # The original has these two with leading axes of length one.
        reshaped = {"visual.cls_embedding": [1, 1, *shape], "visual.pos_embedding": [1, *shape]}.get(original)
        entries.append([name, shape, original] + ([reshaped] if reshaped else []))
    for name, shape in shapes.items():
        found = re.match(r"^encoder\.layers\.(\d+)\.self_attn\.q_proj\.(weight|bias)$", name)
        if found:
            joined = [f"encoder.layers.{found[1]}.self_attn.{letter}_proj.{found[2]}" for letter in "qkv"]
            original = f"visual.transformer.{found[1]}.attn.to_qkv.{found[2]}"
            joins.append({"original": original, "shape": [3 * shape[0], *shape[1:]], "joins": joined})
    return entries + joins + [{"original": name, "shape": shape, "joins": []} for name, shape in CLIP_UNUSED]


def shapes_of(folder: pathlib.Path, body: pathlib.Path | None = None) -> dict[str, list[int]]:
    """Shapes of all tensors of a part, sorted by name."""
    files = sorted(folder.glob("*.safetensors")) + ([body] if body else [])
    shapes = {}
    for path in files:
        with safe_open(path, "pt") as file:
            shapes |= {name: list(file.get_slice(name).get_shape()) for name in file.keys()}
    return dict(sorted(shapes.items()))


def listing(shapes: dict[str, list[int]], rename) -> list:
    return [[name, shape, rename(name)] for name, shape in shapes.items()]


def make(root: pathlib.Path, bodies: dict[str, str | None]) -> dict:
    """Part folder, then layout, then entries `[canonical name, shape, name there]`."""
    names = {}
    for part, body in bodies.items():
        shapes = shapes_of(root / part, root / "shared" / f"body_{body}.safetensors" if body else None)
        names[part] = {"original": listing(shapes, lambda name: renamed(name, TRANSFORMER))}
    for part in ("shared/vae_2.1", "shared/vae_2.2"):
        config = json.loads((root / part / "config.json").read_text())
        names[part] = {"original": listing(shapes_of(root / part), lambda name: autoencoder(name, config))}
    shapes = shapes_of(root / "shared/text_encoder")
    names["shared/text_encoder"] = {
        "original": listing(shapes, lambda name: renamed(name, UMT5)),
        "llama.cpp": listing(shapes, lambda name: renamed(name, UMT5_LLAMA)),
    }
    shapes = shapes_of(root / "shared/image_encoder")
    names["shared/image_encoder"] = {
        "original": clip_original(shapes),
        "comfyui": listing(shapes, lambda name: f"vision_model.{name}"),
    }
    return names


def check(names: dict) -> None:
    """Checks that no two tensors have the same name, and that the published conversions give the canonical names."""
    from diffusers.loaders.single_file_utils import convert_wan_transformer_to_diffusers, convert_wan_vae_to_diffusers

    for part, layouts in names.items():
        for layout, entries in layouts.items():
            originals = [entry[2] for entry in entries if isinstance(entry, list) and entry[2] is not None]
            assert len(set(originals)) == len(originals), (part, layout)
        if "transformer" in part or part == "shared/vae_2.1":
            convert = convert_wan_vae_to_diffusers if "vae" in part else convert_wan_transformer_to_diffusers
            back = convert({original: name for name, _, original in layouts["original"]})
            # The library has no rule for the position embedding of first-last-frame models.
            wrong = {name: found for found, name in back.items() if name != found and "pos_embed" not in name}
            assert not wrong, (part, wrong)


def write(names: dict, path: pathlib.Path) -> None:
    """Writes one entry on each line."""
    lines = []
    for part, layouts in names.items():
        inner = []
        for layout, entries in layouts.items():
            rows = ",\n".join(json.dumps(entry) for entry in entries)
            inner.append(f"{json.dumps(layout)}: [\n{rows}\n]")
        lines.append(f"{json.dumps(part)}: {{\n" + ",\n".join(inner) + "\n}")
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
