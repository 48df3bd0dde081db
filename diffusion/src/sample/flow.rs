//! The noise levels at which the steps of a flow model begin.
//!
//! Always holds: levels fall from at most 1 towards 0. The level at which the last step ends is not included. Each grid is
//! computed in the precision of its reference, so its levels agree to the last bit.

use must_tensors::{Error, Result};

use super::beta;
use super::sampler::Time;
use super::shift::{below_one, shifted};

/// The inputs of all grids of a flow model.
#[derive(Debug, Clone, Copy)]
pub(super) struct FlowGrid {
    /// The number of steps of the full schedule.
    pub(super) steps: usize,
    /// The shift of levels towards 1. With 1 they do not move.
    pub(super) shift: f64,
    /// The number of training steps, which is also the number of entries in the model's table.
    pub(super) train: usize,
}

impl FlowGrid {
    /// Returns evenly spaced levels from 1 down, shifted, with whole times: `UniPCMultistepScheduler.set_timesteps` of
    /// diffusers with `use_flow_sigmas`.
    pub(super) fn unipc(self) -> Vec<Time> {
        let step = (1.0 / self.train as f64 - 1.0) / self.steps as f64;
        (0..self.steps).map(|index| self.whole(below_one(shifted(self.shift, 1.0 + index as f64 * step)))).collect()
    }

    /// Returns evenly spaced levels from just below 1 down, shifted, with whole times:
    /// `DPMSolverMultistepScheduler.set_timesteps` of diffusers with `use_flow_sigmas`.
    pub(super) fn dpm(self) -> Vec<Time> {
        let end = 1.0 / self.train as f64;
        let step = (end - 1.0) / self.steps as f64;
        let signal = |index| if index == self.steps { end } else { 1.0 + index as f64 * step };
        (1..=self.steps).rev().map(|index| self.whole(shifted(self.shift, 1.0 - signal(index)))).collect()
    }

    /// Returns evenly spaced levels from 1 down to the lowest one of the shifted table, shifted once more. Their end is
    /// higher than that of the other grids. This is `FlowMatchEulerDiscreteScheduler.set_timesteps` of diffusers without
    /// given sigmas.
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

    /// Returns evenly spaced levels from 1 down to `1 / steps`, shifted, all in single precision. This is the same scheduler
    /// of diffusers with these levels given and `use_dynamic_shifting`, as the pipelines of FLUX use it. FLUX.1 schnell has
    /// no shift, and then both ways of shifting leave the levels unchanged.
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

    /// Returns the levels of ComfyUI's `simple_scheduler`.
    pub(super) fn simple(self) -> Result<Vec<Time>> {
        self.check_table()?;
        let stride = self.train as f64 / self.steps as f64;
        let from_end = |index| (index as f64 * stride) as usize;
        Ok((0..self.steps).map(|index| self.fractional(self.table(self.train - 1 - from_end(index)))).collect())
    }

    /// Returns the levels of ComfyUI's `beta_scheduler`. An entry that two consecutive steps would share is used once, so a
    /// schedule with very many steps has fewer than requested.
    pub(super) fn beta(self) -> Result<Vec<Time>> {
        self.check_table()?;
        let mut entries = self.beta_entries();
        entries.dedup();
        Ok(entries.into_iter().map(|entry| self.fractional(self.table(entry))).collect())
    }

    /// Returns the table entries of the beta spacing, including repeated ones.
    pub(super) fn beta_entries(self) -> Vec<usize> {
        let (stride, top) = (1.0 / self.steps as f64, (self.train - 1) as f64);
        (0..self.steps)
            .map(|index| (beta::quantile(1.0 - index as f64 * stride) * top).round_ties_even() as usize)
            .collect()
    }

    /// Returns one entry of the model's table, the lowest level first: `ModelSamplingDiscreteFlow` of ComfyUI, in single
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
            "this spacing has at most {} steps, but {} were requested",
            self.train, self.steps
        )))
    }

    /// Returns a level with its time as a whole number. diffusers truncates.
    fn whole(self, sigma: f64) -> Time {
        Time { sigma: sigma as f32, model: (sigma * self.train as f64).trunc() }
    }

    /// Returns a level with its time as a fraction, in single precision.
    pub(super) fn fractional(self, sigma: f32) -> Time {
        Time { sigma, model: f64::from(sigma * self.train as f32) }
    }
}
