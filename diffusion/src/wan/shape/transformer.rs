//! The sizes of the transformer.

use must_tensors::Result;
use serde::Deserialize;

use super::{ConfigJson, axis, text_of};
use crate::weights::{FoundNetwork, ModelFiles, Tensors, unusable};

/// Channels of a head in every published model. Shapes do not determine it.
const HEAD: usize = 128;

/// The sizes of the transformer of one checkpoint, with the field names of diffusers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TransformerShape {
    /// Time, height, width of one patch in latent pixels.
    pub(crate) patch_size: [usize; 3],
    /// Heads of every attention.
    pub(crate) num_attention_heads: usize,
    /// Channels of a head.
    pub(crate) attention_head_dim: usize,
    /// Channels of the input: 16 for text to video, 36 with mask and condition, 48 in the 5B model of Wan 2.2.
    pub(crate) in_channels: usize,
    /// Channels of the prediction.
    pub(crate) out_channels: usize,
    /// Width of the text states.
    pub(crate) text_dim: usize,
    /// Width of the sinusoidal time embedding.
    pub(crate) freq_dim: usize,
    /// Hidden width of the feed-forward part.
    pub(crate) ffn_dim: usize,
    /// Number of blocks.
    pub(crate) num_layers: usize,
    /// Whether the state is normalised before cross-attention.
    pub(crate) cross_attn_norm: bool,
    /// Epsilon of the normalisations.
    pub(crate) eps: f64,
    /// Width of the image tokens, if the model has them.
    pub(crate) image_dim: Option<usize>,
    /// Input width of the additional keys and values, if cross-attention has them.
    pub(crate) added_kv_proj_dim: Option<usize>,
    /// Longest side of the patch grid.
    pub(crate) rope_max_seq_len: usize,
    /// Number of image tokens with a position embedding (those of two pictures), if the model has one.
    pub(crate) pos_embed_seq_len: Option<usize>,
    /// The main blocks that receive the hints of VACE blocks, in order. Empty without VACE.
    pub(crate) vace_layers: Vec<usize>,
    /// Channels of VACE's input; 0 without VACE.
    pub(crate) vace_in_channels: usize,
}

impl TransformerShape {
    /// Width of the state.
    pub(crate) const fn inner_dim(&self) -> usize {
        self.num_attention_heads * self.attention_head_dim
    }

    /// Reads the sizes of the transformer `found`. `tensors` are its canonical tensors.
    pub(crate) fn read(files: &ModelFiles, found: &FoundNetwork, tensors: &Tensors) -> Result<Self> {
        let json = ConfigJson::<ConfigFields>::read(files, found, ConfigFields::concerns)?;
        let shape = Self::of_tensors(tensors, json.as_ref())?;
        if let Some(json) = &json {
            shape.check_against(json)?;
        }
        Ok(shape)
    }

