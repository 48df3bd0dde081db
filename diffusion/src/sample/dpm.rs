//! DPM++ 2M: a second-order step in the logarithm of the signal-to-noise ratio, from the current and the previous
//! prediction. The first step, which has no previous prediction, and the last one, which ends without noise, are of first
//! order.
//!
//! Paper: "DPM-Solver++: Fast Solver for Guided Sampling of Diffusion Probabilistic Models",
//! <https://arxiv.org/abs/2211.01095>. Reference for every rounding: `DPMSolverMultistepScheduler` of diffusers,
//! `dpmsolver++`, with `use_flow_sigmas` for flow models,
//! <https://github.com/huggingface/diffusers/blob/main/src/diffusers/schedulers/scheduling_dpmsolver_multistep.py>.
//! ComfyUI's `dpmpp_2m` takes another step for flow models: it uses `-ln sigma` as the logarithm of the ratio.

use candle_core::Tensor;
use must_tensors::Result;

use super::history::History;
use super::levels::Levels;
use super::sampler::{Draw, Sampler, combine};

/// The settings of DPM++ that change what it computes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct DpmSettings {
    /// Whether all steps are of first order.
    pub(super) first_order: bool,
    /// Whether the second-order term has Heun's weight instead of the midpoint's.
    pub(super) heun: bool,
}

/// The sampler of one generation.
#[derive(Debug, Clone)]
pub(super) struct Dpm {
    settings: DpmSettings,
    levels: Levels,
    /// The predicted clean samples.
    history: History,
}

impl Dpm {
    pub(super) fn new(settings: DpmSettings, levels: Levels) -> Self {
        Self { settings, levels, history: History::new(2) }
    }
}

impl Sampler for Dpm {
    fn levels(&self) -> &Levels {
        &self.levels
    }

    fn step(&mut self, output: &Tensor, sample: &Tensor, _noise: Draw<'_>) -> Result<Tensor> {
        self.levels.step()?;
        let index = self.levels.index();
        self.history.push(self.levels.clean(output, sample)?);
        let h = self.levels.lambda(index + 1) - self.levels.lambda(index);
        // `e^(-h) - 1`, rounded before 1 is subtracted, as in the reference.
        let phi = libm::exp(f64::from(-h)) as f32 - 1.0;
        let (start, end) = (self.levels.mix(index), self.levels.mix(index + 1));
        let (alpha, ratio) = (end.signal, end.noise / start.noise);
        let first = -alpha * phi;
        let next = if self.settings.first_order || self.history.len() < 2 || self.levels.left().len() == 1 {
            combine(&[(ratio, sample), (first, self.history.back(0)?)])?
        } else {
            let earlier = self.levels.lambda(index) - self.levels.lambda(index - 1);
            let slope = 1.0 / (earlier / h);
            let second = if self.settings.heun { alpha * (phi / h + 1.0) } else { 0.5 * first } * slope;
            combine(&[(ratio, sample), (first + second, self.history.back(0)?), (-second, self.history.back(1)?)])?
        };
        self.levels.advance();
        Ok(next)
    }
}
