//! Which noise levels the steps of a flow model's walk begin at.
//!
//! Always holds: levels fall from at most 1 towards 0; the level where the last step ends is not among them. Each grid
//! is computed in the precision of its reference, so that its levels agree to the last bit.

use super::beta;
use super::sampler::Time;
use super::shift::{below_one, shifted};
use crate::error::{Error, Result};

/// What every grid of a flow model follows from.
#[derive(Debug, Clone, Copy)]
pub(super) struct FlowGrid {
    /// How many steps the full walk has.
    pub(super) steps: usize,
    /// How far levels are moved towards 1; 1 moves none.
    pub(super) shift: f64,
    /// The number of training steps, and of entries in the model's table.
    pub(super) train: usize,
}

impl FlowGrid {
    /// Levels from 1 down in even steps, shifted; times are whole numbers.
    /// `UniPCMultistepScheduler.set_timesteps` of diffusers with `use_flow_sigmas`.
    pub(super) fn unipc(self) -> Vec<Time> {
        let step = (1.0 / self.train as f64 - 1.0) / self.steps as f64;
        (0..self.steps).map(|index| self.whole(below_one(shifted(self.shift, 1.0 + index as f64 * step)))).collect()
    }

    /// Levels from just below 1 down in even steps, shifted; times are whole numbers.
    /// `DPMSolverMultistepScheduler.set_timesteps` of diffusers with `use_flow_sigmas`.
    pub(super) fn dpm(self) -> Vec<Time> {
        let end = 1.0 / self.train as f64;
        let step = (end - 1.0) / self.steps as f64;
        let signal = |index| if index == self.steps { end } else { 1.0 + index as f64 * step };
        (1..=self.steps).rev().map(|index| self.whole(shifted(self.shift, 1.0 - signal(index)))).collect()
    }

    /// Levels from 1 down to the lowest of the shifted table in even steps, and shifted once more: the end stays higher
    /// than that of the other grids. `FlowMatchEulerDiscreteScheduler.set_timesteps` of diffusers without given sigmas.
    pub(super) fn euler(self) -> Vec<Time> {
        let train = self.train as f64;
        let start = f64::from(self.table(self.train - 1)) * train;
        let end = f64::from(self.table(0)) * train;
        let last = self.steps - 1;
        let step = (end - start) / last as f64;
        let time = |index| match index {
            0 => start,
            index if index == last => end,
            index => start + index as f64 * step,
        };
        (0..self.steps).map(|index| self.fractional(shifted(self.shift, time(index) / train) as f32)).collect()
    }

    /// Levels from 1 down to `1 / steps` in even steps, shifted, all in single precision. The same scheduler of diffusers
    /// with these levels given and `use_dynamic_shifting`, as the pipelines of FLUX use it; without a shift, as FLUX.1
    /// schnell has them, both ways of shifting leave the levels as they are.
    pub(super) fn linear(self) -> Vec<Time> {
        let shift = self.shift as f32;
        let step = (1.0 / self.steps as f64 - 1.0) / (self.steps - 1) as f64;
        let level = |index| match index {
            0 => 1.0,
            index if index + 1 == self.steps => (1.0 / self.steps as f64) as f32,
            index => (index as f64 * step + 1.0) as f32,
        };
        let moved = |level: f32| if shift == 1.0 { level } else { shift / (shift + (1.0 / level - 1.0)) };
        (0..self.steps).map(|index| self.fractional(moved(level(index)))).collect()
    }

    /// `simple_scheduler` of ComfyUI.
    pub(super) fn simple(self) -> Result<Vec<Time>> {
        self.check_table()?;
        let stride = self.train as f64 / self.steps as f64;
        let from_end = |index| (index as f64 * stride) as usize;
        Ok((0..self.steps).map(|index| self.fractional(self.table(self.train - 1 - from_end(index)))).collect())
    }

    /// `beta_scheduler` of ComfyUI. Entries that two steps in turn would share are taken once, so that a walk of very
    /// many steps has fewer than were asked for.
    pub(super) fn beta(self) -> Result<Vec<Time>> {
        self.check_table()?;
        let mut entries = self.beta_entries();
        entries.dedup();
        Ok(entries.into_iter().map(|entry| self.fractional(self.table(entry))).collect())
    }

    /// Which entries of the table the beta spacing takes, repeated ones included.
    pub(super) fn beta_entries(self) -> Vec<usize> {
        let (stride, top) = (1.0 / self.steps as f64, (self.train - 1) as f64);
        (0..self.steps)
            .map(|index| (beta::quantile(1.0 - index as f64 * stride) * top).round_ties_even() as usize)
            .collect()
    }

    /// One entry of the model's table, the lowest level first: `ModelSamplingDiscreteFlow` of ComfyUI, in single
    /// precision.
    fn table(self, entry: usize) -> f32 {
        let time = (entry + 1) as f32 / self.train as f32;
        (self.shift as f32 * time) / (1.0 + (self.shift - 1.0) as f32 * time)
    }

    fn check_table(self) -> Result<()> {
        if self.steps <= self.train {
            return Ok(());
        }
        Err(Error::invalid_request(format!(
            "this spacing has at most {} steps, {} were asked for",
            self.train, self.steps
        )))
    }

    /// A level with its time as a whole number: diffusers truncates.
    fn whole(self, sigma: f64) -> Time {
        Time { sigma: sigma as f32, model: (sigma * self.train as f64).trunc() }
    }

    /// A level with its time as a fraction, in single precision.
    pub(super) fn fractional(self, sigma: f32) -> Time {
        Time { sigma, model: f64::from(sigma * self.train as f32) }
    }
}
