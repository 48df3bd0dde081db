//! UniPC: a multistep predictor, with a corrector that reuses the model call of the next step.
//!
//! Paper: "UniPC: A Unified Predictor-Corrector Framework for Fast Sampling of Diffusion Models",
//! <https://arxiv.org/abs/2302.04867>. Reference for every rounding:
//! <https://github.com/huggingface/diffusers/blob/main/src/diffusers/schedulers/scheduling_unipc_multistep.py>

use candle_core::Tensor;
use must_tensors::{Error, Result};

use super::history::History;
use super::levels::Levels;
use super::sampler::{Draw, Sampler, combine};
use super::solve::solve;

/// The settings of UniPC that change what it computes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UniPcSettings {
    /// The order, from 1 to 3.
    pub(super) order: usize,
    /// Whether `B(h)` of the paper is `h` instead of `e^h - 1`.
    pub(super) bh1: bool,
    /// The steps after which the corrector does not run.
    pub(super) disable_corrector: Vec<usize>,
    /// Whether the last step ends at its own level instead of at 0.
    pub(super) ends_noisy: bool,
}

impl Default for UniPcSettings {
    fn default() -> Self {
        Self { order: 2, bh1: false, disable_corrector: vec![], ends_noisy: false }
    }
}

/// The sampler of one generation.
#[derive(Debug, Clone)]
pub(super) struct UniPc {
    settings: UniPcSettings,
    levels: Levels,
    /// The predicted clean samples.
    history: History,
    last_sample: Option<Tensor>,
    last_order: usize,
}

impl UniPc {
    pub(super) fn new(settings: UniPcSettings, levels: Levels) -> Self {
        let history = History::new(settings.order);
        Self { settings, levels, history, last_sample: None, last_order: 0 }
    }

    /// Computes UniP, equation 8 of the paper.
    fn predict(&self, sample: &Tensor) -> Result<Tensor> {
        let index = self.levels.index();
        let grid = Grid::new(self, index, index + 1, self.last_order)?;
        let rhos = match self.last_order {
            1 => vec![],
            2 => vec![0.5],
            order => grid.weights(order - 1)?,
        };
        self.update(&grid, sample, &rhos, None)
    }

    /// Computes UniC, equation 9 of the paper.
    fn correct(&self, clean: &Tensor, last: &Tensor) -> Result<Tensor> {
        let index = self.levels.index();
        let grid = Grid::new(self, index - 1, index, self.last_order)?;
        let mut rhos = match self.last_order {
            1 => vec![0.5],
            order => grid.weights(order)?,
        };
        let now = rhos.pop().unwrap_or(0.5);
        self.update(&grid, last, &rhos, Some((now, clean)))
    }

    /// Computes the last line of both equations: the first-order step, plus differences of outputs weighted by `rhos`.
    fn update(&self, grid: &Grid, sample: &Tensor, rhos: &[f32], now: Option<(f32, &Tensor)>) -> Result<Tensor> {
        let newest = self.history.back(0)?;
        let mut newest_share = -grid.alpha * grid.phi;
        let mut terms = vec![(grid.ratio, sample)];
        for (back, (rho, spacing)) in rhos.iter().zip(&grid.spacings).enumerate() {
            let share = -grid.alpha * grid.b * rho / spacing;
            terms.push((share, self.history.back(back + 1)?));
            newest_share -= share;
        }
        if let Some((rho, clean)) = now {
            let share = -grid.alpha * grid.b * rho;
            terms.push((share, clean));
            newest_share -= share;
        }
        terms.push((newest_share, newest));
        combine(&terms)
    }
}

impl Sampler for UniPc {
    fn levels(&self) -> &Levels {
        &self.levels
    }

    fn step(&mut self, output: &Tensor, sample: &Tensor, _noise: Draw<'_>) -> Result<Tensor> {
        self.levels.step()?;
        let clean = self.levels.clean(output, sample)?;
        let index = self.levels.index();
        let corrected = match self.last_sample.take() {
            Some(last) if index > 0 && !self.settings.disable_corrector.contains(&(index - 1)) => {
                self.correct(&clean, &last)?
            }
            _ => sample.clone(),
        };
        self.history.push(clean);
        // The last steps have a lower order, because the signal-to-noise ratio at the end is infinite.
        self.last_order = self.settings.order.min(self.levels.left().len()).min(self.history.len());
        let next = self.predict(&corrected)?;
        self.last_sample = Some(corrected);
        self.levels.advance();
        Ok(next)
    }
}

/// The scalars of one step between two noise levels.
struct Grid {
    /// `sigma_to / sigma_from`.
    ratio: f32,
    /// The share of signal at the end of the step.
    alpha: f32,
    /// `e^(-h) - 1`.
    phi: f32,
    /// `B(h)` of the paper.
    b: f32,
    negative_h: f32,
    /// The relative distances of earlier levels, then 1.
    spacings: Vec<f32>,
}

impl Grid {
    fn new(sampler: &UniPc, from: usize, to: usize, order: usize) -> Result<Self> {
        let levels = &sampler.levels;
        let h = levels.lambda(to) - levels.lambda(from);
        let mut spacings = vec![];
        for back in 1..order {
            let earlier = from
                .checked_sub(back)
                .ok_or_else(|| Error::internal("the sampler needs a level before its first step"))?;
            spacings.push((levels.lambda(earlier) - levels.lambda(from)) / h);
        }
        spacings.push(1.0);
        let phi = libm::expm1(f64::from(-h)) as f32;
        let b = if sampler.settings.bh1 { -h } else { phi };
        let (start, end) = (levels.mix(from), levels.mix(to));
        Ok(Self { ratio: end.noise / start.noise, alpha: end.signal, phi, b, negative_h: -h, spacings })
    }

    /// Computes the weights of the differences: the solution of the paper's system of `order` equations.
    fn weights(&self, order: usize) -> Result<Vec<f32>> {
        let row = |power: usize| {
            self.spacings.iter().take(order).map(|spacing| f64::from(spacing.powi(power as i32))).collect()
        };
        let matrix: Vec<Vec<f64>> = (0..order).map(row).collect();
        Ok(solve(&matrix, &self.targets(order))?.into_iter().map(|weight| weight as f32).collect())
    }

    fn targets(&self, order: usize) -> Vec<f64> {
        let h = self.negative_h;
        let mut phi = self.phi / h - 1.0;
        let mut factorial = 1.0;
        (1..=order)
            .map(|power| {
                let target = phi * factorial / self.b;
                factorial *= (power + 1) as f32;
                phi = phi / h - 1.0 / factorial;
                f64::from(target)
            })
            .collect()
    }
}
