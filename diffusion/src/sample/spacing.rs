//! Ways to choose noise levels, and their names.

/// A way to choose noise levels. In a model of discrete levels, "the table" has one level for each training step.
///
/// Karras, exponential and beta are diffusers' `use_karras_sigmas`, `use_exponential_sigmas` and `use_beta_sigmas`: their
/// ends are those of the table for DPM++ 2M and UniPC, and those of the timesteps of [`super::Timesteps`] for Euler and
/// DPM++ SDE, as there. For the samplers that have no such option in diffusers the ends are those of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spacing {
    /// The one that the sampler's own reference uses. For flow models: diffusers' flow sigmas for UniPC, Euler and DPM++
    /// 2M, which differ from each other; [`Spacing::Simple`] for the samplers that come from ComfyUI. For models of
    /// discrete levels: the timesteps of [`super::Timesteps`], which the classes of diffusers count in different ways.
    Reference,
    /// Flow models only. From 1 to one part in as many as there are steps, evenly, then shifted: what FLUX's own code and
    /// its pipeline in diffusers walk over.
    Linear,
    /// Even steps in the seventh root of the level, <https://arxiv.org/abs/2206.00364>, equation 5.
    Karras,
    /// Even steps in the logarithm of the level.
    Exponential,
    /// Every so many entries of the table: `simple_scheduler` of ComfyUI.
    Simple,
    /// Even timesteps from the last to the first one: `DiscreteSchedule.get_sigmas` of k-diffusion, "normal" in ComfyUI
    /// and "Uniform" elsewhere. Between two entries of the table the logarithm is interpolated, and the denoiser is given
    /// the timestep as it is, fraction included.
    Normal,
    /// Like [`Spacing::Normal`] with one step more, the last one left out: "sgm_uniform" of ComfyUI.
    SgmUniform,
    /// Dense at both ends, <https://arxiv.org/abs/2407.12173>. For flow models, entries of the table at quantiles of a
    /// beta distribution: ComfyUI. For models of discrete levels, those quantiles between the lowest and the highest level:
    /// diffusers and A1111, another curve than ComfyUI's.
    Beta,
}

impl Spacing {
    /// Every spacing.
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

    /// The stable name.
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

    /// How people write it behind the name of a sampler; nothing for those that are not written there.
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

    /// The spacing with this stable name, or written like this behind a sampler.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|spacing| spacing.as_str() == name || spacing.label() == Some(name))
    }
}
