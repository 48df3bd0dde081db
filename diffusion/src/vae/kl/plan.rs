//! The layers of the encoder and of the decoder, as lists of kinds, names and widths. Loading and the memory estimate use
//! the same list.
//!
//! The names are those of diffusers. Reference:
//! <https://github.com/huggingface/diffusers/blob/main/src/diffusers/models/autoencoders/vae.py>

use super::config::KlConfig;

/// Colour channels of a pixel.
pub(super) const COLOURS: usize = 3;

/// The kind of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A 1x1 convolution.
    Point,
    /// A 3x3 convolution.
    Conv,
    /// Two normalised convolutions with a shortcut around them.
    Residual,
    /// Attention among all pixels.
    Attention,
    /// A convolution that halves height and width.
    Down,
    /// A convolution that doubles height and width.
    Up,
    /// A norm, SiLU and a convolution.
    Last,
}

/// One layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StagePlan {
    pub(super) kind: Kind,
    /// The prefix of its tensors' names.
    pub(super) name: String,
    /// Channels in.
    pub(super) inputs: usize,
    /// Channels out.
    pub(super) outputs: usize,
}

fn stage(kind: Kind, name: impl Into<String>, inputs: usize, outputs: usize) -> StagePlan {
    StagePlan { kind, name: name.into(), inputs, outputs }
}

fn middle(half: &str, width: usize) -> [StagePlan; 3] {
    [
        stage(Kind::Residual, format!("{half}.mid_block.resnets.0"), width, width),
        stage(Kind::Attention, format!("{half}.mid_block.attentions.0"), width, width),
        stage(Kind::Residual, format!("{half}.mid_block.resnets.1"), width, width),
    ]
}

/// Lists the layers that encode pictures to the mean and the logarithm of the variance of latents.
pub(super) fn encoder(config: &KlConfig) -> Vec<StagePlan> {
    let mut width = config.widths.first().copied().unwrap_or(0);
    let mut plan = vec![stage(Kind::Conv, "encoder.conv_in", COLOURS, width)];
    for (level, &outputs) in config.widths.iter().enumerate() {
        let name = format!("encoder.down_blocks.{level}");
        for block in 0..config.blocks {
            plan.push(stage(Kind::Residual, format!("{name}.resnets.{block}"), width, outputs));
            width = outputs;
        }
        if level + 1 < config.widths.len() {
            plan.push(stage(Kind::Down, format!("{name}.downsamplers.0.conv"), width, width));
        }
    }
    plan.extend(middle("encoder", width));
    let moments = 2 * config.latent_channels;
    plan.push(stage(Kind::Last, "encoder", width, moments));
    if config.quant {
        plan.push(stage(Kind::Point, "quant_conv", moments, moments));
    }
    plan
}

/// Lists the layers that decode latents to pictures.
pub(super) fn decoder(config: &KlConfig) -> Vec<StagePlan> {
    let latent = config.latent_channels;
    let mut width = config.widths.last().copied().unwrap_or(0);
    let mut plan = vec![];
    if config.post_quant {
        plan.push(stage(Kind::Point, "post_quant_conv", latent, latent));
    }
    plan.push(stage(Kind::Conv, "decoder.conv_in", latent, width));
    plan.extend(middle("decoder", width));
    for (level, &outputs) in config.widths.iter().rev().enumerate() {
        let name = format!("decoder.up_blocks.{level}");
        for block in 0..=config.blocks {
            plan.push(stage(Kind::Residual, format!("{name}.resnets.{block}"), width, outputs));
            width = outputs;
        }
        if level + 1 < config.widths.len() {
            plan.push(stage(Kind::Up, format!("{name}.upsamplers.0.conv"), width, width));
        }
    }
    plan.push(stage(Kind::Last, "decoder", width, COLOURS));
    plan
}

/// Returns how many pixels outside a part of the output these layers read, in pixels of their input. The layers must not
/// include attention, which reads all pixels.
pub(super) fn reach(stages: &[StagePlan]) -> usize {
    stages.iter().rev().fold(0, |reach, stage| match stage.kind {
        Kind::Point | Kind::Attention => reach,
        Kind::Conv | Kind::Last => reach + 1,
        Kind::Residual => reach + 2,
        // A pixel of the output also reads the two pixels to its right and the two below it.
        Kind::Down => 2 * reach + 2,
        Kind::Up => (reach + 1).div_ceil(2),
    })
}
