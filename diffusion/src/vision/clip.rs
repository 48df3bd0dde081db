//! The CLIP image encoder: turns a prepared picture into the states that Wan 2.1 attends to.
//!
//! Always holds: the result is the input of the last block, so the last block and the final norm are never read.
//!
//! Paper: "Learning Transferable Visual Models From Natural Language Supervision", <https://arxiv.org/abs/2103.00020>.
//! Reference: <https://github.com/huggingface/transformers/blob/main/src/transformers/models/clip/modeling_clip.py>

use candle_core::{DType, Tensor};
use must_tensors::{Error, Result};
use serde::Deserialize;

use crate::clip::{ClipLayer, ClipNorm, ClipSizes, HiddenAct};
use crate::nn::{Activation, Linear};
use crate::weights::{Scope, Tensors, unusable};

/// `image_encoder/config.json`, as transformers writes it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct ClipVisionConfig {
    /// Width of the states.
    pub(crate) hidden_size: usize,
    /// Hidden width of the feed-forward part.
    pub(crate) intermediate_size: usize,
    /// Number of blocks, the last of which is not used.
    pub(crate) num_hidden_layers: usize,
    /// Heads of every attention.
    pub(crate) num_attention_heads: usize,
    num_channels: usize,
    /// Side of the picture in pixels.
    pub(crate) image_size: usize,
    /// Side of a patch in pixels.
    pub(crate) patch_size: usize,
    hidden_act: HiddenAct,
    layer_norm_eps: f64,
}

/// The values of fields that the file leaves out.
impl Default for ClipVisionConfig {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            num_channels: 3,
            image_size: 224,
            patch_size: 32,
            hidden_act: HiddenAct::QuickGelu,
            layer_norm_eps: 1e-5,
        }
    }
}

impl ClipVisionConfig {
    /// Derives the configuration from the shapes of the tensors, for a file without a `config.json`.
    ///
    /// Shapes determine neither the heads nor the activation. A width that divides by 80 gives heads of 80 channels and
    /// exact GELU, as in the ViT-H that Wan uses (16 heads of 80); any other gives heads of 64 channels and quick GELU, as
    /// in OpenAI's encoders.
    pub(crate) fn from_tensors(tensors: &Tensors) -> Result<Self> {
        let patch = tensors.shape("vision_model.embeddings.patch_embedding.weight")?;
        let positions = tensors.shape("vision_model.embeddings.position_embedding.weight")?;
        let feed = tensors.shape("vision_model.encoder.layers.0.mlp.fc1.weight")?;
        let (&[width, channels, patch, _], &[positions, _], &[inner, _]) = (patch, positions, feed) else {
            return Err(unusable(format!("{}: tensors of the image encoder have wrong shapes", tensors.origin())));
        };
        let (head, hidden_act) = match width {
            _ if width.is_multiple_of(80) => (80, HiddenAct::Gelu),
            _ if width.is_multiple_of(64) => (64, HiddenAct::QuickGelu),
            _ => {
                return Err(unusable(format!(
                    "{}: the heads of an image encoder of width {width} cannot be determined without its config.json",
                    tensors.origin()
                )));
            }
        };
        let config = Self {
            hidden_size: width,
            intermediate_size: inner,
            num_hidden_layers: tensors.count("vision_model.encoder.layers"),
            num_attention_heads: width / head,
            num_channels: channels,
            image_size: positions.saturating_sub(1).isqrt().saturating_mul(patch),
            patch_size: patch,
            hidden_act,
            ..Self::default()
        };
        config.check()?;
        Ok(config)
    }

    /// Fails for a configuration that cannot be computed, naming the field.
    pub(crate) fn check(&self) -> Result<()> {
        let sizes = [
            self.hidden_size,
            self.intermediate_size,
            self.num_hidden_layers,
            self.num_attention_heads,
            self.image_size,
            self.patch_size,
        ];
        let rules = [
            (sizes.iter().any(|&size| size == 0 || size > 1 << 16), "a size is 0 or absurd"),
            (
                !self.hidden_size.is_multiple_of(self.num_attention_heads.max(1)),
                "hidden_size does not divide into heads",
            ),
            (self.num_channels != 3, "num_channels is not 3"),
            (!self.image_size.is_multiple_of(self.patch_size.max(1)), "image_size does not divide into patches"),
            (!(self.layer_norm_eps.is_finite() && self.layer_norm_eps > 0.0), "layer_norm_eps is not above 0"),
        ];
        match rules.iter().find(|(wrong, _)| *wrong) {
            Some((_, what)) => Err(unusable(format!("image encoder configuration: {what}"))),
            None => Ok(()),
        }
    }

    /// Returns the number of states of one picture: one for each patch and one for the whole picture.
    pub(crate) fn tokens(&self) -> usize {
        let grid = self.image_size / self.patch_size.max(1);
        grid * grid + 1
    }

    fn layer(&self) -> ClipSizes {
        ClipSizes {
            width: self.hidden_size,
            heads: self.num_attention_heads,
            ffn: self.intermediate_size,
            activation: self.hidden_act,
            epsilon: self.layer_norm_eps,
        }
    }
}

/// The encoder of one checkpoint.
#[derive(Debug)]
pub(crate) struct ClipVision {
    config: ClipVisionConfig,
    class: Tensor,     // [1, width]
    patch: Linear,     // 3 * patch * patch to width
    positions: Tensor, // [tokens, width]
    first_norm: ClipNorm,
    blocks: Vec<ClipLayer>,
}

