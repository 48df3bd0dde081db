"""Writes the networks of Wan, SDXL and FLUX.1 in full size with random weights, in published layouts and encodings.

The real files are not available where the project is tested, and memory and time do not depend on the values of the weights.
Norms are near 1 and matrices preserve the size of their inputs, so every activation stays finite; the frames are noise.

    python tools/random-weights/make.py OUT --models 14b-q4k,umt5-fp8,umt5-q8,1.3b-bf16,vae
    python tools/random-weights/make.py OUT --models sdxl-f16,flux-q4k,t5-fp8,clip-l,ae
    python tools/random-weights/make.py --sizes

Needs only numpy. Memory stays below 200 MB, and most of the time is for the disk. `--layers 2` writes transformers and encoders
with only two layers, to look at the layout quickly.
"""

import argparse
import functools
import math
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import containers  # noqa: E402
import shapes  # noqa: E402
import shapes_image  # noqa: E402
from values import FP8_DEVIATION, Values, deviation  # noqa: E402

# Tensors that a quantised transformer keeps in 16 bits: of Wan, then of FLUX.1.
KEPT = ("text_embedding.", "time_embedding.", "time_projection.", "img_emb.", "head.",
        "img_in.", "txt_in.", "time_in.", "vector_in.", "guidance_in.", "final_layer.")
# transformers' names and llama.cpp's.
LLAMA = {
    r"^shared\.": "token_embd.",
    r"^encoder\.final_layer_norm\.": "enc.output_norm.",
    r"^encoder\.block\.(\d+)\.layer\.": r"enc.blk.\1.",
    r"\.0\.SelfAttention\.([qkvo])\.": r".attn_\1.",
    r"\.0\.SelfAttention\.relative_attention_bias\.": ".attn_rel_b.",
    r"\.0\.layer_norm\.": ".attn_norm.",
    r"\.1\.DenseReluDense\.wi_0\.": ".ffn_gate.",
    r"\.1\.DenseReluDense\.wi_1\.": ".ffn_up.",
    r"\.1\.DenseReluDense\.wo\.": ".ffn_down.",
    r"\.1\.layer_norm\.": ".ffn_norm.",
}


def small(shape):
    return len(shape) == 1 or math.prod(shape) <= 1024


# File type, base encoding, encoding of the n-th value matrix and of the last layer of a feed-forward part, as in the mix of the
# patched quantising tool of ComfyUI-GGUF.
MIXES = {
    "Q8_0": (7, "Q8_0", lambda n: "Q8_0", "Q8_0"),
    "Q6_K": (18, "Q6_K", lambda n: "Q6_K", "Q6_K"),
    "Q5_K_M": (17, "Q5_K", lambda n: "Q6_K", "Q6_K"),
    "Q4_K_M": (15, "Q4_K", lambda n: "Q6_K", "Q6_K"),
    "Q4_K_S": (14, "Q4_K", lambda n: "Q5_K" if n < 4 else "Q4_K", "Q5_K"),
    "Q3_K_M": (12, "Q3_K", lambda n: "Q5_K" if n < 2 else "Q4_K", "Q4_K"),
    "Q2_K": (10, "Q2_K", lambda n: "Q3_K", "Q2_K"),
}


def mixed(tensors, mix):
    """`(name, shape, kind, encoding)` of a quantised transformer's tensors."""
    _, base, values, last = MIXES[mix]
    attended = 0
    for name, shape, kind in tensors:
        if small(shape) or len(shape) == 5 or name.endswith(".modulation"):
            yield name, shape, kind, "F32"
        elif name.startswith(KEPT):
            yield name, shape, kind, "BF16"
        elif name.endswith(".v.weight"):
            yield name, shape, kind, values(attended)
            attended += 1
        else:
            yield name, shape, kind, last if name.endswith(".ffn.2.weight") else base


def k_quants(values, shapes, architecture, mix):
    tensors = [
        (tensor, shape, encoding, functools.partial(values.chunks, shape, kind, encoding))
        for tensor, shape, kind, encoding in mixed(shapes, mix)
    ]
    metadata = {
        "general.architecture": architecture,
        "general.quantization_version": 2,
        "general.file_type": MIXES[mix][0],
    }
    return lambda path: containers.gguf(path, metadata, tensors)


