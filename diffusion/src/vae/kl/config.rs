//! The sizes of the autoencoder, read from the shapes of its tensors and, where shapes do not determine them, from
//! `config.json`.
//!
//! Always holds: no tensor is read. A configuration that passes `check` cannot make a later module divide by zero or
//! allocate absurd amounts of memory. A field of `config.json` that changes the computation is either honoured or refused by
//! name.

use candle_core::Tensor;
use must_tensors::Result;
use serde::Deserialize;

use super::plan::COLOURS;
use crate::parts::{ConfigJson, axis, text_of};
use crate::weights::{FoundNetwork, ModelFiles, Tensors, unusable};

/// Groups of every norm in the published autoencoders.
const GROUPS: usize = 32;
/// The largest plausible width of a layer.
const WIDTH_LIMIT: usize = 1 << 14;
const LEVEL_LIMIT: usize = 8;
const BLOCK_LIMIT: usize = 16;

/// The scaling of latents for the denoiser: subtracts `shift`, then multiplies by `factor`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scaling {
    pub(crate) factor: f64,
    pub(crate) shift: f64,
}

impl Scaling {
    /// The scaling of SDXL: <https://github.com/Stability-AI/generative-models/blob/main/configs/inference/sd_xl_base.yaml>.
    pub(crate) const SDXL: Self = Self { factor: 0.13025, shift: 0.0 };
    /// The scaling of FLUX.1: <https://github.com/black-forest-labs/flux/blob/main/src/flux/util.py>.
    pub(crate) const FLUX: Self = Self { factor: 0.3611, shift: 0.1159 };
}

/// The sizes of the autoencoder of one checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct KlConfig {
    /// Channels of a latent.
    pub(crate) latent_channels: usize,
    /// Channels of each level, beginning with the level of the pixels.
    pub(crate) widths: Vec<usize>,
    /// Residual blocks of a level of the encoder; the decoder has one more.
    pub(crate) blocks: usize,
    /// Groups of every norm.
    pub(crate) groups: usize,
    /// Whether the encoder ends with a 1x1 convolution.
    pub(crate) quant: bool,
    /// Whether the decoder begins with a 1x1 convolution.
    pub(crate) post_quant: bool,
    /// The scaling of latents.
    pub(crate) scaling: Scaling,
}

impl KlConfig {
    /// Reads the sizes of the autoencoder `found`. `tensors` are its canonical tensors. `scaling` is the denoiser's default,
    /// which applies unless a `config.json` sets another one: tensors do not determine it.
    pub(crate) fn read(files: &ModelFiles, found: &FoundNetwork, tensors: &Tensors, scaling: Scaling) -> Result<Self> {
        let json = ConfigJson::<ConfigFields>::read(files, found, ConfigFields::concerns)?;
        let mut config = Self::of_tensors(tensors, scaling)?;
        if let Some(json) = &json {
            let fields = &json.fields;
            config.groups = fields.norm_num_groups.unwrap_or(config.groups);
            if let Some(factor) = fields.scaling_factor {
                config.scaling = Scaling { factor, shift: fields.shift_factor.unwrap_or(0.0) };
            }
            config.check_against(json)?;
        }
        config.check()?;
        Ok(config)
    }

    pub(super) fn of_tensors(tensors: &Tensors, scaling: Scaling) -> Result<Self> {
        let levels = tensors.count("encoder.down_blocks");
        let width = |level: usize| axis(tensors, &format!("encoder.down_blocks.{level}.resnets.0.conv1.weight"), 4, 0);
        let blocks = tensors.count("encoder.down_blocks.0.resnets");
        let of = |list: &str, level: usize| tensors.count(&format!("{list}.{level}.resnets"));
        let uneven = (0..levels)
            .any(|level| of("encoder.down_blocks", level) != blocks || of("decoder.up_blocks", level) != blocks + 1);
        if uneven || levels == 0 || blocks == 0 || tensors.count("decoder.up_blocks") != levels {
            let detail = "the levels of the autoencoder's encoder and decoder do not fit each other";
            return Err(unusable(format!("{}: {detail}", tensors.origin())));
        }
        Ok(Self {
            latent_channels: axis(tensors, "decoder.conv_in.weight", 4, 1)?,
            widths: (0..levels).map(width).collect::<Result<_>>()?,
            blocks,
            groups: GROUPS,
            quant: tensors.has("quant_conv.weight"),
            post_quant: tensors.has("post_quant_conv.weight"),
            scaling,
        })
    }

