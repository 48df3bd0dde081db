//! The layouts of T5 v1.1, FLUX's text encoder. It is gated, and only its first block has a position bias.

use super::umt5;
use crate::weights::{Layout, Network, Part};

/// The text encoder.
pub(crate) static NETWORK: Network = Network {
    name: "T5 text encoder",
    part: Part::TextEncoder,
    names: &[umt5::COMMON, &["encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"]],
    shapes: &[],
};

/// The names of transformers and ComfyUI. UMT5 has all of these names too, so its layout must come first in a list.
pub(crate) static TRANSFORMERS: Layout = Layout {
    name: "transformers",
    network: &NETWORK,
    has: &[
        "encoder.block.0.layer.0.SelfAttention.q.weight",
        "encoder.block.0.layer.1.DenseReluDense.wi_0.weight",
        "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
    ],
    rules: &[umt5::OF_TRANSFORMERS],
};

/// The names of llama.cpp in GGUF files.
pub(crate) static LLAMA_CPP: Layout = Layout {
    name: "llama.cpp",
    network: &NETWORK,
    has: &["enc.blk.0.attn_q.weight", "token_embd.weight", "enc.blk.0.ffn_gate.weight", "enc.blk.0.attn_rel_b.weight"],
    rules: &[umt5::OF_LLAMA_CPP],
};
