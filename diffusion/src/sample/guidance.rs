//! Guidance: combines the predictions with and without the prompt, and chooses the expert.

use candle_core::Tensor;
use must_tensors::{Error, Result};

use super::sampler::Time;

/// One of two denoisers that share the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expert {
    /// The denoiser of the first steps, where noise is high. diffusers calls it `transformer`.
    High,
    /// The denoiser of the other steps. diffusers calls it `transformer_2`.
    Low,
}

/// How strongly a generation follows the prompt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Guidance {
    /// Classifier-free guidance, <https://arxiv.org/abs/2207.12598>. A scale of 1 or less switches it off.
    Classifier {
        /// The factor of the difference between the predictions with and without the prompt.
        scale: f64,
    },
    /// Two experts with one scale each, as in Wan 2.2.
    Experts {
        /// The lowest of the denoiser's times at which the high-noise expert works: the model's ratio times its training
        /// steps.
        boundary: f64,
        /// The scale of the high-noise expert.
        high: f64,
        /// The scale of the low-noise expert.
        low: f64,
    },
}

impl Guidance {
    /// Returns the expert for `time`, or [`Expert::High`] if there is only one denoiser.
    pub(crate) fn expert(self, time: Time) -> Expert {
        match self {
            Self::Experts { boundary, .. } if time.model < boundary => Expert::Low,
            _ => Expert::High,
        }
    }

    /// Returns the scale at `time`. `None` if the prediction without the prompt is not needed.
    pub(crate) fn scale(self, time: Time) -> Option<f64> {
        let scale = match self {
            Self::Classifier { scale } => scale,
            Self::Experts { high, low, .. } => match self.expert(time) {
                Expert::High => high,
                Expert::Low => low,
            },
        };
        (scale > 1.0).then_some(scale)
    }

    /// Returns whether any of these steps needs the prediction without the prompt.
    pub(crate) fn needs_negative(self, times: &[Time]) -> bool {
        times.iter().any(|&time| self.scale(time).is_some())
    }

    /// Returns the guided prediction at `time`: `without + scale * (with - without)`. Ignores `without` when
    /// [`Guidance::scale`] is `None`.
    pub(crate) fn combine(self, time: Time, with: &Tensor, without: Option<&Tensor>) -> Result<Tensor> {
        match (self.scale(time), without) {
            (None, _) => Ok(with.clone()),
            (Some(scale), Some(without)) => Ok((without + ((with - without)? * scale)?)?),
            (Some(_), None) => Err(Error::internal("guidance needs a prediction without the prompt")),
        }
    }
}