    fn of_tensors(tensors: &Tensors, json: Option<&ConfigJson<ConfigFields>>) -> Result<Self> {
        let fields = json.map(|json| &json.fields);
        let width = axis(tensors, "scale_shift_table", 3, 2)?;
        let patch = "patch_embedding.weight";
        let patch_size = [axis(tensors, patch, 5, 2)?, axis(tensors, patch, 5, 3)?, axis(tensors, patch, 5, 4)?];
        let volume: usize = patch_size.iter().product();
        let outputs = axis(tensors, "proj_out.weight", 2, 0)?;
        let image = "condition_embedder.image_embedder.norm1.weight";
        let positions = "condition_embedder.image_embedder.pos_embed";
        let optional = |name: &str, axes, at| tensors.has(name).then(|| axis(tensors, name, axes, at)).transpose();
        let num_layers = tensors.count("blocks");
        let (num_attention_heads, attention_head_dim) = heads(tensors, width, fields)?;
        if num_layers == 0 || !outputs.is_multiple_of(volume) {
            return Err(unusable(format!(
                "{}: a transformer of {num_layers} blocks and {outputs} outputs in patches of {volume} is not possible",
                tensors.origin()
            )));
        }
        let vace_blocks = tensors.count("vace_blocks");
        Ok(Self {
            patch_size,
            num_attention_heads,
            attention_head_dim,
            in_channels: axis(tensors, patch, 5, 1)?,
            out_channels: outputs / volume,
            text_dim: axis(tensors, "condition_embedder.text_embedder.linear_1.weight", 2, 1)?,
            freq_dim: axis(tensors, "condition_embedder.time_embedder.linear_1.weight", 2, 1)?,
            ffn_dim: axis(tensors, "blocks.0.ffn.net.0.proj.weight", 2, 0)?,
            num_layers,
            cross_attn_norm: tensors.has("blocks.0.norm2.weight"),
            eps: fields.and_then(|fields| fields.eps).unwrap_or(1e-6),
            image_dim: optional(image, 1, 0)?,
            added_kv_proj_dim: optional("blocks.0.attn2.add_k_proj.weight", 2, 1)?,
            rope_max_seq_len: fields.and_then(|fields| fields.rope_max_seq_len).unwrap_or(1024),
            pos_embed_seq_len: optional(positions, 3, 1)?,
            vace_layers: vace_layers(tensors, vace_blocks, num_layers, fields)?,
            vace_in_channels: optional("vace_patch_embedding.weight", 5, 1)?.unwrap_or(0),
        })
    }

    /// Fails if `config.json` contradicts the tensors or sets something that this code does not compute.
    fn check_against(&self, json: &ConfigJson<ConfigFields>) -> Result<()> {
        let fields = &json.fields;
        if !CLASSES.contains(&fields.class_name.as_str()) && !fields.class_name.is_empty() {
            return Err(unusable(format!(
                "{}: {} is another kind of transformer than {}",
                json.file,
                fields.class_name,
                CLASSES.join(", ")
            )));
        }
        for (field, says, tensors) in [
            ("in_channels", fields.in_channels, self.in_channels),
            ("in_dim", fields.in_dim, self.in_channels),
            ("out_channels", fields.out_channels, self.out_channels),
            ("out_dim", fields.out_dim, self.out_channels),
            ("dim", fields.dim, self.inner_dim()),
            ("text_dim", fields.text_dim, self.text_dim),
            ("freq_dim", fields.freq_dim, self.freq_dim),
            ("ffn_dim", fields.ffn_dim, self.ffn_dim),
            ("num_layers", fields.num_layers, self.num_layers),
            // Published files set these sizes even for variants without image tokens.
            ("image_dim", fields.image_dim.filter(|_| self.image_dim.is_some()), self.image_dim.unwrap_or(0)),
            (
                "added_kv_proj_dim",
                fields.added_kv_proj_dim.filter(|_| self.added_kv_proj_dim.is_some()),
                self.added_kv_proj_dim.unwrap_or(0),
            ),
            ("pos_embed_seq_len", fields.pos_embed_seq_len, self.pos_embed_seq_len.unwrap_or(0)),
            ("vace_in_channels", fields.vace_in_channels, self.vace_in_channels),
            ("vace_in_dim", fields.vace_in_dim, self.vace_in_channels),
        ] {
            json.agree(field, says, tensors)?;
        }
        let patch = fields.patch_size.as_ref();
        let norm = fields.qk_norm.as_ref().map(|norm| norm == &serde_json::Value::from("rms_norm_across_heads"));
        json.refuse(&[
            (patch.is_some_and(|patch| *patch != self.patch_size), "patch_size does not fit the tensors"),
            // The original repositories write `true` for the same norm, and null stands for the default.
            (
                norm == Some(false) && !matches!(fields.qk_norm, Some(serde_json::Value::Bool(true))),
                "qk_norm is not rms_norm_across_heads",
            ),
            (
                fields.cross_attn_norm.is_some_and(|norm| norm != self.cross_attn_norm),
                "cross_attn_norm does not fit the tensors",
            ),
            (fields.text_len.is_some_and(|length| length != 512), "text_len is not 512"),
            (!(self.eps.is_finite() && self.eps > 0.0), "eps is not above 0"),
            (self.rope_max_seq_len == 0 || self.rope_max_seq_len > super::LARGEST, "rope_max_seq_len is 0 or absurd"),
        ])
    }
}

