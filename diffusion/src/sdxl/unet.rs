//! The UNet: noisy latents, a time, a prompt and the sizes that it is told into a prediction.
//!
//! Always holds: what does not depend on the noise is computed once per generation (keys and values of the prompt, embeddings of
//! times and sizes); both branches of guidance go through a unit before the next one is touched, so that streamed units are
//! read once a step; any height and width of the latents is taken, odd ones too.
//!
//! Paper: "SDXL: Improving Latent Diffusion Models for High-Resolution Image Synthesis", <https://arxiv.org/abs/2307.01952>.
//! Reference: <https://github.com/huggingface/diffusers/blob/main/src/diffusers/models/unets/unet_2d_condition.py>

use std::sync::OnceLock;

use candle_core::{DType, Device, Tensor};

use super::attention::Keys;
use super::embedding::{Embedding, Told};
use super::shape::UnetShape;
use super::units::{Block, Branch, Unit, units};
use crate::error::{Error, Result};
use crate::nn::{Conv, Resize, group_norm};
use crate::place::{Blocks, HoldsWeights, each};
use crate::weights::Scope;

/// Multiply-adds of one layer below which the branches of guidance run beside each other instead of one after the other.
const BESIDE: usize = 1 << 26;

/// A prompt and the sizes that are told with it, as the UNet takes them.
#[derive(Debug)]
pub(crate) struct Context {
    states: Tensor, // [tokens, context]
    added: Tensor,  // [1, embedding]
    keys: Vec<OnceLock<Keys>>,
}

/// What a walk fixes: the embedding of each of its times, `[times, embedding]`.
#[derive(Debug)]
pub(crate) struct Plan(Tensor);

/// The UNet of one checkpoint.
#[derive(Debug)]
pub(crate) struct Unet {
    shape: UnetShape,
    units: Vec<Unit>,
    embedding: Embedding,
    input: Conv,
    blocks: Blocks<Block>,
    norm: (Tensor, Tensor),
    output: Conv,
    device: Device,
}

impl Unet {
    /// Reads the UNet, with the units that its caller has made ready.
    pub(crate) fn load(shape: &UnetShape, scope: &Scope<'_>, blocks: Blocks<Block>) -> Result<Self> {
        let base = shape.base();
        Ok(Self {
            units: units(shape),
            embedding: Embedding::load(shape, scope)?,
            input: Conv::load_kept(scope, "conv_in", (shape.channels, base), 3, Resize::Same)?,
            blocks,
            norm: (scope.tensor("conv_norm_out.weight", base)?, scope.tensor("conv_norm_out.bias", base)?),
            output: Conv::load_kept(scope, "conv_out", (base, shape.channels), 3, Resize::Same)?,
            shape: shape.clone(),
            device: scope.place().device.clone(),
        })
    }

    /// States `[tokens, context]` and pooled state `[pooled]` of one prompt, and the sizes that are told.
    pub(crate) fn context(&self, states: &Tensor, pooled: &Tensor, told: &Told) -> Result<Context> {
        if states.dim(1)? != self.shape.context || pooled.elem_count() != self.shape.pooled {
            return Err(Error::internal("the states of the prompt do not fit the UNet"));
        }
        let layers: usize = self.units.iter().map(|unit| unit.depth(&self.shape)).sum();
        Ok(Context {
            states: states.clone(),
            added: self.embedding.added(pooled, told)?,
            keys: (0..layers).map(|_| OnceLock::new()).collect(),
        })
    }

    /// What these times need.
    pub(crate) fn plan(&self, times: &[f64]) -> Result<Plan> {
        Ok(Plan(self.embedding.times(times)?))
    }

    /// The prediction at step `step` of the plan, for each prompt: `[channels, 1, h, w]` to the same, in float32.
    pub(crate) fn forward(
        &self,
        latents: &Tensor,
        plan: &Plan,
        step: usize,
        contexts: &[&Context],
    ) -> Result<Vec<Tensor>> {
        let (_, _, height, width) = latents.dims4()?;
        let time = plan.0.narrow(0, step, 1)?;
        let state = self.input.forward(latents)?.to_dtype(DType::F32)?;
        let base = self.shape.base();
        let beside = self.device.is_cpu() && height * width * base * base < BESIDE;
        let mut branches = contexts
            .iter()
            .map(|context| {
                let time = (&time + &context.added)?.silu()?;
                Ok(Branch { state: state.clone(), left: vec![state.clone()], time })
            })
            .collect::<Result<Vec<_>>>()?;
        let mut first = 0;
        for (index, unit) in self.units.iter().enumerate() {
            let layers = first..first + unit.depth(&self.shape);
            first = layers.end;
            branches = self.blocks.with(index, |block| {
                each(beside, branches, contexts, |branch, context| {
                    let keys = context.keys.get(layers.clone());
                    let keys = keys.ok_or_else(|| Error::internal("the context is of another model"))?;
                    block.forward(branch, &context.states, keys)
                })
            })?;
        }
        each(beside, branches, contexts, |branch, _| {
            let (gain, shift) = &self.norm;
            let normal = group_norm(&branch.state, self.shape.groups, gain, shift, self.shape.epsilon, true)?;
            Ok(self.output.forward(&normal)?.to_dtype(DType::F32)?)
        })
    }
}

impl HoldsWeights for Unet {
    fn bytes(&self) -> u64 {
        let blocks = self.blocks.resident().iter().map(Block::bytes).sum::<u64>();
        blocks + self.embedding.bytes() + self.input.bytes() + self.output.bytes()
    }
}
