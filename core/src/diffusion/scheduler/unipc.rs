//! UniPC for flow matching: a multistep predictor with a corrector that reuses the next step's model call.
//!
//! Paper: "UniPC: A Unified Predictor-Corrector Framework for Fast Sampling of Diffusion Models",
//! <https://arxiv.org/abs/2302.04867>. Reference for every rounding:
//! <https://github.com/huggingface/diffusers/blob/main/src/diffusers/schedulers/scheduling_unipc_multistep.py>

use std::collections::VecDeque;

use candle_core::Tensor;
use serde::Deserialize;

use crate::diffusion::files::unusable;
use crate::error::{Error, Result};

/// `scheduler_config.json` of a `UniPCMultistepScheduler`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct UniPcConfig {
    #[serde(rename = "_class_name")]
    class_name: String,
    num_train_timesteps: usize,
    solver_order: usize,
    prediction_type: String,
    predict_x0: bool,
    solver_type: String,
    lower_order_final: bool,
    disable_corrector: Vec<usize>,
    final_sigmas_type: String,
    flow_shift: f64,
    use_flow_sigmas: bool,
    use_karras_sigmas: bool,
    use_exponential_sigmas: bool,
    use_beta_sigmas: bool,
    use_dynamic_shifting: bool,
    thresholding: bool,
    shift_terminal: Option<f64>,
    solver_p: Option<serde_json::Value>,
}

impl Default for UniPcConfig {
    fn default() -> Self {
        Self {
            class_name: "UniPCMultistepScheduler".to_owned(),
            num_train_timesteps: 1000,
            solver_order: 2,
            prediction_type: "epsilon".to_owned(),
            predict_x0: true,
            solver_type: "bh2".to_owned(),
            lower_order_final: true,
            disable_corrector: vec![],
            final_sigmas_type: "zero".to_owned(),
            flow_shift: 1.0,
            use_flow_sigmas: false,
            use_karras_sigmas: false,
            use_exponential_sigmas: false,
            use_beta_sigmas: false,
            use_dynamic_shifting: false,
            thresholding: false,
            shift_terminal: None,
            solver_p: None,
        }
    }
}

impl UniPcConfig {
    /// Refuses, by name, every setting that is not implemented.
    pub fn check(&self) -> Result<()> {
        let refused = [
            (self.class_name != "UniPCMultistepScheduler", "class", self.class_name.as_str()),
            (self.prediction_type != "flow_prediction", "prediction_type", self.prediction_type.as_str()),
            (!matches!(self.solver_type.as_str(), "bh1" | "bh2"), "solver_type", self.solver_type.as_str()),
            (!matches!(self.final_sigmas_type.as_str(), "zero" | "sigma_min"), "final_sigmas_type", "other"),
            (!self.use_flow_sigmas, "use_flow_sigmas", "false"),
            (!self.predict_x0, "predict_x0", "false"),
            (self.use_karras_sigmas, "use_karras_sigmas", "true"),
            (self.use_exponential_sigmas, "use_exponential_sigmas", "true"),
            (self.use_beta_sigmas, "use_beta_sigmas", "true"),
            (self.use_dynamic_shifting, "use_dynamic_shifting", "true"),
            (self.thresholding, "thresholding", "true"),
            (self.shift_terminal.is_some(), "shift_terminal", "set"),
            (self.solver_p.is_some(), "solver_p", "set"),
            (!(1..=3).contains(&self.solver_order), "solver_order", "outside 1 to 3"),
            (self.num_train_timesteps == 0, "num_train_timesteps", "0"),
        ];
        match refused.iter().find(|(wrong, ..)| *wrong) {
            Some((_, name, value)) => Err(unusable(format!("scheduler: {name} = {value} is not supported yet"))),
            None => Ok(()),
        }
    }
}

/// One generation's walk through the noise levels.
#[derive(Debug, Clone)]
pub struct UniPc {
    config: UniPcConfig,
    /// One more than there are steps; the last is where the walk ends.
    sigmas: Vec<f32>,
    timesteps: Vec<i64>,
    index: usize,
    /// Predicted clean samples, newest last, at most `solver_order`.
    outputs: VecDeque<Tensor>,
    last_sample: Option<Tensor>,
    last_order: usize,
    taken: usize,
}

