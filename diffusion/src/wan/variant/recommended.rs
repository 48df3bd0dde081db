//! The sampling settings of a variant, for requests that leave them open.
//!
//! Values: `generate.py` of <https://github.com/Wan-Video/Wan2.1>, `wan/configs` of
//! <https://github.com/Wan-Video/Wan2.2>.

use must_tensors::Result;

use super::kind::{Kind, Variant};
use crate::sample::{SamplerName, Schedule, SchedulerConfig, Spacing};
use crate::weights::ModelFiles;

/// The largest frame, in pixels, for which a model with two shifts uses the smaller one.
const SMALL: u64 = 832 * 480;

/// The sampling settings of a variant.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Recommended {
    /// Sampler, spacing and shift, from `scheduler/scheduler_config.json` or from the variant's authors.
    pub(crate) schedule: Schedule,
    /// The shift for small frames, if the authors give one and no file sets a shift.
    small_shift: Option<f64>,
    /// The noise level below which the low-noise expert works. `None` with one transformer.
    pub(crate) boundary: Option<f64>,
    /// Number of steps.
    pub(crate) steps: u32,
    /// Guidance scales. That of the high-noise expert comes first.
    pub(crate) guidance: [f64; 2],
}

impl Recommended {
    /// Combines the settings in `model_index.json` and in the scheduler's file with those of the variant's authors.
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
        let json = SchedulerConfig::of(files)?.map(|config| config.schedule()).transpose()?;
        Ok(Self {
            small_shift: if json.is_some() { None } else { small_shift },
            schedule: json.unwrap_or_else(|| Schedule::flow(SamplerName::UniPc, Spacing::Reference, shift)),
            boundary: (variant.experts == 2).then_some(boundary_ratio.unwrap_or(boundary)),
            steps,
            guidance,
        })
    }

    /// Returns the shift for frames of this size in pixels.
    pub(crate) fn shift(&self, width: u32, height: u32) -> f64 {
        let small = u64::from(width) * u64::from(height) <= SMALL;
        self.small_shift.filter(|_| small).unwrap_or_else(|| self.schedule.shift())
    }
}
