//! The diffusion transformer of FLUX.1: predicts the flow from noisy latents, a noise level and a prompt.
//!
//! Always holds: everything that does not depend on the latents is computed once per generation (text states, rotary tables,
//! and the modulations of all steps, whose layers are a fourth of the weights); with two prompts, both go through a block
//! before the next block, so that streamed blocks are read once per step.
//!
//! Reference: <https://github.com/huggingface/diffusers/blob/main/src/diffusers/models/transformers/transformer_flux.py>,
//! after <https://github.com/black-forest-labs/flux/blob/main/src/flux/model.py>.

use std::sync::OnceLock;

use candle_core::{DType, Device, Tensor};
use must_tensors::{Error, Result};

use super::block::{DoubleBlock, Rotations, SingleBlock, States};
use super::shape::{PATCH, TransformerShape};
use super::times::{Conditioning, rotation};
use crate::nn::{Activation, Linear, Rotation, layer_norm};
use crate::place::{Blocks, HoldsWeights};
use crate::weights::Scope;

/// Epsilon of the last normalisation.
const EPSILON: f64 = 1e-6;

/// What the denoiser computes once for a prompt and a schedule.
#[derive(Debug)]
pub(crate) struct Context {
    text: Tensor,    // [text, width]
    vectors: Tensor, // [steps, width]
    double: Vec<OnceLock<[Tensor; 2]>>,
    single: Vec<OnceLock<Tensor>>,
    /// Scale (including the added 1) and shift of the output, `[steps, width]` each.
    output: [Tensor; 2],
}

/// What the denoiser computes once for a size of picture.
#[derive(Debug)]
pub(crate) struct Plan {
    rotations: Rotations,
    /// Tokens of the text.
    text: usize,
    /// Rows and columns of tokens.
    grid: (usize, usize),
}

/// The transformer of one checkpoint.
#[derive(Debug)]
pub(crate) struct Transformer {
    config: TransformerShape,
    image: Linear,
    text: Linear,
    conditioning: Conditioning,
    double: Blocks<DoubleBlock>,
    single: Blocks<SingleBlock>,
    output_scale: Linear,
    output_shift: Linear,
    output: Linear,
    device: Device,
}

impl Transformer {
    /// Loads the transformer around the blocks that the caller loaded or prepared for streaming.
    pub(crate) fn load(
        config: &TransformerShape,
        scope: &Scope<'_>,
        double: Blocks<DoubleBlock>,
        single: Blocks<SingleBlock>,
    ) -> Result<Self> {
        let width = config.inner_dim();
        Ok(Self {
            image: Linear::load(&scope.precise(), "x_embedder", config.in_channels, width, true)?,
            text: Linear::load(scope, "context_embedder", config.joint_attention_dim, width, true)?,
            conditioning: Conditioning::load(config, scope)?,
            double,
            single,
            output_scale: Linear::load(scope, "norm_out.scale", width, width, true)?,
            output_shift: Linear::load(scope, "norm_out.shift", width, width, true)?,
            output: Linear::load(scope, "proj_out", width, config.out_channels, true)?,
            config: config.clone(),
            device: scope.place().device.clone(),
        })
    }

    /// Prepares a prompt for these noise levels. `states` are those of T5, `[text, joint_attention_dim]`; `pooled` is the pooled
    /// state of CLIP, `[pooled_projection_dim]`. Only models that were distilled with guidance use `guidance`.
    pub(crate) fn context(&self, states: &Tensor, pooled: &Tensor, levels: &[f32], guidance: f64) -> Result<Context> {
        let vectors = self.conditioning.vectors(levels, guidance, pooled)?;
        let of_output =
            |layer: &Linear| -> Result<Tensor> { Ok(layer.forward(&vectors, Activation::None)?.to_dtype(DType::F32)?) };
        Ok(Context {
            text: self.text.forward(states, Activation::None)?.to_dtype(DType::F32)?,
            double: (0..self.double.len()).map(|_| OnceLock::new()).collect(),
            single: (0..self.single.len()).map(|_| OnceLock::new()).collect(),
            output: [(of_output(&self.output_scale)? + 1.0)?, of_output(&self.output_shift)?],
            vectors,
        })
    }

    /// Prepares for latents `[.., height, width]` and prompts of `text` tokens.
    pub(crate) fn plan(&self, (height, width): (usize, usize), text: usize) -> Result<Plan> {
        if !height.is_multiple_of(PATCH) || !width.is_multiple_of(PATCH) || height * width == 0 {
            return Err(Error::invalid_request(format!(
                "latents of {height}x{width} do not divide into patches of {PATCH}x{PATCH}"
            )));
        }
        let grid = (height / PATCH, width / PATCH);
        let joint = rotation(self.config.axes_dims_rope, text, grid, &self.device)?;
        let tokens = grid.0 * grid.1;
        let image = Rotation {
            cos: joint.cos.narrow(0, text, tokens)?.contiguous()?,
            sin: joint.sin.narrow(0, text, tokens)?.contiguous()?,
        };
        Ok(Plan { rotations: Rotations { joint, image }, text, grid })
    }

