//! The transformer block, and the control blocks of VACE that run beside the main ones.

use std::sync::OnceLock;

use candle_core::{DType, Tensor};
use must_tensors::{Error, Result};

use super::shape::TransformerShape;
use crate::nn::{Activation, Linear, Rotation, add_gated, attention, layer_norm, norm_rotate};
use crate::weights::Scope;

/// Tokens that a feed-forward part processes at a time. This limits its hidden state, the widest of all states.
pub(super) const FEED_TOKENS: usize = 4096;

#[derive(Debug)]
struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    query_norm: Tensor, // [width]
    key_norm: Tensor,   // [width]
}

impl Attention {
    fn load(width: usize, scope: &Scope<'_>) -> Result<Self> {
        let linear = |part: &str| Linear::load(scope, part, width, width, true);
        Ok(Self {
            query: linear("to_q")?,
            key: linear("to_k")?,
            value: linear("to_v")?,
            output: linear("to_out.0")?,
            query_norm: scope.tensor("norm_q.weight", width)?,
            key_norm: scope.tensor("norm_k.weight", width)?,
        })
    }
}

/// The projections of image tokens to keys and values, used beside those of the text.
#[derive(Debug)]
struct ImageAttention {
    key: Linear,
    value: Linear,
    key_norm: Tensor, // [width]
}

/// A block: self-attention, cross-attention and a feed-forward part.
#[derive(Debug)]
pub(super) struct Block {
    own: Attention,
    cross: Attention,
    image: Option<ImageAttention>,
    cross_norm: Option<(Tensor, Tensor)>, // gain and shift, [width] each
    up: Linear,
    down: Linear,
    table: Tensor, // [6, width]
    heads: usize,
    epsilon: f64,
}

impl Block {
    pub(super) fn load(config: &TransformerShape, scope: &Scope<'_>) -> Result<Self> {
        let width = config.inner_dim();
        let cross = scope.pp("attn2");
        let image = match config.added_kv_proj_dim {
            Some(_) => Some(ImageAttention {
                key: Linear::load(&cross, "add_k_proj", width, width, true)?,
                value: Linear::load(&cross, "add_v_proj", width, width, true)?,
                key_norm: cross.tensor("norm_added_k.weight", width)?,
            }),
            None => None,
        };
        let cross_norm = if config.cross_attn_norm {
            Some((scope.tensor("norm2.weight", width)?, scope.tensor("norm2.bias", width)?))
        } else {
            None
        };
        Ok(Self {
            own: Attention::load(width, &scope.pp("attn1"))?,
            cross: Attention::load(width, &cross)?,
            image,
            cross_norm,
            up: Linear::load(scope, "ffn.net.0.proj", width, config.ffn_dim, true)?,
            down: Linear::load(scope, "ffn.net.2", config.ffn_dim, width, true)?,
            table: scope.tensor("scale_shift_table", (1, 6, width))?.squeeze(0)?,
            heads: config.num_attention_heads,
            epsilon: config.eps,
        })
    }

    /// Returns the bytes of the weights.
    pub(super) fn bytes(&self) -> u64 {
        let attention = |part: &Attention| {
            [&part.query, &part.key, &part.value, &part.output].iter().map(|layer| layer.bytes()).sum::<u64>()
        };
        let image = self.image.as_ref().map_or(0, |image| image.key.bytes() + image.value.bytes());
        attention(&self.own) + attention(&self.cross) + image + self.up.bytes() + self.down.bytes()
    }

    /// Computes the block's modulation at the times of one step. Each modulation comes with the number of rows that it
    /// applies to.
    pub(super) fn modulation(&self, times: &[(usize, Tensor)]) -> Result<Vec<(usize, Modulation)>> {
        times.iter().map(|(rows, time)| Ok((*rows, Modulation::new(&self.table, time)?))).collect()
    }

