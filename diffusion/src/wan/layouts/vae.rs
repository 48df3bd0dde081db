//! The layouts of Wan's autoencoders: that of 2.1, and the residual one of 2.2 that the 5B model uses.

use crate::weights::Dim::{Bias, Is, Rest};
use crate::weights::Rule::{self, Group, Rename};
use crate::weights::{Layout, Network, Part};

/// The names that the encoders and decoders of both autoencoders have in common.
macro_rules! in_each_half {
    ($half:literal) => {
        &[
            concat!($half, ".conv_in."),
            concat!($half, ".mid_block.resnets.*.norm1.gamma"),
            concat!($half, ".mid_block.resnets.*.conv1."),
            concat!($half, ".mid_block.resnets.*.norm2.gamma"),
            concat!($half, ".mid_block.resnets.*.conv2."),
            concat!($half, ".mid_block.attentions.0.norm.gamma"),
            concat!($half, ".mid_block.attentions.0.to_qkv."),
            concat!($half, ".mid_block.attentions.0.proj."),
            concat!($half, ".norm_out.gamma"),
            concat!($half, ".conv_out."),
        ]
    };
}

/// Both autoencoders. The encoder of 2.1 is a flat list; in 2.2 each level is a module.
pub(crate) static NETWORK: Network = Network {
    name: "Wan autoencoder",
    part: Part::Vae,
    names: &[
        &[
            "quant_conv.",
            "post_quant_conv.",
            // 2.1
            "encoder.down_blocks.*.norm1.gamma",
            "encoder.down_blocks.*.conv1.",
            "encoder.down_blocks.*.norm2.gamma",
            "encoder.down_blocks.*.conv2.",
            "encoder.down_blocks.*.conv_shortcut.",
            "encoder.down_blocks.*.resample.1.",
            "encoder.down_blocks.*.time_conv.",
            "decoder.up_blocks.*.upsamplers.0.resample.1.",
            "decoder.up_blocks.*.upsamplers.0.time_conv.",
            // 2.2
            "encoder.down_blocks.*.resnets.*.norm1.gamma",
            "encoder.down_blocks.*.resnets.*.conv1.",
            "encoder.down_blocks.*.resnets.*.norm2.gamma",
            "encoder.down_blocks.*.resnets.*.conv2.",
            "encoder.down_blocks.*.resnets.*.conv_shortcut.",
            "encoder.down_blocks.*.downsampler.resample.1.",
            "encoder.down_blocks.*.downsampler.time_conv.",
            "decoder.up_blocks.*.upsampler.resample.1.",
            "decoder.up_blocks.*.upsampler.time_conv.",
            // Both
            "decoder.up_blocks.*.resnets.*.norm1.gamma",
            "decoder.up_blocks.*.resnets.*.conv1.",
            "decoder.up_blocks.*.resnets.*.norm2.gamma",
            "decoder.up_blocks.*.resnets.*.conv2.",
            "decoder.up_blocks.*.resnets.*.conv_shortcut.",
        ],
        in_each_half!("encoder"),
        in_each_half!("decoder"),
    ],
    shapes: &[
        ("quant_conv.weight", &[Bias, Rest, Is(1), Is(1), Is(1)]),
        ("post_quant_conv.weight", &[Bias, Rest, Is(1), Is(1), Is(1)]),
        ("**.conv_in.weight", &[Bias, Rest, Is(3), Is(3), Is(3)]),
        ("**.conv_out.weight", &[Bias, Rest, Is(3), Is(3), Is(3)]),
        ("**.conv1.weight", &[Bias, Rest, Is(3), Is(3), Is(3)]),
        ("**.conv2.weight", &[Bias, Rest, Is(3), Is(3), Is(3)]),
        ("**.conv_shortcut.weight", &[Bias, Rest, Is(1), Is(1), Is(1)]),
        ("**.time_conv.weight", &[Bias, Rest, Is(3), Is(1), Is(1)]),
        ("**.resample.1.weight", &[Bias, Rest, Is(3), Is(3)]),
        ("**.attentions.0.to_qkv.weight", &[Bias, Rest, Is(1), Is(1)]),
        ("**.attentions.0.proj.weight", &[Bias, Rest, Is(1), Is(1)]),
        ("**.attentions.0.norm.gamma", &[Rest, Is(1), Is(1)]),
        ("**.gamma", &[Rest, Is(1), Is(1), Is(1)]),
    ],
};

