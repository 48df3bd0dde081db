//! SA-Solver for flow models: stochastic Adams steps in the logarithm of the signal-to-noise ratio. It has a predictor of
//! order 3 and a corrector of order 4, with one denoiser call for each step.
//!
//! Paper: "SA-Solver: Stochastic Adams Solver for Fast Sampling of Diffusion Models", <https://arxiv.org/abs/2309.05019>,
//! equations 15 and 18 (data prediction). Reference: `sample_sa_solver` of ComfyUI with its default settings
//! (<https://github.com/comfyanonymous/ComfyUI/blob/master/comfy/k_diffusion/sampling.py>), because the merged models that
//! recommend this sampler mean that one. `SASolverScheduler` of diffusers is not the reference: with flow sigmas it ends at
//! the level of its last step, so noise stays in the result.
//!
//! Noise is added in steps that end in the middle of the schedule (from 20% to 80% of the unshifted range). Near the end,
//! orders fall to the number of steps left. The last step ends at the clean prediction.

use candle_core::Tensor;
use must_tensors::{Error, Result};

use super::history::History;
use super::levels::Levels;
use super::sampler::{Draw, Sampler, combine, draw_like};
use super::shift::shifted;
use super::solve::solve;

const PREDICTOR_ORDER: usize = 3;
const CORRECTOR_ORDER: usize = 4;

/// The sampler of one generation.
#[derive(Debug, Clone)]
pub(super) struct SaSolver {
    levels: Levels,
    /// Steps that end between these levels add noise.
    noisy: (f64, f64),
    /// The predicted clean samples.
    history: History,
    last: Option<PreviousStep>,
}

/// The corrector's input from the previous step.
#[derive(Debug, Clone)]
struct PreviousStep {
    /// The corrected sample at the start of that step.
    sample: Tensor,
    /// The noise that the step added, already scaled. `None` if the step was deterministic.
    noise: Option<Tensor>,
}

impl SaSolver {
    pub(super) fn new(shift: f64, levels: Levels) -> Self {
        Self {
            levels,
            noisy: (shifted(shift, 1.0 - 0.8), shifted(shift, 1.0 - 0.2)),
            history: History::new(PREDICTOR_ORDER.max(CORRECTOR_ORDER)),
            last: None,
        }
    }

    /// Returns the share of noise that a step ending at `sigma` adds. 1 is the reverse diffusion process, and 0 is the
    /// deterministic flow.
    fn tau(&self, sigma: f32) -> f64 {
        let (low, high) = self.noisy;
        if (low..=high).contains(&f64::from(sigma)) { 1.0 } else { 0.0 }
    }

    /// Computes the step from level `from` to the next one, from the last `order` predictions. The newest one was made at
    /// level `newest`. If that is `from`, this is equation 15 of the paper; if it is the next level, equation 18.
    fn adams(&self, last: &PreviousStep, from: usize, newest: usize, order: usize) -> Result<Tensor> {
        let (start, end) = (self.levels.sigma(from), self.levels.sigma(from + 1));
        let tau = self.tau(end);
        let h = lambda(end) - lambda(start);
        let mut nodes = vec![];
        for back in 0..order {
            let index = newest
                .checked_sub(back)
                .ok_or_else(|| Error::internal("the sampler needs a level before its first step"))?;
            nodes.push(lambda(self.levels.sigma(index)) - lambda(end));
        }
        let alpha = 1.0 - f64::from(end);
        let weights = weights(&nodes, h, 1.0 + tau * tau)?;
        let keep = f64::from(end) / f64::from(start) * libm::exp(-tau * tau * h);
        let mut terms = vec![(keep as f32, &last.sample)];
        for (back, weight) in weights.iter().enumerate() {
            terms.push(((alpha * weight) as f32, self.history.back(back)?));
        }
        if let Some(noise) = &last.noise {
            terms.push((1.0, noise));
        }
        combine(&terms)
    }
}

impl Sampler for SaSolver {
    fn levels(&self) -> &Levels {
        &self.levels
    }

    fn step(&mut self, output: &Tensor, sample: &Tensor, noise: Draw<'_>) -> Result<Tensor> {
        let (from, to) = self.levels.step()?;
        let (index, left) = (self.levels.index(), self.levels.left().len());
        let clean = self.levels.clean(output, sample)?;
        self.history.push(clean.clone());
        if to == 0.0 {
            self.levels.advance();
            return Ok(clean);
        }
        let corrected = match self.last.take() {
            Some(last) => self.adams(&last, index - 1, index, CORRECTOR_ORDER.min(self.history.len()).min(left))?,
            None => sample.clone(),
        };
        let tau = self.tau(to);
        let noise = if tau > 0.0 {
            let h = lambda(to) - lambda(from);
            let scale = f64::from(to) * (-libm::expm1(-2.0 * tau * tau * h)).sqrt();
            Some(draw_like(sample, noise)?.affine(scale, 0.0)?)
        } else {
            None
        };
        let last = PreviousStep { sample: corrected, noise };
        let next = self.adams(&last, index, index, PREDICTOR_ORDER.min(self.history.len()).min(left - 1))?;
        self.last = Some(last);
        self.levels.advance();
        Ok(next)
    }
}

/// Returns half the logarithm of the signal-to-noise ratio.
fn lambda(sigma: f32) -> f64 {
    let sigma = f64::from(sigma);
    libm::log((1.0 - sigma) / sigma)
}

/// Computes the weights of the predictions: the integrals of the Lagrange polynomials through `nodes`, each times
/// `c * e^(c * u)`, for `u` from `-h` to 0. A node is half the logarithm of the signal-to-noise ratio, relative to the end of the
/// step.
fn weights(nodes: &[f64], h: f64, c: f64) -> Result<Vec<f64>> {
    // The integral of `c * e^(c * u) * u^power`, by parts from that of the lower power.
    let mut moments = vec![-libm::expm1(-c * h)];
    for power in 1..nodes.len() {
        let boundary = -(-h).powi(power as i32) * libm::exp(-c * h);
        let below = moments.last().copied().unwrap_or_default();
        moments.push(boundary - power as f64 / c * below);
    }
    // The weights must integrate every power exactly.
    let matrix: Vec<Vec<f64>> =
        (0..nodes.len()).map(|power| nodes.iter().map(|node| node.powi(power as i32)).collect()).collect();
    solve(&matrix, &moments)
}
