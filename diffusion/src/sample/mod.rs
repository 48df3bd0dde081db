//! Sampling: the noise levels of a generation, the step from one level to the next, and guidance.
//!
//! Always holds: a [`Schedule`] is data and computes nothing until a [`Sampler`] is created from it. A sampler belongs to
//! one generation. It takes its noise from the caller's stream, or from the schedule's seed when its reference has a
//! separate source (DPM++ SDE). Levels fall from step to step. The last step ends without noise, with two exceptions: DDIM with
//! its own timesteps ends at the lowest level, and a model's own configuration can say otherwise. Scalars are rounded where the
//! reference of each sampler rounds them.
//!
//! The table names the reference of each sampler. If diffusers and ComfyUI differ, the numbers are those of the scheduler of
//! diffusers that is named here:
//!
//! | sampler | flow models | models of discrete levels |
//! |---|---|---|
//! | Euler | `FlowMatchEulerDiscreteScheduler` | `EulerDiscreteScheduler` |
//! | Euler a | ComfyUI | `EulerAncestralDiscreteScheduler` |
//! | DPM++ 2M | `DPMSolverMultistepScheduler`, `use_flow_sigmas` | `DPMSolverMultistepScheduler` |
//! | DPM++ SDE | none | `DPMSolverSDEScheduler` |
//! | DDIM | none | `DDIMScheduler`, `eta` 0 |
//! | UniPC | `UniPCMultistepScheduler`, `use_flow_sigmas` | `UniPCMultistepScheduler` |
//! | LCM | none | `LCMScheduler` |
//! | SA-Solver, iPNDM | ComfyUI | none |
//!
//! [`Spacing`] describes each spacing and its origin.

mod ancestral;
mod beta;
mod config;
mod ddim;
mod discrete;
mod dpm;
mod euler;
mod flow;
mod guidance;
mod history;
mod ipndm;
mod lcm;
mod levels;
mod names;
mod prediction;
mod run_steps;
mod sa;
mod sampler;
mod schedule;
mod sde;
mod shift;
mod solve;
mod spacing;
mod table;
mod unipc;

#[cfg(test)]
mod tests;

pub(crate) use config::SchedulerConfig;
pub(crate) use discrete::Discrete;
#[cfg(test)]
pub(crate) use discrete::Timesteps;
pub(crate) use guidance::{Expert, Guidance};
pub(crate) use must_tensors::Noise;
pub(crate) use names::{DISCRETE_NAMES, SamplerName};
pub(crate) use prediction::Prediction;
pub(crate) use run_steps::{Steps, run_steps};
pub(crate) use sampler::{Sampler, Time};
pub(crate) use schedule::Schedule;
pub(crate) use shift::DynamicShift;
pub(crate) use spacing::Spacing;
