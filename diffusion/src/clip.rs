//! The transformer layer that CLIP's text encoder and image encoder share.
//!
//! Paper: "Learning Transferable Visual Models From Natural Language Supervision", <https://arxiv.org/abs/2103.00020>.
//! Reference: `CLIPEncoderLayer` in
//! <https://github.com/huggingface/transformers/blob/main/src/transformers/models/clip/modeling_clip.py>

use candle_core::{D, DType, Device, Tensor};
use must_tensors::Result;
use serde::Deserialize;

use crate::nn::{Activation, Linear, attention, layer_norm};
use crate::weights::Scope;

/// The activation of the feed-forward network, by its name in `config.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HiddenAct {
    /// Exact GELU, computed with the error function.
    Gelu,
    /// `x * sigmoid(1.702 x)`.
    QuickGelu,
}

impl HiddenAct {
    fn activation(self) -> Activation {
        match self {
            Self::Gelu => Activation::GeluErf,
            Self::QuickGelu => Activation::QuickGelu,
        }
    }
}

/// The sizes of a layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ClipSizes {
    /// Width of the states.
    pub(crate) width: usize,
    /// Heads of the attention.
    pub(crate) heads: usize,
    /// Hidden width of the feed-forward part.
    pub(crate) ffn: usize,
    /// Activation of the feed-forward part.
    pub(crate) activation: HiddenAct,
    /// Epsilon of the norms.
    pub(crate) epsilon: f64,
}

/// A layer norm's gain and shift, `[width]` each.
#[derive(Debug)]
pub(crate) struct ClipNorm(Tensor, Tensor);

impl ClipNorm {
    pub(crate) fn load(scope: &Scope<'_>, width: usize) -> Result<Self> {
        Ok(Self(scope.tensor("weight", width)?, scope.tensor("bias", width)?))
    }

    pub(crate) fn forward(&self, state: &Tensor, epsilon: f64) -> Result<Tensor> {
        layer_norm(state, &self.0, &self.1, epsilon)
    }
}

/// One transformer layer: attention and feed-forward part, each with a layer norm before it.
#[derive(Debug)]
pub(crate) struct ClipLayer {
    sizes: ClipSizes,
    attention_norm: ClipNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    feed_norm: ClipNorm,
    up: Linear,
    down: Linear,
}

impl ClipLayer {
    pub(crate) fn load(sizes: &ClipSizes, scope: &Scope<'_>) -> Result<Self> {
        let (width, inner) = (sizes.width, sizes.ffn);
        let linear = |name: &str, inputs, outputs| Linear::load(scope, name, inputs, outputs, true);
        Ok(Self {
            sizes: *sizes,
            attention_norm: ClipNorm::load(&scope.pp("layer_norm1"), width)?,
            query: linear("self_attn.q_proj", width, width)?,
            key: linear("self_attn.k_proj", width, width)?,
            value: linear("self_attn.v_proj", width, width)?,
            output: linear("self_attn.out_proj", width, width)?,
            feed_norm: ClipNorm::load(&scope.pp("layer_norm2"), width)?,
            up: linear("mlp.fc1", width, inner)?,
            down: linear("mlp.fc2", inner, width)?,
        })
    }

    /// Maps states `[tokens, width]` in float32 to states of the same shape. `mask` is `[tokens, tokens]`, added to the attention
    /// scores: minus infinity where the row's token must not attend to the column's.
    pub(crate) fn forward(&self, state: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        let ClipSizes { heads, epsilon, activation, .. } = self.sizes;
        let normal = self.attention_norm.forward(state, epsilon)?;
        let project = |layer: &Linear| layer.forward(&normal, Activation::None);
        let (query, key, value) = (project(&self.query)?, project(&self.key)?, project(&self.value)?);
        let mixed = match mask {
            Some(mask) => masked(&query, &key, &value, heads, mask)?,
            None => attention(&query, &key, &value, heads)?,
        };
        let state = (state + self.output.forward(&mixed, Activation::None)?.to_dtype(DType::F32)?)?;

        let normal = self.feed_norm.forward(&state, epsilon)?;
        let hidden = self.up.forward(&normal, activation.activation())?;
        Ok((&state + self.down.forward(&hidden, Activation::None)?.to_dtype(DType::F32)?)?)
    }

    /// Returns the bytes of the layer's weights.
    pub(crate) fn bytes(&self) -> u64 {
        let linears = [&self.query, &self.key, &self.value, &self.output, &self.up, &self.down];
        let norms = 4 * self.sizes.width * DType::F32.size_in_bytes();
        linears.into_iter().map(Linear::bytes).sum::<u64>() + norms as u64
    }
}

/// Computes attention with `mask` added to the scores. Holds all scores at once, which is affordable for short texts.
fn masked(query: &Tensor, key: &Tensor, value: &Tensor, heads: usize, mask: &Tensor) -> Result<Tensor> {
    let (rows, width) = query.dims2()?;
    let split = |tensor: &Tensor| -> Result<Tensor> {
        Ok(tensor.reshape((rows, heads, width / heads))?.transpose(0, 1)?.contiguous()?)
    };
    let scale = 1.0 / ((width / heads) as f64).sqrt();
    let scores = (split(query)? * scale)?.matmul(&split(key)?.transpose(D::Minus1, D::Minus2)?.contiguous()?)?;
    let scores = scores.to_dtype(DType::F32)?.broadcast_add(mask)?;
    let shares = candle_nn::ops::softmax_last_dim(&scores)?.to_dtype(value.dtype())?;
    Ok(shares.matmul(&split(value)?)?.transpose(0, 1)?.reshape((rows, width))?)
}

/// Builds the mask `[count, count]` that lets each token attend to itself and to the tokens before it.
pub(crate) fn causal_mask(count: usize, device: &Device) -> Result<Tensor> {
    let sees = |row: usize, column: usize| if column <= row { 0.0 } else { f32::NEG_INFINITY };
    let values = (0..count).flat_map(|row| (0..count).map(move |column| sees(row, column))).collect::<Vec<f32>>();
    Ok(Tensor::from_vec(values, (count, count), device)?)
}
