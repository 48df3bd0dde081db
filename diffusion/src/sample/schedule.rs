//! Schedules: a sampler together with the noise levels that it visits.
//!
//! Always holds: a schedule is checked when a sampler is created from it, so schedules from code and from files obey the
//! same rules.

use must_tensors::{Error, Result};

use super::ancestral::EulerAncestral;
use super::ddim::Ddim;
use super::discrete::{Discrete, DiscreteGrid};
use super::dpm::{Dpm, DpmSettings};
use super::euler::Euler;
use super::flow::FlowGrid;
use super::ipndm::Ipndm;
use super::lcm::{Lcm, LcmSettings};
use super::levels::{Levels, Space};
use super::names::SamplerName;
use super::prediction::Prediction;
use super::sa::SaSolver;
use super::sampler::{Sampler, Time};
use super::sde::{DpmSde, with_halves};
use super::shift::{DynamicShift, below_one, shifted};
use super::spacing::Spacing;
use super::unipc::{UniPc, UniPcSettings};

/// A sampler with its settings.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Solver {
    UniPc(UniPcSettings),
    Euler,
    Dpm(DpmSettings),
    EulerAncestral,
    DpmSde,
    Ddim {
        /// Whether the last step ends without noise instead of at the lowest level.
        clean: bool,
    },
    Lcm(LcmSettings),
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
            SamplerName::DpmPlusPlusSde => Self::DpmSde,
            // The setting of Stable Diffusion XL's configuration.
            SamplerName::Ddim => Self::Ddim { clean: false },
            SamplerName::Lcm => Self::Lcm(LcmSettings::default()),
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
            Self::DpmSde => SamplerName::DpmPlusPlusSde,
            Self::Ddim { .. } => SamplerName::Ddim,
            Self::Lcm(_) => SamplerName::Lcm,
            Self::Sa => SamplerName::SaSolver,
            Self::Ipndm => SamplerName::Ipndm,
        }
    }
}

/// The source of a model's noise levels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum LevelSource {
    Flow { shift: f64, dynamic: Option<DynamicShift> },
    Discrete(Discrete),
}

/// How a model is sampled. It comes from the model's own configuration, from the defaults of its variant, or from a request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Schedule {
    pub(super) solver: Solver,
    pub(super) spacing: Spacing,
    pub(super) source: LevelSource,
    pub(super) train_steps: usize,
    seed: u64,
}

impl Schedule {
    pub(super) fn new(solver: Solver, spacing: Spacing, source: LevelSource, train_steps: usize) -> Self {
        Self { solver, spacing, source, train_steps, seed: 0 }
    }

    /// Creates the schedule of a flow model that was trained over 1000 steps.
    ///
    /// `shift` is above 0. Pass a shift that depends on the picture's size as `e^mu`, which gives the same formula:
    /// [`DynamicShift::shift`].
    pub(crate) fn flow(sampler: SamplerName, spacing: Spacing, shift: f64) -> Self {
        Self::new(Solver::of(sampler), spacing, LevelSource::Flow { shift, dynamic: None }, 1000)
    }

    /// Creates the schedule of a model that was trained on 1000 discrete levels.
    pub(crate) fn discrete(sampler: SamplerName, spacing: Spacing, model: Discrete) -> Self {
        Self::new(Solver::of(sampler), spacing, LevelSource::Discrete(model), 1000)
    }

    /// Replaces the sampler by another one with its default settings. Changes nothing if the schedule has this sampler
    /// already.
    #[must_use]
    pub(crate) fn with_sampler(mut self, sampler: SamplerName) -> Self {
        if self.sampler() != sampler {
            self.solver = Solver::of(sampler);
        }
        self
    }

    /// Replaces the spacing.
    #[must_use]
    pub(crate) fn with_spacing(mut self, spacing: Spacing) -> Self {
        self.spacing = spacing;
        self
    }

    /// Replaces the sampler by the one with this name: "DPM++ 2M Karras". For a model of discrete levels, a name without a
    /// spacing selects the sampler's own spacing; for a flow model it leaves the spacing unchanged. `None` if this model has
    /// no such sampler.
    #[must_use]
    pub(crate) fn with_name(self, name: &str) -> Option<Self> {
        let (sampler, spacing) = SamplerName::parse(name)?;
        let (fits, plain) = match self.source {
            LevelSource::Flow { .. } => (sampler.supports_flow(), self.spacing),
            LevelSource::Discrete(_) => (sampler.supports_discrete(), Spacing::Reference),
        };
        fits.then(|| self.with_sampler(sampler).with_spacing(spacing.unwrap_or(plain)))
    }

