//! Sampling: which noise levels a generation visits, how one step goes from a level to the next, how predictions are
//! guided, and the random stream of a task.
//!
//! Always holds: a [`Schedule`] is data and computes nothing until it is walked; a [`Sampler`] belongs to one
//! generation and takes its noise from the caller's stream, or, where its reference has a source of its own (DPM++
//! SDE), from the schedule's seed; times fall from step to step and the walk ends without noise unless the model's own
//! configuration says otherwise. Scalars are rounded where the reference of each sampler rounds them.
//!
//! Where diffusers and ComfyUI differ, numbers are those of a scheduler of diffusers:
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
//! What each spacing is, and where it comes from, stands at [`Spacing`].

mod ancestral;
mod beta;
mod brownian;
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
mod noise;
mod prediction;
mod sa;
mod sampler;
mod schedule;
mod sde;
mod seeds;
mod shift;
mod solve;
mod spacing;
mod table;
mod unipc;
mod walk;

#[cfg(test)]
mod tests;

pub(crate) use config::SchedulerConfig;
pub(crate) use discrete::Discrete;
#[cfg(test)]
pub(crate) use discrete::Timesteps;
pub(crate) use guidance::{Expert, Guidance};
pub(crate) use names::{DISCRETE_NAMES, SamplerName};
pub(crate) use noise::Noise;
pub(crate) use prediction::Prediction;
pub(crate) use sampler::{Sampler, Time};
pub(crate) use schedule::Schedule;
pub(crate) use shift::DynamicShift;
pub(crate) use spacing::Spacing;
pub(crate) use walk::{Steps, walk};
