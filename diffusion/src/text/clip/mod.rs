//! CLIP's text encoders, L and bigG: compute states and the pooled state from token ids.
//!
//! Always holds: every token attends to itself and to those before it, and padding is treated like any other token. The
//! pooled state is taken at the first end token after all layers, even when the states skip the last layers.
//!
//! Paper: "Learning Transferable Visual Models From Natural Language Supervision", <https://arxiv.org/abs/2103.00020>.
//! Reference: `CLIPTextModel` and `CLIPTextModelWithProjection` in
//! <https://github.com/huggingface/transformers/blob/main/src/transformers/models/clip/modeling_clip.py>

mod config;
#[cfg(test)]
pub(crate) mod tests;

use candle_core::{DType, Device, Tensor};
use must_tensors::{Error, Result};

pub(crate) use self::config::{ClipConfig, clip_config};
use crate::clip::{ClipLayer, ClipNorm, causal_mask};
use crate::nn::{Activation, Embedding, Linear};
use crate::place::HoldsWeights;
use crate::weights::{Scope, unusable};

/// The states of a prompt.
#[derive(Debug, Clone)]
pub(crate) struct ClipStates {
    /// States `[ids, width]` in float32, without the final norm.
    pub(crate) states: Tensor,
    /// The state of the end token after all layers and the norm, in float32: `[width]`, or `[projection]` when the
    /// configuration has a projection.
    pub(crate) pooled: Tensor,
}

/// The text encoder of one checkpoint.
#[derive(Debug)]
pub(crate) struct ClipEncoder {
    config: ClipConfig,
    tokens: Embedding, // [vocabulary, width]
    positions: Tensor, // [positions, width]
    layers: Vec<ClipLayer>,
    final_norm: ClipNorm,
    projection: Option<Linear>,
    device: Device,
}

impl ClipEncoder {
    /// Loads the encoder below `text_model`, and the projection beside it.
    pub(crate) fn load(config: &ClipConfig, scope: &Scope<'_>) -> Result<Self> {
        let width = config.width;
        let project = |outputs| Linear::load(scope, "text_projection", width, outputs, false);
        let projection = config.projection.map(project).transpose()?;
        let model = scope.pp("text_model");
        let embeddings = model.pp("embeddings");
        let layers = (0..config.layers)
            .map(|index| ClipLayer::load(&config.layer(), &model.pp(format_args!("encoder.layers.{index}"))))
            .collect::<Result<_>>()?;
        Ok(Self {
            tokens: Embedding::load(&embeddings, "token_embedding.weight", config.vocab_size, width)?,
            positions: embeddings.tensor("position_embedding.weight", (config.positions, width))?,
            layers,
            final_norm: ClipNorm::load(&model.pp("final_layer_norm"), width)?,
            projection,
            device: scope.place().device.clone(),
            config: config.clone(),
        })
    }

    /// Returns the configuration of the encoder.
    pub(crate) fn config(&self) -> &ClipConfig {
        &self.config
    }

    /// Computes the states of one prompt, which has at most as many ids as there are positions. `skip` is the number of
    /// final layers that the states leave out. Fails when the encoder has fewer layers than that.
    pub(crate) fn forward(&self, ids: &[u32], skip: usize) -> Result<ClipStates> {
        let count = ids.len();
        if count == 0 || count > self.config.positions {
            return Err(Error::internal(format!("CLIP takes 1 to {} ids, not {count}", self.config.positions)));
        }
        if let Some(id) = ids.iter().find(|&&id| id as usize >= self.config.vocab_size) {
            return Err(unusable(format!(
                "the tokenizer gives the id {id}, and the text encoder has a table of {} ids",
                self.config.vocab_size
            ))
            .with_action("Put the folder of the tokenizer that belongs to the text encoder beside it."));
        }
        let Some(kept) = self.layers.len().checked_sub(skip) else {
            return Err(Error::invalid_request(format!(
                "the text encoder has {} layers, and {skip} of them cannot be left out",
                self.layers.len()
            )));
        };
        let mask = causal_mask(count, &self.device)?;
        let mut state = (self.tokens.rows(ids)? + self.positions.narrow(0, 0, count)?)?;
        let mut states = state.clone();
        for (layer, number) in self.layers.iter().zip(1..) {
            state = layer.forward(&state, Some(&mask))?;
            if number == kept {
                states = state.clone();
            }
        }
        let pooled = self.final_norm.forward(&state.narrow(0, self.end_of(ids), 1)?, self.config.epsilon)?;
        let pooled = match &self.projection {
            Some(projection) => projection.forward(&pooled, Activation::None)?.to_dtype(DType::F32)?,
            None => pooled,
        };
        Ok(ClipStates { states, pooled: pooled.squeeze(0)? })
    }

    /// Returns the position of the pooled state: the first end token or, as in the reference, 0 if there is none.
    fn end_of(&self, ids: &[u32]) -> usize {
        let end = self.config.end.or_else(|| ids.iter().copied().max());
        ids.iter().position(|&id| Some(id) == end).unwrap_or(0)
    }
}

impl HoldsWeights for ClipEncoder {
    fn bytes(&self) -> u64 {
        let numbers = self.positions.elem_count() + 2 * self.config.width;
        let layers: u64 = self.layers.iter().map(ClipLayer::bytes).sum();
        let projection = self.projection.as_ref().map_or(0, Linear::bytes);
        self.tokens.bytes() + layers + projection + (numbers * DType::F32.size_in_bytes()) as u64
    }
}
