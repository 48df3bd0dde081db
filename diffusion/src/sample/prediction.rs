//! The quantities that denoisers predict, and the clean sample and noise that follow from them.

use candle_core::Tensor;
use must_tensors::Result;

use super::levels::{Mix, Space};
use super::sampler::{combine, divide};

/// The quantity that the denoiser predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prediction {
    /// The flow `noise - data`. A sample is `(1 - sigma) * data + sigma * noise`.
    Flow,
    /// The noise. A sample is `signal * data + share * noise` with `signal^2 + share^2 = 1`.
    Epsilon,
    /// The velocity `signal * noise - share * data` of such a sample, <https://arxiv.org/abs/2202.00512>.
    Velocity,
}

impl Prediction {
    /// Computes the clean sample from a prediction `output` at `sample`.
    pub(super) fn clean(self, output: &Tensor, sample: &Tensor, mix: Mix, space: Space) -> Result<Tensor> {
        match (self, space) {
            (Self::Flow, _) => combine(&[(1.0, sample), (-mix.noise, output)]),
            (Self::Epsilon, _) => divide(&combine(&[(1.0, sample), (-mix.noise, output)])?, mix.signal),
            (Self::Velocity, Space::Exploding { .. }) => {
                let square = mix.noise * mix.noise + 1.0;
                let output = output.affine(f64::from(-mix.noise / square.sqrt()), 0.0)?;
                Ok((output + divide(sample, square)?)?)
            }
            (Self::Velocity, _) => combine(&[(mix.signal, sample), (-mix.noise, output)]),
        }
    }

    /// Computes the noise in `sample` from a prediction, for shares of signal and noise whose squares sum to 1.
    pub(super) fn noise(self, output: &Tensor, sample: &Tensor, mix: Mix) -> Result<Tensor> {
        match self {
            Self::Flow => combine(&[(1.0, sample), (mix.signal, output)]),
            Self::Epsilon => Ok(output.clone()),
            Self::Velocity => combine(&[(mix.signal, output), (mix.noise, sample)]),
        }
    }
}
