//! Where a walk stands among its noise levels.

use candle_core::Tensor;

use super::sampler::{Prediction, Time, combine};
use crate::error::{Error, Result};

/// The levels of one walk. Levels of steps before the first one taken stay, because schedules count from the full walk.
#[derive(Debug, Clone)]
pub(super) struct Levels {
    times: Vec<Time>,
    /// The level where the last step ends.
    end: f32,
    /// The step that is taken next, counted from the start of the full walk.
    index: usize,
    prediction: Prediction,
}

impl Levels {
    /// `begin` is the first step that is taken; it is at most the number of times.
    pub(super) fn new(times: Vec<Time>, end: f32, begin: usize, prediction: Prediction) -> Self {
        Self { times, end, index: begin, prediction }
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

    /// Half the logarithm of the signal-to-noise ratio of a flow model, `ln((1 - sigma) / sigma)`, in single precision.
    pub(super) fn lambda(&self, index: usize) -> f32 {
        let sigma = self.sigma(index);
        log(1.0 - sigma) - log(sigma)
    }

    /// The clean sample that follows from the prediction of the next step.
    pub(super) fn clean(&self, output: &Tensor, sample: &Tensor) -> Result<Tensor> {
        self.prediction.clean(output, sample, self.sigma(self.index))
    }

    /// `(1 - sigma) * sample + sigma * noise` at the level where the next step begins.
    pub(super) fn add_noise(&self, sample: &Tensor, noise: &Tensor) -> Result<Tensor> {
        let sigma = self.sigma(self.index);
        combine(&[(1.0 - sigma, sample), (sigma, noise)])
    }
}

/// The natural logarithm, rounded once, the same on every machine.
fn log(value: f32) -> f32 {
    libm::log(f64::from(value)) as f32
}
