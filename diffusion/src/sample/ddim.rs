//! DDIM without fresh noise: separates a sample into clean sample and noise by the prediction, and mixes them again for the
//! next level.
//!
//! Paper: "Denoising Diffusion Implicit Models", <https://arxiv.org/abs/2010.02502>, equation 12 with sigma 0. Reference:
//! `DDIMScheduler` of diffusers with `eta` 0,
//! <https://github.com/huggingface/diffusers/blob/main/src/diffusers/schedulers/scheduling_ddim.py>. There a step ends one
//! stride of training steps below its start, which is not always the start of the next step.

use candle_core::Tensor;
use must_tensors::Result;

use super::levels::{Levels, Mix};
use super::sampler::{Draw, Sampler, combine};

/// The sampler of one generation.
#[derive(Debug, Clone)]
pub(super) struct Ddim {
    levels: Levels,
    /// The shares at the end of each step, if they differ from those at the start of the next one.
    ends: Vec<Mix>,
}

impl Ddim {
    pub(super) fn new(ends: Vec<Mix>, levels: Levels) -> Self {
        Self { levels, ends }
    }
}

impl Sampler for Ddim {
    fn levels(&self) -> &Levels {
        &self.levels
    }

    fn step(&mut self, output: &Tensor, sample: &Tensor, _noise: Draw<'_>) -> Result<Tensor> {
        self.levels.step()?;
        let index = self.levels.index();
        let end = self.ends.get(index).copied().unwrap_or_else(|| self.levels.mix(index + 1));
        let clean = self.levels.clean(output, sample)?;
        let noise = self.levels.prediction().noise(output, sample, self.levels.mix(index))?;
        let next = combine(&[(end.signal, &clean), (end.noise, &noise)])?;
        self.levels.advance();
        Ok(next)
    }
}
