"""Names and shapes of SDXL and FLUX.1 in full size, as in one-file checkpoints, the original repositories and ComfyUI's files.

Each function yields `(name, shape, kind)`, as in `shapes.py`.
"""

from shapes import conv, linear, norm, umt5

CONTEXT, ADDED, EMBEDDED = 2048, 2816, 1280
WIDTHS, DEPTHS = [320, 640, 1280], [0, 2, 10]


def resnet(name, inputs, outputs):
    yield from norm(f"{name}.in_layers.0", inputs)
    yield from conv(f"{name}.in_layers.2", inputs, outputs, 3, 3)
    yield from linear(f"{name}.emb_layers.1", EMBEDDED, outputs)
    yield from norm(f"{name}.out_layers.0", outputs)
    yield from conv(f"{name}.out_layers.3", outputs, outputs, 3, 3)
    if inputs != outputs:
        yield from conv(f"{name}.skip_connection", inputs, outputs, 1, 1)


def attended(name, width, depth):
    """A transformer among the pixels of one level."""
    yield from norm(f"{name}.norm", width)
    yield from linear(f"{name}.proj_in", width, width)
    for index in range(depth):
        block = f"{name}.transformer_blocks.{index}"
        for part, context in (("attn1", width), ("attn2", CONTEXT)):
            yield f"{block}.{part}.to_q.weight", (width, width), "weight"
            yield f"{block}.{part}.to_k.weight", (width, context), "weight"
            yield f"{block}.{part}.to_v.weight", (width, context), "weight"
            yield from linear(f"{block}.{part}.to_out.0", width, width)
        yield from linear(f"{block}.ff.net.0.proj", width, 8 * width)
        yield from linear(f"{block}.ff.net.2", 4 * width, width)
        for index in (1, 2, 3):
            yield from norm(f"{block}.norm{index}", width)
    yield from linear(f"{name}.proj_out", width, width)


def unet(layers=None):
    """SDXL's UNet under the original names; `layers` is the most blocks that a level's transformers have."""
    depths = [min(depth, layers or depth) for depth in DEPTHS]
    for name, inputs in (("time_embed", WIDTHS[0]), ("label_emb.0", ADDED)):
        yield from linear(f"{name}.0", inputs, EMBEDDED)
        yield from linear(f"{name}.2", EMBEDDED, EMBEDDED)
    width = WIDTHS[0]
    yield from conv("input_blocks.0.0", 4, width, 3, 3)
    skips, index = [width], 1
    for level, (outputs, depth) in enumerate(zip(WIDTHS, depths)):
        for _ in range(2):
            yield from resnet(f"input_blocks.{index}.0", width, outputs)
            if depth:
                yield from attended(f"input_blocks.{index}.1", outputs, depth)
            width, index = outputs, index + 1
            skips.append(width)
        if level < 2:
            yield from conv(f"input_blocks.{index}.0.op", width, width, 3, 3)
            skips.append(width)
            index += 1
    yield from resnet("middle_block.0", width, width)
    yield from attended("middle_block.1", width, depths[-1])
    yield from resnet("middle_block.2", width, width)
    index = 0
    for level, (outputs, depth) in reversed(list(enumerate(zip(WIDTHS, depths)))):
        for block in range(3):
            yield from resnet(f"output_blocks.{index}.0", width + skips.pop(), outputs)
            if depth:
                yield from attended(f"output_blocks.{index}.1", outputs, depth)
            width = outputs
            if level and block == 2:
                yield from conv(f"output_blocks.{index}.2.conv", width, width, 3, 3)
            index += 1
    yield from norm("out.0", width)
    yield from conv("out.2", width, 4, 3, 3)


def clip_l(layers=None):
    """CLIP's text encoder ViT-L/14 under transformers' names."""
    width, feed = 768, 3072
    yield "text_model.embeddings.token_embedding.weight", (49408, width), "token"
    yield "text_model.embeddings.position_embedding.weight", (77, width), "bias"
    for index in range(min(12, layers or 12)):
        name = f"text_model.encoder.layers.{index}"
        for matrix in ("q_proj", "k_proj", "v_proj", "out_proj"):
            yield from linear(f"{name}.self_attn.{matrix}", width, width)
        yield from norm(f"{name}.layer_norm1", width)
        yield from norm(f"{name}.layer_norm2", width)
        yield from linear(f"{name}.mlp.fc1", width, feed)
        yield from linear(f"{name}.mlp.fc2", feed, width)
    yield from norm("text_model.final_layer_norm", width)


