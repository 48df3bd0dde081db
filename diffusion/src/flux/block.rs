//! The two kinds of transformer blocks: double blocks have separate weights for text and picture, and combine the two in attention
//! alone; single blocks process both as one sequence.

use candle_core::{DType, Tensor};
use must_tensors::Result;

use super::shape::TransformerShape;
use crate::nn::{Activation, Linear, Rotation, add_gated, attention, layer_norm, norm_rotate};
use crate::weights::Scope;

/// Tokens that a feed-forward part processes at a time. This limits its hidden state, the widest of all states.
pub(super) const FEED_TOKENS: usize = 1024;

/// Epsilon of every normalisation; `config.json` has no field for it.
const EPSILON: f64 = 1e-6;

/// The states of a double block, `[tokens, width]` each.
#[derive(Debug, Clone)]
pub(super) struct States {
    pub(super) text: Tensor,
    pub(super) image: Tensor,
}

/// Rotary tables of the sequence of text and picture, and of the picture alone. The position of text is 0, so its rotation is
/// the identity.
#[derive(Debug)]
pub(super) struct Rotations {
    pub(super) joint: Rotation,
    pub(super) image: Rotation,
}

/// The projections to queries, keys and values, with the norms of queries and keys.
#[derive(Debug)]
struct Projections {
    query: Linear,
    key: Linear,
    value: Linear,
    query_norm: Tensor, // [size of a head]
    key_norm: Tensor,   // [size of a head]
}

impl Projections {
    fn load(config: &TransformerShape, scope: &Scope<'_>, layers: [&str; 3], norms: [&str; 2]) -> Result<Self> {
        let (width, size) = (config.inner_dim(), config.attention_head_dim);
        let [query, key, value] = layers;
        let [query_norm, key_norm] = norms;
        let linear = |name: &str| Linear::load(scope, name, width, width, true);
        Ok(Self {
            query: linear(query)?,
            key: linear(key)?,
            value: linear(value)?,
            query_norm: scope.tensor(query_norm, size)?,
            key_norm: scope.tensor(key_norm, size)?,
        })
    }

    fn bytes(&self) -> u64 {
        [&self.query, &self.key, &self.value].into_iter().map(Linear::bytes).sum()
    }

    fn query(&self, normal: &Tensor, rotation: Option<&Rotation>) -> Result<Tensor> {
        norm_rotate(&self.query.forward(normal, Activation::None)?, &self.query_norm, EPSILON, rotation)
    }

    fn key(&self, normal: &Tensor, rotation: Option<&Rotation>) -> Result<Tensor> {
        norm_rotate(&self.key.forward(normal, Activation::None)?, &self.key_norm, EPSILON, rotation)
    }

    fn value(&self, normal: &Tensor) -> Result<Tensor> {
        self.value.forward(normal, Activation::None)
    }
}

/// The layers of a double block for one of the two streams, text or picture.
#[derive(Debug)]
struct Stream {
    modulation: Linear,
    projections: Projections,
    output: Linear,
    up: Linear,
    down: Linear,
}

