//! The UNet: predicts noise or velocity from noisy latents, a time, a prompt and the size conditions.
//!
//! Always holds: everything that does not depend on the latents is computed once per generation (keys and values of the prompt,
//! embeddings of times and sizes); both branches of guidance go through a unit before the next unit, so that streamed units are
//! read once per step; latents may have any height and width, including odd ones.
//!
//! Paper: "SDXL: Improving Latent Diffusion Models for High-Resolution Image Synthesis", <https://arxiv.org/abs/2307.01952>.
//! Reference: <https://github.com/huggingface/diffusers/blob/main/src/diffusers/models/unets/unet_2d_condition.py>

use std::sync::OnceLock;

use candle_core::{DType, Device, Tensor};
use must_tensors::{Error, Result};

use super::attention::Keys;
use super::embedding::{Embedding, SizeConditions};
use super::shape::UnetShape;
use super::units::{Block, Branch, Unit, units};
use crate::nn::{Conv, Resize, group_norm};
use crate::place::{Blocks, HoldsWeights, for_each_branch};
use crate::weights::Scope;

/// Multiply-adds of one layer below which the branches of guidance run in parallel instead of one after the other.
const PARALLEL_BELOW: usize = 1 << 26;

/// What the UNet computes once for a prompt and its size conditions.
#[derive(Debug)]
pub(crate) struct Context {
    states: Tensor, // [tokens, context]
    added: Tensor,  // [1, embedding]
    keys: Vec<OnceLock<Keys>>,
}

/// What the UNet computes once for a schedule: the embeddings of its times, `[times, embedding]`.
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
    /// Loads the UNet's other layers. The caller has loaded its units or prepared them for streaming.
    pub(crate) fn load(shape: &UnetShape, scope: &Scope<'_>, blocks: Blocks<Block>) -> Result<Self> {
        let base = shape.base();
        Ok(Self {
            units: units(shape),
            embedding: Embedding::load(shape, scope)?,
            input: Conv::load_encoded(scope, "conv_in", (shape.channels, base), 3, Resize::Same)?,
            blocks,
            norm: (scope.tensor("conv_norm_out.weight", base)?, scope.tensor("conv_norm_out.bias", base)?),
            output: Conv::load_encoded(scope, "conv_out", (base, shape.channels), 3, Resize::Same)?,
            shape: shape.clone(),
            device: scope.place().device.clone(),
        })
    }

    /// Prepares one prompt with its states `[tokens, context]`, its pooled state `[pooled]` and the size conditions.
    pub(crate) fn context(&self, states: &Tensor, pooled: &Tensor, sizes: &SizeConditions) -> Result<Context> {
        if states.dim(1)? != self.shape.context || pooled.elem_count() != self.shape.pooled {
            return Err(Error::internal("the states of the prompt do not fit the UNet"));
        }
        let layers: usize = self.units.iter().map(|unit| unit.depth(&self.shape)).sum();
        Ok(Context {
            states: states.clone(),
            added: self.embedding.added(pooled, sizes)?,
            keys: (0..layers).map(|_| OnceLock::new()).collect(),
        })
    }

    /// Prepares for the times of a schedule.
    pub(crate) fn plan(&self, times: &[f64]) -> Result<Plan> {
        Ok(Plan(self.embedding.times(times)?))
    }

    /// Computes the prediction `[channels, 1, h, w]` in float32 for each prompt at step `step` of the plan.
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
        let parallel = self.device.is_cpu() && height * width * base * base < PARALLEL_BELOW;
        let mut branches = contexts
            .iter()
            .map(|context| {
                let time = (&time + &context.added)?.silu()?;
                Ok(Branch { state: state.clone(), skips: vec![state.clone()], time })
            })
            .collect::<Result<Vec<_>>>()?;
        let mut first = 0;
        for (index, unit) in self.units.iter().enumerate() {
            let layers = first..first + unit.depth(&self.shape);
            first = layers.end;
            branches = self.blocks.with(index, |block| {
                for_each_branch(parallel, branches, contexts, |branch, context| {
                    let keys = context.keys.get(layers.clone());
                    let keys = keys.ok_or_else(|| Error::internal("the context belongs to another model"))?;
                    block.forward(branch, &context.states, keys)
                })
            })?;
        }
        for_each_branch(parallel, branches, contexts, |branch, _| {
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