    /// Replaces the shift. Changes nothing in a model of discrete levels.
    #[must_use]
    pub(crate) fn with_shift(mut self, shift: f64) -> Self {
        if let LevelSource::Flow { .. } = self.source {
            self.source = LevelSource::Flow { shift, dynamic: None };
        }
        self
    }

    /// Adapts the shift to a picture of this many image tokens, if the shift depends on the size.
    #[must_use]
    pub(crate) fn with_tokens(mut self, tokens: usize) -> Self {
        if let LevelSource::Flow { shift, dynamic: Some(dynamic) } = &mut self.source {
            *shift = dynamic.shift(tokens);
        }
        self
    }

    /// Replaces the number of training steps, which is also the number of levels in a model's table.
    #[must_use]
    pub(crate) fn with_train_steps(mut self, steps: usize) -> Self {
        self.train_steps = steps;
        self
    }

    /// Sets the seed of a sampler that has its own source of noise: DPM++ SDE.
    #[must_use]
    pub(crate) fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Returns the sampler.
    pub(crate) fn sampler(&self) -> SamplerName {
        self.solver.name()
    }

    /// Returns the spacing.
    #[cfg(test)]
    pub(crate) fn spacing(&self) -> Spacing {
        self.spacing
    }

    /// Returns the shift. A model of discrete levels has the shift 1, which moves nothing.
    pub(crate) fn shift(&self) -> f64 {
        match self.source {
            LevelSource::Flow { shift, .. } => shift,
            LevelSource::Discrete(_) => 1.0,
        }
    }

    /// Returns how a model of discrete levels was trained. `None` for a flow model.
    pub(crate) fn model(&self) -> Option<Discrete> {
        match self.source {
            LevelSource::Flow { .. } => None,
            LevelSource::Discrete(model) => Some(model),
        }
    }

    /// Returns the number of training steps. It is the denoiser's time at noise level 1 of a flow model.
    pub(crate) fn train_steps(&self) -> usize {
        self.train_steps
    }

    /// Creates the sampler of `steps` steps, without the first `begin` of them. `begin` is 0 to start from pure noise, and more to
    /// change a picture.
    ///
    /// If a spacing has fewer levels than requested, the remaining steps are counted from the end.
    pub(crate) fn make_sampler(&self, steps: usize, begin: usize) -> Result<Box<dyn Sampler>> {
        if steps == 0 || begin > steps {
            return Err(Error::invalid_request(format!("cannot take {steps} steps from step {begin}")));
        }
        if self.train_steps < 2 {
            return Err(Error::invalid_request("a schedule needs at least two training steps"));
        }
        match self.source {
            LevelSource::Flow { shift, .. } => self.flow_sampler(shift, steps, steps - begin),
            LevelSource::Discrete(model) => self.discrete_sampler(model, steps, steps - begin),
        }
    }

    fn flow_sampler(&self, shift: f64, steps: usize, taken: usize) -> Result<Box<dyn Sampler>> {
        if !(shift.is_finite() && shift > 0.0) {
            return Err(Error::invalid_request(format!("the shift of noise levels must be above 0, not {shift}")));
        }
        let times = self.flow_times(shift, steps)?;
        let begin = times.len().saturating_sub(taken);
        let end = match &self.solver {
            Solver::UniPc(settings) if settings.ends_noisy => times.last().map_or(0.0, |time| time.sigma),
            _ => 0.0,
        };
        let levels = Levels::new(times, end, begin, Prediction::Flow, Space::Flow);
        Ok(match &self.solver {
            Solver::UniPc(settings) => Box::new(UniPc::new(settings.clone(), levels)),
            Solver::Euler => Box::new(Euler::new(levels)),
            Solver::Dpm(settings) => Box::new(Dpm::new(*settings, levels)),
            Solver::EulerAncestral => Box::new(EulerAncestral::new(levels)),
            Solver::Sa => Box::new(SaSolver::new(shift, levels)),
            Solver::Ipndm => Box::new(Ipndm::new(levels)),
            Solver::DpmSde | Solver::Ddim { .. } | Solver::Lcm(_) => {
                return Err(self.unsupported("models of discrete levels"));
            }
        })
    }

