//! Where a walk stands among its noise levels, and how samples there are made of signal and noise.

use candle_core::Tensor;

use super::prediction::Prediction;
use super::sampler::{Time, combine, divide};
use crate::error::{Error, Result};

/// How the samples of a walk are scaled. A model of discrete levels can be walked in either of the last two.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Space {
    /// `(1 - sigma) * data + sigma * noise`.
    Flow,
    /// `data + sigma * noise`; the denoiser is given this divided by `sqrt(sigma^2 + 1)`.
    Exploding {
        /// Pure noise is multiplied by `sqrt(sigma^2 + 1)` to begin with, rather than by `sigma`.
        whole: bool,
    },
    /// `(data + sigma * noise) / sqrt(sigma^2 + 1)`.
    Preserving,
}

impl Space {
    /// The shares at a level, in single precision.
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

/// A sample at a level is `signal * data + noise * standard normal noise`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Mix {
    pub(super) signal: f32,
    pub(super) noise: f32,
}

/// The levels of one walk. Levels of steps before the first one taken stay, because schedules count from the full walk.
#[derive(Debug, Clone)]
pub(crate) struct Levels {
    times: Vec<Time>,
    /// The level where the last step ends.
    end: f32,
    /// The step that is taken next, counted from the start of the full walk.
    index: usize,
    prediction: Prediction,
    space: Space,
    /// Shares where steps begin, where they are not those of the space.
    mixes: Vec<Mix>,
}

impl Levels {
    /// `begin` is the first step that is taken; it is at most the number of times.
    pub(super) fn new(times: Vec<Time>, end: f32, begin: usize, prediction: Prediction, space: Space) -> Self {
        Self { times, end, index: begin, prediction, space, mixes: vec![] }
    }

    /// The same levels with shares that are known better than their levels say.
    pub(super) fn with_mixes(mut self, mixes: Vec<Mix>) -> Self {
        self.mixes = mixes;
        self
    }

    /// The times of the steps that are still to be taken.
    pub(super) fn left(&self) -> &[Time] {
        self.times.get(self.index..).unwrap_or_default()
    }

    /// The step that is taken next.
    pub(super) fn index(&self) -> usize {
        self.index
    }

    /// The noise level where a step begins, or where the walk ends.
    pub(super) fn sigma(&self, index: usize) -> f32 {
        self.times.get(index).map_or(self.end, |time| time.sigma)
    }

    /// The shares of signal and noise where a step begins, or where the walk ends.
    pub(super) fn mix(&self, index: usize) -> Mix {
        self.mixes.get(index).copied().unwrap_or_else(|| self.space.mix(self.sigma(index)))
    }

    /// What the denoiser predicts.
    pub(super) fn prediction(&self) -> Prediction {
        self.prediction
    }

    /// The noise levels where the next step begins and ends; an error if every step has been taken.
    pub(super) fn step(&self) -> Result<(f32, f32)> {
        match self.left() {
            [] => Err(Error::internal("the sampler was asked for one step too many")),
            _ => Ok((self.sigma(self.index), self.sigma(self.index + 1))),
        }
    }

    /// Goes on to the next step.
    pub(super) fn advance(&mut self) {
        self.index += 1;
    }

    /// Half the logarithm of the signal-to-noise ratio, in single precision.
    pub(super) fn lambda(&self, index: usize) -> f32 {
        let Mix { signal, noise } = self.mix(index);
        log(signal) - log(noise)
    }

    /// The clean sample that follows from the prediction of the next step.
    pub(super) fn clean(&self, output: &Tensor, sample: &Tensor) -> Result<Tensor> {
        self.prediction.clean(output, sample, self.mix(self.index), self.space)
    }

    /// How the sample changes with the noise level, by the prediction of the next step.
    pub(super) fn slope(&self, output: &Tensor, sample: &Tensor) -> Result<Tensor> {
        match self.prediction {
            Prediction::Flow => Ok(output.clone()),
            _ => divide(&(sample - self.clean(output, sample)?)?, self.sigma(self.index)),
        }
    }

    /// `signal * sample + noise` at the level where the next step begins.
    pub(super) fn add_noise(&self, sample: &Tensor, noise: &Tensor) -> Result<Tensor> {
        let mix = self.mix(self.index);
        combine(&[(mix.signal, sample), (mix.noise, noise)])
    }

    /// Pure noise where the next step begins.
    pub(super) fn start(&self, noise: &Tensor) -> Result<Tensor> {
        let sigma = self.sigma(self.index);
        match self.space {
            Space::Flow | Space::Preserving => Ok(noise.clone()),
            Space::Exploding { whole: false } => combine(&[(sigma, noise)]),
            Space::Exploding { whole: true } => combine(&[((sigma * sigma + 1.0).sqrt(), noise)]),
        }
    }

    /// The sample as the denoiser wants it where the next step begins.
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

/// The natural logarithm, rounded once, the same on every machine.
pub(super) fn log(value: f32) -> f32 {
    libm::log(f64::from(value)) as f32
}