impl UniPc {
    /// The walk of `steps` steps, begun at step `begin` (0 for pure noise, more for a picture that is changed).
    pub fn new(config: &UniPcConfig, steps: usize, begin: usize) -> Result<Self> {
        config.check()?;
        if steps == 0 || begin > steps {
            return Err(Error::validation(format!("cannot take {steps} steps from step {begin}")));
        }
        let train = config.num_train_timesteps as f64;
        let shift = config.flow_shift;
        let mut sigmas: Vec<f64> = (0..steps)
            .map(|step| 1.0 + step as f64 * ((1.0 / train - 1.0) / steps as f64))
            .map(|sigma| shift * sigma / (1.0 + (shift - 1.0) * sigma))
            .collect();
        // At exactly 1 the signal share is 0 and its logarithm is not finite.
        if let Some(first) = sigmas.first_mut()
            && (*first - 1.0).abs() < 1e-6
        {
            *first -= 1e-6;
        }
        let timesteps = sigmas.iter().map(|sigma| (sigma * train) as i64).collect();
        let last = if config.final_sigmas_type == "zero" { 0.0 } else { sigmas.last().copied().unwrap_or(0.0) };
        sigmas.push(last);
        Ok(Self {
            config: config.clone(),
            sigmas: sigmas.into_iter().map(|sigma| sigma as f32).collect(),
            timesteps,
            index: begin,
            outputs: VecDeque::new(),
            last_sample: None,
            last_order: 0,
            taken: 0,
        })
    }

    /// The time of each step that is still to be taken, as the denoiser wants it.
    #[must_use]
    pub fn timesteps(&self) -> &[i64] {
        self.timesteps.get(self.index..).unwrap_or_default()
    }

    /// The noise level where the next step begins, 0 to 1.
    #[must_use]
    pub fn sigma(&self) -> f32 {
        self.sigma_at(self.index)
    }

    /// A clean sample noised to the level where the walk begins: `(1 - sigma) * sample + sigma * noise`.
    pub fn add_noise(&self, sample: &Tensor, noise: &Tensor) -> Result<Tensor> {
        let sigma = self.sigma();
        combine(&[(1.0 - sigma, sample), (sigma, noise)])
    }

    /// Takes one step: `output` is the denoiser's prediction at `sample`, both of one shape; gives the next sample.
    pub fn step(&mut self, output: &Tensor, sample: &Tensor) -> Result<Tensor> {
        let sigma = self.sigma();
        let clean = combine(&[(1.0, sample), (-sigma, output)])?;
        let corrected = match self.last_sample.take() {
            Some(last) if self.index > 0 && !self.config.disable_corrector.contains(&(self.index - 1)) => {
                self.correct(&clean, &last)?
            }
            _ => sample.clone(),
        };
        if self.outputs.len() == self.config.solver_order {
            self.outputs.pop_front();
        }
        self.outputs.push_back(clean);
        let left = self.timesteps.len().saturating_sub(self.index);
        let order =
            if self.config.lower_order_final { self.config.solver_order.min(left) } else { self.config.solver_order };
        self.last_order = order.min(self.taken + 1).max(1);
        let next = self.predict(&corrected)?;
        self.last_sample = Some(corrected);
        self.taken = (self.taken + 1).min(self.config.solver_order);
        self.index += 1;
        Ok(next)
    }

    fn sigma_at(&self, index: usize) -> f32 {
        self.sigmas.get(index).copied().unwrap_or(0.0)
    }

    /// Half the log signal-to-noise ratio.
    fn lambda(&self, index: usize) -> f32 {
        let sigma = self.sigma_at(index);
        log(1.0 - sigma) - log(sigma)
    }

    fn output(&self, back: usize) -> Result<&Tensor> {
        self.outputs
            .len()
            .checked_sub(back + 1)
            .and_then(|at| self.outputs.get(at))
            .ok_or_else(|| Error::internal("the scheduler has no earlier output"))
    }

    /// UniP, equation 8 of the paper.
    fn predict(&self, sample: &Tensor) -> Result<Tensor> {
        let grid = Grid::new(self, self.index, self.index + 1, self.last_order)?;
        let rhos = match self.last_order {
            1 => vec![],
            2 => vec![0.5],
            order => solve(&grid.matrix(order - 1), &grid.targets(order - 1))?,
        };
        self.update(&grid, sample, &rhos, None)
    }

    /// UniC, equation 9 of the paper.
    fn correct(&self, clean: &Tensor, last: &Tensor) -> Result<Tensor> {
        let grid = Grid::new(self, self.index - 1, self.index, self.last_order)?;
        let mut rhos = match self.last_order {
            1 => vec![0.5],
            order => solve(&grid.matrix(order), &grid.targets(order))?,
        };
        let now = rhos.pop().unwrap_or(0.5);
        self.update(&grid, last, &rhos, Some((now, clean)))
    }