    /// Computes this block's cross-attention keys and values from the text states, and from the image tokens of models that
    /// have them.
    fn keys(&self, states: &Tensor, image: Option<&Tensor>) -> Result<Keys> {
        let key = self.cross.key.forward(states, Activation::None)?;
        let text = (
            norm_rotate(&key, &self.cross.key_norm, self.epsilon, None)?,
            self.cross.value.forward(states, Activation::None)?,
        );
        let image = match (&self.image, image) {
            (Some(layers), Some(tokens)) => {
                let key = layers.key.forward(tokens, Activation::None)?;
                Some((
                    norm_rotate(&key, &layers.key_norm, self.epsilon, None)?,
                    layers.value.forward(tokens, Activation::None)?,
                ))
            }
            (None, None) => None,
            _ => return Err(Error::internal("image tokens do not fit the model")),
        };
        Ok(Keys { text, image })
    }

    /// Computes the state after the whole block.
    pub(super) fn forward(
        &self,
        state: Tensor,
        modulation: &[(usize, Modulation)],
        rotation: &Rotation,
        context: &BlockContext<'_>,
    ) -> Result<Tensor> {
        let state = self.attend_self(state, modulation, rotation)?;
        self.attend_text(state, modulation, context)
    }

    /// Adds self-attention to a state `[tokens, width]`.
    pub(super) fn attend_self(
        &self,
        state: Tensor,
        modulation: &[(usize, Modulation)],
        rotation: &Rotation,
    ) -> Result<Tensor> {
        let normal =
            in_parts(modulation, &[&state], |part, of| layer_norm(&part.rows(0)?, &of.scale, &of.shift, self.epsilon))?;
        let turned = |layer: &Linear, gain: &Tensor| {
            norm_rotate(&layer.forward(&normal, Activation::None)?, gain, self.epsilon, Some(rotation))
        };
        let query = turned(&self.own.query, &self.own.query_norm)?;
        let key = turned(&self.own.key, &self.own.key_norm)?;
        let value = self.own.value.forward(&normal, Activation::None)?;
        drop(normal);
        let mixed = attention(&query, &key, &value, self.heads)?;
        drop((query, key, value));
        let output = self.own.output.forward(&mixed, Activation::None)?;
        in_parts(modulation, &[&state, &output], |part, of| add_gated(&part.rows(0)?, &part.rows(1)?, &of.gate))
    }

    /// Adds cross-attention and the feed-forward part.
    pub(super) fn attend_text(
        &self,
        state: Tensor,
        modulation: &[(usize, Modulation)],
        context: &BlockContext<'_>,
    ) -> Result<Tensor> {
        let keys = match context.keys.get() {
            Some(keys) => keys,
            None => {
                let made = self.keys(context.states, context.image)?;
                context.keys.get_or_init(|| made)
            }
        };
        let normal = match &self.cross_norm {
            Some((gain, shift)) => layer_norm(&state, gain, shift, self.epsilon)?,
            None => state.clone(),
        };
        let query = self.cross.query.forward(&normal, Activation::None)?;
        drop(normal);
        let query = norm_rotate(&{ query }, &self.cross.query_norm, self.epsilon, None)?;
        let mut mixed = attention(&query, &keys.text.0, &keys.text.1, self.heads)?;
        if let Some((key, value)) = &keys.image {
            mixed = (mixed + attention(&query, key, value, self.heads)?)?;
        }
        drop(query);
        let output = self.cross.output.forward(&{ mixed }, Activation::None)?.to_dtype(DType::F32)?;
        let state = (state + output)?;

        let fed = in_parts(modulation, &[&state], |part, of| {
            let normal = layer_norm(&part.rows(0)?, &of.feed_scale, &of.feed_shift, self.epsilon)?;
            let tokens = normal.dim(0)?;
            let mut parts = vec![];
            for from in (0..tokens).step_by(FEED_TOKENS) {
                let normal = normal.narrow(0, from, FEED_TOKENS.min(tokens - from))?;
                let hidden = self.up.forward(&normal, Activation::Gelu)?;
                parts.push(self.down.forward(&hidden, Activation::None)?);
            }
            joined(parts)
        })?;
        in_parts(modulation, &[&state, &fed], |part, of| add_gated(&part.rows(0)?, &part.rows(1)?, &of.feed_gate))
    }
}

/// The context of one prompt for one block.
pub(super) struct BlockContext<'a> {
    /// Text states, `[text, width]`.
    pub(super) states: &'a Tensor,
    /// Image tokens, `[tokens, width]`.
    pub(super) image: Option<&'a Tensor>,
    /// Computed at the first step and reused by the later ones.
    pub(super) keys: &'a OnceLock<Keys>,
}

