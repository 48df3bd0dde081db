//! How a checkpoint was trained, which determines how it is sampled.
//!
//! Always holds: the folder's `scheduler_config.json` takes precedence over markers in the UNet's file, and these over the
//! default, which is noise prediction.
//!
//! Marker tensors: <https://github.com/comfyanonymous/ComfyUI/blob/master/comfy/supported_models.py>; metadata:
//! <https://github.com/Stability-AI/ModelSpec>.

use must_tensors::Result;

use crate::sample::{Discrete, Prediction, SamplerName, Schedule, SchedulerConfig, Spacing};
use crate::weights::{FoundNetwork, Metadata, ModelFiles};

/// What the UNet predicts, and the noise levels that it was trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Training {
    /// Whether the UNet predicts velocity instead of noise.
    pub(crate) velocity: bool,
    /// Whether the last noise level contains no signal (zero terminal SNR).
    pub(crate) zero_snr: bool,
}

impl Training {
    /// Returns the name of the training for messages.
    pub(crate) const fn as_str(self) -> &'static str {
        match (self.velocity, self.zero_snr) {
            (false, false) => "noise prediction",
            (false, true) => "noise prediction, zero terminal SNR",
            (true, false) => "velocity prediction",
            (true, true) => "velocity prediction, zero terminal SNR",
        }
    }

    /// Reads the training from the marker tensors that ComfyUI and sd-scripts use, or from the file's metadata. The marker `ztsnr`
    /// counts only if the file also says velocity prediction.
    fn of_markers(found: &FoundNetwork) -> Option<Self> {
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

/// Reads how a model was trained and its default schedule.
pub(super) fn read(files: &ModelFiles, unet: &FoundNetwork, notes: &mut Vec<String>) -> Result<(Training, Schedule)> {
    let marked = Training::of_markers(unet);
    if let Some(config) = SchedulerConfig::of(files)? {
        let schedule = config.schedule()?;
        if let Some(model) = schedule.model() {
            let training = Training { velocity: model.prediction == Prediction::Velocity, zero_snr: model.zero_snr };
            if let Some(marked) = marked.filter(|marked| *marked != training) {
                notes.push(format!(
                    "scheduler_config.json says {}, and {} says {}; the former is used",
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
