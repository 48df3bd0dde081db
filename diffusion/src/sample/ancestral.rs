//! Euler ancestral for flow matching: a step below the next level, then fresh noise back up to it.
//!
//! Reference: `sample_euler_ancestral` of ComfyUI in its form for flow models, with `eta` and `s_noise` 1
//! (<https://github.com/comfyanonymous/ComfyUI/blob/master/comfy/k_diffusion/sampling.py>). The form of k-diffusion
//! assumes samples whose signal does not shrink with noise and is wrong here. With `eta` 1 a step goes down to `below =
//! to^2 / from`; then the sample is scaled to the signal share of the next level, `1 - to`, and noise fills what is
//! missing to its noise share, `to`. The last step ends at the clean prediction and draws nothing.

use candle_core::Tensor;

use super::levels::Levels;
use super::sampler::{Draw, Sampler, Time, combine, draw_like};
use crate::error::Result;

/// One generation's walk.
#[derive(Debug, Clone)]
pub(super) struct EulerAncestral {
    levels: Levels,
}

impl EulerAncestral {
    pub(super) fn new(levels: Levels) -> Self {
        Self { levels }
    }
}

impl Sampler for EulerAncestral {
    fn times(&self) -> &[Time] {
        self.levels.left()
    }

    fn add_noise(&self, sample: &Tensor, noise: &Tensor) -> Result<Tensor> {
        self.levels.add_noise(sample, noise)
    }

    fn step(&mut self, output: &Tensor, sample: &Tensor, noise: Draw<'_>) -> Result<Tensor> {
        let (from, to) = self.levels.step()?;
        let next = if to == 0.0 {
            self.levels.clean(output, sample)?
        } else {
            let (from, to) = (f64::from(from), f64::from(to));
            let below = to * (to / from);
            let scale = (1.0 - to) / (1.0 - below);
            let fresh = (to * to - (scale * below) * (scale * below)).max(0.0).sqrt();
            let noise = draw_like(sample, noise)?;
            combine(&[(scale as f32, sample), ((scale * (below - from)) as f32, output), (fresh as f32, &noise)])?
        };
        self.levels.advance();
        Ok(next)
    }
}
