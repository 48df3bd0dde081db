//! Tensor names of the UNets of SDXL and of related models, which `variant/relatives.rs` refuses by name.

use crate::weights::Dim::{Bias, Is, Rest};
use crate::weights::Rule::{self, Rename};
use crate::weights::{Layout, Network, Part};

/// Lists the canonical names inside the blocks of `$list`.
macro_rules! in_each_block {
    ($list:literal) => {
        &[
            concat!($list, ".resnets.*.norm1."),
            concat!($list, ".resnets.*.conv1."),
            concat!($list, ".resnets.*.time_emb_proj."),
            concat!($list, ".resnets.*.norm2."),
            concat!($list, ".resnets.*.conv2."),
            concat!($list, ".resnets.*.conv_shortcut."),
            concat!($list, ".attentions.*.norm."),
            concat!($list, ".attentions.*.proj_in."),
            concat!($list, ".attentions.*.proj_out."),
            concat!($list, ".attentions.*.transformer_blocks.*.norm1."),
            concat!($list, ".attentions.*.transformer_blocks.*.norm2."),
            concat!($list, ".attentions.*.transformer_blocks.*.norm3."),
            concat!($list, ".attentions.*.transformer_blocks.*.attn1.to_q.weight"),
            concat!($list, ".attentions.*.transformer_blocks.*.attn1.to_k.weight"),
            concat!($list, ".attentions.*.transformer_blocks.*.attn1.to_v.weight"),
            concat!($list, ".attentions.*.transformer_blocks.*.attn1.to_out.0."),
            concat!($list, ".attentions.*.transformer_blocks.*.attn2.to_q.weight"),
            concat!($list, ".attentions.*.transformer_blocks.*.attn2.to_k.weight"),
            concat!($list, ".attentions.*.transformer_blocks.*.attn2.to_v.weight"),
            concat!($list, ".attentions.*.transformer_blocks.*.attn2.to_out.0."),
            concat!($list, ".attentions.*.transformer_blocks.*.ff.net.0.proj."),
            concat!($list, ".attentions.*.transformer_blocks.*.ff.net.2."),
            concat!($list, ".downsamplers.0.conv."),
            concat!($list, ".upsamplers.0.conv."),
        ]
    };
}

/// The denoiser.
pub(crate) static NETWORK: Network = Network {
    name: "Stable Diffusion UNet",
    part: Part::Unet,
    names: &[
        &[
            "conv_in.",
            "conv_norm_out.",
            "conv_out.",
            "time_embedding.linear_1.",
            "time_embedding.linear_2.",
            "add_embedding.linear_1.",
            "add_embedding.linear_2.",
        ],
        in_each_block!("down_blocks.*"),
        in_each_block!("mid_block"),
        in_each_block!("up_blocks.*"),
    ],
    // Some writers store the projections as 1x1 convolutions, and 1x1 convolutions as matrices.
    shapes: &[
        ("**.proj_in.weight", &[Bias, Rest]),
        ("**.proj_out.weight", &[Bias, Rest]),
        ("**.conv_shortcut.weight", &[Bias, Rest, Is(1), Is(1)]),
        ("**.conv1.weight", &[Bias, Rest, Is(3), Is(3)]),
        ("**.conv2.weight", &[Bias, Rest, Is(3), Is(3)]),
        ("**.conv.weight", &[Bias, Rest, Is(3), Is(3)]),
        ("conv_in.weight", &[Bias, Rest, Is(3), Is(3)]),
        ("conv_out.weight", &[Bias, Rest, Is(3), Is(3)]),
    ],
};

/// The layout of diffusers, including its oldest versions.
pub(super) static DIFFUSERS: Layout = Layout {
    name: "diffusers",
    network: &NETWORK,
    has: &["conv_norm_out.weight", "conv_in.weight", "down_blocks.0.resnets.0.time_emb_proj.weight"],
    rules: &[&[OLD_OUTPUT]],
};

/// The layout of the original code, which ComfyUI and GGUF files share. Blocks are numbered across levels in two lists: the
/// residual blocks of a level, then its change of size.
pub(super) static ORIGINAL: Layout = Layout {
    name: "original",
    network: &NETWORK,
    has: &["input_blocks.0.0.weight", "time_embed.0.weight", "out.2.weight"],
    rules: &[ENDS, DOWN, UP, RESIDUAL],
};

/// In old versions `to_out` is one layer, in newer ones a list.
const OLD_OUTPUT: Rule = Rename("**.to_out.", "**.to_out.0.");

const ENDS: &[Rule] = &[
    Rename("input_blocks.0.0.", "conv_in."),
    Rename("time_embed.0.", "time_embedding.linear_1."),
    Rename("time_embed.2.", "time_embedding.linear_2."),
    Rename("label_emb.0.0.", "add_embedding.linear_1."),
    Rename("label_emb.0.2.", "add_embedding.linear_2."),
    Rename("out.0.", "conv_norm_out."),
    Rename("out.2.", "conv_out."),
    Rename("middle_block.0.**", "mid_block.resnets.0.**"),
    Rename("middle_block.1.**", "mid_block.attentions.0.**"),
    Rename("middle_block.2.**", "mid_block.resnets.1.**"),
    OLD_OUTPUT,
];

