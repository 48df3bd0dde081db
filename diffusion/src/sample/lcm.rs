//! LCM, for models distilled to few steps: each step ends at the clean prediction, to which noise is added for the next
//! step.
//!
//! Paper: "Latent Consistency Models", <https://arxiv.org/abs/2310.04378>. Reference: `LCMScheduler` of diffusers,
//! <https://github.com/huggingface/diffusers/blob/main/src/diffusers/schedulers/scheduling_lcm.py>. With its own timesteps,
//! a little of the sample is mixed into the prediction (the paper's boundary condition). Other spacings, whose timesteps may
//! end at 0, have no boundary condition, as in `sample_lcm` of ComfyUI. The last step draws no noise.

use candle_core::Tensor;
use must_tensors::Result;

use super::levels::Levels;
use super::sampler::{Draw, Sampler, combine, draw_like};

/// The standard deviation of the data that the boundary condition assumes.
const DATA: f32 = 0.5;

/// The settings of LCM that change what it computes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LcmSettings {
    /// The number of timesteps over which the model was distilled. A schedule visits some of them.
    pub(super) distilled: usize,
    /// The factor of timesteps in the boundary condition.
    pub(super) scaling: f64,
}

impl Default for LcmSettings {
    fn default() -> Self {
        Self { distilled: 50, scaling: 10.0 }
    }
}

/// The sampler of one generation.
#[derive(Debug, Clone)]
pub(super) struct Lcm {
    levels: Levels,
    /// The factor of timesteps in the boundary condition. `None` without a boundary condition.
    scaling: Option<f64>,
}

impl Lcm {
    pub(super) fn new(scaling: Option<f64>, levels: Levels) -> Self {
        Self { levels, scaling }
    }
}

impl Sampler for Lcm {
    fn levels(&self) -> &Levels {
        &self.levels
    }

    fn step(&mut self, output: &Tensor, sample: &Tensor, noise: Draw<'_>) -> Result<Tensor> {
        self.levels.step()?;
        let mut clean = self.levels.clean(output, sample)?;
        if let (Some(scaling), Some(time)) = (self.scaling, self.levels.left().first()) {
            let scaled = (time.model * scaling) as f32;
            let sum = scaled * scaled + DATA * DATA;
            clean = combine(&[(scaled / sum.sqrt(), &clean), (DATA * DATA / sum, sample)])?;
        }
        let next = if self.levels.left().len() == 1 {
            clean
        } else {
            let end = self.levels.mix(self.levels.index() + 1);
            combine(&[(end.signal, &clean), (end.noise, &draw_like(sample, noise)?)])?
        };
        self.levels.advance();
        Ok(next)
    }
}