def t5_fp8(values, encoder, dense):
    """UMT5 or T5 as published by ComfyUI: matrices in fp8 with one scale each, everything else in 16 bits."""
    tensors = [("scaled_fp8", (0,), "F8_E4M3", lambda: [])]
    for name, shape, kind in encoder:
        encoding = "F8_E4M3" if kind in ("weight", "query") else dense
        tensors.append((name, shape, encoding, functools.partial(values.chunks, shape, kind, encoding)))
        if encoding == "F8_E4M3":
            scale = containers.np.array([deviation(shape, kind) / FP8_DEVIATION], "<f4")
            tensors.append((name.replace(".weight", ".scale_weight"), (), "F32", lambda scale=scale: [scale]))
    return lambda path: containers.safetensors(path, tensors)


def umt5_q8(values, layers):
    """UMT5 with llama.cpp's names, without the vocabulary that real files contain."""
    tensors = []
    for name, shape, kind in shapes.umt5(layers):
        for pattern, to in LLAMA.items():
            name = re.sub(pattern, to, name)
        encoding = "F32" if small(shape) or "attn_rel_b" in name else "Q8_0"
        tensors.append((name, shape, encoding, functools.partial(values.chunks, shape, kind, encoding)))
    metadata = {
        "general.architecture": "t5encoder",
        "general.quantization_version": 2,
        "general.file_type": 7,
        "t5encoder.context_length": 512,
        "t5encoder.embedding_length": 4096,
        "t5encoder.feed_forward_length": 10240,
        "t5encoder.block_count": layers or 24,
        "t5encoder.attention.head_count": 64,
        "t5encoder.attention.key_length": 64,
        "t5encoder.attention.value_length": 64,
        "t5encoder.attention.layer_norm_rms_epsilon": 1e-6,
        "t5encoder.attention.relative_buckets_count": 32,
    }
    return lambda path: containers.gguf(path, metadata, tensors)


def dense(values, tensors, encoding):
    tensors = [(n, s, encoding, functools.partial(values.chunks, s, kind, encoding)) for n, s, kind in tensors]
    return lambda path: containers.safetensors(path, tensors)


MODELS = {
    "14b-q4k": ("wan2.1-t2v-14b-Q4_K_S.gguf", lambda v, n: k_quants(v, shapes.transformer("2.1 T2V 14B", n), "wan", "Q4_K_S")),
    "14b-q4km": ("wan2.1-t2v-14b-Q4_K_M.gguf", lambda v, n: k_quants(v, shapes.transformer("2.1 T2V 14B", n), "wan", "Q4_K_M")),
    "umt5-fp8": ("umt5_xxl_fp8_e4m3fn_scaled.safetensors", lambda v, n: t5_fp8(v, shapes.umt5(n), "BF16")),
    "umt5-q8": ("umt5-xxl-encoder-Q8_0.gguf", umt5_q8),
    "1.3b-bf16": (
        "wan2.1_t2v_1.3B_bf16.safetensors",
        lambda v, n: dense(v, shapes.transformer("2.1 T2V 1.3B", n), "BF16"),
    ),
    "vae": ("wan_2.1_vae.safetensors", lambda v, n: dense(v, shapes.vae("2.1"), "BF16")),
    "vae-f32": ("wan_2.1_vae_f32.safetensors", lambda v, n: dense(v, shapes.vae("2.1"), "F32")),
    "clip-f16": ("clip_vision_h.safetensors", lambda v, n: dense(v, shapes.clip_vision(), "F16")),
    "sdxl-f16": ("sdxl.safetensors", lambda v, n: dense(v, shapes_image.sdxl(n), "F16")),
    "sdxl-vae": ("sdxl_vae.safetensors", lambda v, n: dense(v, shapes_image.vae(4), "F32")),
    "flux-q4k": ("flux1-dev-Q4_K_S.gguf", lambda v, n: k_quants(v, shapes_image.flux(n), "flux", "Q4_K_S")),
    "t5-fp8": ("t5xxl_fp8_e4m3fn_scaled.safetensors", lambda v, n: t5_fp8(v, shapes_image.t5(n), "F16")),
    "clip-l": ("clip_l.safetensors", lambda v, n: dense(v, shapes_image.clip_l(n), "F16")),
    "ae": ("ae.safetensors", lambda v, n: dense(v, shapes_image.vae(16), "F32")),
}


