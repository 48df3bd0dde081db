//! The configuration files of a Wan folder, as diffusers writes them.
//!
//! Always holds: a field that changes the computation is either honoured or refused by name; a configuration that passes
//! `check` cannot make a later module divide by zero or ask for absurd sizes.

use serde::Deserialize;

use crate::diffusion::files::unusable;
use crate::error::Result;

fn refuse(part: &str, rules: &[(bool, &str)]) -> Result<()> {
    match rules.iter().find(|(wrong, _)| *wrong) {
        Some((_, what)) => Err(unusable(format!("{part}: {what}"))),
        None => Ok(()),
    }
}

/// `model_index.json`: which classes the folder holds.
#[derive(Debug, Clone, Deserialize)]
pub struct ModelIndex {
    #[serde(rename = "_class_name")]
    class_name: String,
    #[serde(default)]
    boundary_ratio: Option<f64>,
    #[serde(default)]
    expand_timesteps: bool,
    #[serde(default)]
    image_encoder: Option<Vec<Option<String>>>,
    #[serde(default)]
    transformer_2: Option<Vec<Option<String>>>,
}

impl ModelIndex {
    /// Refuses, by name, what is not implemented.
    pub fn check(&self) -> Result<()> {
        let present =
            |part: &Option<Vec<Option<String>>>| part.as_ref().is_some_and(|names| names.iter().any(Option::is_some));
        refuse(
            "model_index.json",
            &[
                (
                    !matches!(self.class_name.as_str(), "WanPipeline" | "WanImageToVideoPipeline"),
                    "only WanPipeline and WanImageToVideoPipeline are supported",
                ),
                (self.boundary_ratio.is_some() || present(&self.transformer_2), "two experts are not supported yet"),
                (self.expand_timesteps, "expand_timesteps is not supported yet"),
                (present(&self.image_encoder), "a CLIP image encoder is not supported yet"),
            ],
        )
    }
}

/// `transformer/config.json`.
#[derive(Debug, Clone, Deserialize)]
pub struct TransformerConfig {
    /// Time, height, width of one patch in latent pixels.
    pub patch_size: [usize; 3],
    /// Heads of every attention.
    pub num_attention_heads: usize,
    /// Channels of a head.
    pub attention_head_dim: usize,
    /// Channels of the input: 16 for text to video, 36 with mask and condition.
    pub in_channels: usize,
    /// Channels of the prediction.
    pub out_channels: usize,
    /// Width of the text states.
    pub text_dim: usize,
    /// Width of the sinusoidal time embedding.
    pub freq_dim: usize,
    /// Hidden width of the feed-forward part.
    pub ffn_dim: usize,
    /// Number of blocks.
    pub num_layers: usize,
    /// Whether the state is normalised before cross-attention.
    #[serde(default = "yes")]
    pub cross_attn_norm: bool,
    #[serde(default)]
    qk_norm: Option<String>,
    /// Epsilon of the normalisations.
    #[serde(default = "epsilon")]
    pub eps: f64,
    #[serde(default)]
    image_dim: Option<usize>,
    #[serde(default)]
    added_kv_proj_dim: Option<usize>,
    /// Longest side of the patch grid.
    #[serde(default = "rope_length")]
    pub rope_max_seq_len: usize,
    #[serde(default)]
    pos_embed_seq_len: Option<usize>,
}

const fn yes() -> bool {
    true
}

const fn epsilon() -> f64 {
    1e-6
}

const fn rope_length() -> usize {
    1024
}

impl TransformerConfig {
    /// Width of the state.
    #[must_use]
    pub fn inner_dim(&self) -> usize {
        self.num_attention_heads * self.attention_head_dim
    }

    /// Refuses, by name, what is not implemented or cannot be.
    pub fn check(&self) -> Result<()> {
        let sizes = [
            self.num_attention_heads,
            self.attention_head_dim,
            self.in_channels,
            self.out_channels,
            self.text_dim,
            self.freq_dim,
            self.ffn_dim,
            self.num_layers,
            self.rope_max_seq_len,
        ];
        refuse(
            "transformer/config.json",
            &[
                (
                    sizes.iter().chain(&self.patch_size).any(|&size| size == 0 || size > 1 << 20),
                    "a size is 0 or absurd",
                ),
                (!self.attention_head_dim.is_multiple_of(2), "attention_head_dim is odd"),
                (!self.freq_dim.is_multiple_of(2), "freq_dim is odd"),
                (
                    self.qk_norm.as_deref().is_some_and(|norm| norm != "rms_norm_across_heads"),
                    "qk_norm is not rms_norm_across_heads",
                ),
                (self.image_dim.is_some(), "image_dim (CLIP image tokens) is not supported yet"),
                (self.added_kv_proj_dim.is_some(), "added_kv_proj_dim (CLIP image tokens) is not supported yet"),
                (self.pos_embed_seq_len.is_some(), "pos_embed_seq_len is not supported yet"),
            ],
        )
    }
}

