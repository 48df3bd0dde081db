//! Euler for flow matching: `x += (sigma_to - sigma_from) * flow`.
//!
//! Reference: `FlowMatchEulerDiscreteScheduler` of diffusers, and `sample_euler` of k-diffusion, which is the same
//! step.
//! <https://github.com/huggingface/diffusers/blob/main/src/diffusers/schedulers/scheduling_flow_match_euler_discrete.py>

use candle_core::Tensor;

use super::levels::Levels;
use super::sampler::{Draw, Sampler, Time, combine};
use crate::error::Result;

/// One generation's walk.
#[derive(Debug, Clone)]
pub(super) struct Euler {
    levels: Levels,
}

impl Euler {
    pub(super) fn new(levels: Levels) -> Self {
        Self { levels }
    }
}

impl Sampler for Euler {
    fn times(&self) -> &[Time] {
        self.levels.left()
    }

    fn add_noise(&self, sample: &Tensor, noise: &Tensor) -> Result<Tensor> {
        self.levels.add_noise(sample, noise)
    }

    fn step(&mut self, output: &Tensor, sample: &Tensor, _noise: Draw<'_>) -> Result<Tensor> {
        let (from, to) = self.levels.step()?;
        let next = combine(&[(1.0, sample), (to - from, output)])?;
        self.levels.advance();
        Ok(next)
    }
}
