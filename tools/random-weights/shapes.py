"""Names and shapes of Wan's networks in full size, as in their original repositories and in ComfyUI's files.

Each function yields `(name, shape, kind)`. `kind` decides the values of the tensor (see `values.py`): `weight` (a matrix or
a convolution), `query`, `bias`, `gain` (of a norm), `modulation`, `embedding` and `token`.
"""

TRANSFORMERS = {
    # name: dim, feed-forward, layers, input channels, output channels, image tokens, VACE blocks
    "2.1 T2V 1.3B": (1536, 8960, 30, 16, 16, 0, 0),
    "2.1 T2V 14B": (5120, 13824, 40, 16, 16, 0, 0),
    "2.1 I2V 14B": (5120, 13824, 40, 36, 16, 257, 0),
    "2.1 FLF2V 14B": (5120, 13824, 40, 36, 16, 514, 0),
    "2.1 VACE 1.3B": (1536, 8960, 30, 16, 16, 0, 15),
    "2.1 VACE 14B": (5120, 13824, 40, 16, 16, 0, 8),
    "2.2 T2V A14B (each expert)": (5120, 13824, 40, 16, 16, 0, 0),
    "2.2 I2V A14B (each expert)": (5120, 13824, 40, 36, 16, 0, 0),
    "2.2 TI2V 5B": (3072, 14336, 30, 48, 48, 0, 0),
}
TEXT, FREQUENCIES, CLIP, VACE_CHANNELS = 4096, 256, 1280, 96


def linear(name, inputs, outputs):
    yield f"{name}.weight", (outputs, inputs), "weight"
    yield f"{name}.bias", (outputs,), "bias"


def block(name, dim, feed, image):
    yield f"{name}.modulation", (1, 6, dim), "modulation"
    for part in ("self_attn", "cross_attn"):
        for matrix in "qkvo":
            yield from linear(f"{name}.{part}.{matrix}", dim, dim)
        for norm in "qk":
            yield f"{name}.{part}.norm_{norm}.weight", (dim,), "gain"
    if image:
        for matrix in ("k_img", "v_img"):
            yield from linear(f"{name}.cross_attn.{matrix}", dim, dim)
        yield f"{name}.cross_attn.norm_k_img.weight", (dim,), "gain"
    yield f"{name}.norm3.weight", (dim,), "gain"
    yield f"{name}.norm3.bias", (dim,), "bias"
    yield from linear(f"{name}.ffn.0", dim, feed)
    yield from linear(f"{name}.ffn.2", feed, dim)


def transformer(name, layers=None):
    """A transformer of the table above, with only `layers` layers if given."""
    dim, feed, depth, channels, outputs, image, vace = TRANSFORMERS[name]
    depth, vace = min(depth, layers or depth), min(vace, layers or vace)
    yield "patch_embedding.weight", (dim, channels, 1, 2, 2), "weight"
    yield "patch_embedding.bias", (dim,), "bias"
    yield from linear("text_embedding.0", TEXT, dim)
    yield from linear("text_embedding.2", dim, dim)
    yield from linear("time_embedding.0", FREQUENCIES, dim)
    yield from linear("time_embedding.2", dim, dim)
    yield from linear("time_projection.1", dim, 6 * dim)
    for index in range(depth):
        yield from block(f"blocks.{index}", dim, feed, image)
    yield "head.modulation", (1, 2, dim), "modulation"
    yield from linear("head.head", dim, 4 * outputs)
    if image:
        if image == 514:
            yield "img_emb.emb_pos", (1, image, CLIP), "bias"
        yield from norm("img_emb.proj.0", CLIP)
        yield from linear("img_emb.proj.1", CLIP, CLIP)
        yield from linear("img_emb.proj.3", CLIP, dim)
        yield from norm("img_emb.proj.4", dim)
    if vace:
        yield "vace_patch_embedding.weight", (dim, VACE_CHANNELS, 1, 2, 2), "weight"
        yield "vace_patch_embedding.bias", (dim,), "bias"
        for index in range(vace):
            if index == 0:
                yield from linear("vace_blocks.0.before_proj", dim, dim)
            yield from block(f"vace_blocks.{index}", dim, feed, 0)
            yield from linear(f"vace_blocks.{index}.after_proj", dim, dim)


def norm(name, width):
    yield f"{name}.weight", (width,), "gain"
    yield f"{name}.bias", (width,), "bias"


def umt5(layers=None, vocabulary=256384, own_bias=True):
    """The encoder of UMT5-XXL with transformers' names; or that of T5-XXL, with a bias only in the first layer and 32128 words."""
    width, feed, heads = 4096, 10240, 64
    yield "shared.weight", (vocabulary, width), "embedding"
    for index in range(min(24, layers or 24)):
        name = f"encoder.block.{index}.layer"
        # T5 does not divide scores by the root of the head size; its query matrices are smaller instead.
        yield f"{name}.0.SelfAttention.q.weight", (width, width), "query"
        for matrix in "kvo":
            yield f"{name}.0.SelfAttention.{matrix}.weight", (width, width), "weight"
        if own_bias or index == 0:
            yield f"{name}.0.SelfAttention.relative_attention_bias.weight", (32, heads), "bias"
        yield f"{name}.0.layer_norm.weight", (width,), "gain"
        yield f"{name}.1.DenseReluDense.wi_0.weight", (feed, width), "weight"
        yield f"{name}.1.DenseReluDense.wi_1.weight", (feed, width), "weight"
        yield f"{name}.1.DenseReluDense.wo.weight", (width, feed), "weight"
        yield f"{name}.1.layer_norm.weight", (width,), "gain"
    yield "encoder.final_layer_norm.weight", (width,), "gain"


