//! Schedules as diffusers keeps them: `scheduler_config.json`.
//!
//! Always holds: a setting that changes what the reference computes for a flow model is either obeyed or refused by
//! name; settings that have no effect there are ignored.

use serde::{Deserialize, Serialize};

use super::dpm::DpmSettings;
use super::sampler::Prediction;
use super::schedule::{Schedule, Solver};
use super::sigmas::Spacing;
use super::unipc::UniPcSettings;
use crate::error::Result;
use crate::weights::unusable;

/// `scheduler_config.json`, of whichever class. A setting that the file leaves out has the default of its class.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct SchedulerConfig {
    #[serde(rename = "_class_name")]
    class_name: String,
    num_train_timesteps: usize,
    prediction_type: Option<String>,
    solver_order: usize,
    solver_type: Option<String>,
    algorithm_type: Option<String>,
    predict_x0: bool,
    lower_order_final: bool,
    disable_corrector: Vec<usize>,
    final_sigmas_type: String,
    solver_p: Option<serde_json::Value>,
    /// The shift by the name that multistep schedulers give it.
    flow_shift: f64,
    /// The shift by the name that the Euler scheduler gives it.
    shift: f64,
    shift_terminal: Option<f64>,
    use_dynamic_shifting: bool,
    use_flow_sigmas: bool,
    use_karras_sigmas: bool,
    use_exponential_sigmas: bool,
    use_beta_sigmas: bool,
    use_lu_lambdas: bool,
    thresholding: bool,
    stochastic_sampling: bool,
    invert_sigmas: bool,
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
            flow_shift: 1.0,
            shift: 1.0,
            shift_terminal: None,
            use_dynamic_shifting: false,
            use_flow_sigmas: false,
            use_karras_sigmas: false,
            use_exponential_sigmas: false,
            use_beta_sigmas: false,
            use_lu_lambdas: false,
            thresholding: false,
            stochastic_sampling: false,
            invert_sigmas: false,
        }
    }
}

impl SchedulerConfig {
    /// The schedule that the file describes; `model_unavailable` with the name of the setting if it cannot be obeyed.
    pub(crate) fn schedule(&self) -> Result<Schedule> {
        self.refuse(&[
            ("num_train_timesteps", self.num_train_timesteps == 0),
            ("use_dynamic_shifting", self.use_dynamic_shifting),
            ("use_karras_sigmas", self.use_karras_sigmas),
            ("use_exponential_sigmas", self.use_exponential_sigmas),
            ("use_beta_sigmas", self.use_beta_sigmas),
        ])?;
        let (solver, name, shift) = match self.class_name.as_str() {
            "UniPCMultistepScheduler" => (self.unipc()?, "flow_shift", self.flow_shift),
            "DPMSolverMultistepScheduler" => (self.dpm()?, "flow_shift", self.flow_shift),
            "FlowMatchEulerDiscreteScheduler" => (self.euler()?, "shift", self.shift),
            other => {
                return Err(unusable(format!(
                    "scheduler_config.json: {other:?} is not a scheduler that this library has; it has \
                     UniPCMultistepScheduler, DPMSolverMultistepScheduler and FlowMatchEulerDiscreteScheduler"
                )));
            }
        };
        self.refuse(&[(name, !(shift.is_finite() && shift > 0.0))])?;
        Ok(Schedule {
            solver,
            spacing: Spacing::Reference,
            shift,
            train_steps: self.num_train_timesteps,
            prediction: Prediction::Flow,
        })
    }

    fn unipc(&self) -> Result<Solver> {
        self.refuse_other_than_flow()?;
        let solver_type = self.solver_type.as_deref().unwrap_or("bh2");
        let ends_noisy = self.final_sigmas_type == "sigma_min";
        self.refuse(&[
            // The reference reads the names that other schedulers have as bh2.
            ("solver_type", !matches!(solver_type, "bh1" | "bh2" | "midpoint" | "heun" | "logrho")),
            ("solver_order", !(1..=3).contains(&self.solver_order)),
            // The reference divides by zero in the last step.
            ("lower_order_final", !self.lower_order_final && self.solver_order > 1),
            ("final_sigmas_type", !ends_noisy && self.final_sigmas_type != "zero"),
            ("predict_x0", !self.predict_x0),
            ("solver_p", self.solver_p.is_some()),
            ("shift_terminal", self.shift_terminal.is_some_and(|level| level != 0.0)),
        ])?;
        Ok(Solver::UniPc(UniPcSettings {
            order: self.solver_order,
            bh1: solver_type == "bh1",
            disable_corrector: self.disable_corrector.clone(),
            ends_noisy,
        }))
    }

    fn dpm(&self) -> Result<Solver> {
        self.refuse_other_than_flow()?;
        let solver_type = self.solver_type.as_deref().unwrap_or("midpoint");
        let algorithm = self.algorithm_type.as_deref().unwrap_or("dpmsolver++");
        self.refuse(&[
            // The reference reads "deis", and the solver types that other schedulers have, as its own defaults.
            ("algorithm_type", !matches!(algorithm, "dpmsolver++" | "deis")),
            ("solver_type", !matches!(solver_type, "midpoint" | "heun" | "logrho" | "bh1" | "bh2")),
            ("solver_order", !(1..=2).contains(&self.solver_order)),
            ("final_sigmas_type", self.final_sigmas_type != "zero"),
            ("use_lu_lambdas", self.use_lu_lambdas),
        ])?;
        Ok(Solver::Dpm(DpmSettings { first_order: self.solver_order == 1, heun: solver_type == "heun" }))
    }

    fn euler(&self) -> Result<Solver> {
        self.refuse(&[
            ("stochastic_sampling", self.stochastic_sampling),
            ("invert_sigmas", self.invert_sigmas),
            ("shift_terminal", self.shift_terminal.is_some_and(|level| level != 0.0)),
        ])?;
        Ok(Solver::Euler)
    }

    /// The multistep schedulers serve other models too.
    fn refuse_other_than_flow(&self) -> Result<()> {
        self.refuse(&[
            ("prediction_type", self.prediction_type.as_deref() != Some("flow_prediction")),
            ("use_flow_sigmas", !self.use_flow_sigmas),
            ("thresholding", self.thresholding),
        ])
    }

    /// An error that names the first setting that is marked.
    fn refuse(&self, settings: &[(&str, bool)]) -> Result<()> {
        let Some((name, _)) = settings.iter().find(|(_, wrong)| *wrong) else { return Ok(()) };
        let value = serde_json::to_value(self).ok().and_then(|fields| fields.get(name).cloned()).unwrap_or_default();
        Err(unusable(format!(
            "scheduler_config.json: {} with {name} = {value} cannot be sampled here",
            self.class_name
        )))
    }
}
