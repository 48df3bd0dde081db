//! The Wan diffusion transformer: predicts a velocity from noisy latents, times and text states.
//!
//! Always holds: everything that does not depend on the noise is computed once per generation: text keys and values, rotary
//! tables, and the modulation of every step. Both guidance branches share all computation before the first cross-attention.
//! Both pass through a block before the next block starts, so streamed blocks are read once for each step.
//!
//! Paper: "Wan: Open and Advanced Large-Scale Video Generative Models", <https://arxiv.org/abs/2503.20314>; control blocks:
//! "VACE: All-in-One Video Creation and Editing", <https://arxiv.org/abs/2503.07598>. Reference:
//! <https://github.com/huggingface/diffusers/blob/main/src/diffusers/models/transformers/transformer_wan.py> and
//! `transformer_wan_vace.py` beside it.

use candle_core::{DType, Device, Tensor};
use must_tensors::{Error, Result};

use super::block::{Block, BlockContext, ControlBlock, Keys};
use super::shape::TransformerShape;
pub(crate) use super::times::Plan;
use super::times::{TimeEmbedding, rotation};
use crate::nn::{Activation, Linear, layer_norm};
use crate::place::{Blocks, HoldsWeights, for_each_branch};
use crate::weights::Scope;
use std::sync::OnceLock;

/// The multiply-adds of one layer below which the guidance branches run in parallel instead of one after the other.
const PARALLEL_LIMIT: usize = 1 << 26;

/// The denoiser's input from a prompt and from the image encoder.
#[derive(Debug)]
pub(crate) struct Context {
    states: Tensor,        // [text, width]
    image: Option<Tensor>, // [tokens, width]
    keys: Vec<OnceLock<Keys>>,
    control_keys: Vec<OnceLock<Keys>>,
}

/// The input of VACE's control blocks, and the weight of their hints.
#[derive(Debug)]
pub(crate) struct Control {
    /// `[vace_in_channels, frames, height, width]`.
    pub(crate) latents: Tensor,
    /// Factor of every hint. The models were trained with 1.
    pub(crate) scale: f64,
}

/// The layers that project image tokens to the width of the transformer.
#[derive(Debug)]
struct ImageEmbedding {
    norms: [(Tensor, Tensor); 2],
    layers: [Linear; 2],
    positions: Option<Tensor>, // [tokens of two pictures, image_dim]
}

impl ImageEmbedding {
    fn load(config: &TransformerShape, image: usize, scope: &Scope<'_>) -> Result<Self> {
        let width = config.inner_dim();
        let norm = |name: &str, size: usize| -> Result<(Tensor, Tensor)> {
            Ok((scope.tensor(&format!("{name}.weight"), size)?, scope.tensor(&format!("{name}.bias"), size)?))
        };
        let positions = match config.pos_embed_seq_len {
            Some(tokens) => Some(scope.tensor("pos_embed", (1, tokens, image))?.squeeze(0)?),
            None => None,
        };
        Ok(Self {
            norms: [norm("norm1", image)?, norm("norm2", width)?],
            layers: [
                Linear::load(scope, "ff.net.0.proj", image, image, true)?,
                Linear::load(scope, "ff.net.2", image, width, true)?,
            ],
            positions,
        })
    }

    /// Maps `[tokens, image_dim]` to `[tokens, width]`.
    fn forward(&self, tokens: &Tensor) -> Result<Tensor> {
        const EPSILON: f64 = 1e-5;
        let tokens = match &self.positions {
            Some(positions) => (tokens + positions)?,
            None => tokens.clone(),
        };
        let [(gain, shift), (last_gain, last_shift)] = &self.norms;
        let [first, second] = &self.layers;
        let hidden = first.forward(&layer_norm(&tokens, gain, shift, EPSILON)?, Activation::GeluErf)?;
        let out = second.forward(&hidden, Activation::None)?.to_dtype(DType::F32)?;
        layer_norm(&out, last_gain, last_shift, EPSILON)
    }
}

/// The transformer of one checkpoint.
#[derive(Debug)]
pub(crate) struct Transformer {
    config: TransformerShape,
    patch: Linear,
    text: [Linear; 2],
    time: TimeEmbedding,
    image: Option<ImageEmbedding>,
    blocks: Blocks<Block>,
    control_patch: Option<Linear>,
    control_blocks: Blocks<ControlBlock>,
    output: Linear,
    output_table: Tensor, // [2, width]
    device: Device,
}

