//! DPM++ SDE: two denoiser calls for each step, at its start and at the middle in the logarithm of the level. Fresh noise
//! follows each call. The last step is an Euler step with one call. [`Sampler::times`] lists the half steps separately, so a
//! schedule of `n` steps makes `2 n - 1` calls.
//!
//! Paper: "DPM-Solver++: Fast Solver for Guided Sampling of Diffusion Probabilistic Models",
//! <https://arxiv.org/abs/2211.01095>. Reference: `DPMSolverSDEScheduler` of diffusers with `eta` and `s_noise` 1,
//! <https://github.com/huggingface/diffusers/blob/main/src/diffusers/schedulers/scheduling_dpmsolver_sde.py>, which is
//! `sample_dpmpp_sde` of k-diffusion. The noise is the change of one Brownian motion over the noise level. The motion does
//! not depend on the steps, so more steps refine the same picture. Its seed is the schedule's, called `noise_sampler_seed`
//! there.

use candle_core::Tensor;
use must_tensors::{BrownianTree, Result};

use super::ancestral::below;
use super::levels::{Levels, log};
use super::sampler::{Draw, Sampler, Time, combine};

/// The sampler of one generation.
#[derive(Debug)]
pub(super) struct DpmSde {
    /// The levels of steps at even positions, and of their halves at odd ones.
    levels: Levels,
    motion: BrownianTree,
    /// The sample at the start of the current step, once its first half was taken.
    begun: Option<Tensor>,
}

impl DpmSde {
    /// `levels` must come from [`with_halves`].
    pub(super) fn new(seed: u64, levels: Levels) -> Self {
        let lowest = levels.left().last().map_or(0.0, |time| time.sigma);
        let motion = BrownianTree::new(seed, f64::from(lowest), f64::from(levels.sigma(0)));
        Self { levels, motion, begun: None }
    }

    /// Computes the sample at level `to` from `sample` at level `from` and a clean prediction.
    fn advance(&mut self, from: f32, to: f32, sample: &Tensor, clean: &Tensor) -> Result<Tensor> {
        // Levels are converted to logarithms and back, as in the reference, and the motion is evaluated at the rounded
        // levels.
        let time = -log(from);
        let start = exp(-time);
        let (down, fresh) = below(start, to);
        let end = -log(down);
        let kept = exp(-end) / exp(-time);
        let moved = -(libm::expm1(f64::from(time - end)) as f32);
        let noise = self.motion.noise(start, to, sample.elem_count());
        let noise = Tensor::from_vec(noise, sample.shape(), sample.device())?;
        combine(&[(kept, sample), (moved, clean), (fresh, &noise)])
    }
}

impl Sampler for DpmSde {
    fn levels(&self) -> &Levels {
        &self.levels
    }

    fn step(&mut self, output: &Tensor, sample: &Tensor, _noise: Draw<'_>) -> Result<Tensor> {
        let (from, half) = self.levels.step()?;
        let index = self.levels.index();
        let next = match self.begun.take() {
            Some(begun) => {
                let (start, end) = (self.levels.sigma(index - 1), half);
                let clean = self.levels.clean(output, sample)?;
                self.advance(start, exp(log(end)), &begun, &clean)?
            }
            None if self.levels.left().len() == 1 => {
                let slope = self.levels.slope(output, sample)?;
                combine(&[(1.0, sample), (half - from, &slope)])?
            }
            None => {
                let clean = self.levels.clean(output, sample)?;
                self.begun = Some(sample.clone());
                self.advance(from, half, sample, &clean)?
            }
        };
        self.levels.advance();
        Ok(next)
    }
}

/// Returns the middle of two levels in the logarithm.
fn half(from: f32, to: f32) -> f32 {
    let (start, end) = (-log(from), -log(to));
    exp(-(start + (end - start) * 0.5))
}

/// Inserts the half steps between times. `model` returns the denoiser's time at a level.
pub(super) fn with_halves(times: &[Time], model: impl Fn(f64) -> f64) -> Vec<Time> {
    let mut all = vec![];
    for (index, &time) in times.iter().enumerate() {
        all.push(time);
        if let Some(next) = times.get(index + 1) {
            let sigma = half(time.sigma, next.sigma);
            all.push(Time { sigma, model: model((f64::from(time.sigma) * f64::from(next.sigma)).sqrt()) });
        }
    }
    all
}

/// Returns the exponential, rounded once, with the same bits on every machine.
fn exp(value: f32) -> f32 {
    libm::exp(f64::from(value)) as f32
}
