//! UMT5 encoder: token ids into text states.
//!
//! Differs from T5 in that every layer has a relative position bias of its own. Paper: "UniMax",
//! <https://arxiv.org/abs/2304.09151>. Reference:
//! <https://github.com/huggingface/transformers/blob/main/src/transformers/models/umt5/modeling_umt5.py>

use candle_core::{D, Device, Tensor};

use super::config::TextConfig;
use crate::diffusion::kernels::{Activation, Linear};
use crate::diffusion::weights::Weights;
use crate::error::{Error, Result};

#[derive(Debug)]
struct Block {
    attention_norm: Tensor,
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    position_bias: Tensor, // [buckets, heads]
    feed_norm: Tensor,
    gate: Linear,
    up: Linear,
    down: Linear,
}

/// The encoder of one checkpoint.
#[derive(Debug)]
pub struct TextEncoder {
    config: TextConfig,
    embedding: Tensor, // [vocabulary, d_model]
    blocks: Vec<Block>,
    final_norm: Tensor,
    device: Device,
}

impl TextEncoder {
    /// Reads the encoder; decoder tensors that a checkpoint may hold are left alone.
    pub fn load(config: &TextConfig, weights: &Weights, device: &Device) -> Result<Self> {
        config.check()?;
        let (width, inner) = (config.d_model, config.num_heads * config.d_kv);
        let blocks = (0..config.num_layers)
            .map(|index| {
                let attention = format!("encoder.block.{index}.layer.0");
                let feed = format!("encoder.block.{index}.layer.1");
                let linear = |name: String, inputs, outputs| Linear::load(weights, &name, inputs, outputs, false);
                Ok(Block {
                    attention_norm: weights.get(&format!("{attention}.layer_norm.weight"), width)?,
                    query: linear(format!("{attention}.SelfAttention.q"), width, inner)?,
                    key: linear(format!("{attention}.SelfAttention.k"), width, inner)?,
                    value: linear(format!("{attention}.SelfAttention.v"), width, inner)?,
                    output: linear(format!("{attention}.SelfAttention.o"), inner, width)?,
                    position_bias: weights.get(
                        &format!("{attention}.SelfAttention.relative_attention_bias.weight"),
                        (config.relative_attention_num_buckets, config.num_heads),
                    )?,
                    feed_norm: weights.get(&format!("{feed}.layer_norm.weight"), width)?,
                    gate: linear(format!("{feed}.DenseReluDense.wi_0"), width, config.d_ff)?,
                    up: linear(format!("{feed}.DenseReluDense.wi_1"), width, config.d_ff)?,
                    down: linear(format!("{feed}.DenseReluDense.wo"), config.d_ff, width)?,
                })
            })
            .collect::<Result<_>>()?;
        // Published checkpoints tie the two names; which of them is stored depends on the version that saved it.
        let shared = if weights.has("shared.weight") { "shared.weight" } else { "encoder.embed_tokens.weight" };
        Ok(Self {
            config: config.clone(),
            embedding: weights.get(shared, (config.vocab_size, width))?,
            blocks,
            final_norm: weights.get("encoder.final_layer_norm.weight", width)?,
            device: device.clone(),
        })
    }

    /// States `[ids, d_model]` of one prompt without padding.
    pub fn forward(&self, ids: &[u32]) -> Result<Tensor> {
        if ids.is_empty() || ids.iter().any(|&id| id as usize >= self.config.vocab_size) {
            return Err(Error::internal("a token is outside the vocabulary of the text encoder"));
        }
        let count = ids.len();
        let (heads, size) = (self.config.num_heads, self.config.d_kv);
        let epsilon = self.config.layer_norm_epsilon as f32;
        let buckets = Tensor::from_vec(self.buckets(count), count * count, &self.device)?;
        let mut state = self.embedding.index_select(&Tensor::new(ids, &self.device)?, 0)?;
        for block in &self.blocks {
            let normal = candle_nn::ops::rms_norm(&state, &block.attention_norm, epsilon)?;
            let split = |layer: &Linear| -> Result<Tensor> {
                let projected = layer.forward(&normal, Activation::None)?;
                Ok(projected.reshape((count, heads, size))?.transpose(0, 1)?.contiguous()?)
            };
            // T5 does not scale by the head size.
            let scores = split(&block.query)?.matmul(&split(&block.key)?.transpose(D::Minus1, D::Minus2)?)?;
            let bias = block.position_bias.index_select(&buckets, 0)?; // [count * count, heads]
            let bias = bias.reshape((count, count, heads))?.permute((2, 0, 1))?.contiguous()?;
            let mixed = candle_nn::ops::softmax_last_dim(&(scores + bias)?)?.matmul(&split(&block.value)?)?;
            let mixed = mixed.transpose(0, 1)?.reshape((count, heads * size))?;
            state = (state + block.output.forward(&mixed, Activation::None)?)?;

            let normal = candle_nn::ops::rms_norm(&state, &block.feed_norm, epsilon)?;
            let hidden = block.gate.forward(&normal, Activation::Gelu)?;
            let hidden = (hidden * block.up.forward(&normal, Activation::None)?)?;
            state = (state + block.down.forward(&hidden, Activation::None)?)?;
        }
        Ok(candle_nn::ops::rms_norm(&state, &self.final_norm, epsilon)?)
    }

    /// The bucket of every (query, key) pair, query-major: half for each sign, near distances one each, far ones
    /// logarithmically.
    fn buckets(&self, count: usize) -> Vec<u32> {
        let half = self.config.relative_attention_num_buckets / 2;
        let exact = half / 2;
        let farthest = self.config.relative_attention_max_distance as f32;
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
