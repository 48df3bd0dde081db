//! The tensor names of the autoencoder in published files: those of diffusers, and those of the original repositories, which
//! most other programs use.
//!
//! Always holds: this module contains tables only. The mapping follows
//! <https://github.com/huggingface/diffusers/blob/main/src/diffusers/loaders/single_file_utils.py>.

use crate::weights::Dim::{Bias, Rest};
use crate::weights::Rule::{self, Rename};
use crate::weights::{Layout, Network, Part};

/// The names that the encoder and the decoder have in common.
macro_rules! in_each_half {
    ($half:literal) => {
        &[
            concat!($half, ".conv_in."),
            concat!($half, ".mid_block.resnets.*.norm1."),
            concat!($half, ".mid_block.resnets.*.conv1."),
            concat!($half, ".mid_block.resnets.*.norm2."),
            concat!($half, ".mid_block.resnets.*.conv2."),
            concat!($half, ".mid_block.attentions.0.group_norm."),
            concat!($half, ".mid_block.attentions.0.to_q."),
            concat!($half, ".mid_block.attentions.0.to_k."),
            concat!($half, ".mid_block.attentions.0.to_v."),
            concat!($half, ".mid_block.attentions.0.to_out.0."),
            concat!($half, ".conv_norm_out."),
            concat!($half, ".conv_out."),
        ]
    };
}

/// The names inside the blocks of one level.
macro_rules! in_each_level {
    ($level:literal) => {
        &[
            concat!($level, ".resnets.*.norm1."),
            concat!($level, ".resnets.*.conv1."),
            concat!($level, ".resnets.*.norm2."),
            concat!($level, ".resnets.*.conv2."),
            concat!($level, ".resnets.*.conv_shortcut."),
        ]
    };
}

/// The autoencoder, with 4 latent channels in SDXL and 16 in FLUX.1.
pub(crate) static NETWORK: Network = Network {
    name: "autoencoder",
    part: Part::Vae,
    names: &[
        &[
            "quant_conv.",
            "post_quant_conv.",
            "encoder.down_blocks.*.downsamplers.0.conv.",
            "decoder.up_blocks.*.upsamplers.0.conv.",
        ],
        in_each_half!("encoder"),
        in_each_half!("decoder"),
        in_each_level!("encoder.down_blocks.*"),
        in_each_level!("decoder.up_blocks.*"),
    ],
    shapes: &[
        // The original files store these as 1x1 convolutions.
        ("**.attentions.0.to_q.weight", &[Bias, Rest]),
        ("**.attentions.0.to_k.weight", &[Bias, Rest]),
        ("**.attentions.0.to_v.weight", &[Bias, Rest]),
        ("**.attentions.0.to_out.0.weight", &[Bias, Rest]),
    ],
};

/// The names of diffusers, including the older names of attention.
pub(crate) static DIFFUSERS: Layout = Layout {
    name: "diffusers",
    network: &NETWORK,
    has: &["decoder.mid_block.resnets.0.norm1.weight", "decoder.up_blocks.0.resnets.0.norm1.weight"],
    rules: &[&[
        Rename("**.attentions.0.query.", "**.attentions.0.to_q."),
        Rename("**.attentions.0.key.", "**.attentions.0.to_k."),
        Rename("**.attentions.0.value.", "**.attentions.0.to_v."),
        Rename("**.attentions.0.proj_attn.", "**.attentions.0.to_out.0."),
    ]],
};

/// The names of the original repositories, of ComfyUI and of nearly all single files. They count the decoder's levels from
/// the one of the pixels.
pub(crate) static ORIGINAL: Layout = Layout {
    name: "original",
    network: &NETWORK,
    has: &["decoder.mid.block_1.norm1.weight", "decoder.up.3.block.0.norm1.weight"],
    rules: &[
        &[
            Rename("encoder.quant_conv.", "quant_conv."),
            Rename("decoder.post_quant_conv.", "post_quant_conv."),
            Rename("encoder.down.*.block.*.**", "encoder.down_blocks.*.resnets.*.**"),
            Rename("encoder.down.*.downsample.conv.", "encoder.down_blocks.*.downsamplers.0.conv."),
            Rename("decoder.up.3.block.*.**", "decoder.up_blocks.0.resnets.*.**"),
            Rename("decoder.up.2.block.*.**", "decoder.up_blocks.1.resnets.*.**"),
            Rename("decoder.up.1.block.*.**", "decoder.up_blocks.2.resnets.*.**"),
            Rename("decoder.up.0.block.*.**", "decoder.up_blocks.3.resnets.*.**"),
            Rename("decoder.up.3.upsample.conv.", "decoder.up_blocks.0.upsamplers.0.conv."),
            Rename("decoder.up.2.upsample.conv.", "decoder.up_blocks.1.upsamplers.0.conv."),
            Rename("decoder.up.1.upsample.conv.", "decoder.up_blocks.2.upsamplers.0.conv."),
        ],
        INSIDE,
    ],
};

const INSIDE: &[Rule] = &[
    Rename("**.mid.block_1.**", "**.mid_block.resnets.0.**"),
    Rename("**.mid.block_2.**", "**.mid_block.resnets.1.**"),
    Rename("**.mid.attn_1.norm.", "**.mid_block.attentions.0.group_norm."),
    Rename("**.mid.attn_1.q.", "**.mid_block.attentions.0.to_q."),
    Rename("**.mid.attn_1.k.", "**.mid_block.attentions.0.to_k."),
    Rename("**.mid.attn_1.v.", "**.mid_block.attentions.0.to_v."),
    Rename("**.mid.attn_1.proj_out.", "**.mid_block.attentions.0.to_out.0."),
    Rename("**.nin_shortcut.", "**.conv_shortcut."),
    Rename("**.norm_out.", "**.conv_norm_out."),
];

/// All layouts in which the autoencoder is published.
pub(crate) static LAYOUTS: &[&Layout] = &[&DIFFUSERS, &ORIGINAL];
