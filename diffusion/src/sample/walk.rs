//! The one loop from the first latents to the last, for every family.

use candle_core::Tensor;

use super::noise::Noise;
use super::sampler::{Sampler, Time};
use crate::control::{Control, Stage};
use crate::error::Result;

/// Walks to the end of `sampler`'s times: `predict` is the guided prediction of a step at a time for scaled latents. The
/// caller is asked before each step whether to go on.
pub(crate) fn walk(
    mut latents: Tensor,
    sampler: &mut dyn Sampler,
    noise: &mut Noise,
    control: &mut dyn Control,
    mut predict: impl FnMut(usize, Time, &Tensor, &mut dyn Control) -> Result<Tensor>,
) -> Result<Tensor> {
    let times = sampler.times().to_vec();
    for (step, &time) in times.iter().enumerate() {
        control.progress(Stage::Denoise, step, times.len())?;
        let output = predict(step, time, &sampler.scale_input(&latents)?, control)?;
        latents = sampler.step(&output, &latents, &mut |count| noise.randn(count))?;
    }
    control.progress(Stage::Denoise, times.len(), times.len())?;
    Ok(latents)
}
