//! Reads the schedules of models that were trained on discrete noise levels.
//!
//! `rescale_betas_zero_snr` is also obeyed for `DPMSolverSDEScheduler`, which has no such option, because the setting
//! describes how the model was trained.

use must_tensors::Result;

use super::SchedulerConfig;
use crate::sample::discrete::{Discrete, Timesteps};
use crate::sample::lcm::LcmSettings;
use crate::sample::prediction::Prediction;
use crate::sample::schedule::{LevelSource, Schedule, Solver};
use crate::sample::spacing::Spacing;
use crate::sample::table::Betas;

impl SchedulerConfig {
    pub(super) fn discrete(&self) -> Result<Schedule> {
        let solver = self.solver()?;
        let model = Discrete {
            prediction: self.prediction()?,
            zero_snr: self.rescale_betas_zero_snr,
            timesteps: self.timesteps()?,
            betas: self.betas()?,
        };
        let spacing = self.spacing()?;
        Ok(Schedule::new(solver, spacing, LevelSource::Discrete(model), self.num_train_timesteps))
    }

    fn solver(&self) -> Result<Solver> {
        match self.class_name.as_str() {
            "EulerAncestralDiscreteScheduler" => Ok(Solver::EulerAncestral),
            "DPMSolverSDEScheduler" => Ok(Solver::DpmSde),
            "DPMSolverMultistepScheduler" => {
                self.refuse(&[
                    ("thresholding", self.thresholding),
                    ("use_dynamic_shifting", self.use_dynamic_shifting),
                    ("lambda_min_clipped", self.lambda_min_clipped.is_some()),
                    ("variance_type", self.variance_type.is_some()),
                ])?;
                Ok(Solver::Dpm(self.dpm()?))
            }
            "UniPCMultistepScheduler" => {
                self.refuse(&[
                    ("thresholding", self.thresholding),
                    ("use_dynamic_shifting", self.use_dynamic_shifting),
                    ("final_sigmas_type", self.final_sigmas_type != "zero"),
                ])?;
                self.refuse_ends()?;
                Ok(Solver::UniPc(self.unipc()?))
            }
            "DDIMScheduler" => {
                let clips = self.clip_sample.unwrap_or(true);
                self.refuse(&[("thresholding", self.thresholding), ("clip_sample", clips)])?;
                Ok(Solver::Ddim { clean: self.set_alpha_to_one })
            }
            "LCMScheduler" => {
                self.refuse(&[
                    ("thresholding", self.thresholding),
                    ("clip_sample", self.clip_sample == Some(true)),
                    (
                        "original_inference_steps",
                        !(1..=self.num_train_timesteps).contains(&self.original_inference_steps),
                    ),
                    ("timestep_scaling", !self.timestep_scaling.is_finite()),
                ])?;
                let settings = LcmSettings { distilled: self.original_inference_steps, scaling: self.timestep_scaling };
                Ok(Solver::Lcm(settings))
            }
            _ => {
                let other = |setting: &Option<String>, usual| setting.as_deref().is_some_and(|kind| kind != usual);
                self.refuse(&[
                    ("interpolation_type", other(&self.interpolation_type, "linear")),
                    ("timestep_type", other(&self.timestep_type, "discrete")),
                    ("final_sigmas_type", self.final_sigmas_type != "zero"),
                ])?;
                self.refuse_ends()?;
                Ok(Solver::Euler)
            }
        }
    }

    /// Refuses `sigma_min` and `sigma_max` together with a spacing, because they would replace its ends. Without a spacing they
    /// have no effect.
    fn refuse_ends(&self) -> Result<()> {
        let spaced = self.spacing()? != Spacing::Reference;
        self.refuse(&[
            ("sigma_min", spaced && self.sigma_min.is_some()),
            ("sigma_max", spaced && self.sigma_max.is_some()),
        ])
    }

    fn prediction(&self) -> Result<Prediction> {
        match self.prediction_type.as_deref() {
            None | Some("epsilon") => Ok(Prediction::Epsilon),
            Some("v_prediction") => Ok(Prediction::Velocity),
            Some(_) => self.refused("prediction_type"),
        }
    }

    fn timesteps(&self) -> Result<Timesteps> {
        let own = match self.class_name.as_str() {
            "DDIMScheduler" | "LCMScheduler" => "leading",
            _ => "linspace",
        };
        match self.timestep_spacing.as_deref().unwrap_or(own) {
            "leading" => Ok(Timesteps::Leading { offset: self.steps_offset }),
            "linspace" => Ok(Timesteps::Linspace),
            "trailing" => Ok(Timesteps::Trailing),
            _ => self.refused("timestep_spacing"),
        }
    }

    fn betas(&self) -> Result<Betas> {
        let (start, end, own) = match self.class_name.as_str() {
            "LCMScheduler" => (Betas::STABLE.start, Betas::STABLE.end, "scaled_linear"),
            "DPMSolverSDEScheduler" => (Betas::STABLE.start, Betas::STABLE.end, "linear"),
            _ => (0.0001, 0.02, "linear"),
        };
        let kind = self.beta_schedule.as_deref().unwrap_or(own);
        let betas = Betas {
            start: self.beta_start.unwrap_or(start),
            end: self.beta_end.unwrap_or(end),
            scaled: kind == "scaled_linear",
        };
        self.refuse(&[
            ("trained_betas", self.trained_betas.is_some()),
            ("beta_schedule", !matches!(kind, "scaled_linear" | "linear")),
            ("beta_start", !(betas.start > 0.0 && betas.start <= betas.end)),
            ("beta_end", betas.end >= 1.0),
        ])?;
        Ok(betas)
    }

    /// Returns the spacing. Options that the class does not have are ignored.
    fn spacing(&self) -> Result<Spacing> {
        let has_options = matches!(
            self.class_name.as_str(),
            "EulerDiscreteScheduler"
                | "DPMSolverMultistepScheduler"
                | "DPMSolverSDEScheduler"
                | "UniPCMultistepScheduler"
        );
        let options = [
            (self.use_karras_sigmas, Spacing::Karras),
            (self.use_exponential_sigmas, Spacing::Exponential),
            (self.use_beta_sigmas, Spacing::Beta),
        ];
        let mut chosen = options.iter().filter(|(option, _)| has_options && *option == Some(true));
        match (chosen.next(), chosen.next()) {
            (None, _) => Ok(Spacing::Reference),
            (Some((_, spacing)), None) => Ok(*spacing),
            // The classes refuse two spacings at once.
            (Some(_), Some((_, Spacing::Beta))) => self.refused("use_beta_sigmas"),
            (Some(_), Some(_)) => self.refused("use_exponential_sigmas"),
        }
    }

    fn refused<T>(&self, name: &str) -> Result<T> {
        self.refuse(&[(name, true)])?;
        Err(must_tensors::Error::internal("a setting was not refused"))
    }
}
