//! How a variant is sampled where nobody says otherwise.
//!
//! Values: `generate.py` of <https://github.com/Wan-Video/Wan2.1>, `wan/configs` of
//! <https://github.com/Wan-Video/Wan2.2>.

use super::kind::{Kind, Variant};
use crate::error::Result;
use crate::sample::{SamplerName, Schedule, SchedulerConfig, Spacing};
use crate::weights::ModelFiles;

/// Pixels of a frame up to which a model for two sizes takes its smaller shift.
const SMALL: u64 = 832 * 480;

/// How a variant is sampled.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Recommended {
    /// Sampler, spacing and shift: those of `scheduler/scheduler_config.json`, or those of the variant's authors.
    pub(crate) schedule: Schedule,
    /// The shift for small frames, where the authors have one and no file says a shift.
    small_shift: Option<f64>,
    /// The noise level from which down the expert for low noise works. `None` with one expert.
    pub(crate) boundary: Option<f64>,
    /// Steps.
    pub(crate) steps: u32,
    /// Guidance scales, that of the expert for high noise first.
    pub(crate) guidance: [f64; 2],
}

impl Recommended {
    /// What `model_index.json` and the scheduler's file say, and what the authors say of the variant for the rest.
    pub(super) fn of(variant: Variant, boundary_ratio: Option<f64>, files: &ModelFiles) -> Result<Self> {
        let (steps, shift, small_shift, guidance, boundary) = match (variant.kind, variant.experts) {
            (Kind::TextToVideo, 2) => (40, 12.0, None, [4.0, 3.0], 0.875),
            (Kind::TextToVideo, _) => (50, 5.0, None, [5.0; 2], 1.0),
            (Kind::ImageToVideo { last: true, .. }, _) => (50, 16.0, None, [5.0; 2], 0.9),
            (Kind::ImageToVideo { clip: true, .. }, _) => (40, 5.0, Some(3.0), [5.0; 2], 0.9),
            (Kind::ImageToVideo { clip: false, .. }, _) => (40, 5.0, None, [3.5; 2], 0.9),
            (Kind::Vace, _) => (50, 16.0, None, [5.0; 2], 0.875),
            (Kind::TextImageToVideo, _) => (50, 5.0, None, [5.0; 2], 0.9),
        };
        let described = SchedulerConfig::of(files)?.map(|config| config.schedule()).transpose()?;
        Ok(Self {
            small_shift: if described.is_some() { None } else { small_shift },
            schedule: described.unwrap_or_else(|| Schedule::flow(SamplerName::UniPc, Spacing::Reference, shift)),
            boundary: (variant.experts == 2).then_some(boundary_ratio.unwrap_or(boundary)),
            steps,
            guidance,
        })
    }

    /// The shift for frames of this size in pixels.
    pub(crate) fn shift(&self, width: u32, height: u32) -> f64 {
        let small = u64::from(width) * u64::from(height) <= SMALL;
        self.small_shift.filter(|_| small).unwrap_or_else(|| self.schedule.shift())
    }
}