def clip_g(layers=None):
    """OpenCLIP's text encoder ViT-bigG/14 under its own names."""
    width, feed = 1280, 5120
    yield "token_embedding.weight", (49408, width), "token"
    yield "positional_embedding", (77, width), "bias"
    for index in range(min(32, layers or 32)):
        name = f"transformer.resblocks.{index}"
        yield from norm(f"{name}.ln_1", width)
        yield from norm(f"{name}.ln_2", width)
        yield f"{name}.attn.in_proj_weight", (3 * width, width), "weight"
        yield f"{name}.attn.in_proj_bias", (3 * width,), "bias"
        yield from linear(f"{name}.attn.out_proj", width, width)
        yield from linear(f"{name}.mlp.c_fc", width, feed)
        yield from linear(f"{name}.mlp.c_proj", feed, width)
    yield from norm("ln_final", width)
    yield "text_projection", (width, width), "weight"
    yield "logit_scale", (), "bias"


def block(name, inputs, outputs):
    yield from norm(f"{name}.norm1", inputs)
    yield from conv(f"{name}.conv1", inputs, outputs, 3, 3)
    yield from norm(f"{name}.norm2", outputs)
    yield from conv(f"{name}.conv2", outputs, outputs, 3, 3)
    if inputs != outputs:
        yield from conv(f"{name}.nin_shortcut", inputs, outputs, 1, 1)


def middle(name, width):
    yield from block(f"{name}.mid.block_1", width, width)
    yield from norm(f"{name}.mid.attn_1.norm", width)
    for matrix in ("q", "k", "v", "proj_out"):
        yield from conv(f"{name}.mid.attn_1.{matrix}", width, width, 1, 1)
    yield from block(f"{name}.mid.block_2", width, width)


def vae(latent):
    """The autoencoder under the original names: 4 latent channels in SDXL, 16 in FLUX.1."""
    widths = [128, 256, 512, 512]
    width = widths[0]
    yield from conv("encoder.conv_in", 3, width, 3, 3)
    for level, outputs in enumerate(widths):
        for index in range(2):
            yield from block(f"encoder.down.{level}.block.{index}", width, outputs)
            width = outputs
        if level < 3:
            yield from conv(f"encoder.down.{level}.downsample.conv", width, width, 3, 3)
    yield from middle("encoder", width)
    yield from norm("encoder.norm_out", width)
    yield from conv("encoder.conv_out", width, 2 * latent, 3, 3)
    yield from conv("decoder.conv_in", latent, width, 3, 3)
    yield from middle("decoder", width)
    for level, outputs in reversed(list(enumerate(widths))):
        for index in range(3):
            yield from block(f"decoder.up.{level}.block.{index}", width, outputs)
            width = outputs
        if level:
            yield from conv(f"decoder.up.{level}.upsample.conv", width, width, 3, 3)
    yield from norm("decoder.norm_out", width)
    yield from conv("decoder.conv_out", width, 3, 3, 3)
    if latent == 4:
        yield from conv("quant_conv", 8, 8, 1, 1)
        yield from conv("post_quant_conv", 4, 4, 1, 1)


def below(prefix, tensors):
    for name, shape, kind in tensors:
        yield prefix + name, shape, kind


def sdxl(layers=None):
    """One file with every part, as published on model sites."""
    yield from below("model.diffusion_model.", unet(layers))
    yield from below("conditioner.embedders.0.transformer.", clip_l(layers))
    yield from below("conditioner.embedders.1.model.", clip_g(layers))
    yield from below("first_stage_model.", vae(4))


def flux(layers=None):
    """The transformer of FLUX.1-dev under the original names."""
    dim, feed = 3072, 12288
    yield from linear("img_in", 64, dim)
    yield from linear("txt_in", 4096, dim)
    for name, inputs in (("time_in", 256), ("vector_in", 768), ("guidance_in", 256)):
        yield from linear(f"{name}.in_layer", inputs, dim)
        yield from linear(f"{name}.out_layer", dim, dim)
    for index in range(min(19, layers or 19)):
        for part in ("img", "txt"):
            name = f"double_blocks.{index}.{part}"
            yield from linear(f"{name}_mod.lin", dim, 6 * dim)
            yield from linear(f"{name}_attn.qkv", dim, 3 * dim)
            yield f"{name}_attn.norm.query_norm.scale", (128,), "gain"
            yield f"{name}_attn.norm.key_norm.scale", (128,), "gain"
            yield from linear(f"{name}_attn.proj", dim, dim)
            yield from linear(f"{name}_mlp.0", dim, feed)
            yield from linear(f"{name}_mlp.2", feed, dim)
    for index in range(min(38, layers or 38)):
        name = f"single_blocks.{index}"
        yield from linear(f"{name}.modulation.lin", dim, 3 * dim)
        yield from linear(f"{name}.linear1", dim, 3 * dim + feed)
        yield from linear(f"{name}.linear2", dim + feed, dim)
        yield f"{name}.norm.query_norm.scale", (128,), "gain"
        yield f"{name}.norm.key_norm.scale", (128,), "gain"
    yield from linear("final_layer.linear", dim, 64)
    yield from linear("final_layer.adaLN_modulation.1", dim, 2 * dim)


def t5(layers=None):
    """The encoder of T5-XXL v1.1 under transformers' names."""
    yield from umt5(layers, vocabulary=32128, own_bias=False)
