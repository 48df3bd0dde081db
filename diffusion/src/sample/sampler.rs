//! The trait of samplers.

use candle_core::Tensor;
use must_tensors::{Error, Result};

use super::levels::Levels;

/// The time of one denoiser call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Time {
    /// The noise level. It is 0 for a clean sample. In a flow model it is the share of noise, and 1 is pure noise. In a
    /// model of discrete levels it is noise divided by signal.
    pub(crate) sigma: f32,
    /// The same time in the denoiser's own unit, from 0 to the number of training steps. It need not be whole.
    pub(crate) model: f64,
}

/// The source of fresh noise during sampling: `noise(count)` returns that many standard normal numbers.
///
/// It is the task's single stream, after the draw of the first sample. A sampler calls it at most once for each step, with
/// the number of elements of the sample, exactly when its reference draws. Deterministic samplers never call it.
pub(crate) type Draw<'a> = &'a mut dyn FnMut(usize) -> Vec<f32>;

/// Takes one generation through the noise levels. Samples and predictions are float32 and have the same shape, which can be
/// any.
pub(crate) trait Sampler: Send {
    /// Returns the noise levels, with the sampler's position among them.
    fn levels(&self) -> &Levels;

    /// Takes one step. `output` is the denoiser's prediction for the scaled `sample`. Returns the next sample.
    fn step(&mut self, output: &Tensor, sample: &Tensor, noise: Draw<'_>) -> Result<Tensor>;

    /// Returns the remaining denoiser calls, in order. Each belongs to one [`Sampler::step`].
    fn times(&self) -> &[Time] {
        self.levels().left()
    }

    /// Turns standard normal numbers into the first sample: pure noise at the level where the next step begins.
    fn start(&self, noise: &Tensor) -> Result<Tensor> {
        self.levels().start(noise)
    }

    /// Adds noise to a clean sample, up to the level where the next step begins.
    fn add_noise(&self, sample: &Tensor, noise: &Tensor) -> Result<Tensor> {
        self.levels().add_noise(sample, noise)
    }

    /// Scales a sample to the denoiser's input at the first of [`Sampler::times`]. In flow models this changes nothing.
    fn scale_input(&self, sample: &Tensor) -> Result<Tensor> {
        self.levels().scale_input(sample)
    }

    /// Computes the clean sample from a prediction `output` at `sample`, where the next step begins.
    fn clean(&self, output: &Tensor, sample: &Tensor) -> Result<Tensor> {
        self.levels().clean(output, sample)
    }
}

/// Returns the weighted sum of tensors of one shape, added from left to right.
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

/// Divides every number of a tensor by `divisor`. Multiplying by the inverse can differ in the last bit, which matters where
/// large numbers nearly cancel.
pub(super) fn divide(tensor: &Tensor, divisor: f32) -> Result<Tensor> {
    if divisor == 1.0 {
        return Ok(tensor.clone());
    }
    Ok(tensor.broadcast_div(&Tensor::new(divisor, tensor.device())?)?)
}

/// Draws fresh noise with the shape and on the device of `sample`.
pub(super) fn draw_like(sample: &Tensor, noise: Draw<'_>) -> Result<Tensor> {
    Ok(Tensor::from_vec(noise(sample.elem_count()), sample.shape(), sample.device())?)
}
