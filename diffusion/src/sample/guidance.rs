//! Guidance: how predictions with and without the prompt become one, and which expert makes them.

use candle_core::Tensor;

use super::sampler::Time;
use crate::error::{Error, Result};

/// One of two denoisers that share a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expert {
    /// Takes the first steps, where noise is high. diffusers calls it `transformer`.
    High,
    /// Takes the rest. diffusers calls it `transformer_2`.
    Low,
}

/// How strongly a walk follows the prompt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Guidance {
    /// Classifier-free guidance, <https://arxiv.org/abs/2207.12598>; a scale of 1 or less switches it off.
    Classifier {
        /// How far to go from the prediction without the prompt, past the one with it.
        scale: f64,
    },
    /// Two experts with a scale each, as Wan 2.2 has them.
    Experts {
        /// The lowest of the denoiser's times that belongs to the expert for high noise: the model's ratio times its
        /// training steps.
        boundary: f64,
        /// Scale of the expert for high noise.
        high: f64,
        /// Scale of the expert for low noise.
        low: f64,
    },
}

impl Guidance {
    /// Which expert predicts at `time`; [`Expert::High`] if there is only one denoiser.
    pub(crate) fn expert(self, time: Time) -> Expert {
        match self {
            Self::Experts { boundary, .. } if time.model < boundary => Expert::Low,
            _ => Expert::High,
        }
    }

    /// The scale at `time`. `None` where the prediction without the prompt is not needed.
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

    /// Whether any of these steps needs the prediction without the prompt.
    pub(crate) fn needs_negative(self, times: &[Time]) -> bool {
        times.iter().any(|&time| self.scale(time).is_some())
    }

    /// The guided prediction at `time`: `without + scale * (with - without)`. `without` is not read where
    /// [`Guidance::scale`] is `None`.
    pub(crate) fn combine(self, time: Time, with: &Tensor, without: Option<&Tensor>) -> Result<Tensor> {
        match (self.scale(time), without) {
            (None, _) => Ok(with.clone()),
            (Some(scale), Some(without)) => Ok((without + ((with - without)? * scale)?)?),
            (Some(_), None) => Err(Error::internal("guidance needs a prediction without the prompt")),
        }
    }
}
