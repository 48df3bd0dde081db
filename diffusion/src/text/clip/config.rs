//! The sizes of a CLIP text encoder, read from the shapes of its tensors and, where shapes do not determine them, from
//! `config.json`.
//!
//! Always holds: a field of a `config.json` that changes the computation is either honoured or refused by name.

use must_tensors::Result;
use serde::Deserialize;

use super::super::layouts::clip::OPEN_CLIP;
use crate::clip::{ClipSizes, HiddenAct};
use crate::parts::{ConfigJson, LARGEST, axis, text_of};
use crate::weights::{FoundNetwork, ModelFiles, Tensors, unusable};

/// Channels of a head in every published encoder. Shapes do not determine it.
const HEAD: usize = 64;

/// The `eos_token_id` of the configurations that CLIP was first published with. It is not the id of the end token.
const NO_END: u32 = 2;

/// The sizes of an encoder.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ClipConfig {
    /// Width of the states.
    pub(crate) width: usize,
    /// Number of layers.
    pub(crate) layers: usize,
    /// Heads of every attention.
    pub(crate) heads: usize,
    /// Hidden width of the feed-forward part.
    pub(crate) ffn: usize,
    /// Width of the projected pooled state. `None` means that it is not projected, even if the file holds a projection.
    pub(crate) projection: Option<usize>,
    /// Activation of the feed-forward part.
    pub(crate) activation: HiddenAct,
    /// Size of the vocabulary.
    pub(crate) vocab_size: usize,
    /// The largest number of ids that the encoder accepts.
    pub(crate) positions: usize,
    /// Epsilon of the norms.
    pub(crate) epsilon: f64,
    /// The pooled state is that of the first id equal to this one. `None` selects the largest id of the prompt, as in
    /// OpenAI's code.
    pub(crate) end: Option<u32>,
}

impl ClipConfig {
    /// Returns the sizes of its layers.
    pub(super) fn layer(&self) -> ClipSizes {
        let &Self { width, heads, ffn, activation, epsilon, .. } = self;
        ClipSizes { width, heads, ffn, activation, epsilon }
    }
}

/// Reads the sizes of the CLIP text encoder `found`. `tensors` are its canonical tensors.
///
/// Without a `config.json`, heads have 64 channels, and the activation is that of the published encoders: quick GELU for
/// OpenAI's, which are at most 768 wide, and GELU for OpenCLIP's, which are wider. An encoder with OpenCLIP's names that is
/// narrower than 768 has GELU too. One that is exactly 768 wide has quick GELU, because OpenAI's own file of L has these names.
pub(crate) fn clip_config(files: &ModelFiles, found: &FoundNetwork, tensors: &Tensors) -> Result<ClipConfig> {
    let json = ConfigJson::<ConfigFields>::read(files, found, ConfigFields::concerns)?;
    let fields = json.as_ref().map(|json| &json.fields);
    let embeddings = "text_model.embeddings";
    let table = format!("{embeddings}.token_embedding.weight");
    let width = axis(tensors, &table, 2, 1)?;
    let projection = "text_projection.weight";
    let config = ClipConfig {
        width,
        layers: tensors.count("text_model.encoder.layers"),
        heads: match fields {
            Some(fields) => fields.num_attention_heads,
            None if width.is_multiple_of(HEAD) => width / HEAD,
            None => {
                return Err(unusable(format!(
                    "{}: the heads of a text encoder of width {width} cannot be determined without its config.json",
                    tensors.origin()
                )));
            }
        },
        ffn: axis(tensors, "text_model.encoder.layers.0.mlp.fc1.weight", 2, 0)?,
        projection: tensors.has(projection).then(|| axis(tensors, projection, 2, 0)).transpose()?,
        activation: match fields {
            Some(fields) => fields.hidden_act,
            None if width > 768 || (width < 768 && found.layout() == OPEN_CLIP.name) => HiddenAct::Gelu,
            None => HiddenAct::QuickGelu,
        },
        vocab_size: axis(tensors, &table, 2, 0)?,
        positions: axis(tensors, &format!("{embeddings}.position_embedding.weight"), 2, 0)?,
        epsilon: fields.map_or(1e-5, |fields| fields.layer_norm_eps),
        end: fields.map(|fields| fields.eos_token_id).filter(|&id| id != NO_END),
    };
    if let Some(json) = &json {
        check(&config, json)?;
    }
    Ok(config)
}

/// Fails if `config.json` contradicts the tensors or sets something that this code does not compute.
fn check(config: &ClipConfig, json: &ConfigJson<ConfigFields>) -> Result<()> {
    let fields = &json.fields;
    for (field, says, tensors) in [
        ("hidden_size", fields.hidden_size, config.width),
        ("intermediate_size", fields.intermediate_size, config.ffn),
        ("num_hidden_layers", fields.num_hidden_layers, config.layers),
        ("vocab_size", fields.vocab_size, config.vocab_size),
        ("max_position_embeddings", fields.max_position_embeddings, config.positions),
    ] {
        json.agree(field, says, tensors)?;
    }
    if let (Some(says), Some(tensors)) = (fields.projection_dim, config.projection) {
        json.agree("projection_dim", Some(says), tensors)?;
    }
    json.refuse(&[
        (
            !(1..=LARGEST).contains(&config.heads) || !config.width.is_multiple_of(config.heads),
            "hidden_size does not divide into num_attention_heads",
        ),
        (!(config.epsilon.is_finite() && config.epsilon > 0.0), "layer_norm_eps is not above 0"),
    ])
}

/// The fields of transformers' `config.json`. The missing ones that have a default here have that of transformers.
#[derive(Debug, Deserialize)]
struct ConfigFields {
    hidden_size: Option<usize>,
    intermediate_size: Option<usize>,
    num_hidden_layers: Option<usize>,
    #[serde(default = "eight")]
    num_attention_heads: usize,
    vocab_size: Option<usize>,
    max_position_embeddings: Option<usize>,
    projection_dim: Option<usize>,
    #[serde(default = "quick_gelu")]
    hidden_act: HiddenAct,
    #[serde(default = "epsilon")]
    layer_norm_eps: f64,
    #[serde(default = "end")]
    eos_token_id: u32,
}

fn eight() -> usize {
    8
}

fn quick_gelu() -> HiddenAct {
    HiddenAct::QuickGelu
}

fn epsilon() -> f64 {
    1e-5
}

fn end() -> u32 {
    49407
}

impl ConfigFields {
    fn concerns(value: &serde_json::Value) -> bool {
        text_of(value, "model_type") == "clip_text_model"
    }
}