/// `vae/config.json`.
#[derive(Debug, Clone, Deserialize)]
pub struct VaeConfig {
    /// Channels at full resolution in the encoder.
    pub base_dim: usize,
    /// The same of the decoder, where it differs.
    #[serde(default)]
    pub decoder_base_dim: Option<usize>,
    /// Channels of a latent.
    pub z_dim: usize,
    /// Channels of each level over `base_dim`.
    pub dim_mult: Vec<usize>,
    /// Residual blocks of a level; the decoder has one more.
    pub num_res_blocks: usize,
    #[serde(default)]
    attn_scales: Vec<f64>,
    /// Which of the downsamplings also halve time.
    pub temperal_downsample: Vec<bool>,
    /// Mean of each latent channel over the training set.
    pub latents_mean: Vec<f64>,
    /// Standard deviation of each.
    pub latents_std: Vec<f64>,
    #[serde(default)]
    is_residual: bool,
    #[serde(default = "rgb")]
    in_channels: usize,
    #[serde(default = "rgb")]
    out_channels: usize,
    #[serde(default)]
    patch_size: Option<usize>,
    #[serde(default = "eight")]
    scale_factor_spatial: usize,
    #[serde(default = "four")]
    scale_factor_temporal: usize,
}

const fn rgb() -> usize {
    3
}

const fn eight() -> usize {
    8
}

const fn four() -> usize {
    4
}

impl VaeConfig {
    /// Pixels a side of one latent pixel.
    #[must_use]
    pub fn spatial_factor(&self) -> usize {
        1 << self.temperal_downsample.len()
    }

    /// Frames of one latent frame, the first apart.
    #[must_use]
    pub fn temporal_factor(&self) -> usize {
        1 << self.temperal_downsample.iter().filter(|&&halved| halved).count()
    }

    /// Refuses, by name, what is not implemented or cannot be.
    pub fn check(&self) -> Result<()> {
        let levels = self.dim_mult.len();
        let decoder_base = self.decoder_base_dim.unwrap_or(self.base_dim);
        refuse(
            "vae/config.json",
            &[
                (levels == 0 || levels > 8, "dim_mult has no or too many levels"),
                (
                    [self.base_dim, decoder_base, self.z_dim]
                        .iter()
                        .chain(&self.dim_mult)
                        .any(|&size| size == 0 || size > 1 << 14),
                    "a size is 0 or absurd",
                ),
                (self.temperal_downsample.len() + 1 != levels, "temperal_downsample does not fit dim_mult"),
                (self.num_res_blocks == 0, "num_res_blocks is 0"),
                (
                    self.latents_mean.len() != self.z_dim || self.latents_std.len() != self.z_dim,
                    "latents_mean or latents_std does not fit z_dim",
                ),
                (
                    self.latents_std.iter().any(|&deviation| deviation.is_nan() || deviation <= 0.0),
                    "latents_std is not positive",
                ),
                (!self.attn_scales.is_empty(), "attn_scales is not supported yet"),
                (self.is_residual, "is_residual (Wan 2.2 5B autoencoder) is not supported yet"),
                (self.patch_size.is_some(), "patch_size is not supported yet"),
                (self.in_channels != 3 || self.out_channels != 3, "only 3 colour channels are supported"),
                (self.scale_factor_spatial != self.spatial_factor(), "scale_factor_spatial does not fit dim_mult"),
                (
                    self.scale_factor_temporal != self.temporal_factor(),
                    "scale_factor_temporal does not fit temperal_downsample",
                ),
                (self.temporal_factor() != 4, "only autoencoders of 4 frames a latent are supported"),
            ],
        )
    }
}

/// `text_encoder/config.json` of a UMT5 encoder.
#[derive(Debug, Clone, Deserialize)]
pub struct TextConfig {
    /// Width of the states.
    pub d_model: usize,
    /// Channels of a head.
    pub d_kv: usize,
    /// Hidden width of the feed-forward part.
    pub d_ff: usize,
    /// Number of blocks.
    pub num_layers: usize,
    /// Heads of every attention.
    pub num_heads: usize,
    /// Size of the vocabulary.
    pub vocab_size: usize,
    /// Buckets of the relative position bias.
    pub relative_attention_num_buckets: usize,
    /// Distance from which all positions share the last bucket.
    pub relative_attention_max_distance: usize,
    /// Epsilon of the normalisations.
    pub layer_norm_epsilon: f64,
    feed_forward_proj: String,
    model_type: String,
}

impl TextConfig {
    /// Refuses, by name, what is not implemented or cannot be.
    pub fn check(&self) -> Result<()> {
        let sizes = [self.d_model, self.d_kv, self.d_ff, self.num_layers, self.num_heads, self.vocab_size];
        refuse(
            "text_encoder/config.json",
            &[
                (self.model_type != "umt5", "only umt5 text encoders are supported"),
                (self.feed_forward_proj != "gated-gelu", "only gated-gelu is supported"),
                (sizes.iter().any(|&size| size == 0 || size > 1 << 20), "a size is 0 or absurd"),
                (
                    self.relative_attention_num_buckets < 4
                        || self.relative_attention_max_distance <= self.relative_attention_num_buckets / 4,
                    "the relative position buckets do not fit",
                ),
            ],
        )
    }
}