/// The names of a stream's layers.
struct StreamNames {
    modulation: &'static str,
    layers: [&'static str; 3],
    norms: [&'static str; 2],
    output: &'static str,
    feed: &'static str,
}

const IMAGE: StreamNames = StreamNames {
    modulation: "norm1.linear",
    layers: ["to_q", "to_k", "to_v"],
    norms: ["norm_q.weight", "norm_k.weight"],
    output: "to_out.0",
    feed: "ff",
};

const TEXT: StreamNames = StreamNames {
    modulation: "norm1_context.linear",
    layers: ["add_q_proj", "add_k_proj", "add_v_proj"],
    norms: ["norm_added_q.weight", "norm_added_k.weight"],
    output: "to_add_out",
    feed: "ff_context",
};

impl Stream {
    fn load(config: &TransformerShape, scope: &Scope<'_>, names: &StreamNames) -> Result<Self> {
        let width = config.inner_dim();
        let (attention, feed) = (scope.pp("attn"), scope.pp(names.feed));
        Ok(Self {
            modulation: Linear::load(scope, names.modulation, width, width * 6, true)?,
            projections: Projections::load(config, &attention, names.layers, names.norms)?,
            output: Linear::load(&attention, names.output, width, width, true)?,
            up: Linear::load(&feed, "net.0.proj", width, config.mlp, true)?,
            down: Linear::load(&feed, "net.2", config.mlp, width, true)?,
        })
    }

    fn bytes(&self) -> u64 {
        let layers = [&self.modulation, &self.output, &self.up, &self.down];
        self.projections.bytes() + layers.into_iter().map(Linear::bytes).sum::<u64>()
    }

    /// Computes the state after the block from the result `mixed` of attention: the output projection and the feed-forward part.
    fn finish(&self, state: &Tensor, mixed: &Tensor, modulation: &[Modulation; 2]) -> Result<Tensor> {
        let [of_attention, of_feed_forward] = modulation;
        let output = self.output.forward(mixed, Activation::None)?;
        let state = add_gated(state, &output, &of_attention.gate)?;
        drop(output);
        in_chunks(state.dim(0)?, |from, count| {
            let state = state.narrow(0, from, count)?.contiguous()?;
            let hidden = self.up.forward(&of_feed_forward.normal(&state)?, Activation::Gelu)?;
            add_gated(&state, &self.down.forward(&hidden, Activation::None)?, &of_feed_forward.gate)
        })
    }
}

/// A block with separate weights for text and picture that combines the two in attention alone.
#[derive(Debug)]
pub(super) struct DoubleBlock {
    image: Stream,
    text: Stream,
    heads: usize,
}

impl DoubleBlock {
    pub(super) fn load(config: &TransformerShape, scope: &Scope<'_>) -> Result<Self> {
        Ok(Self {
            image: Stream::load(config, scope, &IMAGE)?,
            text: Stream::load(config, scope, &TEXT)?,
            heads: config.num_attention_heads,
        })
    }

    /// Returns the bytes of the weights.
    pub(super) fn bytes(&self) -> u64 {
        self.image.bytes() + self.text.bytes()
    }

    /// Computes the modulations of picture and text at every step, `[steps, 6 * width]` each, from the vectors `[steps, width]`.
    pub(super) fn modulations(&self, vectors: &Tensor) -> Result<[Tensor; 2]> {
        Ok([modulations(&self.image.modulation, vectors)?, modulations(&self.text.modulation, vectors)?])
    }

    /// Computes the states after this block at one step.
    pub(super) fn forward(
        &self,
        states: &States,
        modulations: &[Tensor; 2],
        step: usize,
        rotations: &Rotations,
    ) -> Result<States> {
        let [image, text] = modulations;
        let (image, text) = (Modulation::double(image, step)?, Modulation::double(text, step)?);
        let tokens = states.text.dim(0)?;
        let mixed = {
            let [attended, _] = &image;
            let [text_attended, _] = &text;
            let normal = attended.normal(&states.image)?;
            let text_normal = text_attended.normal(&states.text)?;
            let (own, other) = (&self.image.projections, &self.text.projections);
            let rotation = Some(&rotations.image);
            let query = Tensor::cat(&[other.query(&text_normal, None)?, own.query(&normal, rotation)?], 0)?;
            let key = Tensor::cat(&[other.key(&text_normal, None)?, own.key(&normal, rotation)?], 0)?;
            let value = Tensor::cat(&[other.value(&text_normal)?, own.value(&normal)?], 0)?;
            drop((normal, text_normal));
            attention(&query, &key, &value, self.heads)? // [text + image, width]
        };
        let rows = mixed.dim(0)? - tokens;
        Ok(States {
            text: self.text.finish(&states.text, &mixed.narrow(0, 0, tokens)?, &text)?,
            image: self.image.finish(&states.image, &mixed.narrow(0, tokens, rows)?, &image)?,
        })
    }
}

/// A block that processes text and picture as one sequence, with attention and feed-forward part in parallel.
#[derive(Debug)]
pub(super) struct SingleBlock {
    modulation: Linear,
    projections: Projections,
    up: Linear,
    output: Linear,
    heads: usize,
}

impl SingleBlock {
    pub(super) fn load(config: &TransformerShape, scope: &Scope<'_>) -> Result<Self> {
        let width = config.inner_dim();
        Ok(Self {
            modulation: Linear::load(scope, "norm.linear", width, width * 3, true)?,
            projections: Projections::load(config, &scope.pp("attn"), IMAGE.layers, IMAGE.norms)?,
            up: Linear::load(scope, "proj_mlp", width, config.mlp, true)?,
            output: Linear::load(scope, "proj_out", width + config.mlp, width, true)?,
            heads: config.num_attention_heads,
        })
    }

    /// Returns the bytes of the weights.
    pub(super) fn bytes(&self) -> u64 {
        let layers = [&self.modulation, &self.up, &self.output];
        self.projections.bytes() + layers.into_iter().map(Linear::bytes).sum::<u64>()
    }

    /// Computes the modulation at every step, `[steps, 3 * width]`, from the vectors `[steps, width]`.
    pub(super) fn modulations(&self, vectors: &Tensor) -> Result<Tensor> {
        modulations(&self.modulation, vectors)
    }

    /// Computes the state `[text + image, width]` after this block at one step.
    pub(super) fn forward(
        &self,
        state: &Tensor,
        modulations: &Tensor,
        step: usize,
        rotations: &Rotations,
    ) -> Result<Tensor> {
        let modulation = Modulation::single(modulations, step)?;
        let mixed = {
            let normal = modulation.normal(state)?;
            let rotation = Some(&rotations.joint);
            let query = self.projections.query(&normal, rotation)?;
            let key = self.projections.key(&normal, rotation)?;
            let value = self.projections.value(&normal)?;
            drop(normal);
            attention(&query, &key, &value, self.heads)?
        };
        in_chunks(state.dim(0)?, |from, count| {
            let state = state.narrow(0, from, count)?.contiguous()?;
            // Normalising a second time gives the same bits, and saves keeping the normalised state during attention.
            let hidden = self.up.forward(&modulation.normal(&state)?, Activation::Gelu)?;
            let both = Tensor::cat(&[&mixed.narrow(0, from, count)?, &hidden], 1)?;
            drop(hidden);
            add_gated(&state, &self.output.forward(&both, Activation::None)?, &modulation.gate)
        })
    }
}

/// Shift, scale and gate of a part of a block at one step, `[width]` each. The scale includes the added 1.
#[derive(Debug)]
struct Modulation {
    shift: Tensor,
    scale: Tensor,
    gate: Tensor,
}

impl Modulation {
    /// Returns the modulations of attention and of the feed-forward part.
    fn double(modulations: &Tensor, step: usize) -> Result<[Self; 2]> {
        let width = modulations.dim(1)? / 6;
        let row = modulations.get(step)?;
        Ok([Self::of_row(&row, 0, width)?, Self::of_row(&row, 3, width)?])
    }

    fn single(modulations: &Tensor, step: usize) -> Result<Self> {
        Self::of_row(&modulations.get(step)?, 0, modulations.dim(1)? / 3)
    }

    fn of_row(row: &Tensor, first: usize, width: usize) -> Result<Self> {
        let part = |index: usize| row.narrow(0, (first + index) * width, width);
        Ok(Self { shift: part(0)?, scale: (part(1)? + 1.0)?, gate: part(2)? })
    }

    /// Normalises the state, then scales and shifts it.
    fn normal(&self, state: &Tensor) -> Result<Tensor> {
        layer_norm(state, &self.scale, &self.shift, EPSILON)
    }
}

fn modulations(layer: &Linear, vectors: &Tensor) -> Result<Tensor> {
    Ok(layer.forward(vectors, Activation::None)?.to_dtype(DType::F32)?)
}

/// Calls `work` with the first row and the count of each chunk of rows, and concatenates the results.
fn in_chunks(rows: usize, work: impl Fn(usize, usize) -> Result<Tensor>) -> Result<Tensor> {
    if rows <= FEED_TOKENS {
        return work(0, rows);
    }
    let chunks = (0..rows).step_by(FEED_TOKENS).map(|from| work(from, FEED_TOKENS.min(rows - from)));
    Ok(Tensor::cat(&chunks.collect::<Result<Vec<_>>>()?, 0)?)
}
