//! The sizes of the transformer, from the shapes of its tensors and, for what shapes do not tell, from `config.json`.
//!
//! Always holds: no tensor is read; a `config.json` is not needed, and where there is one it has to agree with the tensors;
//! the number of blocks is counted, so that models with fewer of them run.

use serde::Deserialize;

use crate::error::Result;
use crate::parts::{Described, axis, text_of};
use crate::weights::{Found, ModelFiles, Tensors, unusable};

/// Latent pixels of a token: two by two.
pub(crate) const PATCH: usize = 2;

/// The sizes of the transformer of one checkpoint, by the names that diffusers gives them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TransformerShape {
    /// Channels of a token that goes in: 64 for text to image.
    pub(crate) in_channels: usize,
    /// Channels of a token that comes out.
    pub(crate) out_channels: usize,
    /// Blocks that keep text and picture apart.
    pub(crate) num_layers: usize,
    /// Blocks that work on both as one sequence.
    pub(crate) num_single_layers: usize,
    /// Heads of every attention.
    pub(crate) num_attention_heads: usize,
    /// Channels of a head.
    pub(crate) attention_head_dim: usize,
    /// Width of the states of T5.
    pub(crate) joint_attention_dim: usize,
    /// Width of the pooled state of CLIP.
    pub(crate) pooled_projection_dim: usize,
    /// Whether it takes a guidance scale: dev does, schnell does not.
    pub(crate) guidance_embeds: bool,
    /// Channels of a head that turn with the first coordinate, the row and the column.
    pub(crate) axes_dims_rope: [usize; 3],
    /// Hidden width of the feed-forward parts.
    pub(crate) mlp: usize,
    /// Width of the sinusoidal embeddings of time and guidance.
    pub(crate) frequencies: usize,
}

impl TransformerShape {
    /// Width of the state.
    pub(crate) const fn inner_dim(&self) -> usize {
        self.num_attention_heads * self.attention_head_dim
    }

    /// Channels of the latents.
    pub(crate) const fn latent_channels(&self) -> usize {
        self.out_channels / (PATCH * PATCH)
    }

    /// The sizes of the transformer that `found` is, whose canonical tensors are `tensors`.
    pub(crate) fn read(files: &ModelFiles, found: &Found, tensors: &Tensors) -> Result<Self> {
        let described = Described::<ConfigFile>::read(files, found, ConfigFile::concerns)?;
        let shape = Self::of_tensors(tensors, described.as_ref().map(|described| &described.fields))?;
        if let Some(described) = &described {
            shape.check_against(described)?;
        }
        Ok(shape)
    }

    fn of_tensors(tensors: &Tensors, fields: Option<&ConfigFile>) -> Result<Self> {
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
            // Sixteen parts as in the published models, whose heads have 128 channels: 2, 7 and 7.
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
                "{}: a transformer of width {width} does not divide into heads of {size} channels, of which {axes:?} turn \
                 with the place of a token",
                tensors.origin()
            )));
        }
        if !out_channels.is_multiple_of(PATCH * PATCH) || !shape.frequencies.is_multiple_of(2) {
            return Err(unusable(format!(
                "{}: a transformer with {out_channels} outputs and time embeddings of {} cannot be",
                tensors.origin(),
                shape.frequencies
            )));
        }
        Ok(shape)
    }

    /// Refuses what `config.json` says otherwise than the tensors, or says and nothing computes.
    fn check_against(&self, described: &Described<ConfigFile>) -> Result<()> {
        let fields = &described.fields;
        for (field, says, tensors) in [
            ("in_channels", fields.in_channels, self.in_channels),
            // It stands for that of the input where it is null.
            ("out_channels", fields.out_channels, self.out_channels),
            ("num_layers", fields.num_layers, self.num_layers),
            ("num_single_layers", fields.num_single_layers, self.num_single_layers),
            ("num_attention_heads", fields.num_attention_heads, self.num_attention_heads),
            ("attention_head_dim", fields.attention_head_dim, self.attention_head_dim),
            ("joint_attention_dim", fields.joint_attention_dim, self.joint_attention_dim),
            ("pooled_projection_dim", fields.pooled_projection_dim, self.pooled_projection_dim),
        ] {
            described.agree(field, says, tensors)?;
        }
        let class = fields.class_name.as_str();
        described.refuse(&[
            (!matches!(class, "" | CLASS), "_class_name is not FluxTransformer2DModel"),
            (fields.patch_size.is_some_and(|size| size != 1), "patch_size is not 1"),
            (
                fields.guidance_embeds.is_some_and(|guidance| guidance != self.guidance_embeds),
                "guidance_embeds does not fit the tensors",
            ),
        ])
    }
}

/// The class of diffusers.
const CLASS: &str = "FluxTransformer2DModel";

/// `config.json` of diffusers.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ConfigFile {
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

impl ConfigFile {
    /// Whether a file is about a transformer: where everything lies in one folder it may be about another network.
    fn concerns(value: &serde_json::Value) -> bool {
        text_of(value, "_class_name").contains("Transformer")
    }
}
