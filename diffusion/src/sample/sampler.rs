//! What a sampler is.

use candle_core::Tensor;

use super::levels::Levels;
use crate::error::{Error, Result};

/// When one denoiser call happens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Time {
    /// The noise level, 0 where a sample is clean. For a flow model, the share of noise: 1 is pure noise. For a model of
    /// discrete levels, noise divided by signal.
    pub(crate) sigma: f32,
    /// The same moment in the denoiser's own unit, from 0 to the number of training steps; whole or not.
    pub(crate) model: f64,
}

/// The source of fresh noise during a walk: `noise(count)` gives that many standard normal numbers.
///
/// It is the task's one stream, after the draw that the walk began with. A sampler asks it once a step at most, for as
/// many numbers as the sample has, exactly when its reference draws; deterministic samplers never ask.
pub(crate) type Draw<'a> = &'a mut dyn FnMut(usize) -> Vec<f32>;

/// One generation's way through the noise levels. Samples and predictions are float32 and of one shape, whatever it is.
pub(crate) trait Sampler: Send {
    /// The noise levels, and where the walk stands among them.
    fn levels(&self) -> &Levels;

    /// Takes one step: `output` is the denoiser's prediction at `sample`, scaled; returns the next sample.
    fn step(&mut self, output: &Tensor, sample: &Tensor, noise: Draw<'_>) -> Result<Tensor>;

    /// The denoiser calls that are still to be made, in order; one [`Sampler::step`] belongs to each.
    fn times(&self) -> &[Time] {
        self.levels().left()
    }

    /// Standard normal numbers as the sample to begin with: pure noise at the level where the next step begins.
    fn start(&self, noise: &Tensor) -> Result<Tensor> {
        self.levels().start(noise)
    }

    /// A clean sample noised to the level where the next step begins.
    fn add_noise(&self, sample: &Tensor, noise: &Tensor) -> Result<Tensor> {
        self.levels().add_noise(sample, noise)
    }

    /// The sample as the denoiser wants it at the first of [`Sampler::times`]; the same for flow models.
    fn scale_input(&self, sample: &Tensor) -> Result<Tensor> {
        self.levels().scale_input(sample)
    }

    /// The clean sample that a prediction `output` at `sample` means, where the next step begins.
    fn clean(&self, output: &Tensor, sample: &Tensor) -> Result<Tensor> {
        self.levels().clean(output, sample)
    }
}

/// The weighted sum of tensors of one shape, added from left to right.
pub(super) fn combine(terms: &[(f32, &Tensor)]) -> Result<Tensor> {
    let mut sum: Option<Tensor> = None;
    for (weight, tensor) in terms {
        let scaled = if *weight == 1.0 { (*tensor).clone() } else { tensor.affine(f64::from(*weight), 0.0)? };
        sum = Some(match sum {
            None => scaled,
            Some(sum) => (sum + scaled)?,
        });
    }
    sum.ok_or_else(|| Error::internal("an empty sum"))
}

/// Every number of a tensor divided by `divisor`, which is not the same as multiplied by its inverse: the difference of a
/// bit counts where large numbers nearly cancel.
pub(super) fn divide(tensor: &Tensor, divisor: f32) -> Result<Tensor> {
    if divisor == 1.0 {
        return Ok(tensor.clone());
    }
    Ok(tensor.broadcast_div(&Tensor::new(divisor, tensor.device())?)?)
}

/// Fresh noise of the shape and on the device of `sample`.
pub(super) fn draw_like(sample: &Tensor, noise: Draw<'_>) -> Result<Tensor> {
    Ok(Tensor::from_vec(noise(sample.elem_count()), sample.shape(), sample.device())?)
}