/// Returns the number and the size of the heads.
fn heads(tensors: &Tensors, width: usize, fields: Option<&ConfigFields>) -> Result<(usize, usize)> {
    let count = fields.and_then(|fields| fields.num_attention_heads.or(fields.num_heads));
    let size = fields.and_then(|fields| fields.attention_head_dim);
    let (count, size) = match (count, size) {
        (Some(count), Some(size)) => (count, size),
        (Some(count), None) => (count, width.checked_div(count).unwrap_or(0)),
        (None, size) => {
            let size = size.unwrap_or(HEAD);
            (width.checked_div(size).unwrap_or(0), size)
        }
    };
    if count.checked_mul(size) != Some(width) || count == 0 || !size.is_multiple_of(2) {
        return Err(unusable(format!(
            "{}: a transformer of width {width} does not divide into heads of {size} channels",
            tensors.origin()
        )));
    }
    Ok((count, size))
}

/// Returns the main blocks that receive the hints of VACE blocks: evenly spread ones, unless `config.json` lists them.
fn vace_layers(tensors: &Tensors, blocks: usize, layers: usize, fields: Option<&ConfigFields>) -> Result<Vec<usize>> {
    let Some(step) = layers.checked_div(blocks) else { return Ok(vec![]) };
    let spread: Vec<usize> = (0..blocks).map(|block| block * step).collect();
    let chosen = fields.and_then(|fields| fields.vace_layers.clone()).unwrap_or(spread);
    let rises = chosen.windows(2).all(|pair| matches!(pair, [before, after] if before < after));
    if chosen.len() != blocks
        || chosen.first() != Some(&0)
        || !rises
        || chosen.last().is_none_or(|&last| last >= layers)
    {
        return Err(unusable(format!(
            "{}: {blocks} VACE blocks do not fit {layers} blocks at {chosen:?}",
            tensors.origin()
        )));
    }
    Ok(chosen)
}

/// Classes of transformers that compute the same: those of diffusers and of the original repositories.
const CLASSES: [&str; 4] = ["WanTransformer3DModel", "WanVACETransformer3DModel", "WanModel", "VaceWanModel"];

/// The fields of `config.json` in the form of diffusers or of the original repositories.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ConfigFields {
    #[serde(rename = "_class_name")]
    class_name: String,
    patch_size: Option<Vec<usize>>,
    num_attention_heads: Option<usize>,
    num_heads: Option<usize>,
    attention_head_dim: Option<usize>,
    dim: Option<usize>,
    in_channels: Option<usize>,
    in_dim: Option<usize>,
    out_channels: Option<usize>,
    out_dim: Option<usize>,
    text_dim: Option<usize>,
    text_len: Option<usize>,
    freq_dim: Option<usize>,
    ffn_dim: Option<usize>,
    num_layers: Option<usize>,
    cross_attn_norm: Option<bool>,
    qk_norm: Option<serde_json::Value>,
    eps: Option<f64>,
    image_dim: Option<usize>,
    added_kv_proj_dim: Option<usize>,
    rope_max_seq_len: Option<usize>,
    pos_embed_seq_len: Option<usize>,
    vace_layers: Option<Vec<usize>>,
    vace_in_channels: Option<usize>,
    vace_in_dim: Option<usize>,
}

impl ConfigFields {
    /// Returns whether the file describes a transformer: in a folder that holds all parts it may describe another network.
    fn concerns(value: &serde_json::Value) -> bool {
        let class = text_of(value, "_class_name");
        class.contains("Transformer")
            || class.contains("WanModel")
            || (class.is_empty() && value.get("ffn_dim").is_some())
    }
}
