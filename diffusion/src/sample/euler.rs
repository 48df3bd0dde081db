//! Euler: `x += (sigma_to - sigma_from) * slope`. In flow models the slope is the prediction. In others it is the noise in
//! the sample, `(x - clean) / sigma`, computed in the order of the reference, because nearly all of the sample cancels at
//! the first level if the model has no signal at that level (zero terminal SNR).
//!
//! References: `FlowMatchEulerDiscreteScheduler` and `EulerDiscreteScheduler` of diffusers, without churn, and
//! `sample_euler` of k-diffusion, which is the same step.
//! <https://github.com/huggingface/diffusers/blob/main/src/diffusers/schedulers/scheduling_euler_discrete.py>

use candle_core::Tensor;
use must_tensors::Result;

use super::levels::Levels;
use super::sampler::{Draw, Sampler, combine};

/// The sampler of one generation.
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
    fn levels(&self) -> &Levels {
        &self.levels
    }

    fn step(&mut self, output: &Tensor, sample: &Tensor, _noise: Draw<'_>) -> Result<Tensor> {
        let (from, to) = self.levels.step()?;
        let slope = self.levels.slope(output, sample)?;
        let next = combine(&[(1.0, sample), (to - from, &slope)])?;
        self.levels.advance();
        Ok(next)
    }
}