    /// Fails when the configuration has an impossible value.
    pub(crate) fn check(&self) -> Result<()> {
        let plausible = |factor: f64| factor.is_finite() && factor.abs() > 1e-6 && factor.abs() < 1e6;
        let width = |width: &usize| *width == 0 || *width > WIDTH_LIMIT;
        let groups = |width: &usize| !width.is_multiple_of(self.groups.max(1));
        for (wrong, what) in [
            (self.widths.is_empty() || self.widths.len() > LEVEL_LIMIT, "it has no levels, or too many"),
            (self.widths.iter().any(width) || width(&self.latent_channels), "a width is absurd"),
            (self.blocks == 0 || self.blocks > BLOCK_LIMIT, "its levels have no blocks, or too many"),
            (
                self.groups == 0 || self.widths.iter().any(groups),
                "its widths do not divide into the groups of its norms",
            ),
            (!plausible(self.scaling.factor), "scaling_factor is absurd"),
            (!self.scaling.shift.is_finite(), "shift_factor is absurd"),
        ] {
            if wrong {
                return Err(unusable(format!("the autoencoder: {what}")));
            }
        }
        Ok(())
    }

    /// Returns the side of one latent pixel, in pixels.
    pub(crate) fn factor(&self) -> usize {
        1 << self.widths.len().saturating_sub(1)
    }

    /// Converts latents of the encoder to those of the denoiser.
    pub(crate) fn scaled(&self, latents: &Tensor) -> Result<Tensor> {
        let Scaling { factor, shift } = self.scaling;
        Ok(((latents - shift)? * factor)?)
    }

    /// Converts latents of the denoiser to those of the decoder.
    pub(super) fn unscaled(&self, latents: &Tensor) -> Result<Tensor> {
        let Scaling { factor, shift } = self.scaling;
        Ok(((latents / factor)? + shift)?)
    }

    /// Fails if `config.json` contradicts the tensors or sets something that this code does not compute.
    fn check_against(&self, json: &ConfigJson<ConfigFields>) -> Result<()> {
        let fields = &json.fields;
        for (field, says, tensors) in [
            ("latent_channels", fields.latent_channels, self.latent_channels),
            ("layers_per_block", fields.layers_per_block, self.blocks),
            ("in_channels", fields.in_channels, COLOURS),
            ("out_channels", fields.out_channels, COLOURS),
        ] {
            json.agree(field, says, tensors)?;
        }
        let differs = |says: Option<bool>, tensors: bool| says.is_some_and(|says| says != tensors);
        let other = |types: &[String], known: &str| types.iter().any(|name| name != known);
        json.refuse(&[
            (!fields.class_name.is_empty() && fields.class_name != "AutoencoderKL", "_class_name is not AutoencoderKL"),
            (
                fields.block_out_channels.as_ref().is_some_and(|says| *says != self.widths),
                "block_out_channels does not fit the tensors",
            ),
            (fields.act_fn.as_ref().is_some_and(|name| name != "silu"), "act_fn is not silu"),
            (
                other(&fields.down_block_types, "DownEncoderBlock2D"),
                "down_block_types has others than DownEncoderBlock2D",
            ),
            (other(&fields.up_block_types, "UpDecoderBlock2D"), "up_block_types has others than UpDecoderBlock2D"),
            (fields.mid_block_add_attention == Some(false), "mid_block_add_attention is false"),
            (differs(fields.use_quant_conv, self.quant), "use_quant_conv does not fit the tensors"),
            (differs(fields.use_post_quant_conv, self.post_quant), "use_post_quant_conv does not fit the tensors"),
            (
                fields.latents_mean.is_some() || fields.latents_std.is_some(),
                "latents_mean and latents_std, which Playground v2.5 uses, are not supported",
            ),
        ])
    }
}

/// The fields of diffusers' `config.json`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ConfigFields {
    #[serde(rename = "_class_name")]
    class_name: String,
    act_fn: Option<String>,
    block_out_channels: Option<Vec<usize>>,
    down_block_types: Vec<String>,
    up_block_types: Vec<String>,
    in_channels: Option<usize>,
    out_channels: Option<usize>,
    latent_channels: Option<usize>,
    layers_per_block: Option<usize>,
    norm_num_groups: Option<usize>,
    mid_block_add_attention: Option<bool>,
    use_quant_conv: Option<bool>,
    use_post_quant_conv: Option<bool>,
    scaling_factor: Option<f64>,
    shift_factor: Option<f64>,
    latents_mean: Option<Vec<f64>>,
    latents_std: Option<Vec<f64>>,
}

impl ConfigFields {
    fn concerns(value: &serde_json::Value) -> bool {
        let class = text_of(value, "_class_name");
        class.starts_with("Autoencoder") || (class.is_empty() && value.get("latent_channels").is_some())
    }
}
