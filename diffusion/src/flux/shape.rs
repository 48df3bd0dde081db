//! The sizes of the transformer, from the shapes of its tensors and, where shapes do not determine them, from `config.json`.
//!
//! Always holds: no tensor is read; `config.json` is optional, and must agree with the tensors when it exists;
//! blocks are counted, so that models with fewer blocks run too.

use must_tensors::Result;
use serde::Deserialize;

use crate::parts::{ConfigJson, axis, text_of};
use crate::weights::{FoundNetwork, ModelFiles, Tensors, unusable};

/// Side of a token's patch in latent pixels.
pub(crate) const PATCH: usize = 2;

/// The sizes of a checkpoint's transformer, with diffusers' names.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TransformerShape {
    /// Channels of an input token: 64 for text-to-image.
    pub(crate) in_channels: usize,
    /// Channels of an output token.
    pub(crate) out_channels: usize,
    /// Number of double blocks.
    pub(crate) num_layers: usize,
    /// Number of single blocks.
    pub(crate) num_single_layers: usize,
    /// Heads of every attention.
    pub(crate) num_attention_heads: usize,
    /// Channels of a head.
    pub(crate) attention_head_dim: usize,
    /// Width of the states of T5.
    pub(crate) joint_attention_dim: usize,
    /// Width of the pooled state of CLIP.
    pub(crate) pooled_projection_dim: usize,
    /// Whether the transformer takes a guidance scale: dev does, schnell does not.
    pub(crate) guidance_embeds: bool,
    /// Channels of a head that are rotated by the first coordinate, by the row and by the column.
    pub(crate) axes_dims_rope: [usize; 3],
    /// Hidden width of the feed-forward parts.
    pub(crate) mlp: usize,
    /// Width of the sinusoidal embeddings of time and guidance.
    pub(crate) frequencies: usize,
}

impl TransformerShape {
    /// Returns the width of the state.
    pub(crate) const fn inner_dim(&self) -> usize {
        self.num_attention_heads * self.attention_head_dim
    }

    /// Returns the channels of the latents.
    pub(crate) const fn latent_channels(&self) -> usize {
        self.out_channels / (PATCH * PATCH)
    }

    /// Determines the sizes of the transformer `found`, whose canonical tensors are `tensors`.
    pub(crate) fn read(files: &ModelFiles, found: &FoundNetwork, tensors: &Tensors) -> Result<Self> {
        let json = ConfigJson::<ConfigFields>::read(files, found, ConfigFields::concerns)?;
        let shape = Self::of_tensors(tensors, json.as_ref().map(|json| &json.fields))?;
        if let Some(json) = &json {
            shape.check_against(json)?;
        }
        Ok(shape)
    }

    fn of_tensors(tensors: &Tensors, fields: Option<&ConfigFields>) -> Result<Self> {
        let width = axis(tensors, "x_embedder.weight", 2, 0)?;
        let size = axis(tensors, "transformer_blocks.0.attn.norm_q.weight", 1, 0)?;
        let out_channels = axis(tensors, "proj_out.weight", 2, 0)?;
        let embedder = |part: &str, at| axis(tensors, &format!("time_text_embed.{part}.linear_1.weight"), 2, at);
        let axes = fields.and_then(|fields| fields.axes_dims_rope.clone());
        let axes = match axes.map(<[usize; 3]>::try_from) {
            Some(Ok(axes)) => axes,
            Some(Err(axes)) => {
                return Err(unusable(format!("{}: axes_dims_rope is {axes:?}, not three numbers", tensors.origin())));
            }
            // The proportions of the published models in sixteenths of a head: 2, 7 and 7 (16, 56 and 56 of 128 channels).
            None => [size / 8, size / 16 * 7, size / 16 * 7],
        };
        let shape = Self {
            in_channels: axis(tensors, "x_embedder.weight", 2, 1)?,
            out_channels,
            num_layers: tensors.count("transformer_blocks"),
            num_single_layers: tensors.count("single_transformer_blocks"),
            num_attention_heads: width / size,
            attention_head_dim: size,
            joint_attention_dim: axis(tensors, "context_embedder.weight", 2, 1)?,
            pooled_projection_dim: embedder("text_embedder", 1)?,
            guidance_embeds: tensors.has("time_text_embed.guidance_embedder.linear_1.weight"),
            axes_dims_rope: axes,
            mlp: axis(tensors, "transformer_blocks.0.ff.net.0.proj.weight", 2, 0)?,
            frequencies: embedder("timestep_embedder", 1)?,
        };
        let pairs = axes.iter().all(|axis| axis.is_multiple_of(2)) && axes.iter().sum::<usize>() == size;
        if !width.is_multiple_of(size) || !pairs {
            return Err(unusable(format!(
                "{}: the width {width} of the transformer does not divide into heads of {size} channels, or the rotated channels \
                 {axes:?} of a head are not even numbers with the sum {size}",
                tensors.origin()
            )));
        }
        if !out_channels.is_multiple_of(PATCH * PATCH) || !shape.frequencies.is_multiple_of(2) {
            return Err(unusable(format!(
                "{}: a transformer with {out_channels} outputs and time embeddings of {} is not possible",
                tensors.origin(),
                shape.frequencies
            )));
        }
        Ok(shape)
    }

    /// Fails if `config.json` contradicts the tensors or sets something that this code does not compute.
    fn check_against(&self, json: &ConfigJson<ConfigFields>) -> Result<()> {
        let fields = &json.fields;
        for (field, says, tensors) in [
            ("in_channels", fields.in_channels, self.in_channels),
            // A null means the same as the number of input channels.
            ("out_channels", fields.out_channels, self.out_channels),
            ("num_layers", fields.num_layers, self.num_layers),
            ("num_single_layers", fields.num_single_layers, self.num_single_layers),
            ("num_attention_heads", fields.num_attention_heads, self.num_attention_heads),
            ("attention_head_dim", fields.attention_head_dim, self.attention_head_dim),
            ("joint_attention_dim", fields.joint_attention_dim, self.joint_attention_dim),
            ("pooled_projection_dim", fields.pooled_projection_dim, self.pooled_projection_dim),
        ] {
            json.agree(field, says, tensors)?;
        }
        let class = fields.class_name.as_str();
        json.refuse(&[
            (!matches!(class, "" | CLASS), "_class_name is not FluxTransformer2DModel"),
            (fields.patch_size.is_some_and(|size| size != 1), "patch_size is not 1"),
            (
                fields.guidance_embeds.is_some_and(|guidance| guidance != self.guidance_embeds),
                "guidance_embeds does not fit the tensors",
            ),
        ])
    }
}

/// Name of diffusers' class.
const CLASS: &str = "FluxTransformer2DModel";

/// The fields of diffusers' `config.json`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ConfigFields {
    #[serde(rename = "_class_name")]
    class_name: String,
    patch_size: Option<usize>,
    in_channels: Option<usize>,
    out_channels: Option<usize>,
    num_layers: Option<usize>,
    num_single_layers: Option<usize>,
    attention_head_dim: Option<usize>,
    num_attention_heads: Option<usize>,
    joint_attention_dim: Option<usize>,
    pooled_projection_dim: Option<usize>,
    guidance_embeds: Option<bool>,
    axes_dims_rope: Option<Vec<usize>>,
}

impl ConfigFields {
    /// Returns whether the file describes a transformer: in a folder that holds all parts it may describe another network.
    fn concerns(value: &serde_json::Value) -> bool {
        text_of(value, "_class_name").contains("Transformer")
    }
}
