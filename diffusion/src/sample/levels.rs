//! The noise levels of one generation, its position among them, and the mix of signal and noise in samples.

use candle_core::Tensor;
use must_tensors::{Error, Result};

use super::prediction::Prediction;
use super::sampler::{Time, combine, divide};

/// The scaling of samples. A model of discrete levels can use either of the last two.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Space {
    /// `(1 - sigma) * data + sigma * noise`.
    Flow,
    /// `data + sigma * noise`. The denoiser receives this divided by `sqrt(sigma^2 + 1)`.
    Exploding {
        /// Whether the first sample is pure noise times `sqrt(sigma^2 + 1)` instead of `sigma`.
        whole: bool,
    },
    /// `(data + sigma * noise) / sqrt(sigma^2 + 1)`.
    Preserving,
}

impl Space {
    /// Returns the shares of signal and noise at a level, in single precision.
    pub(super) fn mix(self, sigma: f32) -> Mix {
        match self {
            Self::Flow => Mix { signal: 1.0 - sigma, noise: sigma },
            Self::Exploding { .. } => Mix { signal: 1.0, noise: sigma },
            Self::Preserving => {
                let signal = 1.0 / (sigma * sigma + 1.0).sqrt();
                Mix { signal, noise: sigma * signal }
            }
        }
    }
}

/// The shares at a level, where a sample is `signal * data + noise * standard normal noise`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Mix {
    pub(super) signal: f32,
    pub(super) noise: f32,
}

/// The levels of one generation. They include the levels of skipped first steps, because step indices refer to the full
/// schedule.
#[derive(Debug, Clone)]
pub(crate) struct Levels {
    times: Vec<Time>,
    /// The level at which the last step ends.
    end: f32,
    /// The next step, counted from the start of the full schedule.
    index: usize,
    prediction: Prediction,
    space: Space,
    /// The shares at the start of each step, if they differ from those of the space.
    mixes: Vec<Mix>,
}

impl Levels {
    /// `begin` is the first step. It is at most the number of times.
    pub(super) fn new(times: Vec<Time>, end: f32, begin: usize, prediction: Prediction, space: Space) -> Self {
        Self { times, end, index: begin, prediction, space, mixes: vec![] }
    }

    /// Sets the shares of signal and noise at each level, for schedules that know them more precisely than the levels give them.
    pub(super) fn with_mixes(mut self, mixes: Vec<Mix>) -> Self {
        self.mixes = mixes;
        self
    }

    /// Returns the times of the remaining steps.
    pub(super) fn left(&self) -> &[Time] {
        self.times.get(self.index..).unwrap_or_default()
    }

    /// Returns the next step.
    pub(super) fn index(&self) -> usize {
        self.index
    }

    /// Returns the noise level at the start of a step, or at the end of the last one.
    pub(super) fn sigma(&self, index: usize) -> f32 {
        self.times.get(index).map_or(self.end, |time| time.sigma)
    }

    /// Returns the shares of signal and noise at the start of a step, or at the end of the last one.
    pub(super) fn mix(&self, index: usize) -> Mix {
        self.mixes.get(index).copied().unwrap_or_else(|| self.space.mix(self.sigma(index)))
    }

    /// Returns what the denoiser predicts.
    pub(super) fn prediction(&self) -> Prediction {
        self.prediction
    }

    /// Returns the noise levels at the start and at the end of the next step. Fails if no step is left.
    pub(super) fn step(&self) -> Result<(f32, f32)> {
        match self.left() {
            [] => Err(Error::internal("the sampler has no more steps")),
            _ => Ok((self.sigma(self.index), self.sigma(self.index + 1))),
        }
    }

    /// Moves on to the next step.
    pub(super) fn advance(&mut self) {
        self.index += 1;
    }

    /// Returns half the logarithm of the signal-to-noise ratio, in single precision.
    pub(super) fn lambda(&self, index: usize) -> f32 {
        let Mix { signal, noise } = self.mix(index);
        log(signal) - log(noise)
    }

    /// Computes the clean sample from the prediction of the next step.
    pub(super) fn clean(&self, output: &Tensor, sample: &Tensor) -> Result<Tensor> {
        self.prediction.clean(output, sample, self.mix(self.index), self.space)
    }

    /// Computes the derivative of the sample with respect to the noise level, from the prediction of the next step.
    pub(super) fn slope(&self, output: &Tensor, sample: &Tensor) -> Result<Tensor> {
        match self.prediction {
            Prediction::Flow => Ok(output.clone()),
            _ => divide(&(sample - self.clean(output, sample)?)?, self.sigma(self.index)),
        }
    }

    /// Mixes a clean sample with noise at the level where the next step begins.
    pub(super) fn add_noise(&self, sample: &Tensor, noise: &Tensor) -> Result<Tensor> {
        let mix = self.mix(self.index);
        combine(&[(mix.signal, sample), (mix.noise, noise)])
    }

    /// Scales pure noise for the level where the next step begins.
    pub(super) fn start(&self, noise: &Tensor) -> Result<Tensor> {
        let sigma = self.sigma(self.index);
        match self.space {
            Space::Flow | Space::Preserving => Ok(noise.clone()),
            Space::Exploding { whole: false } => combine(&[(sigma, noise)]),
            Space::Exploding { whole: true } => combine(&[((sigma * sigma + 1.0).sqrt(), noise)]),
        }
    }

    /// Scales a sample to the denoiser's input at the level where the next step begins.
    pub(super) fn scale_input(&self, sample: &Tensor) -> Result<Tensor> {
        match self.space {
            Space::Flow | Space::Preserving => Ok(sample.clone()),
            Space::Exploding { .. } => {
                let sigma = self.sigma(self.index);
                divide(sample, (sigma * sigma + 1.0).sqrt())
            }
        }
    }
}

/// Returns the natural logarithm, rounded once, with the same bits on every machine.
pub(super) fn log(value: f32) -> f32 {
    libm::log(f64::from(value)) as f32
}