    /// Predicts the flow `[out_channels / 4, 1, h, w]` in float32 for each prompt at step `step`, from latents
    /// `[in_channels / 4, 1, h, w]`.
    pub(crate) fn forward(
        &self,
        latents: &Tensor,
        plan: &Plan,
        step: usize,
        contexts: &[&Context],
    ) -> Result<Vec<Tensor>> {
        let (channels, frames, height, width) = latents.dims4()?;
        let fits = channels * PATCH * PATCH == self.config.in_channels
            && frames == 1
            && (height, width) == (plan.grid.0 * PATCH, plan.grid.1 * PATCH);
        if !fits || contexts.iter().any(|context| !context.fits(plan, step)) {
            return Err(Error::internal("the latents do not fit the plan"));
        }
        let image = self.image.forward(&patches(latents, plan.grid)?, Activation::None)?; // [tokens, width]
        let mut states: Vec<States> =
            contexts.iter().map(|context| States { text: context.text.clone(), image: image.clone() }).collect();
        drop(image);
        for index in 0..self.double.len() {
            self.double.with(index, |block| {
                for (state, context) in states.iter_mut().zip(contexts) {
                    let modulations = cached(&context.double, index, || block.modulations(&context.vectors))?;
                    *state = block.forward(state, modulations, step, &plan.rotations)?;
                }
                Ok(())
            })?;
        }
        let mut states = states
            .into_iter()
            .map(|state| Ok(Tensor::cat(&[&state.text, &state.image], 0)?))
            .collect::<Result<Vec<_>>>()?; // [text + tokens, width]
        for index in 0..self.single.len() {
            self.single.with(index, |block| {
                for (state, context) in states.iter_mut().zip(contexts) {
                    let modulations = cached(&context.single, index, || block.modulations(&context.vectors))?;
                    *state = block.forward(state, modulations, step, &plan.rotations)?;
                }
                Ok(())
            })?;
        }
        states.iter().zip(contexts).map(|(state, context)| self.unpatched(state, context, step, plan)).collect()
    }

    /// Applies the output layer and reassembles the patches: `[text + tokens, width]` to `[out_channels / 4, 1, h, w]` in float32.
    fn unpatched(&self, state: &Tensor, context: &Context, step: usize, plan: &Plan) -> Result<Tensor> {
        let (rows, columns) = plan.grid;
        let channels = self.config.latent_channels();
        let [scale, shift] = &context.output;
        let image = state.narrow(0, plan.text, rows * columns)?;
        let normal = layer_norm(&image, &scale.get(step)?, &shift.get(step)?, EPSILON)?;
        Ok(self
            .output
            .forward(&normal, Activation::None)?
            .reshape(vec![rows, columns, channels, PATCH, PATCH])?
            .permute(vec![2, 0, 3, 1, 4])?
            .reshape((channels, 1, rows * PATCH, columns * PATCH))?
            .to_dtype(DType::F32)?)
    }
}

/// Cuts latents `[channels, 1, h, w]` into patches `[tokens, channels * 4]`, in which the channel varies slowest.
fn patches(latents: &Tensor, (rows, columns): (usize, usize)) -> Result<Tensor> {
    let channels = latents.dim(0)?;
    Ok(latents
        .reshape(vec![channels, rows, PATCH, columns, PATCH])?
        .permute(vec![1, 3, 0, 2, 4])?
        .reshape((rows * columns, channels * PATCH * PATCH))?)
}

/// Returns entry `index` of a cache, which `make` computes at the first use.
fn cached<T>(all: &[OnceLock<T>], index: usize, make: impl FnOnce() -> Result<T>) -> Result<&T> {
    let slot = all.get(index).ok_or_else(|| Error::internal("the context belongs to another model"))?;
    match slot.get() {
        Some(made) => Ok(made),
        None => {
            let made = make()?;
            Ok(slot.get_or_init(|| made))
        }
    }
}

impl Context {
    fn fits(&self, plan: &Plan, step: usize) -> bool {
        self.text.dim(0).is_ok_and(|text| text == plan.text) && self.vectors.dim(0).is_ok_and(|steps| step < steps)
    }
}

impl HoldsWeights for Transformer {
    fn bytes(&self) -> u64 {
        let double = self.double.resident().iter().map(DoubleBlock::bytes).sum::<u64>();
        let single = self.single.resident().iter().map(SingleBlock::bytes).sum::<u64>();
        let ends = [&self.image, &self.text, &self.output_scale, &self.output_shift, &self.output];
        double + single + ends.into_iter().map(Linear::bytes).sum::<u64>() + self.conditioning.bytes()
    }
}