impl Transformer {
    /// Loads all layers except the blocks, which the caller has loaded or prepared for streaming.
    pub(crate) fn load(
        config: &TransformerShape,
        scope: &Scope<'_>,
        blocks: Blocks<Block>,
        control_blocks: Blocks<ControlBlock>,
    ) -> Result<Self> {
        let width = config.inner_dim();
        let [pt, ph, pw] = config.patch_size;
        let embedder = scope.pp("condition_embedder");
        let image = match config.image_dim {
            Some(size) => Some(ImageEmbedding::load(config, size, &embedder.pp("image_embedder"))?),
            None => None,
        };
        let control_patch = if config.vace_layers.is_empty() {
            None
        } else {
            let shape = [width, config.vace_in_channels, pt, ph, pw];
            Some(Linear::load_shaped(&scope.precise(), "vace_patch_embedding", &shape, true)?)
        };
        Ok(Self {
            patch: Linear::load_shaped(
                &scope.precise(),
                "patch_embedding",
                &[width, config.in_channels, pt, ph, pw],
                true,
            )?,
            text: [
                Linear::load(&embedder, "text_embedder.linear_1", config.text_dim, width, true)?,
                Linear::load(&embedder, "text_embedder.linear_2", width, width, true)?,
            ],
            time: TimeEmbedding::load(config, &embedder)?,
            image,
            blocks,
            control_patch,
            control_blocks,
            output: Linear::load(scope, "proj_out", width, config.out_channels * pt * ph * pw, true)?,
            output_table: scope.tensor("scale_shift_table", (1, 2, width))?.squeeze(0)?,
            config: config.clone(),
            device: scope.place().device.clone(),
        })
    }

    /// Builds the context of one prompt from text states `[text, text_dim]`, padded as the model expects, and from image
    /// tokens `[tokens, image_dim]` for models that have them.
    pub(crate) fn context(&self, states: &Tensor, image: Option<&Tensor>) -> Result<Context> {
        let [first, second] = &self.text;
        let states = second.forward(&first.forward(states, Activation::Gelu)?, Activation::None)?;
        let image = match (&self.image, image) {
            (Some(embedding), Some(tokens)) => Some(embedding.forward(tokens)?),
            (None, None) => None,
            _ => return Err(Error::internal("image tokens do not fit the model")),
        };
        let empty = |count: usize| (0..count).map(|_| OnceLock::new()).collect();
        Ok(Context { states, image, keys: empty(self.blocks.len()), control_keys: empty(self.control_blocks.len()) })
    }

    /// Computes what depends only on the shape of the latents, `[.., frames, height, width]`, and on the times. With
    /// `given`, the first latent frame is a given one; its time at each step is that step's time multiplied by `given`.
    pub(crate) fn plan(
        &self,
        (frames, height, width): (usize, usize, usize),
        times: &[f64],
        given: Option<f64>,
    ) -> Result<Plan> {
        let [pt, ph, pw] = self.config.patch_size;
        if !frames.is_multiple_of(pt)
            || !height.is_multiple_of(ph)
            || !width.is_multiple_of(pw)
            || frames * height * width == 0
        {
            return Err(Error::invalid_request(format!(
                "latents of {frames}x{height}x{width} do not divide into patches of {pt}x{ph}x{pw}"
            )));
        }
        let grid = (frames / pt, height / ph, width / pw);
        if [grid.0, grid.1, grid.2].iter().any(|&side| side > self.config.rope_max_seq_len) {
            return Err(Error::invalid_request("the clip is larger than the model's position table".to_owned()));
        }
        let area = grid.1 * grid.2;
        Ok(Plan {
            rotation: rotation(self.config.attention_head_dim, grid, &self.device)?,
            steps: self.time.steps(times, grid.0 * area, given.map(|share| (area, share)))?,
            grid,
        })
    }

    /// Rearranges `[channels, t, h, w]` to `[tokens, channels * patch]`.
    fn patches(&self, latents: &Tensor, (gt, gh, gw): (usize, usize, usize)) -> Result<Tensor> {
        let [pt, ph, pw] = self.config.patch_size;
        let channels = latents.dim(0)?;
        Ok(latents
            .reshape(vec![channels, gt, pt, gh, ph, gw, pw])?
            .permute(vec![1, 3, 5, 0, 2, 4, 6])?
            .reshape((gt * gh * gw, channels * pt * ph * pw))?)
    }