    fn unsupported(&self, others: &str) -> Error {
        Error::invalid_request(format!("the sampler {} is for {others}, not for this model", self.sampler().as_str()))
    }

    /// Returns the time of every step of a flow model's full schedule.
    fn flow_times(&self, shift: f64, steps: usize) -> Result<Vec<Time>> {
        let grid = FlowGrid { steps, shift, train: self.train_steps };
        let mut times = match (self.spacing, &self.solver) {
            (Spacing::Reference, Solver::UniPc(_)) => return Ok(grid.unipc()),
            (Spacing::Reference, Solver::Dpm(_)) => return Ok(grid.dpm()),
            (Spacing::Reference, Solver::Euler) => return Ok(grid.euler()),
            (Spacing::Reference | Spacing::Simple, _) => grid.simple()?,
            (Spacing::Linear, _) => grid.linear(),
            (Spacing::Beta, _) => grid.beta()?,
            (Spacing::Karras | Spacing::Exponential | Spacing::Normal | Spacing::SgmUniform, _) => {
                return Err(Error::invalid_request(format!(
                    "the spacing {} is for models of discrete levels, not for this model",
                    self.spacing.as_str()
                )));
            }
        };
        // UniPC and SA-Solver need a finite logarithm of the signal-to-noise ratio. At level 1 it is infinite.
        if let Some(first) = times.first_mut()
            && first.sigma >= 1.0
        {
            match &self.solver {
                Solver::UniPc(_) => *first = grid.fractional(below_one(f64::from(first.sigma)) as f32),
                Solver::Sa => *first = grid.fractional(shifted(shift, 1.0 - 1e-4) as f32),
                _ => {}
            }
        }
        Ok(times)
    }

    fn discrete_sampler(&self, model: Discrete, steps: usize, taken: usize) -> Result<Box<dyn Sampler>> {
        let grid = DiscreteGrid::new(model, self.train_steps, steps)?;
        let lcm = if let Solver::Lcm(settings) = self.solver { settings } else { LcmSettings::default() };
        let times = grid.times(self.sampler(), self.spacing, lcm)?;
        let begin = times.len().saturating_sub(taken);
        let whole = self.spacing == Spacing::Reference;
        let exploding = Space::Exploding { whole: model.starts_whole(self.spacing) };
        let levels = |times, begin, space| Levels::new(times, 0.0, begin, model.prediction, space);
        Ok(match &self.solver {
            Solver::Euler => Box::new(Euler::new(levels(times, begin, exploding))),
            Solver::EulerAncestral => Box::new(EulerAncestral::new(levels(times, begin, exploding))),
            Solver::DpmSde => {
                let all = with_halves(&times, |sigma| grid.time(sigma));
                Box::new(DpmSde::new(self.seed, levels(all, 2 * begin, exploding)))
            }
            Solver::Dpm(settings) => Box::new(Dpm::new(*settings, levels(times, begin, Space::Preserving))),
            Solver::UniPc(settings) => Box::new(UniPc::new(settings.clone(), levels(times, begin, Space::Preserving))),
            Solver::Ddim { clean } => {
                let (mixes, ends) =
                    if whole { (grid.mixes(&times), grid.ddim_ends(&times, *clean)) } else { (vec![], vec![]) };
                let levels = levels(times, begin, Space::Preserving).with_mixes(mixes);
                Box::new(Ddim::new(ends, checked(levels)?))
            }
            Solver::Lcm(settings) => {
                let mixes = if whole { grid.mixes(&times) } else { vec![] };
                let levels = levels(times, begin, Space::Preserving).with_mixes(mixes);
                Box::new(Lcm::new(whole.then_some(settings.scaling), checked(levels)?))
            }
            Solver::Sa | Solver::Ipndm => return Err(self.unsupported("flow models")),
        })
    }
}

/// Fails when a step would divide by a signal of 0.
fn checked(levels: Levels) -> Result<Levels> {
    if levels.prediction() == Prediction::Epsilon
        && !levels.left().is_empty()
        && levels.mix(levels.index()).signal == 0.0
    {
        return Err(Error::invalid_request(
            "this sampler cannot start at a level without signal with a model that predicts noise; choose Euler",
        ));
    }
    Ok(levels)
}
