//! Tensor names of FLUX.1's transformer. Dev has a guidance embedding, schnell has none.

use crate::weights::Rule::{Rename, Split};
use crate::weights::{Layout, Network, Part};

/// The denoiser of both variants.
///
/// Names are those of diffusers with one exception. The modulation before the output is one layer in files: diffusers stores
/// the rows of the scale before those of the shift, others the reverse. Here scale and shift are two layers, so that no layout
/// has to reorder rows.
pub(crate) static NETWORK: Network = Network {
    name: "FLUX.1 transformer",
    part: Part::Transformer,
    names: &[&[
        "x_embedder.",
        "context_embedder.",
        "time_text_embed.timestep_embedder.linear_1.",
        "time_text_embed.timestep_embedder.linear_2.",
        "time_text_embed.guidance_embedder.linear_1.",
        "time_text_embed.guidance_embedder.linear_2.",
        "time_text_embed.text_embedder.linear_1.",
        "time_text_embed.text_embedder.linear_2.",
        "transformer_blocks.*.norm1.linear.",
        "transformer_blocks.*.norm1_context.linear.",
        "transformer_blocks.*.attn.to_q.",
        "transformer_blocks.*.attn.to_k.",
        "transformer_blocks.*.attn.to_v.",
        "transformer_blocks.*.attn.to_out.0.",
        "transformer_blocks.*.attn.norm_q.weight",
        "transformer_blocks.*.attn.norm_k.weight",
        "transformer_blocks.*.attn.add_q_proj.",
        "transformer_blocks.*.attn.add_k_proj.",
        "transformer_blocks.*.attn.add_v_proj.",
        "transformer_blocks.*.attn.to_add_out.",
        "transformer_blocks.*.attn.norm_added_q.weight",
        "transformer_blocks.*.attn.norm_added_k.weight",
        "transformer_blocks.*.ff.net.0.proj.",
        "transformer_blocks.*.ff.net.2.",
        "transformer_blocks.*.ff_context.net.0.proj.",
        "transformer_blocks.*.ff_context.net.2.",
        "single_transformer_blocks.*.norm.linear.",
        "single_transformer_blocks.*.attn.to_q.",
        "single_transformer_blocks.*.attn.to_k.",
        "single_transformer_blocks.*.attn.to_v.",
        "single_transformer_blocks.*.attn.norm_q.weight",
        "single_transformer_blocks.*.attn.norm_k.weight",
        "single_transformer_blocks.*.proj_mlp.",
        "single_transformer_blocks.*.proj_out.",
        "norm_out.scale.",
        "norm_out.shift.",
        "proj_out.",
    ]],
    shapes: &[],
};

/// The layout of diffusers.
pub(super) static DIFFUSERS: Layout = Layout {
    name: "diffusers",
    network: &NETWORK,
    has: &[
        "transformer_blocks.0.attn.add_q_proj.weight",
        "transformer_blocks.0.norm1.linear.weight",
        "time_text_embed.text_embedder.linear_1.weight",
        "x_embedder.weight",
        "norm_out.linear.weight",
        "proj_out.weight",
    ],
    rules: &[&[Split("norm_out.linear.", &[("norm_out.scale.", 1), ("norm_out.shift.", 1)])]],
};

