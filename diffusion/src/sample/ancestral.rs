//! Euler ancestral: steps to below the next level, then adds fresh noise back up to it.
//!
//! Flow models follow `sample_euler_ancestral` of ComfyUI in its version for them, with `eta` and `s_noise` 1
//! (<https://github.com/comfyanonymous/ComfyUI/blob/master/comfy/k_diffusion/sampling.py>). The version of k-diffusion
//! assumes that the signal of a sample does not shrink with noise, which is wrong here. With `eta` 1 a step goes down to
//! `below = to^2 / from`. Then the sample is scaled to the signal share of the next level, `1 - to`, and noise is added up
//! to its noise share, `to`. The last step ends at the clean prediction and draws no noise.
//!
//! Models of discrete levels follow `EulerAncestralDiscreteScheduler` of diffusers, which is the version of k-diffusion
//! (<https://github.com/huggingface/diffusers/blob/main/src/diffusers/schedulers/scheduling_euler_ancestral_discrete.py>).
//! It also draws noise in the last step, but adds none of it.

use candle_core::Tensor;
use must_tensors::Result;

use super::levels::Levels;
use super::prediction::Prediction;
use super::sampler::{Draw, Sampler, combine, draw_like};

/// The sampler of one generation.
#[derive(Debug, Clone)]
pub(super) struct EulerAncestral {
    levels: Levels,
}

impl EulerAncestral {
    pub(super) fn new(levels: Levels) -> Self {
        Self { levels }
    }

    fn flow_step(&self, output: &Tensor, sample: &Tensor, noise: Draw<'_>) -> Result<Tensor> {
        let (from, to) = self.levels.step()?;
        if to == 0.0 {
            return self.levels.clean(output, sample);
        }
        let (from, to) = (f64::from(from), f64::from(to));
        let below = to * (to / from);
        let scale = (1.0 - to) / (1.0 - below);
        let fresh = (to * to - (scale * below) * (scale * below)).max(0.0).sqrt();
        let noise = draw_like(sample, noise)?;
        combine(&[(scale as f32, sample), ((scale * (below - from)) as f32, output), (fresh as f32, &noise)])
    }

    fn discrete_step(&self, output: &Tensor, sample: &Tensor, noise: Draw<'_>) -> Result<Tensor> {
        let (from, to) = self.levels.step()?;
        let (below, fresh) = below(from, to);
        let slope = self.levels.slope(output, sample)?;
        let noise = draw_like(sample, noise)?;
        combine(&[(1.0, sample), (below - from, &slope), (fresh, &noise)])
    }
}

/// Returns the level that a step from `from` to `to` goes down to, and the amount of noise that leads back up to `to`.
pub(super) fn below(from: f32, to: f32) -> (f32, f32) {
    let fresh = (to * to * (from * from - to * to) / (from * from)).sqrt().min(to);
    ((to * to - fresh * fresh).sqrt(), fresh)
}

impl Sampler for EulerAncestral {
    fn levels(&self) -> &Levels {
        &self.levels
    }

    fn step(&mut self, output: &Tensor, sample: &Tensor, noise: Draw<'_>) -> Result<Tensor> {
        let next = match self.levels.prediction() {
            Prediction::Flow => self.flow_step(output, sample, noise)?,
            Prediction::Epsilon | Prediction::Velocity => self.discrete_step(output, sample, noise)?,
        };
        self.levels.advance();
        Ok(next)
    }
}
