//! Sampling: which noise levels a generation visits, how one step goes from a level to the next, how predictions are
//! guided, and the random stream of a task.
//!
//! Always holds: a [`Schedule`] is data and computes nothing until it is walked; a [`Sampler`] belongs to one
//! generation and draws no noise of its own, it asks the caller's stream; times fall from step to step and the walk
//! ends without noise unless the model's own configuration says otherwise. Scalars are rounded where the reference of
//! each sampler rounds them.

mod ancestral;
mod beta;
mod config;
mod dpm;
mod euler;
mod guidance;
mod history;
mod ipndm;
mod levels;
mod noise;
mod sa;
mod sampler;
mod schedule;
mod sigmas;
mod solve;
mod unipc;
mod walk;

#[cfg(test)]
mod tests;

pub(crate) use config::SchedulerConfig;
pub(crate) use guidance::{Expert, Guidance};
pub(crate) use noise::Noise;
pub(crate) use sampler::{Sampler, SamplerName, Time};
pub(crate) use schedule::Schedule;
pub(crate) use sigmas::Spacing;
pub(crate) use walk::walk;
