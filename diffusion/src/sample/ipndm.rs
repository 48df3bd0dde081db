//! iPNDM: an Adams-Bashforth method over the noise level, with the flows of up to three earlier steps. The last step ends at
//! the clean prediction, which makes it a first-order step.
//!
//! Paper: "Fast Sampling of Diffusion Models with Exponential Integrator", <https://arxiv.org/abs/2204.13902>. Reference:
//! `sample_ipndm` of ComfyUI with `max_order` 4, which comes from <https://github.com/zju-pi/diff-sampler>. Its weights
//! assume even steps, whatever the levels are.

use candle_core::Tensor;
use must_tensors::Result;

use super::history::History;
use super::levels::Levels;
use super::sampler::{Draw, Sampler, combine};

/// The weights of the newest flow and of earlier ones, by the number of flows.
const WEIGHTS: [&[f64]; 4] = [
    &[1.0],
    &[3.0 / 2.0, -1.0 / 2.0],
    &[23.0 / 12.0, -16.0 / 12.0, 5.0 / 12.0],
    &[55.0 / 24.0, -59.0 / 24.0, 37.0 / 24.0, -9.0 / 24.0],
];

/// The sampler of one generation.
#[derive(Debug, Clone)]
pub(super) struct Ipndm {
    levels: Levels,
    /// The predicted flows.
    history: History,
}

impl Ipndm {
    pub(super) fn new(levels: Levels) -> Self {
        Self { levels, history: History::new(WEIGHTS.len()) }
    }
}

impl Sampler for Ipndm {
    fn levels(&self) -> &Levels {
        &self.levels
    }

    fn step(&mut self, output: &Tensor, sample: &Tensor, _noise: Draw<'_>) -> Result<Tensor> {
        let (from, to) = self.levels.step()?;
        self.history.push(output.clone());
        let next = if to == 0.0 {
            self.levels.clean(output, sample)?
        } else {
            let distance = f64::from(to) - f64::from(from);
            let mut terms = vec![(1.0, sample)];
            for (back, weight) in WEIGHTS.get(self.history.len() - 1).copied().unwrap_or_default().iter().enumerate() {
                terms.push(((distance * weight) as f32, self.history.back(back)?));
            }
            combine(&terms)?
        };
        self.levels.advance();
        Ok(next)
    }
}
