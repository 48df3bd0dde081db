//! The layouts of Wan's transformer in all variants, including image tokens and VACE blocks.

use crate::weights::Dim::{Bias, Is, Last, Rest};
use crate::weights::Rule::Rename;
use crate::weights::{Layout, Network, Part};

/// The names inside one block of the transformer.
macro_rules! in_each_block {
    ($list:literal) => {
        &[
            concat!($list, ".*.attn1.to_q."),
            concat!($list, ".*.attn1.to_k."),
            concat!($list, ".*.attn1.to_v."),
            concat!($list, ".*.attn1.to_out.0."),
            concat!($list, ".*.attn1.norm_q.weight"),
            concat!($list, ".*.attn1.norm_k.weight"),
            concat!($list, ".*.attn2.to_q."),
            concat!($list, ".*.attn2.to_k."),
            concat!($list, ".*.attn2.to_v."),
            concat!($list, ".*.attn2.to_out.0."),
            concat!($list, ".*.attn2.norm_q.weight"),
            concat!($list, ".*.attn2.norm_k.weight"),
            concat!($list, ".*.attn2.add_k_proj."),
            concat!($list, ".*.attn2.add_v_proj."),
            concat!($list, ".*.attn2.norm_added_k.weight"),
            concat!($list, ".*.norm2."),
            concat!($list, ".*.ffn.net.0.proj."),
            concat!($list, ".*.ffn.net.2."),
            concat!($list, ".*.scale_shift_table"),
        ]
    };
}

/// The transformer of all variants.
pub(crate) static NETWORK: Network = Network {
    name: "Wan transformer",
    part: Part::Transformer,
    names: &[
        &[
            "patch_embedding.",
            "vace_patch_embedding.",
            "condition_embedder.time_embedder.linear_1.",
            "condition_embedder.time_embedder.linear_2.",
            "condition_embedder.time_proj.",
            "condition_embedder.text_embedder.linear_1.",
            "condition_embedder.text_embedder.linear_2.",
            "condition_embedder.image_embedder.norm1.",
            "condition_embedder.image_embedder.ff.net.0.proj.",
            "condition_embedder.image_embedder.ff.net.2.",
            "condition_embedder.image_embedder.norm2.",
            "condition_embedder.image_embedder.pos_embed",
            "proj_out.",
            "scale_shift_table",
            "vace_blocks.*.proj_in.",
            "vace_blocks.*.proj_out.",
        ],
        in_each_block!("blocks"),
        in_each_block!("vace_blocks"),
    ],
    shapes: &[
        ("patch_embedding.weight", &[Bias, Rest, Is(1), Is(2), Is(2)]),
        ("vace_patch_embedding.weight", &[Bias, Rest, Is(1), Is(2), Is(2)]),
        ("scale_shift_table", &[Is(1), Is(2), Rest]),
        ("**.scale_shift_table", &[Is(1), Is(6), Rest]),
        ("condition_embedder.image_embedder.pos_embed", &[Is(1), Rest, Last]),
    ],
};

/// The names of diffusers.
pub(super) static DIFFUSERS: Layout = Layout {
    name: "diffusers",
    network: &NETWORK,
    has: &["condition_embedder.time_proj.weight", "scale_shift_table", "blocks.0.attn1.to_q.weight"],
    rules: &[],
};

/// The names of the original repositories, of ComfyUI and of GGUF files.
pub(super) static ORIGINAL: Layout = Layout {
    name: "original",
    network: &NETWORK,
    has: &["head.modulation", "blocks.0.self_attn.q.weight"],
    rules: &[&[
        Rename("time_embedding.0.", "condition_embedder.time_embedder.linear_1."),
        Rename("time_embedding.2.", "condition_embedder.time_embedder.linear_2."),
        Rename("time_projection.1.", "condition_embedder.time_proj."),
        Rename("text_embedding.0.", "condition_embedder.text_embedder.linear_1."),
        Rename("text_embedding.2.", "condition_embedder.text_embedder.linear_2."),
        Rename("img_emb.proj.0.", "condition_embedder.image_embedder.norm1."),
        Rename("img_emb.proj.1.", "condition_embedder.image_embedder.ff.net.0.proj."),
        Rename("img_emb.proj.3.", "condition_embedder.image_embedder.ff.net.2."),
        Rename("img_emb.proj.4.", "condition_embedder.image_embedder.norm2."),
        Rename("img_emb.emb_pos", "condition_embedder.image_embedder.pos_embed"),
        Rename("head.head.", "proj_out."),
        Rename("head.modulation", "scale_shift_table"),
        Rename("**.modulation", "**.scale_shift_table"),
        Rename("**.self_attn.q.", "**.attn1.to_q."),
        Rename("**.self_attn.k.", "**.attn1.to_k."),
        Rename("**.self_attn.v.", "**.attn1.to_v."),
        Rename("**.self_attn.o.", "**.attn1.to_out.0."),
        Rename("**.self_attn.norm_q.weight", "**.attn1.norm_q.weight"),
        Rename("**.self_attn.norm_k.weight", "**.attn1.norm_k.weight"),
        Rename("**.cross_attn.q.", "**.attn2.to_q."),
        Rename("**.cross_attn.k.", "**.attn2.to_k."),
        Rename("**.cross_attn.v.", "**.attn2.to_v."),
        Rename("**.cross_attn.o.", "**.attn2.to_out.0."),
        Rename("**.cross_attn.norm_q.weight", "**.attn2.norm_q.weight"),
        Rename("**.cross_attn.norm_k.weight", "**.attn2.norm_k.weight"),
        Rename("**.cross_attn.k_img.", "**.attn2.add_k_proj."),
        Rename("**.cross_attn.v_img.", "**.attn2.add_v_proj."),
        Rename("**.cross_attn.norm_k_img.weight", "**.attn2.norm_added_k.weight"),
        // The only one of a block's three layer norms that has weights. diffusers numbers them in the order of their use.
        Rename("**.norm3.", "**.norm2."),
        Rename("**.ffn.0.", "**.ffn.net.0.proj."),
        Rename("**.ffn.2.", "**.ffn.net.2."),
        Rename("**.before_proj.", "**.proj_in."),
        Rename("**.after_proj.", "**.proj_out."),
    ]],
};
