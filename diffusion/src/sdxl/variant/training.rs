//! How a checkpoint was trained, and so how it is sampled.
//!
//! Always holds: the folder's `scheduler_config.json` counts before the marks in the UNet's file, and these before the default,
//! which is noise prediction.
//!
//! Marks: <https://github.com/comfyanonymous/ComfyUI/blob/master/comfy/supported_models.py>; metadata:
//! <https://github.com/Stability-AI/ModelSpec>.

use crate::error::Result;
use crate::sample::{Discrete, Prediction, SamplerName, Schedule, SchedulerConfig, Spacing};
use crate::weights::{Found, Metadata, ModelFiles};

/// What the UNet predicts, and on which noise levels it was trained to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Training {
    /// Whether it predicts the velocity instead of the noise.
    pub(crate) velocity: bool,
    /// Whether the last of its noise levels has no signal at all.
    pub(crate) zero_snr: bool,
}

impl Training {
    /// What messages call it.
    pub(crate) const fn as_str(self) -> &'static str {
        match (self.velocity, self.zero_snr) {
            (false, false) => "noise prediction",
            (false, true) => "noise prediction, zero terminal SNR",
            (true, false) => "velocity prediction",
            (true, true) => "velocity prediction, zero terminal SNR",
        }
    }

    /// What the file of a UNet says of it, by the marks that ComfyUI and sd-scripts read or by its metadata. `ztsnr` says nothing
    /// alone.
    fn marked(found: &Found) -> Option<Self> {
        let says = found.file_says("modelspec.prediction_type").and_then(Metadata::text);
        if found.file_has("v_pred") {
            return Some(Self { velocity: true, zero_snr: found.file_has("ztsnr") });
        }
        match says {
            Some("v" | "v_prediction") => Some(Self { velocity: true, zero_snr: found.file_has("ztsnr") }),
            Some("epsilon") => Some(Self { velocity: false, zero_snr: false }),
            _ => None,
        }
    }
}

/// How a model was trained and is sampled.
pub(super) fn read(files: &ModelFiles, unet: &Found, notes: &mut Vec<String>) -> Result<(Training, Schedule)> {
    let marked = Training::marked(unet);
    if let Some(config) = SchedulerConfig::of(files)? {
        let schedule = config.schedule()?;
        if let Some(model) = schedule.model() {
            let training = Training { velocity: model.prediction == Prediction::Velocity, zero_snr: model.zero_snr };
            if let Some(marked) = marked.filter(|marked| *marked != training) {
                notes.push(format!(
                    "scheduler_config.json says {}, and {} says {}; the former is taken",
                    training.as_str(),
                    unet.origin(),
                    marked.as_str()
                ));
            }
            return Ok((training, schedule));
        }
    }
    let training = marked.unwrap_or(Training { velocity: false, zero_snr: false });
    let prediction = if training.velocity { Prediction::Velocity } else { Prediction::Epsilon };
    let model = Discrete::new(prediction, training.zero_snr);
    Ok((training, Schedule::discrete(SamplerName::Euler, Spacing::Reference, model)))
}