/// Keys and values of cross-attention, `[tokens, width]` each.
#[derive(Debug)]
pub(super) struct Keys {
    text: (Tensor, Tensor),
    image: Option<(Tensor, Tensor)>,
}

/// A range of rows of several tensors. All of its rows have the same modulation.
struct Part<'a> {
    tensors: &'a [&'a Tensor],
    from: usize,
    count: usize,
}

impl Part<'_> {
    fn rows(&self, index: usize) -> Result<Tensor> {
        let tensor = self.tensors.get(index).ok_or_else(|| Error::internal("a part has no such tensor"))?;
        if self.from == 0 && self.count == tensor.dim(0)? {
            return Ok((*tensor).clone());
        }
        Ok(tensor.narrow(0, self.from, self.count)?.contiguous()?)
    }
}

/// Calls `work` for the rows of each modulation, and concatenates the results.
fn in_parts(
    modulation: &[(usize, Modulation)],
    tensors: &[&Tensor],
    work: impl Fn(&Part<'_>, &Modulation) -> Result<Tensor>,
) -> Result<Tensor> {
    let mut from = 0;
    let mut parts = Vec::with_capacity(modulation.len());
    for (count, modulation) in modulation {
        parts.push(work(&Part { tensors, from, count: *count }, modulation)?);
        from += count;
    }
    joined(parts)
}

fn joined(mut parts: Vec<Tensor>) -> Result<Tensor> {
    match parts.len() {
        1 => parts.pop().ok_or_else(|| Error::internal("no parts")),
        _ => Ok(Tensor::cat(&parts, 0)?),
    }
}

/// A block that processes the control states and produces a hint for the main blocks.
#[derive(Debug)]
pub(super) struct ControlBlock {
    /// Only the first control block has one.
    input: Option<Linear>,
    block: Block,
    output: Linear,
}

impl ControlBlock {
    pub(super) fn load(config: &TransformerShape, scope: &Scope<'_>, index: usize) -> Result<Self> {
        let width = config.inner_dim();
        let input = if index == 0 { Some(Linear::load(scope, "proj_in", width, width, true)?) } else { None };
        Ok(Self {
            input,
            block: Block::load(config, scope)?,
            output: Linear::load(scope, "proj_out", width, width, true)?,
        })
    }

    /// Returns the bytes of the weights.
    pub(super) fn bytes(&self) -> u64 {
        self.block.bytes() + self.output.bytes() + self.input.as_ref().map_or(0, Linear::bytes)
    }

    /// Computes the modulation of the inner block.
    pub(super) fn modulation(&self, times: &[(usize, Tensor)]) -> Result<Vec<(usize, Modulation)>> {
        self.block.modulation(times)
    }

    /// Computes the control states after this block, and the hint for the main blocks. `first` is the main state before its
    /// first block.
    pub(super) fn forward(
        &self,
        control: Tensor,
        first: &Tensor,
        modulation: &[(usize, Modulation)],
        rotation: &Rotation,
        context: &BlockContext<'_>,
    ) -> Result<(Tensor, Tensor)> {
        let control = match &self.input {
            Some(input) => (input.forward(&control, Activation::None)?.to_dtype(DType::F32)? + first)?,
            None => control,
        };
        let control = self.block.forward(control, modulation, rotation, context)?;
        let hint = self.output.forward(&control, Activation::None)?.to_dtype(DType::F32)?;
        Ok((control, hint))
    }
}

/// One block's modulation at one time, `[width]` each. The scales include the added 1.
#[derive(Debug)]
pub(super) struct Modulation {
    shift: Tensor,
    scale: Tensor,
    gate: Tensor,
    feed_shift: Tensor,
    feed_scale: Tensor,
    feed_gate: Tensor,
}

impl Modulation {
    fn new(table: &Tensor, time: &Tensor) -> Result<Self> {
        let table = (table + time)?; // [6, width]
        Ok(Self {
            shift: table.get(0)?,
            scale: (table.get(1)? + 1.0)?,
            gate: table.get(2)?,
            feed_shift: table.get(3)?,
            feed_scale: (table.get(4)? + 1.0)?,
            feed_gate: table.get(5)?,
        })
    }
}
