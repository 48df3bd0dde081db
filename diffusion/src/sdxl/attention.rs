//! The transformer blocks of the UNet: self-attention over latent pixels and cross-attention to the prompt.

use std::sync::OnceLock;

use candle_core::{DType, Tensor};
use must_tensors::{Error, Result};

use super::shape::UnetShape;
use crate::nn::{Activation, Linear, attention, geglu, group_norm, layer_norm};
use crate::weights::Scope;

/// Pixels that the feed-forward part processes at a time. This limits its hidden state, the widest of all states.
pub(super) const FEED_TOKENS: usize = 2048;
/// Width of the feed-forward part's hidden state, gate included, as a multiple of the state's width.
pub(super) const FEED_WIDTH: usize = 8;
/// Epsilon of the normalisation before the first transformer block.
const ENTRY_EPSILON: f64 = 1e-6;
/// Epsilon of the normalisations inside transformer blocks.
const EPSILON: f64 = 1e-5;

/// Keys and values of a prompt in one transformer block, `[tokens, width]` each.
#[derive(Debug)]
pub(super) struct Keys {
    key: Tensor,
    value: Tensor,
}

#[derive(Debug)]
struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
}

impl Attention {
    fn load(scope: &Scope<'_>, width: usize, context: usize) -> Result<Self> {
        Ok(Self {
            query: Linear::load(scope, "to_q", width, width, false)?,
            key: Linear::load(scope, "to_k", context, width, false)?,
            value: Linear::load(scope, "to_v", context, width, false)?,
            output: Linear::load(scope, "to_out.0", width, width, true)?,
        })
    }

    fn keys(&self, states: &Tensor) -> Result<Keys> {
        Ok(Keys {
            key: self.key.forward(states, Activation::None)?,
            value: self.value.forward(states, Activation::None)?,
        })
    }

    fn forward(&self, normal: &Tensor, keys: &Keys, heads: usize) -> Result<Tensor> {
        let query = self.query.forward(normal, Activation::None)?;
        let mixed = attention(&query, &keys.key, &keys.value, heads)?;
        drop(query);
        Ok(self.output.forward(&mixed, Activation::None)?.to_dtype(DType::F32)?)
    }

    fn bytes(&self) -> u64 {
        [&self.query, &self.key, &self.value, &self.output].iter().map(|layer| layer.bytes()).sum()
    }
}

#[derive(Debug)]
struct TransformerBlock {
    norms: [(Tensor, Tensor); 3],
    self_attention: Attention,
    cross: Attention,
    up: Linear,
    down: Linear,
}

impl TransformerBlock {
    fn load(scope: &Scope<'_>, width: usize, context: usize) -> Result<Self> {
        let norm = |name: &str| -> Result<(Tensor, Tensor)> {
            Ok((scope.tensor(&format!("{name}.weight"), width)?, scope.tensor(&format!("{name}.bias"), width)?))
        };
        Ok(Self {
            norms: [norm("norm1")?, norm("norm2")?, norm("norm3")?],
            self_attention: Attention::load(&scope.pp("attn1"), width, width)?,
            cross: Attention::load(&scope.pp("attn2"), width, context)?,
            up: Linear::load(scope, "ff.net.0.proj", width, width * FEED_WIDTH, true)?,
            down: Linear::load(scope, "ff.net.2", width * FEED_WIDTH / 2, width, true)?,
        })
    }

    /// Maps a state `[pixels, width]` in float32 to one of the same shape.
    fn forward(&self, state: Tensor, states: &Tensor, keys: &OnceLock<Keys>, heads: usize) -> Result<Tensor> {
        let normal = |state: &Tensor, (gain, shift): &(Tensor, Tensor)| layer_norm(state, gain, shift, EPSILON);
        let [first, second, third] = &self.norms;
        let rows = normal(&state, first)?;
        let state = (state + self.self_attention.forward(&rows, &self.self_attention.keys(&rows)?, heads)?)?;
        drop(rows);
        let keys = match keys.get() {
            Some(keys) => keys,
            None => {
                let made = self.cross.keys(states)?;
                keys.get_or_init(|| made)
            }
        };
        let state = (&state + self.cross.forward(&normal(&state, second)?, keys, heads)?)?;
        let pixels = state.dim(0)?;
        let fed = (0..pixels)
            .step_by(FEED_TOKENS)
            .map(|from| {
                let rows = normal(&state.narrow(0, from, FEED_TOKENS.min(pixels - from))?, third)?;
                let hidden = geglu(&self.up.forward(&{ rows }, Activation::None)?)?;
                Ok(self.down.forward(&hidden, Activation::None)?.to_dtype(DType::F32)?)
            })
            .collect::<Result<Vec<_>>>()?;
        Ok((state + joined(fed)?)?)
    }

    fn bytes(&self) -> u64 {
        self.self_attention.bytes() + self.cross.bytes() + self.up.bytes() + self.down.bytes()
    }
}

fn joined(mut parts: Vec<Tensor>) -> Result<Tensor> {
    match parts.len() {
        1 => parts.pop().ok_or_else(|| Error::internal("no parts")),
        _ => Ok(Tensor::cat(&parts, 0)?),
    }
}

/// The transformer blocks after a residual block, with a residual connection around them.
#[derive(Debug)]
pub(super) struct PixelTransformer {
    norm: (Tensor, Tensor),
    input: Linear,
    blocks: Vec<TransformerBlock>,
    output: Linear,
    heads: usize,
    groups: usize,
}

impl PixelTransformer {
    pub(super) fn load(
        shape: &UnetShape,
        scope: &Scope<'_>,
        (width, heads): (usize, usize),
        depth: usize,
    ) -> Result<Self> {
        let blocks = (0..depth).map(|index| {
            TransformerBlock::load(&scope.pp(format!("transformer_blocks.{index}")), width, shape.context)
        });
        Ok(Self {
            norm: (scope.tensor("norm.weight", width)?, scope.tensor("norm.bias", width)?),
            input: Linear::load(scope, "proj_in", width, width, true)?,
            blocks: blocks.collect::<Result<_>>()?,
            output: Linear::load(scope, "proj_out", width, width, true)?,
            heads,
            groups: shape.groups,
        })
    }

    /// Returns the bytes of the weights.
    pub(super) fn bytes(&self) -> u64 {
        let blocks: u64 = self.blocks.iter().map(TransformerBlock::bytes).sum();
        blocks + self.input.bytes() + self.output.bytes()
    }

    /// Maps a state `[width, 1, h, w]` in float32 to one of the same shape. `states` is the prompt, `[tokens, context]`; `keys` has
    /// one cell per transformer block, which the first step fills and later steps reuse.
    pub(super) fn forward(&self, input: Tensor, states: &Tensor, keys: &[OnceLock<Keys>]) -> Result<Tensor> {
        let (width, _, height, columns) = input.dims4()?;
        let (gain, shift) = &self.norm;
        let normal = group_norm(&input, self.groups, gain, shift, ENTRY_EPSILON, false)?;
        let rows = normal.reshape((width, height * columns))?.t()?.contiguous()?;
        drop(normal);
        let mut state = self.input.forward(&{ rows }, Activation::None)?.to_dtype(DType::F32)?;
        if keys.len() != self.blocks.len() {
            return Err(Error::internal("the context belongs to another model"));
        }
        for (block, keys) in self.blocks.iter().zip(keys) {
            state = block.forward(state, states, keys, self.heads)?;
        }
        let output = self.output.forward(&{ state }, Activation::None)?.to_dtype(DType::F32)?;
        Ok((input + output.t()?.contiguous()?.reshape((width, 1, height, columns))?)?)
    }
}
