//! The noise levels of each step for a model that was trained on discrete levels, such as Stable Diffusion XL.
//!
//! Always holds: levels fall from step to step. A level that two consecutive steps would share is used once, so a schedule
//! with very many steps may have fewer steps than requested.

use must_tensors::{Error, Result};

use super::beta;
use super::lcm::LcmSettings;
use super::levels::Mix;
use super::names::SamplerName;
use super::prediction::Prediction;
use super::sampler::Time;
use super::spacing::Spacing;
use super::table::{Betas, Table};

/// The training steps that a schedule visits when its spacing does not choose them: `timestep_spacing` of diffusers,
/// <https://arxiv.org/abs/2305.08891>, table 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timesteps {
    /// Multiples of a whole stride, beginning at this offset. The highest level is not visited.
    Leading { offset: usize },
    /// Evenly spaced steps from the last to the first.
    Linspace,
    /// Evenly spaced steps downwards from the last, which a model without signal at its last level needs. For some numbers
    /// of steps (the least is 61) the reference has one more step, at a timestep below the first one; this code does not
    /// take it.
    Trailing,
}

/// The training of a model with discrete levels, and the levels that its schedules visit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Discrete {
    /// The quantity that the denoiser predicts.
    pub(crate) prediction: Prediction,
    /// Whether the last level has no signal at all.
    pub(crate) zero_snr: bool,
    /// The training steps that are visited.
    pub(crate) timesteps: Timesteps,
    pub(super) betas: Betas,
}

impl Discrete {
    /// Returns the settings of a Stable Diffusion model whose files have no scheduler configuration. The timesteps are those of
    /// Stable Diffusion XL's configuration. If the last level has no signal, they are trailing timesteps, because leading ones do
    /// not visit that level.
    pub(crate) fn new(prediction: Prediction, zero_snr: bool) -> Self {
        let timesteps = if zero_snr { Timesteps::Trailing } else { Timesteps::Leading { offset: 1 } };
        Self { prediction, zero_snr, timesteps, betas: Betas::STABLE }
    }

    /// Returns whether the first sample is pure noise times `sqrt(sigma^2 + 1)` instead of `sigma`, for samplers whose space is
    /// `Space::Exploding`. This is `init_noise_sigma` of diffusers' classes. It depends on `timestep_spacing`, even when another
    /// spacing replaces the timesteps. Spacings from ComfyUI follow ComfyUI.
    pub(super) fn starts_whole(&self, spacing: Spacing) -> bool {
        match spacing {
            Spacing::Simple | Spacing::Normal | Spacing::SgmUniform => true,
            _ => matches!(self.timesteps, Timesteps::Leading { .. }),
        }
    }
}

/// The inputs of all grids of discrete levels.
#[derive(Debug)]
pub(super) struct DiscreteGrid {
    table: Table,
    timesteps: Timesteps,
    /// The number of steps of the full schedule.
    steps: usize,
}

impl DiscreteGrid {
    /// `train` must be above 1.
    pub(super) fn new(model: Discrete, train: usize, steps: usize) -> Result<Self> {
        if steps > train {
            return Err(Error::invalid_request(format!(
                "this model has {train} noise levels, but {steps} steps were requested"
            )));
        }
        Ok(Self { table: Table::new(model.betas, train, model.zero_snr), timesteps: model.timesteps, steps })
    }

    /// Returns the time of every step of a sampler's full schedule.
    pub(super) fn times(&self, sampler: SamplerName, spacing: Spacing, lcm: LcmSettings) -> Result<Vec<Time>> {
        let highest_step = self.table.len() - 1;
        let mut times: Vec<Time> = match spacing {
            Spacing::Reference => self.visited(sampler, lcm)?.into_iter().map(|time| self.at(time)).collect(),
            Spacing::Linear => {
                return Err(Error::invalid_request("the spacing linear is for flow models, not for this model"));
            }
            Spacing::Karras => {
                let root = |level: f64| libm::pow(level, 1.0 / 7.0);
                let (high, low) = self.ends(sampler)?;
                let (start, way) = (root(high), root(low) - root(high));
                self.ramp().map(|share| self.of_level(sampler, spacing, libm::pow(start + share * way, 7.0))).collect()
            }
            Spacing::Exponential => {
                let (high, low) = self.ends(sampler)?;
                let (start, way) = (libm::log(high), libm::log(low) - libm::log(high));
                self.ramp().map(|share| self.of_level(sampler, spacing, libm::exp(start + share * way))).collect()
            }
            Spacing::Beta => {
                let (high, low) = self.ends(sampler)?;
                let level = |share: f64| low + beta::quantile(1.0 - share) * (high - low);
                self.ramp().map(|share| self.of_level(sampler, spacing, level(share))).collect()
            }
            Spacing::Simple => {
                let stride = self.table.len() as f64 / self.steps as f64;
                let entry = |index| highest_step - (index as f64 * stride) as usize;
                (0..self.steps).map(|index| self.at(entry(index) as f64)).collect()
            }
            Spacing::Normal => self.ramp().map(|share| self.at_by_log(highest_step as f64 * (1.0 - share))).collect(),
            Spacing::SgmUniform => {
                let stride = highest_step as f64 / self.steps as f64;
                (0..self.steps).map(|index| self.at_by_log(highest_step as f64 - index as f64 * stride)).collect()
            }
        };
        times.dedup_by(|next, time| next.sigma >= time.sigma);
        Ok(times)
    }

