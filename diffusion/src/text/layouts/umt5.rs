//! The layouts of UMT5, which is T5 with a position bias in every block.

use crate::weights::Rule::{self, Alias, Drop, Rename};
use crate::weights::{Layout, Network, Part};

/// Canonical names that T5 and UMT5 share.
pub(super) const COMMON: &[&str] = &[
    "shared.weight",
    "encoder.block.*.layer.0.layer_norm.weight",
    "encoder.block.*.layer.0.SelfAttention.q.weight",
    "encoder.block.*.layer.0.SelfAttention.k.weight",
    "encoder.block.*.layer.0.SelfAttention.v.weight",
    "encoder.block.*.layer.0.SelfAttention.o.weight",
    "encoder.block.*.layer.1.layer_norm.weight",
    "encoder.block.*.layer.1.DenseReluDense.wi_0.weight",
    "encoder.block.*.layer.1.DenseReluDense.wi_1.weight",
    "encoder.block.*.layer.1.DenseReluDense.wo.weight",
    "encoder.final_layer_norm.weight",
];

/// The text encoder.
pub(crate) static NETWORK: Network = Network {
    name: "UMT5 text encoder",
    part: Part::TextEncoder,
    names: &[COMMON, &["encoder.block.*.layer.0.SelfAttention.relative_attention_bias.weight"]],
    shapes: &[],
};

/// The rules for the names of transformers and ComfyUI in T5 and UMT5, including those of files with the decoder.
pub(super) const OF_TRANSFORMERS: &[Rule] =
    &[Alias("encoder.embed_tokens.weight", "shared.weight"), Drop("decoder.**"), Drop("lm_head.weight")];

/// The rules for the names of llama.cpp.
pub(super) const OF_LLAMA_CPP: &[Rule] = &[
    Rename("token_embd.weight", "shared.weight"),
    Rename("enc.output_norm.weight", "encoder.final_layer_norm.weight"),
    Rename("enc.blk.*.attn_norm.weight", "encoder.block.*.layer.0.layer_norm.weight"),
    Rename("enc.blk.*.attn_q.weight", "encoder.block.*.layer.0.SelfAttention.q.weight"),
    Rename("enc.blk.*.attn_k.weight", "encoder.block.*.layer.0.SelfAttention.k.weight"),
    Rename("enc.blk.*.attn_v.weight", "encoder.block.*.layer.0.SelfAttention.v.weight"),
    Rename("enc.blk.*.attn_o.weight", "encoder.block.*.layer.0.SelfAttention.o.weight"),
    Rename("enc.blk.*.attn_rel_b.weight", "encoder.block.*.layer.0.SelfAttention.relative_attention_bias.weight"),
    Rename("enc.blk.*.ffn_norm.weight", "encoder.block.*.layer.1.layer_norm.weight"),
    Rename("enc.blk.*.ffn_gate.weight", "encoder.block.*.layer.1.DenseReluDense.wi_0.weight"),
    Rename("enc.blk.*.ffn_up.weight", "encoder.block.*.layer.1.DenseReluDense.wi_1.weight"),
    Rename("enc.blk.*.ffn_down.weight", "encoder.block.*.layer.1.DenseReluDense.wo.weight"),
    Drop("dec.**"),
    Drop("output.weight"),
];

/// The names of transformers and ComfyUI.
pub(crate) static TRANSFORMERS: Layout = Layout {
    name: "transformers",
    network: &NETWORK,
    has: &[
        "encoder.block.0.layer.0.SelfAttention.q.weight",
        "encoder.block.0.layer.1.DenseReluDense.wi_0.weight",
        // UMT5 has a bias in every block, unlike T5.
        "encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight",
    ],
    rules: &[OF_TRANSFORMERS],
};

/// The names of the original repositories.
pub(crate) static ORIGINAL: Layout = Layout {
    name: "original",
    network: &NETWORK,
    has: &[
        "blocks.0.ffn.gate.0.weight",
        "token_embedding.weight",
        "blocks.0.attn.q.weight",
        "blocks.1.pos_embedding.embedding.weight",
    ],
    rules: &[&[
        Rename("token_embedding.weight", "shared.weight"),
        Rename("norm.weight", "encoder.final_layer_norm.weight"),
        Rename("blocks.*.norm1.weight", "encoder.block.*.layer.0.layer_norm.weight"),
        Rename("blocks.*.attn.q.weight", "encoder.block.*.layer.0.SelfAttention.q.weight"),
        Rename("blocks.*.attn.k.weight", "encoder.block.*.layer.0.SelfAttention.k.weight"),
        Rename("blocks.*.attn.v.weight", "encoder.block.*.layer.0.SelfAttention.v.weight"),
        Rename("blocks.*.attn.o.weight", "encoder.block.*.layer.0.SelfAttention.o.weight"),
        Rename(
            "blocks.*.pos_embedding.embedding.weight",
            "encoder.block.*.layer.0.SelfAttention.relative_attention_bias.weight",
        ),
        Rename("blocks.*.norm2.weight", "encoder.block.*.layer.1.layer_norm.weight"),
        Rename("blocks.*.ffn.gate.0.weight", "encoder.block.*.layer.1.DenseReluDense.wi_0.weight"),
        Rename("blocks.*.ffn.fc1.weight", "encoder.block.*.layer.1.DenseReluDense.wi_1.weight"),
        Rename("blocks.*.ffn.fc2.weight", "encoder.block.*.layer.1.DenseReluDense.wo.weight"),
    ]],
};

/// The names of llama.cpp in GGUF files.
pub(crate) static LLAMA_CPP: Layout = Layout {
    name: "llama.cpp",
    network: &NETWORK,
    has: &["enc.blk.0.attn_q.weight", "token_embd.weight", "enc.blk.0.ffn_gate.weight", "enc.blk.1.attn_rel_b.weight"],
    rules: &[OF_LLAMA_CPP],
};
