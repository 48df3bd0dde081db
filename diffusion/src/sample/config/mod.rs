//! Reads the schedules of diffusers: `scheduler_config.json`.
//!
//! Always holds: a setting that changes what the reference computes for a model is either obeyed or refused by name.
//! Settings that have no effect in the reference are ignored.

mod discrete;
mod flow;

use must_tensors::Result;
use serde::{Deserialize, Serialize};

use super::schedule::Schedule;
use crate::weights::{ModelFiles, unusable};

/// The file's path in a folder of diffusers.
const FILE: &str = "scheduler/scheduler_config.json";

/// The supported classes.
const CLASSES: &str = "EulerDiscreteScheduler, EulerAncestralDiscreteScheduler, DPMSolverMultistepScheduler, \
                       DPMSolverSDEScheduler, DDIMScheduler, UniPCMultistepScheduler, LCMScheduler and \
                       FlowMatchEulerDiscreteScheduler";

/// The content of `scheduler_config.json` for any class. A missing setting has the default of the file's class.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct SchedulerConfig {
    #[serde(rename = "_class_name")]
    class_name: String,
    num_train_timesteps: usize,
    prediction_type: Option<String>,
    // Multistep solvers.
    solver_order: usize,
    solver_type: Option<String>,
    algorithm_type: Option<String>,
    predict_x0: bool,
    lower_order_final: bool,
    disable_corrector: Vec<usize>,
    final_sigmas_type: String,
    solver_p: Option<serde_json::Value>,
    lambda_min_clipped: Option<f64>,
    variance_type: Option<String>,
    // Flow models.
    /// The shift, by its name in multistep schedulers.
    flow_shift: f64,
    /// The shift, by its name in the Euler scheduler.
    shift: Option<f64>,
    shift_terminal: Option<f64>,
    use_dynamic_shifting: bool,
    time_shift_type: Option<String>,
    base_shift: Option<f64>,
    max_shift: Option<f64>,
    base_image_seq_len: Option<usize>,
    max_image_seq_len: Option<usize>,
    stochastic_sampling: bool,
    invert_sigmas: bool,
    // Models with discrete levels.
    beta_start: Option<f64>,
    beta_end: Option<f64>,
    beta_schedule: Option<String>,
    trained_betas: Option<Vec<f64>>,
    rescale_betas_zero_snr: bool,
    timestep_spacing: Option<String>,
    steps_offset: usize,
    interpolation_type: Option<String>,
    timestep_type: Option<String>,
    sigma_min: Option<f64>,
    sigma_max: Option<f64>,
    clip_sample: Option<bool>,
    set_alpha_to_one: bool,
    original_inference_steps: usize,
    timestep_scaling: f64,
    // Spacings.
    use_flow_sigmas: bool,
    use_karras_sigmas: Option<bool>,
    use_exponential_sigmas: Option<bool>,
    use_beta_sigmas: Option<bool>,
    use_lu_lambdas: bool,
    thresholding: bool,
}

impl Default for SchedulerConfig {
    fn default() -> Self {
        Self {
            class_name: String::new(),
            num_train_timesteps: 1000,
            prediction_type: None,
            solver_order: 2,
            solver_type: None,
            algorithm_type: None,
            predict_x0: true,
            lower_order_final: true,
            disable_corrector: vec![],
            final_sigmas_type: "zero".to_owned(),
            solver_p: None,
            lambda_min_clipped: None,
            variance_type: None,
            flow_shift: 1.0,
            shift: None,
            shift_terminal: None,
            use_dynamic_shifting: false,
            time_shift_type: None,
            base_shift: None,
            max_shift: None,
            base_image_seq_len: None,
            max_image_seq_len: None,
            stochastic_sampling: false,
            invert_sigmas: false,
            beta_start: None,
            beta_end: None,
            beta_schedule: None,
            trained_betas: None,
            rescale_betas_zero_snr: false,
            timestep_spacing: None,
            steps_offset: 0,
            interpolation_type: None,
            timestep_type: None,
            sigma_min: None,
            sigma_max: None,
            clip_sample: None,
            set_alpha_to_one: true,
            original_inference_steps: 50,
            timestep_scaling: 10.0,
            use_flow_sigmas: false,
            use_karras_sigmas: None,
            use_exponential_sigmas: None,
            use_beta_sigmas: None,
            use_lu_lambdas: false,
            thresholding: false,
        }
    }
}

impl SchedulerConfig {
    /// Reads the configuration of a folder. Returns `None` if the folder has no such file.
    pub(crate) fn of(files: &ModelFiles) -> Result<Option<Self>> {
        if !files.has(FILE) {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&files.bytes(FILE)?).into_owned();
        Self::parse(&text).map(Some)
    }

    /// Parses a configuration. Python writes `Infinity` and `NaN`, which JSON does not allow. They are read as missing settings,
    /// because an infinite threshold has no effect.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut plain = text.to_owned();
        for (name, value) in [(": -Infinity", ": null"), (": Infinity", ": null"), (": NaN", ": null")] {
            plain = plain.replace(name, value);
        }
        serde_json::from_str(&plain).map_err(|error| unusable(format!("{FILE}: {error}")))
    }

    /// Returns the schedule that the file describes. Fails with `ModelUnavailable` if a setting cannot be obeyed; the error names
    /// the setting.
    pub(crate) fn schedule(&self) -> Result<Schedule> {
        self.refuse(&[("num_train_timesteps", self.num_train_timesteps < 2)])?;
        let flow = self.use_flow_sigmas || self.prediction_type.as_deref() == Some("flow_prediction");
        match self.class_name.as_str() {
            "FlowMatchEulerDiscreteScheduler" => self.flow(),
            "UniPCMultistepScheduler" | "DPMSolverMultistepScheduler" if flow => self.flow(),
            "EulerDiscreteScheduler"
            | "EulerAncestralDiscreteScheduler"
            | "DPMSolverMultistepScheduler"
            | "DPMSolverSDEScheduler"
            | "DDIMScheduler"
            | "UniPCMultistepScheduler"
            | "LCMScheduler" => self.discrete(),
            other => Err(unusable(format!(
                "scheduler_config.json: {other:?} is not supported; the supported schedulers are {CLASSES}"
            ))),
        }
    }

    /// Fails with the first setting that is marked.
    fn refuse(&self, settings: &[(&str, bool)]) -> Result<()> {
        let Some((name, _)) = settings.iter().find(|(_, wrong)| *wrong) else { return Ok(()) };
        let value = serde_json::to_value(self).ok().and_then(|fields| fields.get(name).cloned()).unwrap_or_default();
        Err(unusable(format!("scheduler_config.json: {} with {name} = {value} is not supported", self.class_name)))
    }
}
