//! The names of samplers in requests and catalogs.

use super::spacing::Spacing;

/// A sampler, by the name that people use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SamplerName {
    /// Predictor and corrector of order up to 3, with one denoiser call for each step.
    UniPc,
    /// First order.
    Euler,
    /// Second order with one earlier prediction.
    DpmPlusPlus2M,
    /// First order with fresh noise in every step.
    EulerAncestral,
    /// Second order with fresh noise, with two denoiser calls for each step.
    DpmPlusPlusSde,
    /// First order over whole timesteps.
    Ddim,
    /// For models distilled to few steps. Each step ends at the clean prediction, to which noise is added again.
    Lcm,
    /// Stochastic Adams predictor and corrector.
    SaSolver,
    /// Adams-Bashforth of order up to 4.
    Ipndm,
}

impl SamplerName {
    /// All samplers.
    pub(crate) const ALL: [Self; 9] = [
        Self::UniPc,
        Self::Euler,
        Self::DpmPlusPlus2M,
        Self::EulerAncestral,
        Self::DpmPlusPlusSde,
        Self::Ddim,
        Self::Lcm,
        Self::SaSolver,
        Self::Ipndm,
    ];

    /// Returns the stable name that catalogs and requests use.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::UniPc => "UniPC",
            Self::Euler => "Euler",
            Self::DpmPlusPlus2M => "DPM++ 2M",
            Self::EulerAncestral => "Euler a",
            Self::DpmPlusPlusSde => "DPM++ SDE",
            Self::Ddim => "DDIM",
            Self::Lcm => "LCM",
            Self::SaSolver => "SA-Solver",
            Self::Ipndm => "iPNDM",
        }
    }

    /// Returns the sampler with this stable name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sampler| sampler.as_str() == name)
    }

    /// Parses a sampler's name, with an optional spacing after it: "DPM++ 2M Karras", "Euler a".
    pub(crate) fn parse(name: &str) -> Option<(Self, Option<Spacing>)> {
        Self::ALL.into_iter().find_map(|sampler| match name.strip_prefix(sampler.as_str())? {
            "" => Some((sampler, None)),
            rest => {
                let label = rest.strip_prefix(' ')?;
                let spacing = Spacing::ALL.into_iter().find(|spacing| spacing.label() == Some(label))?;
                Some((sampler, Some(spacing)))
            }
        })
    }

    /// Returns whether the sampler works with flow models.
    pub(crate) const fn supports_flow(self) -> bool {
        !matches!(self, Self::DpmPlusPlusSde | Self::Ddim | Self::Lcm)
    }

    /// Returns whether the sampler works with models of discrete levels.
    pub(crate) const fn supports_discrete(self) -> bool {
        !matches!(self, Self::SaSolver | Self::Ipndm)
    }
}

macro_rules! with_spacings {
    ($($sampler:literal),*) => {
        &[$(
            $sampler,
            concat!($sampler, " Karras"),
            concat!($sampler, " Exponential"),
            concat!($sampler, " Simple"),
            concat!($sampler, " Normal"),
            concat!($sampler, " SGM Uniform"),
            concat!($sampler, " Beta"),
        )*]
    };
}

/// All names that [`SamplerName::parse`] accepts for models of discrete levels.
pub(crate) static DISCRETE_NAMES: &[&str] =
    with_spacings!("Euler", "Euler a", "DPM++ 2M", "DPM++ SDE", "DDIM", "UniPC", "LCM");
