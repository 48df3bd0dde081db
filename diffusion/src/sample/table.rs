//! The noise levels of a model that was trained on discrete ones. There is one for each training step.
//!
//! Always holds: levels rise with the step. Every entry is rounded where diffusers rounds it, and so agrees to the last bit.
//! This matters because the share of noise at the lowest levels is a difference of nearly equal numbers in single precision.
//!
//! References: `EulerDiscreteScheduler.__init__` and `rescale_zero_terminal_snr` in
//! <https://github.com/huggingface/diffusers/blob/main/src/diffusers/schedulers/scheduling_euler_discrete.py>; for zero
//! terminal SNR <https://arxiv.org/abs/2305.08891>, section 3.1.

use super::levels::{Mix, log};

/// The amount of noise that each training step added.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Betas {
    /// The variance that the first step added.
    pub(super) start: f64,
    /// The variance that the last step added.
    pub(super) end: f64,
    /// Whether steps are evenly spaced in the square root of the variance instead of in the variance.
    pub(super) scaled: bool,
}

impl Betas {
    /// The values of all versions of Stable Diffusion.
    pub(super) const STABLE: Self = Self { start: 0.000_85, end: 0.012, scaled: true };

    /// Returns the variance of each training step: `torch.linspace` in single precision, with its fused multiply-add.
    fn steps(self, count: usize) -> Vec<f32> {
        let root = |beta: f64| if self.scaled { beta.sqrt() } else { beta };
        let (start, end) = (root(self.start) as f32, root(self.end) as f32);
        let step = f64::from((end - start) / count.saturating_sub(1) as f32);
        (0..count)
            .map(|index| {
                let value = if index < count / 2 {
                    (f64::from(start) + step * index as f64) as f32
                } else {
                    (f64::from(end) - step * (count - 1 - index) as f64) as f32
                };
                if self.scaled { value * value } else { value }
            })
            .collect()
    }
}

/// The levels of all training steps.
#[derive(Debug, Clone)]
pub(super) struct Table {
    /// Noise divided by signal, for each step.
    sigmas: Vec<f32>,
    logs: Vec<f32>,
    /// The square of the signal's share, for each step.
    products: Vec<f32>,
}

impl Table {
    /// Builds the table. With `zero_snr` the last step has no signal at all. `count` must be above 1.
    pub(super) fn new(betas: Betas, count: usize, zero_snr: bool) -> Self {
        let mut products = products(betas.steps(count).iter().map(|beta| 1.0 - beta));
        let mut levels = products.clone();
        if zero_snr {
            products = without_signal_at_the_end(&products);
            levels = products.clone();
            if let Some(last) = levels.last_mut() {
                // A level must be finite. The reference uses the smallest number of half precision.
                *last = 1.0 / 16_777_216.0;
            }
        }
        let sigmas: Vec<f32> = levels.iter().map(|product| ((1.0 - product) / product).sqrt()).collect();
        let logs = sigmas.iter().map(|&sigma| log(sigma)).collect();
        Self { sigmas, logs, products }
    }

    /// Returns the number of levels.
    pub(super) fn len(&self) -> usize {
        self.sigmas.len()
    }

    /// Returns the lowest level.
    pub(super) fn lowest(&self) -> f64 {
        f64::from(self.sigma(0))
    }

    /// Returns the highest level.
    pub(super) fn highest(&self) -> f64 {
        f64::from(self.sigma(self.len() - 1))
    }

    /// Returns the level of a training step, or of the last one for larger numbers.
    pub(super) fn sigma(&self, step: usize) -> f32 {
        self.sigmas.get(step).or(self.sigmas.last()).copied().unwrap_or_default()
    }

    /// Returns the shares of signal and noise at a training step. The signal may be 0.
    pub(super) fn mix(&self, step: usize) -> Mix {
        let product = self.products.get(step).or(self.products.last()).copied().unwrap_or_default();
        Mix { signal: product.sqrt(), noise: (1.0 - product).sqrt() }
    }

    /// Returns the level at a time between training steps, by interpolation of levels.
    pub(super) fn level(&self, time: f64) -> f64 {
        self.between(time, |step| f64::from(self.sigma(step)))
    }

    /// Returns the level at a time between training steps, by interpolation of logarithms.
    pub(super) fn level_by_log(&self, time: f64) -> f64 {
        libm::exp(self.between(time, |step| libm::log(f64::from(self.sigma(step)))))
    }

    fn between(&self, time: f64, value: impl Fn(usize) -> f64) -> f64 {
        let low = time.max(0.0).floor();
        let (below, above) = (value(low as usize), value(low as usize + 1));
        (above - below) * (time.max(0.0) - low) + below
    }

    /// Returns the time of a level, by interpolation of logarithms. Outside of the table it is that of the first or the last
    /// step.
    pub(super) fn time(&self, sigma: f64) -> f64 {
        let wanted = libm::log(sigma.max(1e-10));
        let above = self.logs.partition_point(|&log| f64::from(log) <= wanted);
        let low = above.saturating_sub(1).min(self.len().saturating_sub(2));
        let log = |step: usize| self.logs.get(step).copied().unwrap_or_default();
        let width = f64::from(log(low) - log(low + 1));
        let share = ((f64::from(log(low)) - wanted) / width).clamp(0.0, 1.0);
        (1.0 - share) * low as f64 + share * (low + 1) as f64
    }
}

/// Returns running products, computed in double precision and rounded one by one.
fn products(alphas: impl Iterator<Item = f32>) -> Vec<f32> {
    let mut product = 1.0f64;
    alphas
        .map(|alpha| {
            product *= f64::from(alpha);
            product as f32
        })
        .collect()
}

/// Shifts the signal's shares so that the last is 0, and scales them so that the first does not change.
fn without_signal_at_the_end(products_before: &[f32]) -> Vec<f32> {
    let shares: Vec<f32> = products_before.iter().map(|product| product.sqrt()).collect();
    let (first, last) = (shares.first().copied().unwrap_or_default(), shares.last().copied().unwrap_or_default());
    let stretch = first / (first - last);
    let squares: Vec<f32> = shares
        .iter()
        .map(|share| {
            let share = (share - last) * stretch;
            share * share
        })
        .collect();
    let mut before = 1.0f32;
    let alphas = squares.iter().map(|&square| {
        // This computes the step's variance and converts it back, as the reference does.
        let beta = 1.0 - square / before;
        before = square;
        1.0 - beta
    });
    products(alphas)
}