impl ClipVision {
    /// Loads the encoder below `vision_model`, except for its last block.
    pub(crate) fn load(config: &ClipVisionConfig, scope: &Scope<'_>) -> Result<Self> {
        config.check()?;
        let (width, patch) = (config.hidden_size, config.patch_size);
        let scope = scope.pp("vision_model");
        let embeddings = scope.pp("embeddings");
        let blocks = (0..config.num_hidden_layers.saturating_sub(1))
            .map(|index| ClipLayer::load(&config.layer(), &scope.pp(format_args!("encoder.layers.{index}"))))
            .collect::<Result<_>>()?;
        Ok(Self {
            class: embeddings.tensor("class_embedding", width)?.reshape((1, width))?,
            patch: Linear::load_shaped(&embeddings, "patch_embedding", &[width, 3, patch, patch], false)?,
            positions: embeddings.tensor("position_embedding.weight", (config.tokens(), width))?,
            // Every checkpoint spells it this way.
            first_norm: ClipNorm::load(&scope.pp("pre_layrnorm"), width)?,
            blocks,
            config: config.clone(),
        })
    }

    /// Returns the configuration of the encoder.
    pub(crate) fn config(&self) -> &ClipVisionConfig {
        &self.config
    }

    /// Encodes a prepared picture `[3, size, size]` to states `[1 + patches, width]` in float32: first the state of the whole
    /// picture, then those of its patches row by row.
    pub(crate) fn forward(&self, pixels: &Tensor) -> Result<Tensor> {
        let (size, patch) = (self.config.image_size, self.config.patch_size);
        if pixels.dims() != [3, size, size] {
            return Err(Error::internal(format!(
                "the image encoder takes {size}x{size} pixels, not {:?}",
                pixels.dims()
            )));
        }
        let grid = size / patch;
        let patches = pixels
            .reshape((3, grid, patch, grid, patch))?
            .permute((1, 3, 0, 2, 4))?
            .reshape((grid * grid, 3 * patch * patch))?;
        let patches = self.patch.forward(&patches, Activation::None)?.to_dtype(DType::F32)?;
        let state = (Tensor::cat(&[&self.class, &patches], 0)? + &self.positions)?;
        let state = self.first_norm.forward(&state, self.config.layer_norm_eps)?;
        self.blocks.iter().try_fold(state, |state, block| block.forward(&state, None))
    }

    /// Returns the bytes of the encoder's weights.
    pub(crate) fn bytes(&self) -> u64 {
        let tables = [&self.class, &self.positions].map(|table| table.elem_count() * DType::F32.size_in_bytes());
        let norm = 2 * self.config.hidden_size * DType::F32.size_in_bytes();
        let blocks: u64 = self.blocks.iter().map(ClipLayer::bytes).sum();
        blocks + self.patch.bytes() + (tables.iter().sum::<usize>() + norm) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::StoredTensor;

    fn shapes(width: usize) -> Tensors {
        let shapes = [
            ("embeddings.patch_embedding.weight", vec![width, 3, 2, 2]),
            ("embeddings.position_embedding.weight", vec![1 + 9, width]),
            ("encoder.layers.0.mlp.fc1.weight", vec![7, width]),
            ("encoder.layers.1.layer_norm1.weight", vec![width]),
            ("encoder.layers.3.layer_norm1.weight", vec![width]),
        ];
        let tensor = |(name, shape): (&str, Vec<usize>)| {
            let values = vec![0.0; shape.iter().product()];
            (format!("vision_model.{name}"), StoredTensor::dense_f32(shape, values).unwrap())
        };
        Tensors::new("clip_vision.safetensors", shapes.map(tensor))
    }

    #[test]
    fn a_missing_configuration_is_derived_from_the_shapes() {
        let config = ClipVisionConfig::from_tensors(&shapes(160)).unwrap();
        let expected = ClipVisionConfig {
            hidden_size: 160,
            intermediate_size: 7,
            num_hidden_layers: 2,
            num_attention_heads: 2,
            image_size: 6,
            patch_size: 2,
            hidden_act: HiddenAct::Gelu,
            ..Default::default()
        };
        assert_eq!(config, expected);
        assert_eq!(config.tokens(), 10);
        let narrow = ClipVisionConfig::from_tensors(&shapes(128)).unwrap();
        assert_eq!((narrow.num_attention_heads, narrow.hidden_act), (2, HiddenAct::QuickGelu));
        assert!(ClipVisionConfig::from_tensors(&shapes(100)).unwrap_err().detail().contains("heads"));
        let nothing = ClipVisionConfig::from_tensors(&Tensors::new("empty", [])).unwrap_err();
        assert!(nothing.detail().contains("empty: tensor vision_model.embeddings.patch_embedding.weight is missing"));
    }

    #[test]
    fn configurations_that_cannot_be_computed_are_refused() {
        let read = |json: &str| serde_json::from_str::<ClipVisionConfig>(json).unwrap().check();
        read("{}").unwrap();
        for (json, expected) in [
            (r#"{"num_attention_heads": 0}"#, "a size is 0"),
            (r#"{"hidden_size": 770}"#, "heads"),
            (r#"{"num_channels": 4}"#, "num_channels"),
            (r#"{"image_size": 225}"#, "patches"),
            (r#"{"layer_norm_eps": 0.0}"#, "layer_norm_eps"),
        ] {
            let error = read(json).unwrap_err();
            assert!(error.detail().contains(expected), "{} does not say {expected}", error.detail());
        }
        let unknown = serde_json::from_str::<ClipVisionConfig>(r#"{"hidden_act": "relu"}"#).unwrap_err();
        assert!(unknown.to_string().contains("`gelu` or `quick_gelu`"), "{unknown}");
    }
}