/// The names of diffusers, for both.
pub(super) static DIFFUSERS: Layout = Layout {
    name: "diffusers",
    network: &NETWORK,
    has: &["decoder.mid_block.resnets.0.norm1.gamma", "decoder.up_blocks.0.resnets.0.norm1.gamma"],
    rules: &[],
};

/// The names of the original repositories and ComfyUI for 2.1. Both halves are flat lists of blocks.
pub(super) static ORIGINAL_2_1: Layout = Layout {
    name: "original 2.1",
    network: &NETWORK,
    has: &["decoder.middle.0.residual.0.gamma", "decoder.upsamples.0.residual.2.weight"],
    rules: &[
        ENDS,
        &[
            Rename("encoder.downsamples.**", "encoder.down_blocks.**"),
            Group {
                list: "decoder.upsamples.",
                end: "resample.1.weight",
                member: "decoder.up_blocks.*.resnets.*.",
                last: "decoder.up_blocks.*.upsamplers.0.",
            },
        ],
        BLOCKS,
    ],
};

/// The names of the original repositories and ComfyUI for 2.2. Each level is a list, and its last module may change the
/// size.
pub(super) static ORIGINAL_2_2: Layout = Layout {
    name: "original 2.2",
    network: &NETWORK,
    has: &["decoder.middle.0.residual.0.gamma", "decoder.upsamples.0.upsamples.0.residual.2.weight"],
    rules: &[
        ENDS,
        &[
            Rename("encoder.downsamples.*.downsamples.*.resample.1.", "encoder.down_blocks.*.downsampler.resample.1."),
            Rename("encoder.downsamples.*.downsamples.*.time_conv.", "encoder.down_blocks.*.downsampler.time_conv."),
            Rename("encoder.downsamples.*.downsamples.*.**", "encoder.down_blocks.*.resnets.*.**"),
            Rename("decoder.upsamples.*.upsamples.*.resample.1.", "decoder.up_blocks.*.upsampler.resample.1."),
            Rename("decoder.upsamples.*.upsamples.*.time_conv.", "decoder.up_blocks.*.upsampler.time_conv."),
            Rename("decoder.upsamples.*.upsamples.*.**", "decoder.up_blocks.*.resnets.*.**"),
        ],
        BLOCKS,
    ],
};

/// The modules before and after the levels, which both autoencoders name alike.
const ENDS: &[Rule] = &[
    Rename("conv1.", "quant_conv."),
    Rename("conv2.", "post_quant_conv."),
    Rename("encoder.conv1.", "encoder.conv_in."),
    Rename("decoder.conv1.", "decoder.conv_in."),
    Rename("**.head.0.gamma", "**.norm_out.gamma"),
    Rename("**.head.2.", "**.conv_out."),
    Rename("**.middle.0.**", "**.mid_block.resnets.0.**"),
    Rename("**.middle.1.**", "**.mid_block.attentions.0.**"),
    Rename("**.middle.2.**", "**.mid_block.resnets.1.**"),
];

/// The modules inside a residual block.
const BLOCKS: &[Rule] = &[
    Rename("**.residual.0.gamma", "**.norm1.gamma"),
    Rename("**.residual.2.", "**.conv1."),
    Rename("**.residual.3.gamma", "**.norm2.gamma"),
    Rename("**.residual.6.", "**.conv2."),
    Rename("**.shortcut.", "**.conv_shortcut."),
];