    /// Predicts the velocity at step `step` of the plan for each prompt: `[in_channels, t, h, w]` to `[out_channels, t, h,
    /// w]`.
    pub(crate) fn forward(
        &self,
        latents: &Tensor,
        plan: &Plan,
        step: usize,
        contexts: &[&Context],
        control: Option<&Control>,
    ) -> Result<Vec<Tensor>> {
        let (channels, frames, height, width) = latents.dims4()?;
        let [pt, ph, pw] = self.config.patch_size;
        let times = plan.steps.get(step).ok_or_else(|| Error::internal("the plan has no such step"))?;
        if channels != self.config.in_channels || plan.grid != (frames / pt, height / ph, width / pw) {
            return Err(Error::internal("the latents do not fit the plan"));
        }
        let state = self.patch.forward(&self.patches(latents, plan.grid)?, Activation::None)?; // [tokens, width]
        let parallel = self.device.is_cpu()
            && state.dim(0)? * self.config.inner_dim() * self.config.ffn_dim.max(self.config.inner_dim())
                < PARALLEL_LIMIT;
        let mut controls = self.controls(control, plan, contexts.len())?;
        let mut states = vec![state.clone(); contexts.len()];
        for index in 0..self.blocks.len() {
            states = self.blocks.with(index, |block| {
                let modulation = block.modulation(&times.blocks)?;
                let shared = match index {
                    // The branches are still equal here.
                    0 => Some(block.attend_self(state.clone(), &modulation, &plan.rotation)?),
                    _ => None,
                };
                for_each_branch(parallel, states, contexts, |state, context| {
                    let context = context.block(&context.keys, index)?;
                    match &shared {
                        Some(shared) => block.attend_text(shared.clone(), &modulation, &context),
                        None => block.forward(state, &modulation, &plan.rotation, &context),
                    }
                })
            })?;
            let Some(hint) = self.config.vace_layers.iter().position(|&layer| layer == index) else { continue };
            let Some(control) = control else { continue };
            let before = std::mem::take(&mut controls);
            let hinted = self.control_blocks.with(hint, |block| {
                let modulation = block.modulation(&times.blocks)?;
                for_each_branch(
                    parallel,
                    before.into_iter().zip(states).collect(),
                    contexts,
                    |(before, main), context| {
                        let context = context.block(&context.control_keys, hint)?;
                        let (after, hint) = block.forward(before, &state, &modulation, &plan.rotation, &context)?;
                        Ok((after, (main + (hint * control.scale)?)?))
                    },
                )
            })?;
            (controls, states) = hinted.into_iter().unzip();
        }
        for_each_branch(parallel, states, contexts, |state, _| self.unpatched(&state, &times.output, plan.grid))
    }

    /// Computes the control states of each branch before the first control block.
    fn controls(&self, control: Option<&Control>, plan: &Plan, branches: usize) -> Result<Vec<Tensor>> {
        match (control, &self.control_patch) {
            (Some(control), Some(patch)) => {
                let state = patch.forward(&self.patches(&control.latents, plan.grid)?, Activation::None)?;
                Ok(vec![state; branches])
            }
            (None, None) => Ok(vec![]),
            _ => Err(Error::internal("control latents do not fit the model")),
        }
    }

    /// Applies the output layer: `[tokens, width]` to `[out_channels, t, h, w]` in float32.
    fn unpatched(
        &self,
        state: &Tensor,
        times: &[(usize, Tensor)],
        (gt, gh, gw): (usize, usize, usize),
    ) -> Result<Tensor> {
        let [pt, ph, pw] = self.config.patch_size;
        let mut parts = vec![];
        let mut from = 0;
        for (rows, time) in times {
            let table = self.output_table.broadcast_add(time)?; // [2, width]
            let rows_here = state.narrow(0, from, *rows)?;
            let normal = layer_norm(&rows_here, &(table.get(1)? + 1.0)?, &table.get(0)?, self.config.eps)?;
            parts.push(self.output.forward(&normal, Activation::None)?);
            from += rows;
        }
        Ok(Tensor::cat(&parts, 0)?
            .reshape(vec![gt, gh, gw, pt, ph, pw, self.config.out_channels])?
            .permute(vec![6, 0, 3, 1, 4, 2, 5])?
            .reshape((self.config.out_channels, gt * pt, gh * ph, gw * pw))?
            .to_dtype(DType::F32)?)
    }
}

impl HoldsWeights for Transformer {
    fn bytes(&self) -> u64 {
        let blocks = self.blocks.resident().iter().map(Block::bytes).sum::<u64>();
        let control = self.control_blocks.resident().iter().map(ControlBlock::bytes).sum::<u64>();
        let ends = [&self.patch, &self.output].into_iter().chain(&self.text).chain(&self.control_patch);
        blocks + control + ends.map(Linear::bytes).sum::<u64>() + self.time.bytes()
    }
}

impl Context {
    fn block<'a>(&'a self, keys: &'a [OnceLock<Keys>], index: usize) -> Result<BlockContext<'a>> {
        let keys = keys.get(index).ok_or_else(|| Error::internal("the context is of another model"))?;
        Ok(BlockContext { states: &self.states, image: self.image.as_ref(), keys })
    }
}