    /// The shared last line of both: the first-order step, plus differences of outputs weighed by `rhos`.
    fn update(&self, grid: &Grid, sample: &Tensor, rhos: &[f32], now: Option<(f32, &Tensor)>) -> Result<Tensor> {
        let newest = self.output(0)?;
        let mut newest_share = -grid.alpha * grid.phi;
        let mut terms = vec![(grid.ratio, sample)];
        for (back, (rho, spacing)) in rhos.iter().zip(&grid.spacings).enumerate() {
            let share = -grid.alpha * grid.b * rho / spacing;
            terms.push((share, self.output(back + 1)?));
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

/// The scalars of one step between two noise levels.
struct Grid {
    /// `sigma_to / sigma_from`.
    ratio: f32,
    /// Signal share where the step ends.
    alpha: f32,
    /// `e^(-h) - 1`.
    phi: f32,
    /// `B(h)` of the paper.
    b: f32,
    negative_h: f32,
    /// Relative distances of earlier levels, then 1.
    spacings: Vec<f32>,
}

impl Grid {
    fn new(walk: &UniPc, from: usize, to: usize, order: usize) -> Result<Self> {
        let h = walk.lambda(to) - walk.lambda(from);
        let mut spacings = vec![];
        for back in 1..order {
            let earlier =
                from.checked_sub(back).ok_or_else(|| Error::internal("the scheduler reached before its first step"))?;
            spacings.push((walk.lambda(earlier) - walk.lambda(from)) / h);
        }
        spacings.push(1.0);
        let phi = libm::expm1(f64::from(-h)) as f32;
        let b = if walk.config.solver_type == "bh1" { -h } else { phi };
        let (start, end) = (walk.sigma_at(from), walk.sigma_at(to));
        Ok(Self { ratio: end / start, alpha: 1.0 - end, phi, b, negative_h: -h, spacings })
    }

    fn matrix(&self, order: usize) -> Vec<Vec<f32>> {
        (0..order)
            .map(|power| self.spacings.iter().take(order).map(|spacing| spacing.powi(power as i32)).collect())
            .collect()
    }

    fn targets(&self, order: usize) -> Vec<f32> {
        let h = self.negative_h;
        let mut phi = self.phi / h - 1.0;
        let mut factorial = 1.0;
        (1..=order)
            .map(|power| {
                let target = phi * factorial / self.b;
                factorial *= (power + 1) as f32;
                phi = phi / h - 1.0 / factorial;
                target
            })
            .collect()
    }
}

fn log(value: f32) -> f32 {
    libm::log(f64::from(value)) as f32
}

/// The weighted sum of tensors of one shape.
fn combine(terms: &[(f32, &Tensor)]) -> Result<Tensor> {
    let mut sum: Option<Tensor> = None;
    for (weight, tensor) in terms {
        let scaled = if *weight == 1.0 { (*tensor).clone() } else { tensor.affine(f64::from(*weight), 0.0)? };
        sum = Some(match sum {
            None => scaled,
            Some(sum) => (sum + scaled)?,
        });
    }
    sum.ok_or_else(|| Error::internal("an empty sum"))
}

/// Solves a small dense system by elimination with row exchange.
fn solve(matrix: &[Vec<f32>], right: &[f32]) -> Result<Vec<f32>> {
    let singular = || Error::internal("the scheduler's step system is singular");
    let mut rows: Vec<Vec<f64>> = matrix
        .iter()
        .zip(right)
        .map(|(row, target)| row.iter().chain([target]).map(|&value| f64::from(value)).collect())
        .collect();
    let mut solved: Vec<(usize, Vec<f64>)> = vec![];
    for column in 0..right.len() {
        let at = |row: &Vec<f64>| row.get(column).copied().unwrap_or(0.0);
        let best = (0..rows.len())
            .max_by(|&a, &b| {
                let size = |index: usize| rows.get(index).map_or(0.0, |row| at(row).abs());
                size(a).total_cmp(&size(b))
            })
            .ok_or_else(singular)?;
        let mut pivot = rows.swap_remove(best);
        let divisor = at(&pivot);
        if divisor == 0.0 || !divisor.is_finite() {
            return Err(singular());
        }
        pivot.iter_mut().for_each(|value| *value /= divisor);
        for row in rows.iter_mut().chain(solved.iter_mut().map(|(_, row)| row)) {
            let factor = at(row);
            row.iter_mut().zip(&pivot).for_each(|(value, lead)| *value -= factor * lead);
        }
        solved.push((column, pivot));
    }
    solved.into_iter().map(|(_, row)| row.last().map(|&value| value as f32).ok_or_else(singular)).collect()
}
