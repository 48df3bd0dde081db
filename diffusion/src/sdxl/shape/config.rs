//! The fields of diffusers' `config.json` of a UNet.

use must_tensors::Result;
use serde::Deserialize;

use super::unet::UnetShape;
use crate::parts::{ConfigJson, text_of};

/// One number for all levels, or one per level.
#[derive(Debug, Clone, Deserialize, PartialEq)]
#[serde(untagged)]
pub(super) enum PerLevel {
    All(usize),
    Levels(Vec<usize>),
}

impl PerLevel {
    fn at(&self, level: usize) -> Option<usize> {
        match self {
            Self::All(number) => Some(*number),
            Self::Levels(numbers) => numbers.get(level).copied(),
        }
    }
}

/// The fields that are read. For an absent field, the tensors determine the value, or it is that of the published SDXL.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ConfigFields {
    #[serde(rename = "_class_name")]
    class_name: String,
    in_channels: Option<usize>,
    out_channels: Option<usize>,
    block_out_channels: Option<Vec<usize>>,
    layers_per_block: Option<PerLevel>,
    cross_attention_dim: Option<PerLevel>,
    transformer_layers_per_block: Option<PerLevel>,
    /// Number of heads per level; the misleading name is the reference library's.
    attention_head_dim: Option<PerLevel>,
    num_attention_heads: Option<PerLevel>,
    addition_embed_type: Option<String>,
    pub(super) addition_time_embed_dim: Option<usize>,
    projection_class_embeddings_input_dim: Option<usize>,
    pub(super) norm_num_groups: Option<usize>,
    pub(super) norm_eps: Option<f64>,
    act_fn: Option<String>,
    flip_sin_to_cos: Option<bool>,
    freq_shift: Option<f64>,
    center_input_sample: Option<bool>,
    downsample_padding: Option<usize>,
    mid_block_scale_factor: Option<f64>,
    only_cross_attention: Option<serde_json::Value>,
    dual_cross_attention: Option<bool>,
    class_embed_type: Option<String>,
    encoder_hid_dim_type: Option<String>,
    resnet_time_scale_shift: Option<String>,
    resnet_skip_time_act: Option<bool>,
    resnet_out_scale_factor: Option<f64>,
    time_embedding_type: Option<String>,
    time_embedding_act_fn: Option<String>,
    timestep_post_act: Option<String>,
    time_cond_proj_dim: Option<usize>,
    cross_attention_norm: Option<String>,
    attention_type: Option<String>,
}

impl ConfigFields {
    /// Returns whether the file describes a UNet: in a folder that holds all parts it may describe another network.
    pub(super) fn concerns(value: &serde_json::Value) -> bool {
        let class = text_of(value, "_class_name");
        class.contains("UNet") || (class.is_empty() && value.get("block_out_channels").is_some())
    }

    /// Returns the number of heads of a level.
    pub(super) fn heads(&self, level: usize) -> Option<usize> {
        self.num_attention_heads.as_ref().or(self.attention_head_dim.as_ref())?.at(level)
    }
}

/// Fails if the file contradicts the tensors or sets something that this code does not compute.
pub(super) fn check(shape: &UnetShape, json: &ConfigJson<ConfigFields>) -> Result<()> {
    let fields = &json.fields;
    for (field, says, tensors) in [
        ("in_channels", fields.in_channels, shape.channels),
        ("out_channels", fields.out_channels, shape.channels),
        (
            "projection_class_embeddings_input_dim",
            fields.projection_class_embeddings_input_dim,
            shape.pooled + shape.sinusoids * super::unet::SIZE_CONDITIONS,
        ),
    ] {
        json.agree(field, says, tensors)?;
    }
    let widths: Vec<usize> = shape.levels.iter().map(|level| level.width).collect();
    json.refuse(&[(
        fields.block_out_channels.as_ref().is_some_and(|says| *says != widths),
        "block_out_channels does not fit the tensors",
    )])?;
    for (index, level) in shape.levels.iter().enumerate() {
        let says = |field: &Option<PerLevel>| field.as_ref().and_then(|each| each.at(index));
        json.agree("layers_per_block", says(&fields.layers_per_block), level.down.len())?;
        json.agree("cross_attention_dim", says(&fields.cross_attention_dim), shape.context)?;
        let depth = level.down.first().copied().unwrap_or(0);
        // The file has a number for levels without attention too.
        let depths = says(&fields.transformer_layers_per_block).filter(|_| depth > 0);
        json.agree("transformer_layers_per_block", depths, depth)?;
    }
    let other = |field: &Option<String>, only: &str| field.as_ref().is_some_and(|says| says != only);
    let factor = |field: Option<f64>, only: f64| field.is_some_and(|says| (says - only).abs() > f64::EPSILON);
    let crossed = fields.only_cross_attention.as_ref().is_some_and(|value| *value != serde_json::Value::Bool(false));
    json.refuse(&[
        (other(&fields.addition_embed_type, "text_time"), "addition_embed_type is not text_time"),
        (
            !fields.class_name.is_empty() && fields.class_name != "UNet2DConditionModel",
            "_class_name is not UNet2DConditionModel",
        ),
        (other(&fields.act_fn, "silu") && other(&fields.act_fn, "swish"), "act_fn is not silu"),
        (fields.flip_sin_to_cos == Some(false), "flip_sin_to_cos is not true"),
        (factor(fields.freq_shift, 0.0), "freq_shift is not 0"),
        (fields.center_input_sample == Some(true), "center_input_sample is not false"),
        (fields.downsample_padding.is_some_and(|padding| padding != 1), "downsample_padding is not 1"),
        (factor(fields.mid_block_scale_factor, 1.0), "mid_block_scale_factor is not 1"),
        (crossed, "only_cross_attention is not false"),
        (fields.dual_cross_attention == Some(true), "dual_cross_attention is not false"),
        (fields.class_embed_type.is_some(), "class_embed_type is set"),
        (fields.encoder_hid_dim_type.is_some(), "encoder_hid_dim_type is set"),
        (other(&fields.resnet_time_scale_shift, "default"), "resnet_time_scale_shift is not default"),
        (fields.resnet_skip_time_act == Some(true), "resnet_skip_time_act is not false"),
        (factor(fields.resnet_out_scale_factor, 1.0), "resnet_out_scale_factor is not 1"),
        (other(&fields.time_embedding_type, "positional"), "time_embedding_type is not positional"),
        (fields.time_embedding_act_fn.is_some(), "time_embedding_act_fn is set"),
        (fields.timestep_post_act.is_some(), "timestep_post_act is set"),
        (fields.time_cond_proj_dim.is_some(), "time_cond_proj_dim is set"),
        (fields.cross_attention_norm.is_some(), "cross_attention_norm is set"),
        (other(&fields.attention_type, "default"), "attention_type is not default"),
        (!(shape.epsilon.is_finite() && shape.epsilon > 0.0), "norm_eps is not above 0"),
    ])
}
