//! What a sampler is, and the names that people choose samplers by.

use candle_core::Tensor;

use crate::error::{Error, Result};

/// When one denoiser call happens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Time {
    /// The noise level: 1 is pure noise, 0 is clean.
    pub(crate) sigma: f32,
    /// The same moment in the denoiser's own unit, from 0 to the number of training steps.
    pub(crate) model: f64,
}

/// What the denoiser predicts, as a function of a sample `x` at noise level `sigma`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prediction {
    /// The flow `noise - data`, where `x = (1 - sigma) * data + sigma * noise`.
    Flow,
}

impl Prediction {
    /// The clean sample that follows from a prediction `output` at `sample`.
    pub(super) fn clean(self, output: &Tensor, sample: &Tensor, sigma: f32) -> Result<Tensor> {
        match self {
            Self::Flow => combine(&[(1.0, sample), (-sigma, output)]),
        }
    }
}

/// The source of fresh noise during a walk: `noise(count)` gives that many standard normal numbers.
///
/// It is the task's one stream, after the draw that the walk began with. A sampler asks it once a step at most, for as
/// many numbers as the sample has, and only in steps that add noise; deterministic samplers never ask.
pub(crate) type Draw<'a> = &'a mut dyn FnMut(usize) -> Vec<f32>;

/// One generation's way through the noise levels. Samples and predictions are float32 and of one shape, whatever it is.
pub(crate) trait Sampler: Send {
    /// The denoiser calls that are still to be made, in order; one [`Sampler::step`] belongs to each.
    fn times(&self) -> &[Time];

    /// The sample as the denoiser wants it at the first of [`Sampler::times`]; the same for flow models.
    fn scale_input(&self, sample: &Tensor) -> Result<Tensor> {
        Ok(sample.clone())
    }

    /// A clean sample noised to the level where the next step begins.
    fn add_noise(&self, sample: &Tensor, noise: &Tensor) -> Result<Tensor>;

    /// Takes one step: `output` is the denoiser's prediction at `sample`; returns the next sample.
    fn step(&mut self, output: &Tensor, sample: &Tensor, noise: Draw<'_>) -> Result<Tensor>;
}

/// A sampler as people name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SamplerName {
    /// Predictor and corrector of order up to 3, one denoiser call a step.
    UniPc,
    /// First order.
    Euler,
    /// Second order with one earlier prediction.
    DpmPlusPlus2M,
    /// First order with fresh noise in every step.
    EulerAncestral,
    /// Stochastic Adams predictor and corrector.
    SaSolver,
    /// Adams-Bashforth of order up to 4.
    Ipndm,
}

impl SamplerName {
    /// Every sampler.
    pub(crate) const ALL: [Self; 6] =
        [Self::UniPc, Self::Euler, Self::DpmPlusPlus2M, Self::EulerAncestral, Self::SaSolver, Self::Ipndm];

    /// The stable name, as catalogs and requests write it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::UniPc => "UniPC",
            Self::Euler => "Euler",
            Self::DpmPlusPlus2M => "DPM++ 2M",
            Self::EulerAncestral => "Euler a",
            Self::SaSolver => "SA-Solver",
            Self::Ipndm => "iPNDM",
        }
    }

    /// The sampler with this stable name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sampler| sampler.as_str() == name)
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

/// Fresh noise of the shape and on the device of `sample`.
pub(super) fn draw_like(sample: &Tensor, noise: Draw<'_>) -> Result<Tensor> {
    Ok(Tensor::from_vec(noise(sample.elem_count()), sample.shape(), sample.device())?)
}
