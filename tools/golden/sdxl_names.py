"""The original names of SDXL's tensors, from the structure of the original code. The converters of diffusers check them: they have to
convert these names to the tensors that diffusers saves."""

import json

import torch
from diffusers.loaders import single_file_utils

RESIDUAL = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
            "conv2": "out_layers.3", "conv_shortcut": "skip_connection"}
ENDS = {"conv_in": "input_blocks.0.0", "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
        "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2", "conv_norm_out": "out.0",
        "conv_out": "out.2"}


def unet(name: str) -> str:
    """The original name for a UNet of three levels, with two blocks on the way down and three on the way up."""
    module, leaf = name.rsplit(".", 1)
    if module in ENDS:
        return f"{ENDS[module]}.{leaf}"
    parts = name.split(".")
    rest = lambda parts: ".".join([RESIDUAL[parts[0]], *parts[1:]])
    if parts[0] == "mid_block":
        if parts[1] == "resnets":
            return f"middle_block.{2 * int(parts[2])}.{rest(parts[3:])}"
        return "middle_block.1." + ".".join(parts[3:])
    level, kind, block = int(parts[1]), parts[2], int(parts[3])
    down = parts[0] == "down_blocks"
    number = 3 * level + block + (1 if down else 0)
    outer = f"{'input' if down else 'output'}_blocks."
    if kind == "resnets":
        return f"{outer}{number}.0.{rest(parts[4:])}"
    if kind == "attentions":
        return f"{outer}{number}.1." + ".".join(parts[4:])
    if kind == "downsamplers":
        return f"{outer}{3 * level + 3}.0.op.{leaf}"
    assert kind == "upsamplers"
    return f"{outer}{3 * level + 2}.2.conv.{leaf}"


def vae(name: str) -> str:
    """The original name for an autoencoder of four levels."""
    parts = name.split(".")
    if parts[0] not in ("encoder", "decoder"):
        return name
    half = parts[0]
    residual = lambda parts: ".".join(["nin_shortcut" if parts[0] == "conv_shortcut" else parts[0], *parts[1:]])
    if parts[1] == "mid_block":
        if parts[2] == "resnets":
            return f"{half}.mid.block_{int(parts[3]) + 1}.{residual(parts[4:])}"
        inner = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out": "proj_out"}[parts[4]]
        return f"{half}.mid.attn_1.{inner}.{parts[-1]}"
    if parts[1] in ("down_blocks", "up_blocks"):
        level = int(parts[2]) if half == "encoder" else 3 - int(parts[2])
        outer = f"{half}.{'down' if half == 'encoder' else 'up'}.{level}"
        if parts[3] == "resnets":
            return f"{outer}.block.{parts[4]}.{residual(parts[5:])}"
        return f"{outer}.{'downsample' if half == 'encoder' else 'upsample'}.conv.{parts[-1]}"
    return name.replace("conv_norm_out", "norm_out")


def big(weights: list) -> list:
    """OpenCLIP's names: query, key and value are one matrix, and the projection multiplies from the other side."""
    outer = {"embeddings.token_embedding.weight": "token_embedding.weight", "final_layer_norm.weight": "ln_final.weight",
             "embeddings.position_embedding.weight": "positional_embedding", "final_layer_norm.bias": "ln_final.bias"}
    inner = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj",
             "self_attn.out_proj": "attn.out_proj"}
    rows = []
    for name, shape, _ in weights:
        if name == "text_projection.weight":
            rows.append({"transposed": name, "original": "text_projection"})
            continue
        tail = name.removeprefix("text_model.")
        if tail in outer:
            rows.append([name, shape, outer[tail]])
            continue
        _, _, number, rest = tail.split(".", 3)
        module, leaf = rest.rsplit(".", 1)
        at = f"transformer.resblocks.{number}"
        if module in inner:
            rows.append([name, shape, f"{at}.{inner[module]}.{leaf}"])
        elif module == "self_attn.q_proj":
            joins = [name.replace("q_proj", part) for part in ("q_proj", "k_proj", "v_proj")]
            rows.append({"joins": joins, "original": f"{at}.attn.in_proj_{leaf}", "shape": [3 * shape[0], *shape[1:]]})
    return rows


def make(parts: dict, weights: dict, unet_config: dict, vae_config: dict) -> dict:
    names = {"unet": [[name, shape, unet(name)] for name, shape, _ in weights["unet"]]}
    names["wide"] = [[name, shape, unet(name)] for name, shape, _ in weights["wide"]]
    attention = lambda original, shape: [*shape, 1, 1] if ".attn_1." in original and len(shape) == 2 else shape
    names["vae"] = [[name, shape, vae(name), attention(vae(name), shape)] for name, shape, _ in weights["vae"]]
    names["text_encoder_2"] = big(weights["text_encoder_2"])
    check(parts, names, unet_config, vae_config)
    return names


def check(parts: dict, names: dict, unet_config: dict, vae_config: dict) -> None:
    state = {part: parts[part].state_dict() for part in ("unet", "vae", "text_encoder_2")}
    whole = {"model.diffusion_model." + row[2]: state["unet"][row[0]] for row in names["unet"]}
    assert same(single_file_utils.convert_ldm_unet_checkpoint(dict(whole), unet_config), state["unet"])
    whole = {"first_stage_model." + row[2]: state["vae"][row[0]].reshape(row[3]) for row in names["vae"]}
    assert same(single_file_utils.convert_ldm_vae_checkpoint(dict(whole), vae_config), state["vae"])
    prefix, whole, own = "conditioner.embedders.1.model.", {}, state["text_encoder_2"]
    for row in names["text_encoder_2"]:
        if isinstance(row, list):
            whole[prefix + row[2]] = own[row[0]]
        elif "joins" in row:
            whole[prefix + row["original"]] = torch.cat([own[name] for name in row["joins"]])
        else:
            whole[prefix + row["original"]] = own[row["transposed"]].T.contiguous()
    found = single_file_utils.convert_open_clip_checkpoint(parts["text_encoder_2"], whole, prefix)
    assert same(found, {name: tensor for name, tensor in own.items() if not name.endswith("position_ids")})


def same(found: dict, wanted: dict) -> bool:
    difference = set(found) ^ set(wanted)
    assert not difference, sorted(difference)[:5]
    return all(torch.equal(found[name].reshape(wanted[name].shape), wanted[name]) for name in wanted)


def text(names: dict) -> str:
    lists = ",\n".join(f"{json.dumps(part)}: [\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]" for part, rows in names.items())
    return "{\n" + lists + "\n}\n"