    /// Returns numbers from 0 to 1, one for each step. Returns 0 if there is only one step.
    fn ramp(&self) -> impl Iterator<Item = f64> {
        let last = self.steps - 1;
        (0..self.steps).map(move |index| match index {
            0 => 0.0,
            index if index == last => 1.0,
            index => index as f64 * (1.0 / last as f64),
        })
    }

    /// Returns the highest and the lowest level of a spacing between two ends.
    fn ends(&self, sampler: SamplerName) -> Result<(f64, f64)> {
        match sampler {
            SamplerName::Euler | SamplerName::DpmPlusPlusSde => {
                let visited = self.visited(sampler, LcmSettings::default())?;
                let level = |time: Option<&f64>| self.table.level(time.copied().unwrap_or_default());
                Ok((level(visited.first()), level(visited.last())))
            }
            _ => Ok((self.table.highest(), self.table.lowest())),
        }
    }

    /// Returns the timesteps of the sampler's own spacing, the highest first.
    fn visited(&self, sampler: SamplerName, lcm: LcmSettings) -> Result<Vec<f64>> {
        let (steps, train) = (self.steps, self.table.len());
        let top = (train - 1) as f64;
        let times = match (self.timesteps, sampler) {
            (_, SamplerName::Lcm) => return distilled(steps, train, lcm),
            (Timesteps::Linspace, SamplerName::DpmPlusPlus2M | SamplerName::UniPc) => {
                (1..=steps).rev().map(|index| (index as f64 * (top / steps as f64)).round_ties_even()).collect()
            }
            (Timesteps::Linspace, _) if steps == 1 => vec![0.0],
            (Timesteps::Linspace, _) => {
                let stride = top / (steps - 1) as f64;
                let time = |index| if index + 1 == steps { top } else { index as f64 * stride };
                let rounded = |time: f64| match sampler {
                    SamplerName::Ddim => time.round_ties_even(),
                    SamplerName::DpmPlusPlusSde => time,
                    _ => f64::from(time as f32),
                };
                (0..steps).rev().map(|index| rounded(time(index))).collect()
            }
            (Timesteps::Leading { offset }, SamplerName::DpmPlusPlus2M | SamplerName::UniPc) => {
                let stride = train / (steps + 1);
                if stride == 0 {
                    return Err(Error::invalid_request(format!(
                        "this sampler has at most {} steps with leading timesteps, but {steps} were requested",
                        train - 1
                    )));
                }
                (1..=steps).rev().map(|index| (index * stride + offset) as f64).collect()
            }
            (Timesteps::Leading { offset }, _) => {
                let stride = train / steps;
                (0..steps).rev().map(|index| (index * stride + offset) as f64).collect()
            }
            (Timesteps::Trailing, _) => {
                let stride = train as f64 - (train as f64 - train as f64 / steps as f64);
                (0..steps).map(|index| (train as f64 - index as f64 * stride).round_ties_even() - 1.0).collect()
            }
        };
        Ok(times)
    }

    fn at(&self, time: f64) -> Time {
        Time { sigma: self.table.level(time) as f32, model: time }
    }

    fn at_by_log(&self, time: f64) -> Time {
        Time { sigma: self.table.level_by_log(time) as f32, model: time }
    }

    /// Returns a level with its time as the reference of the sampler computes it. The classes with more than one order round
    /// the time, in two ways.
    fn of_level(&self, sampler: SamplerName, spacing: Spacing, sigma: f64) -> Time {
        let time = self.table.time(sigma);
        let model = match (sampler, spacing) {
            (SamplerName::DpmPlusPlus2M | SamplerName::UniPc, Spacing::Karras) => time.round_ties_even(),
            (SamplerName::DpmPlusPlus2M | SamplerName::UniPc, _) => time.trunc(),
            _ => time,
        };
        Time { sigma: sigma as f32, model }
    }

    /// Returns the time of a level between those of the grid.
    pub(super) fn time(&self, sigma: f64) -> f64 {
        self.table.time(sigma)
    }

    /// Returns the shares of signal and noise at whole timesteps.
    pub(super) fn mixes(&self, times: &[Time]) -> Vec<Mix> {
        times.iter().map(|time| self.table.mix(time.model as usize)).collect()
    }

    /// Returns the shares at the ends of DDIM's steps from whole timesteps: one stride lower. Below the first training step
    /// it uses that step's level, or no noise if `clean`.
    pub(super) fn ddim_ends(&self, times: &[Time], clean: bool) -> Vec<Mix> {
        let stride = self.table.len() / self.steps;
        let last = if clean { Mix { signal: 1.0, noise: 0.0 } } else { self.table.mix(0) };
        let end = |time: &Time| (time.model as usize).checked_sub(stride).map_or(last, |step| self.table.mix(step));
        times.iter().map(end).collect()
    }
}

/// Returns the timesteps of LCM: some of those over which the model was distilled.
fn distilled(steps: usize, train: usize, lcm: LcmSettings) -> Result<Vec<f64>> {
    let all = lcm.distilled;
    if steps > all || all > train {
        return Err(Error::invalid_request(format!(
            "LCM takes at most {} steps here, but {steps} were requested",
            all.min(train)
        )));
    }
    let stride = train / all;
    let apart = all as f64 / steps as f64;
    Ok((0..steps).map(|index| ((all - (index as f64 * apart) as usize) * stride - 1) as f64).collect())
}