const DOWN: &[Rule] = &[
    Rename("input_blocks.3.0.op.", "down_blocks.0.downsamplers.0.conv."),
    Rename("input_blocks.6.0.op.", "down_blocks.1.downsamplers.0.conv."),
    Rename("input_blocks.9.0.op.", "down_blocks.2.downsamplers.0.conv."),
    Rename("input_blocks.1.0.**", "down_blocks.0.resnets.0.**"),
    Rename("input_blocks.1.1.**", "down_blocks.0.attentions.0.**"),
    Rename("input_blocks.2.0.**", "down_blocks.0.resnets.1.**"),
    Rename("input_blocks.2.1.**", "down_blocks.0.attentions.1.**"),
    Rename("input_blocks.4.0.**", "down_blocks.1.resnets.0.**"),
    Rename("input_blocks.4.1.**", "down_blocks.1.attentions.0.**"),
    Rename("input_blocks.5.0.**", "down_blocks.1.resnets.1.**"),
    Rename("input_blocks.5.1.**", "down_blocks.1.attentions.1.**"),
    Rename("input_blocks.7.0.**", "down_blocks.2.resnets.0.**"),
    Rename("input_blocks.7.1.**", "down_blocks.2.attentions.0.**"),
    Rename("input_blocks.8.0.**", "down_blocks.2.resnets.1.**"),
    Rename("input_blocks.8.1.**", "down_blocks.2.attentions.1.**"),
    // The fourth level, which only related models have.
    Rename("input_blocks.10.0.**", "down_blocks.3.resnets.0.**"),
    Rename("input_blocks.10.1.**", "down_blocks.3.attentions.0.**"),
    Rename("input_blocks.11.0.**", "down_blocks.3.resnets.1.**"),
    Rename("input_blocks.11.1.**", "down_blocks.3.attentions.1.**"),
];

const UP: &[Rule] = &[
    // The upsampler comes after the attention, or in its place.
    Rename("output_blocks.2.1.conv.", "up_blocks.0.upsamplers.0.conv."),
    Rename("output_blocks.2.2.conv.", "up_blocks.0.upsamplers.0.conv."),
    Rename("output_blocks.5.1.conv.", "up_blocks.1.upsamplers.0.conv."),
    Rename("output_blocks.5.2.conv.", "up_blocks.1.upsamplers.0.conv."),
    Rename("output_blocks.8.2.conv.", "up_blocks.2.upsamplers.0.conv."),
    Rename("output_blocks.0.0.**", "up_blocks.0.resnets.0.**"),
    Rename("output_blocks.0.1.**", "up_blocks.0.attentions.0.**"),
    Rename("output_blocks.1.0.**", "up_blocks.0.resnets.1.**"),
    Rename("output_blocks.1.1.**", "up_blocks.0.attentions.1.**"),
    Rename("output_blocks.2.0.**", "up_blocks.0.resnets.2.**"),
    Rename("output_blocks.2.1.**", "up_blocks.0.attentions.2.**"),
    Rename("output_blocks.3.0.**", "up_blocks.1.resnets.0.**"),
    Rename("output_blocks.3.1.**", "up_blocks.1.attentions.0.**"),
    Rename("output_blocks.4.0.**", "up_blocks.1.resnets.1.**"),
    Rename("output_blocks.4.1.**", "up_blocks.1.attentions.1.**"),
    Rename("output_blocks.5.0.**", "up_blocks.1.resnets.2.**"),
    Rename("output_blocks.5.1.**", "up_blocks.1.attentions.2.**"),
    Rename("output_blocks.6.0.**", "up_blocks.2.resnets.0.**"),
    Rename("output_blocks.6.1.**", "up_blocks.2.attentions.0.**"),
    Rename("output_blocks.7.0.**", "up_blocks.2.resnets.1.**"),
    Rename("output_blocks.7.1.**", "up_blocks.2.attentions.1.**"),
    Rename("output_blocks.8.0.**", "up_blocks.2.resnets.2.**"),
    Rename("output_blocks.8.1.**", "up_blocks.2.attentions.2.**"),
    Rename("output_blocks.9.0.**", "up_blocks.3.resnets.0.**"),
    Rename("output_blocks.9.1.**", "up_blocks.3.attentions.0.**"),
    Rename("output_blocks.10.0.**", "up_blocks.3.resnets.1.**"),
    Rename("output_blocks.10.1.**", "up_blocks.3.attentions.1.**"),
    Rename("output_blocks.11.0.**", "up_blocks.3.resnets.2.**"),
    Rename("output_blocks.11.1.**", "up_blocks.3.attentions.2.**"),
];

/// Rules for the inside of a residual block.
const RESIDUAL: &[Rule] = &[
    Rename("**.in_layers.0.", "**.norm1."),
    Rename("**.in_layers.2.", "**.conv1."),
    Rename("**.emb_layers.1.", "**.time_emb_proj."),
    Rename("**.out_layers.0.", "**.norm2."),
    Rename("**.out_layers.3.", "**.conv2."),
    Rename("**.skip_connection.", "**.conv_shortcut."),
];