def clip_vision(layers=32, width=CLIP, feed=5120, patch=14, side=224):
    """The image encoder of ViT-H with transformers' names."""
    yield "vision_model.embeddings.class_embedding", (width,), "bias"
    yield "vision_model.embeddings.patch_embedding.weight", (width, 3, patch, patch), "weight"
    yield "vision_model.embeddings.position_embedding.weight", (1 + (side // patch) ** 2, width), "bias"
    yield from norm("vision_model.pre_layrnorm", width)
    for index in range(layers):
        name = f"vision_model.encoder.layers.{index}"
        yield from norm(f"{name}.layer_norm1", width)
        for matrix in ("q_proj", "k_proj", "v_proj", "out_proj"):
            yield from linear(f"{name}.self_attn.{matrix}", width, width)
        yield from norm(f"{name}.layer_norm2", width)
        yield from linear(f"{name}.mlp.fc1", width, feed)
        yield from linear(f"{name}.mlp.fc2", feed, width)
    yield from norm("vision_model.post_layernorm", width)
    yield "visual_projection.weight", (1024, width), "weight"


def conv(name, inputs, outputs, *kernel):
    yield f"{name}.weight", (outputs, inputs, *kernel), "weight"
    yield f"{name}.bias", (outputs,), "bias"


def residual(name, inputs, outputs):
    yield f"{name}.residual.0.gamma", (inputs, 1, 1, 1), "gain"
    yield from conv(f"{name}.residual.2", inputs, outputs, 3, 3, 3)
    yield f"{name}.residual.3.gamma", (outputs, 1, 1, 1), "gain"
    yield from conv(f"{name}.residual.6", outputs, outputs, 3, 3, 3)
    if inputs != outputs:
        yield from conv(f"{name}.shortcut", inputs, outputs, 1, 1, 1)


def middle(name, width):
    yield from residual(f"{name}.0", width, width)
    yield f"{name}.1.norm.gamma", (width, 1, 1), "gain"
    yield from conv(f"{name}.1.to_qkv", width, 3 * width, 1, 1)
    yield from conv(f"{name}.1.proj", width, width, 1, 1)
    yield from residual(f"{name}.2", width, width)


def head(name, width, channels):
    yield f"{name}.0.gamma", (width, 1, 1, 1), "gain"
    yield from conv(f"{name}.2", width, channels, 3, 3, 3)


def vae(version="2.1"):
    """The autoencoders of 2.1 and 2.2; the parts of the second nest their blocks one level deeper."""
    nested = version == "2.2"
    encoder, decoder, z, channels = (160, 256, 48, 12) if nested else (96, 96, 16, 3)
    mult, in_time = [1, 2, 4, 4], [False, True, True]

    widths = [encoder * factor for factor in [1, *mult]]
    yield from conv("encoder.conv1", channels, widths[0], 3, 3, 3)
    position = 0
    for level, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
        for index in range(3 if level < 3 else 2):
            name = f"encoder.downsamples.{level}.downsamples.{index}" if nested else f"encoder.downsamples.{position}"
            position += 1
            if index < 2:
                yield from residual(name, inputs, outputs)
                inputs = outputs
                continue
            yield from conv(f"{name}.resample.1", outputs, outputs, 3, 3)
            if in_time[level]:
                yield from conv(f"{name}.time_conv", outputs, outputs, 3, 1, 1)
    yield from middle("encoder.middle", widths[-1])
    yield from head("encoder.head", widths[-1], 2 * z)
    yield from conv("conv1", 2 * z, 2 * z, 1, 1, 1)
    yield from conv("conv2", z, z, 1, 1, 1)

    widths = [decoder * factor for factor in [mult[-1], *reversed(mult)]]
    yield from conv("decoder.conv1", z, widths[0], 3, 3, 3)
    yield from middle("decoder.middle", widths[0])
    position = 0
    for level, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
        if level and not nested:
            inputs //= 2
        for index in range(4 if level < 3 else 3):
            name = f"decoder.upsamples.{level}.upsamples.{index}" if nested else f"decoder.upsamples.{position}"
            position += 1
            if index < 3:
                yield from residual(name, inputs, outputs)
                inputs = outputs
                continue
            yield from conv(f"{name}.resample.1", outputs, outputs if nested else outputs // 2, 3, 3)
            if in_time[2 - level]:
                yield from conv(f"{name}.time_conv", outputs, 2 * outputs, 3, 1, 1)
    yield from head("decoder.head", widths[-1], channels)
