//! Which sampler walks over which noise levels.
//!
//! Always holds: a schedule is checked when it is walked, so that one made by hand and one read from a file are held to
//! the same rules.

use super::ancestral::EulerAncestral;
use super::dpm::{Dpm, DpmSettings};
use super::euler::Euler;
use super::ipndm::Ipndm;
use super::levels::Levels;
use super::sa::SaSolver;
use super::sampler::{Prediction, Sampler, SamplerName, Time};
use super::sigmas::{FlowGrid, Spacing, below_one, shifted};
use super::unipc::{UniPc, UniPcSettings};
use crate::error::{Error, Result};

/// A sampler with its settings.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Solver {
    UniPc(UniPcSettings),
    Euler,
    Dpm(DpmSettings),
    EulerAncestral,
    Sa,
    Ipndm,
}

impl Solver {
    fn of(name: SamplerName) -> Self {
        match name {
            SamplerName::UniPc => Self::UniPc(UniPcSettings::default()),
            SamplerName::Euler => Self::Euler,
            SamplerName::DpmPlusPlus2M => Self::Dpm(DpmSettings::default()),
            SamplerName::EulerAncestral => Self::EulerAncestral,
            SamplerName::SaSolver => Self::Sa,
            SamplerName::Ipndm => Self::Ipndm,
        }
    }

    fn name(&self) -> SamplerName {
        match self {
            Self::UniPc(_) => SamplerName::UniPc,
            Self::Euler => SamplerName::Euler,
            Self::Dpm(_) => SamplerName::DpmPlusPlus2M,
            Self::EulerAncestral => SamplerName::EulerAncestral,
            Self::Sa => SamplerName::SaSolver,
            Self::Ipndm => SamplerName::Ipndm,
        }
    }
}

/// How a model is sampled: by its own configuration, by the defaults of its variant, or as a request asks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Schedule {
    pub(super) solver: Solver,
    pub(super) spacing: Spacing,
    pub(super) shift: f64,
    pub(super) train_steps: usize,
    pub(super) prediction: Prediction,
}

impl Schedule {
    /// The schedule of a flow model that was trained over 1000 steps.
    ///
    /// `shift` is above 0. A shift that depends on the picture's size comes as `e^mu`, which is the same formula.
    pub(crate) fn flow(sampler: SamplerName, spacing: Spacing, shift: f64) -> Self {
        Self { solver: Solver::of(sampler), spacing, shift, train_steps: 1000, prediction: Prediction::Flow }
    }

    /// The same schedule with another sampler at its default settings; nothing changes if it has this sampler already.
    #[must_use]
    pub(crate) fn with_sampler(mut self, sampler: SamplerName) -> Self {
        if self.sampler() != sampler {
            self.solver = Solver::of(sampler);
        }
        self
    }

    /// The same schedule with another spacing.
    #[must_use]
    pub(crate) fn with_spacing(mut self, spacing: Spacing) -> Self {
        self.spacing = spacing;
        self
    }

    /// The same schedule with another shift.
    #[must_use]
    pub(crate) fn with_shift(mut self, shift: f64) -> Self {
        self.shift = shift;
        self
    }

    /// The sampler.
    pub(crate) fn sampler(&self) -> SamplerName {
        self.solver.name()
    }

    /// The shift.
    pub(crate) fn shift(&self) -> f64 {
        self.shift
    }

    /// The number of training steps: the denoiser's time at noise level 1.
    pub(crate) fn train_steps(&self) -> usize {
        self.train_steps
    }

    /// The walk of `steps` steps without the first `begin`: 0 for pure noise, more for a picture that is changed.
    ///
    /// Where a spacing has fewer levels than were asked for, the steps that are left are counted from the end.
    pub(crate) fn walk(&self, steps: usize, begin: usize) -> Result<Box<dyn Sampler>> {
        if steps == 0 || begin > steps {
            return Err(Error::invalid_request(format!("cannot take {steps} steps from step {begin}")));
        }
        if !(self.shift.is_finite() && self.shift > 0.0) {
            return Err(Error::invalid_request(format!(
                "the shift of noise levels must be above 0, not {}",
                self.shift
            )));
        }
        let times = self.times(steps)?;
        let begin = times.len().saturating_sub(steps - begin);
        let end = match &self.solver {
            Solver::UniPc(settings) if settings.ends_noisy => times.last().map_or(0.0, |time| time.sigma),
            _ => 0.0,
        };
        let levels = |times| Levels::new(times, end, begin, self.prediction);
        Ok(match &self.solver {
            Solver::UniPc(settings) => Box::new(UniPc::new(settings.clone(), levels(times))),
            Solver::Euler => Box::new(Euler::new(levels(times))),
            Solver::Dpm(settings) => Box::new(Dpm::new(*settings, levels(times))),
            Solver::EulerAncestral => Box::new(EulerAncestral::new(levels(times))),
            Solver::Sa => Box::new(SaSolver::new(self.shift, levels(times))),
            Solver::Ipndm => Box::new(Ipndm::new(levels(times))),
        })
    }

    /// The time of every step of the full walk.
    fn times(&self, steps: usize) -> Result<Vec<Time>> {
        if self.train_steps == 0 {
            return Err(Error::invalid_request("a schedule needs at least one training step"));
        }
        let grid = FlowGrid { steps, shift: self.shift, train: self.train_steps };
        let mut times = match (self.spacing, &self.solver) {
            (Spacing::Reference, Solver::UniPc(_)) => return Ok(grid.unipc()),
            (Spacing::Reference, Solver::Dpm(_)) => return Ok(grid.dpm()),
            (Spacing::Reference, Solver::Euler) => return Ok(grid.euler()),
            (Spacing::Reference | Spacing::Simple, _) => grid.simple()?,
            (Spacing::Beta, _) => grid.beta()?,
        };
        // These two need the logarithm of the signal-to-noise ratio, which is not finite at level 1.
        if let Some(first) = times.first_mut()
            && first.sigma >= 1.0
        {
            match &self.solver {
                Solver::UniPc(_) => *first = grid.fractional(below_one(f64::from(first.sigma)) as f32),
                Solver::Sa => *first = grid.fractional(shifted(self.shift, 1.0 - 1e-4) as f32),
                _ => {}
            }
        }
        Ok(times)
    }
}
