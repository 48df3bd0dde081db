//! T5 and UMT5 encoders: compute text states from token ids.
//!
//! UMT5 differs from T5 in that every layer has a relative position bias of its own. Papers: "Exploring the Limits of
//! Transfer Learning with a Unified Text-to-Text Transformer", <https://arxiv.org/abs/1910.10683>; "UniMax",
//! <https://arxiv.org/abs/2304.09151>. Reference:
//! <https://github.com/huggingface/transformers/blob/main/src/transformers/models/umt5/modeling_umt5.py>

#[cfg(test)]
mod tests;

use candle_core::{D, DType, Device, Tensor};
use must_tensors::{Error, Result};

use crate::nn::{Activation, Embedding, Linear};
use crate::place::HoldsWeights;
use crate::weights::Scope;

/// The sizes of an encoder.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct T5Config {
    /// Width of the states.
    pub(crate) d_model: usize,
    /// Channels of a head.
    pub(crate) d_kv: usize,
    /// Hidden width of the feed-forward part.
    pub(crate) d_ff: usize,
    /// Number of blocks.
    pub(crate) num_layers: usize,
    /// Heads of every attention.
    pub(crate) num_heads: usize,
    /// Size of the vocabulary.
    pub(crate) vocab_size: usize,
    /// Buckets of the relative position bias.
    pub(crate) buckets: usize,
    /// The distance from which all positions share the last bucket.
    pub(crate) max_distance: usize,
    /// Epsilon of the normalisations.
    pub(crate) epsilon: f64,
    /// Whether every layer has its own position bias (UMT5), or all use that of the first layer (T5).
    pub(crate) own_bias: bool,
}

#[derive(Debug)]
struct Block {
    attention_norm: Tensor,
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    position_bias: Option<Tensor>, // [buckets, heads]
    feed_norm: Tensor,
    gate: Linear,
    up: Linear,
    down: Linear,
}

impl Block {
    fn load(config: &T5Config, scope: &Scope<'_>, index: usize) -> Result<Self> {
        let (width, inner) = (config.d_model, config.num_heads * config.d_kv);
        let (attention, feed) = (scope.pp("layer.0"), scope.pp("layer.1"));
        let position_bias = if config.own_bias || index == 0 {
            let name = "SelfAttention.relative_attention_bias.weight";
            Some(attention.tensor(name, (config.buckets, config.num_heads))?)
        } else {
            None
        };
        Ok(Self {
            attention_norm: attention.tensor("layer_norm.weight", width)?,
            query: Linear::load(&attention, "SelfAttention.q", width, inner, false)?,
            key: Linear::load(&attention, "SelfAttention.k", width, inner, false)?,
            value: Linear::load(&attention, "SelfAttention.v", width, inner, false)?,
            output: Linear::load(&attention, "SelfAttention.o", inner, width, false)?,
            position_bias,
            feed_norm: feed.tensor("layer_norm.weight", width)?,
            gate: Linear::load(&feed, "DenseReluDense.wi_0", width, config.d_ff, false)?,
            up: Linear::load(&feed, "DenseReluDense.wi_1", width, config.d_ff, false)?,
            down: Linear::load(&feed, "DenseReluDense.wo", config.d_ff, width, false)?,
        })
    }
}

impl HoldsWeights for TextEncoder {
    fn bytes(&self) -> u64 {
        let of = |block: &Block| {
            let layers = [&block.query, &block.key, &block.value, &block.output, &block.gate, &block.up, &block.down];
            layers.into_iter().map(Linear::bytes).sum::<u64>()
        };
        self.embedding.bytes() + self.blocks.iter().map(of).sum::<u64>()
    }
}

/// The text encoder of one checkpoint.
#[derive(Debug)]
pub(crate) struct TextEncoder {
    config: T5Config,
    embedding: Embedding, // [vocabulary, d_model]
    blocks: Vec<Block>,
    final_norm: Tensor,
    device: Device,
}

