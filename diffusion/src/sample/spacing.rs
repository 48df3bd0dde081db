//! Spacings of noise levels, and their names.

/// A way to choose noise levels. "The table" of a model of discrete levels has one level for each training step.
///
/// Karras, exponential and beta are diffusers' `use_karras_sigmas`, `use_exponential_sigmas` and `use_beta_sigmas`. As
/// there, their ends are those of the table for DPM++ 2M and UniPC, and those of the timesteps of [`super::Timesteps`] for
/// Euler and DPM++ SDE. For samplers without such an option in diffusers, the ends are those of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spacing {
    /// The spacing of the sampler's own reference. For flow models: diffusers' flow sigmas, which differ for UniPC, Euler
    /// and DPM++ 2M, and [`Spacing::Simple`] for the samplers from ComfyUI. For models of discrete levels: the timesteps of
    /// [`super::Timesteps`], which the classes of diffusers count in different ways.
    Reference,
    /// For flow models only. Evenly spaced levels from 1 to `1 / steps`, then shifted, as in FLUX's own code and in its
    /// pipeline of diffusers.
    Linear,
    /// Even steps in the seventh root of the level, <https://arxiv.org/abs/2206.00364>, equation 5.
    Karras,
    /// Even steps in the logarithm of the level.
    Exponential,
    /// Table entries at equal distances: `simple_scheduler` of ComfyUI.
    Simple,
    /// Evenly spaced timesteps from the last to the first: `DiscreteSchedule.get_sigmas` of k-diffusion, called "normal" in
    /// ComfyUI and "Uniform" elsewhere. Between two table entries the logarithm is interpolated, and the denoiser receives
    /// the fractional timestep.
    Normal,
    /// Like [`Spacing::Normal`] with one more step, the last of which is left out: "sgm_uniform" of ComfyUI.
    SgmUniform,
    /// Dense at both ends, <https://arxiv.org/abs/2407.12173>. For flow models: table entries at the quantiles of a beta
    /// distribution, as in ComfyUI. For models of discrete levels: those quantiles between the lowest and the highest level,
    /// as in diffusers and A1111, which is a different curve from ComfyUI's.
    Beta,
}

impl Spacing {
    /// All spacings.
    pub(crate) const ALL: [Self; 8] = [
        Self::Reference,
        Self::Linear,
        Self::Karras,
        Self::Exponential,
        Self::Simple,
        Self::Normal,
        Self::SgmUniform,
        Self::Beta,
    ];

    /// Returns the stable name.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Linear => "linear",
            Self::Karras => "karras",
            Self::Exponential => "exponential",
            Self::Simple => "simple",
            Self::Normal => "normal",
            Self::SgmUniform => "sgm-uniform",
            Self::Beta => "beta",
        }
    }

    /// Returns the suffix that people write after a sampler's name. `None` for spacings that are not written there.
    pub(crate) const fn label(self) -> Option<&'static str> {
        match self {
            Self::Reference | Self::Linear => None,
            Self::Karras => Some("Karras"),
            Self::Exponential => Some("Exponential"),
            Self::Simple => Some("Simple"),
            Self::Normal => Some("Normal"),
            Self::SgmUniform => Some("SGM Uniform"),
            Self::Beta => Some("Beta"),
        }
    }

    /// Returns the spacing with this stable name or with this suffix.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|spacing| spacing.as_str() == name || spacing.label() == Some(name))
    }
}