def sizes():
    """Print the elements of each part, and the gigabytes (10^9 bytes) of its tensors in the published encodings."""
    gigabytes = lambda tensors: f"{sum(containers.size(s, e) for _, s, _, e in tensors) / 1e9:.2f}"  # noqa: E731
    print(f"| transformer | elements | 16 bits | fp8 | {' | '.join(MIXES)} |\n|{'---|' * (4 + len(MIXES))}")
    for name in shapes.TRANSFORMERS:
        tensors = list(shapes.transformer(name))
        fp8 = [(n, s, k, "F8_E4M3" if e == "Q8_0" else "BF16") for n, s, k, e in mixed(tensors, "Q8_0")]
        row = [f"{sum(math.prod(shape) for _, shape, _ in tensors):,}"]
        row += [gigabytes((*tensor, "BF16") for tensor in tensors), gigabytes(fp8)]
        row += [gigabytes(mixed(tensors, mix)) for mix in MIXES]
        print(f"| {name} | {' | '.join(row)} |")
    print("\n| part | elements | 32 bits | 16 bits | fp8 | Q8_0 |\n|---|---|---|---|---|---|")
    parts = {"UMT5-XXL": shapes.umt5(), "CLIP ViT-H": shapes.clip_vision()}
    parts |= {"autoencoder 2.1": shapes.vae("2.1"), "autoencoder 2.2": shapes.vae("2.2")}
    parts |= {"SDXL's UNet": shapes_image.unet(), "CLIP-L": shapes_image.clip_l(), "CLIP-bigG": shapes_image.clip_g()}
    parts |= {"FLUX.1-dev": shapes_image.flux(), "T5-XXL": shapes_image.t5()}
    parts |= {"SDXL's autoencoder": shapes_image.vae(4), "FLUX.1's autoencoder": shapes_image.vae(16)}
    for name, tensors in parts.items():
        tensors = list(tensors)
        row = [f"{sum(math.prod(shape) for _, shape, _ in tensors):,}"]
        row += [gigabytes((*tensor, encoding) for tensor in tensors) for encoding in ("F32", "BF16")]
        if name in ("UMT5-XXL", "T5-XXL"):
            matrix = lambda kind: kind in ("weight", "query")  # noqa: E731
            row.append(gigabytes((n, s, k, "F8_E4M3" if matrix(k) else "BF16") for n, s, k in tensors))
            row.append(gigabytes((n, s, k, "Q8_0" if matrix(k) or k == "embedding" else "F32") for n, s, k in tensors))
        print(f"| {name} | {' | '.join(row + ['-'] * (5 - len(row)))} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", nargs="?", type=pathlib.Path)
    parser.add_argument("--models", default="", help=f"any of {', '.join(MODELS)}, with commas between them")
    parser.add_argument("--layers", type=int, help="write this many layers at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sizes", action="store_true", help="print how many elements each part has")
    options = parser.parse_args()
    if options.sizes:
        sizes()
        return
    names = [name for name in options.models.split(",") if name]
    unknown = [name for name in names if name not in MODELS]
    if not options.out or not names or unknown:
        parser.error(f"no such model: {', '.join(unknown)}" if unknown else "OUT and --models are needed")
    options.out.mkdir(parents=True, exist_ok=True)
    values = Values(options.seed)
    for name in names:
        file, make = MODELS[name]
        begun = time.perf_counter()
        written = make(values, options.layers)(options.out / file)
        print(f"{file}: {written / 1e9:.2f} GB in {time.perf_counter() - begun:.1f} s")


if __name__ == "__main__":
    main()