/// The layout of Black Forest Labs, which ComfyUI and GGUF files share.
pub(super) static ORIGINAL: Layout = Layout {
    name: "original",
    network: &NETWORK,
    has: &[
        "double_blocks.0.img_attn.qkv.weight",
        "double_blocks.0.img_mod.lin.weight",
        "vector_in.in_layer.weight",
        "img_in.weight",
        "final_layer.adaLN_modulation.1.weight",
        "final_layer.linear.weight",
    ],
    rules: &[
        &[
            Rename("img_in.", "x_embedder."),
            Rename("txt_in.", "context_embedder."),
            Rename("time_in.in_layer.", "time_text_embed.timestep_embedder.linear_1."),
            Rename("time_in.out_layer.", "time_text_embed.timestep_embedder.linear_2."),
            Rename("guidance_in.in_layer.", "time_text_embed.guidance_embedder.linear_1."),
            Rename("guidance_in.out_layer.", "time_text_embed.guidance_embedder.linear_2."),
            Rename("vector_in.in_layer.", "time_text_embed.text_embedder.linear_1."),
            Rename("vector_in.out_layer.", "time_text_embed.text_embedder.linear_2."),
            Rename("final_layer.linear.", "proj_out."),
            Split("final_layer.adaLN_modulation.1.", &[("norm_out.shift.", 1), ("norm_out.scale.", 1)]),
        ],
        // The norms of queries and keys: `scale` in the original, `weight` in files of newer programs.
        &[
            Rename("double_blocks.*.img_attn.norm.query_norm.scale", "transformer_blocks.*.attn.norm_q.weight"),
            Rename("double_blocks.*.img_attn.norm.query_norm.weight", "transformer_blocks.*.attn.norm_q.weight"),
            Rename("double_blocks.*.img_attn.norm.key_norm.scale", "transformer_blocks.*.attn.norm_k.weight"),
            Rename("double_blocks.*.img_attn.norm.key_norm.weight", "transformer_blocks.*.attn.norm_k.weight"),
            Rename("double_blocks.*.txt_attn.norm.query_norm.scale", "transformer_blocks.*.attn.norm_added_q.weight"),
            Rename("double_blocks.*.txt_attn.norm.query_norm.weight", "transformer_blocks.*.attn.norm_added_q.weight"),
            Rename("double_blocks.*.txt_attn.norm.key_norm.scale", "transformer_blocks.*.attn.norm_added_k.weight"),
            Rename("double_blocks.*.txt_attn.norm.key_norm.weight", "transformer_blocks.*.attn.norm_added_k.weight"),
            Rename("single_blocks.*.norm.query_norm.scale", "single_transformer_blocks.*.attn.norm_q.weight"),
            Rename("single_blocks.*.norm.query_norm.weight", "single_transformer_blocks.*.attn.norm_q.weight"),
            Rename("single_blocks.*.norm.key_norm.scale", "single_transformer_blocks.*.attn.norm_k.weight"),
            Rename("single_blocks.*.norm.key_norm.weight", "single_transformer_blocks.*.attn.norm_k.weight"),
        ],
        &[
            Rename("double_blocks.*.img_mod.lin.", "transformer_blocks.*.norm1.linear."),
            Rename("double_blocks.*.txt_mod.lin.", "transformer_blocks.*.norm1_context.linear."),
            Split(
                "double_blocks.*.img_attn.qkv.",
                &[
                    ("transformer_blocks.*.attn.to_q.", 1),
                    ("transformer_blocks.*.attn.to_k.", 1),
                    ("transformer_blocks.*.attn.to_v.", 1),
                ],
            ),
            Split(
                "double_blocks.*.txt_attn.qkv.",
                &[
                    ("transformer_blocks.*.attn.add_q_proj.", 1),
                    ("transformer_blocks.*.attn.add_k_proj.", 1),
                    ("transformer_blocks.*.attn.add_v_proj.", 1),
                ],
            ),
            Rename("double_blocks.*.img_attn.proj.", "transformer_blocks.*.attn.to_out.0."),
            Rename("double_blocks.*.txt_attn.proj.", "transformer_blocks.*.attn.to_add_out."),
            Rename("double_blocks.*.img_mlp.0.", "transformer_blocks.*.ff.net.0.proj."),
            Rename("double_blocks.*.img_mlp.2.", "transformer_blocks.*.ff.net.2."),
            Rename("double_blocks.*.txt_mlp.0.", "transformer_blocks.*.ff_context.net.0.proj."),
            Rename("double_blocks.*.txt_mlp.2.", "transformer_blocks.*.ff_context.net.2."),
            Rename("single_blocks.*.modulation.lin.", "single_transformer_blocks.*.norm.linear."),
            // The feed-forward part is four times as wide as the state in every published model.
            Split(
                "single_blocks.*.linear1.",
                &[
                    ("single_transformer_blocks.*.attn.to_q.", 1),
                    ("single_transformer_blocks.*.attn.to_k.", 1),
                    ("single_transformer_blocks.*.attn.to_v.", 1),
                    ("single_transformer_blocks.*.proj_mlp.", 4),
                ],
            ),
            Rename("single_blocks.*.linear2.", "single_transformer_blocks.*.proj_out."),
        ],
    ],
};
