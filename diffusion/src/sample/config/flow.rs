//! Reads the schedules of flow models.

use must_tensors::Result;

use super::SchedulerConfig;
use crate::sample::dpm::DpmSettings;
use crate::sample::schedule::{LevelSource, Schedule, Solver};
use crate::sample::shift::DynamicShift;
use crate::sample::spacing::Spacing;
use crate::sample::unipc::UniPcSettings;

impl SchedulerConfig {
    pub(super) fn flow(&self) -> Result<Schedule> {
        self.refuse(&[
            ("use_karras_sigmas", self.use_karras_sigmas == Some(true)),
            ("use_exponential_sigmas", self.use_exponential_sigmas == Some(true)),
            ("use_beta_sigmas", self.use_beta_sigmas == Some(true)),
        ])?;
        let euler = self.class_name == "FlowMatchEulerDiscreteScheduler";
        let (solver, name, mut shift) = match self.class_name.as_str() {
            "UniPCMultistepScheduler" => (self.flow_unipc()?, "flow_shift", self.flow_shift),
            "DPMSolverMultistepScheduler" => (self.flow_dpm()?, "flow_shift", self.flow_shift),
            _ => (self.flow_euler()?, "shift", self.shift.unwrap_or(1.0)),
        };
        self.refuse(&[(name, !(shift.is_finite() && shift > 0.0))])?;
        let mut spacing = Spacing::Reference;
        let mut dynamic = None;
        if euler && self.use_dynamic_shifting {
            // Until the picture's size is known, the shift is that of a picture of `max_image_seq_len` tokens.
            let of_size = self.dynamic()?;
            (spacing, dynamic, shift) = (Spacing::Linear, Some(of_size), of_size.max_shift.exp());
        }
        Ok(Schedule::new(solver, spacing, LevelSource::Flow { shift, dynamic }, self.num_train_timesteps))
    }

    fn flow_unipc(&self) -> Result<Solver> {
        self.refuse_other_than_flow()?;
        let ends_noisy = self.final_sigmas_type == "sigma_min";
        self.refuse(&[
            ("final_sigmas_type", !ends_noisy && self.final_sigmas_type != "zero"),
            ("shift_terminal", self.shift_terminal.is_some_and(|level| level != 0.0)),
        ])?;
        Ok(Solver::UniPc(UniPcSettings { ends_noisy, ..self.unipc()? }))
    }

    fn flow_dpm(&self) -> Result<Solver> {
        self.refuse_other_than_flow()?;
        Ok(Solver::Dpm(self.dpm()?))
    }

    fn flow_euler(&self) -> Result<Solver> {
        self.refuse(&[
            ("stochastic_sampling", self.stochastic_sampling),
            ("invert_sigmas", self.invert_sigmas),
            ("shift_terminal", self.shift_terminal.is_some_and(|level| level != 0.0)),
        ])?;
        Ok(Solver::Euler)
    }

    /// Refuses settings of the multistep schedulers that are not those of flow models.
    fn refuse_other_than_flow(&self) -> Result<()> {
        self.refuse(&[
            ("prediction_type", self.prediction_type.as_deref() != Some("flow_prediction")),
            ("use_flow_sigmas", !self.use_flow_sigmas),
            ("thresholding", self.thresholding),
            ("use_dynamic_shifting", self.use_dynamic_shifting),
        ])
    }

    fn dynamic(&self) -> Result<DynamicShift> {
        let own = DynamicShift::default();
        let tokens = |own: f64, set: Option<usize>| set.map_or(own, |tokens| tokens as f64);
        let shift = DynamicShift {
            base_tokens: tokens(own.base_tokens, self.base_image_seq_len),
            max_tokens: tokens(own.max_tokens, self.max_image_seq_len),
            base_shift: self.base_shift.unwrap_or(own.base_shift),
            max_shift: self.max_shift.unwrap_or(own.max_shift),
        };
        self.refuse(&[
            ("time_shift_type", self.time_shift_type.as_deref().is_some_and(|kind| kind != "exponential")),
            ("max_image_seq_len", shift.max_tokens <= shift.base_tokens),
        ])?;
        Ok(shift)
    }

    /// Reads the settings of UniPC that have the same meaning in all models.
    pub(super) fn unipc(&self) -> Result<UniPcSettings> {
        let solver_type = self.solver_type.as_deref().unwrap_or("bh2");
        self.refuse(&[
            // The reference treats solver types of other schedulers as bh2.
            ("solver_type", !matches!(solver_type, "bh1" | "bh2" | "midpoint" | "heun" | "logrho")),
            ("solver_order", !(1..=3).contains(&self.solver_order)),
            // The reference would divide by zero in the last step.
            ("lower_order_final", !self.lower_order_final && self.solver_order > 1),
            ("predict_x0", !self.predict_x0),
            ("solver_p", self.solver_p.is_some()),
        ])?;
        Ok(UniPcSettings {
            order: self.solver_order,
            bh1: solver_type == "bh1",
            disable_corrector: self.disable_corrector.clone(),
            ends_noisy: false,
        })
    }

    /// Reads the settings of DPM++ that have the same meaning in all models.
    pub(super) fn dpm(&self) -> Result<DpmSettings> {
        let solver_type = self.solver_type.as_deref().unwrap_or("midpoint");
        let algorithm = self.algorithm_type.as_deref().unwrap_or("dpmsolver++");
        self.refuse(&[
            // The reference treats "deis", and solver types of other schedulers, as its own defaults.
            ("algorithm_type", !matches!(algorithm, "dpmsolver++" | "deis")),
            ("solver_type", !matches!(solver_type, "midpoint" | "heun" | "logrho" | "bh1" | "bh2")),
            ("solver_order", !(1..=2).contains(&self.solver_order)),
            ("final_sigmas_type", self.final_sigmas_type != "zero"),
            ("use_lu_lambdas", self.use_lu_lambdas),
        ])?;
        Ok(DpmSettings { first_order: self.solver_order == 1, heun: solver_type == "heun" })
    }
}