impl TextEncoder {
    /// Loads the encoder. Ignores the decoder tensors that some checkpoints hold.
    pub(crate) fn load(config: &T5Config, scope: &Scope<'_>) -> Result<Self> {
        let blocks = (0..config.num_layers)
            .map(|index| Block::load(config, &scope.pp(format!("encoder.block.{index}")), index))
            .collect::<Result<_>>()?;
        Ok(Self {
            embedding: Embedding::load(scope, "shared.weight", config.vocab_size, config.d_model)?,
            blocks,
            final_norm: scope.tensor("encoder.final_layer_norm.weight", config.d_model)?,
            device: scope.place().device.clone(),
            config: config.clone(),
        })
    }

    /// Computes the states `[ids, d_model]` of one prompt in float32. All ids attend to each other: Wan passes no padding,
    /// and FLUX's T5 attends to its padding.
    pub(crate) fn forward(&self, ids: &[u32]) -> Result<Tensor> {
        if ids.is_empty() {
            return Err(Error::internal("a prompt without tokens"));
        }
        let count = ids.len();
        let (heads, size) = (self.config.num_heads, self.config.d_kv);
        let epsilon = self.config.epsilon as f32;
        let buckets = Tensor::from_vec(self.buckets(count), count * count, &self.device)?;
        let mut bias = None;
        let mut state = self.embedding.rows(ids)?;
        for block in &self.blocks {
            let normal = candle_nn::ops::rms_norm(&state, &block.attention_norm, epsilon)?;
            let split = |layer: &Linear| -> Result<Tensor> {
                let projected = layer.forward(&normal, Activation::None)?;
                Ok(projected.reshape((count, heads, size))?.transpose(0, 1)?.contiguous()?)
            };
            if let Some(table) = &block.position_bias {
                let each = table.index_select(&buckets, 0)?; // [count * count, heads]
                bias = Some(each.reshape((count, count, heads))?.permute((2, 0, 1))?.contiguous()?);
            }
            let Some(bias) = &bias else { return Err(Error::internal("the first layer has no position bias")) };
            // T5 does not scale by the head size.
            let scores = split(&block.query)?.matmul(&split(&block.key)?.transpose(D::Minus1, D::Minus2)?)?;
            let value = split(&block.value)?;
            let shares = candle_nn::ops::softmax_last_dim(&(scores.to_dtype(DType::F32)? + bias)?)?;
            let mixed = shares.to_dtype(value.dtype())?.matmul(&value)?;
            let mixed = mixed.transpose(0, 1)?.reshape((count, heads * size))?;
            state = (state + block.output.forward(&mixed, Activation::None)?.to_dtype(DType::F32)?)?;

            let normal = candle_nn::ops::rms_norm(&state, &block.feed_norm, epsilon)?;
            let hidden = block.gate.forward(&normal, Activation::Gelu)?;
            let hidden = (hidden * block.up.forward(&normal, Activation::None)?)?;
            state = (state + block.down.forward(&hidden, Activation::None)?.to_dtype(DType::F32)?)?;
        }
        Ok(candle_nn::ops::rms_norm(&state, &self.final_norm, epsilon)?)
    }

    /// Returns the bucket of every (query, key) pair, query-major. Keys after the query have one half of the buckets, and all
    /// other keys have the other half. In each half, near distances have one bucket each, and far ones share logarithmically
    /// sized buckets.
    fn buckets(&self, count: usize) -> Vec<u32> {
        let half = self.config.buckets / 2;
        let exact = half / 2;
        let farthest = self.config.max_distance as f32;
        let bucket = |query: usize, key: usize| {
            let distance = query.abs_diff(key);
            let near = if distance < exact {
                distance
            } else {
                let ratio = libm::logf(distance as f32 / exact as f32) / libm::logf(farthest / exact as f32);
                (exact + (ratio * (half - exact) as f32) as usize).min(half - 1)
            };
            (if key > query { near + half } else { near }) as u32
        };
        (0..count)
            .flat_map(|query| (0..count).map(move |key| (query, key)))
            .map(|(query, key)| bucket(query, key))
            .collect()
    }
}
