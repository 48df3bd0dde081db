//! The one loop from the first latents to the last, for every family.
//!
//! Always holds: what a caller is shown of the way changes no bit of the result. It is computed beside the walk from what the walk has,
//! and draws no noise.

use candle_core::Tensor;

use super::noise::Noise;
use super::sampler::{Sampler, Time};
use crate::control::{Control, Stage};
use crate::error::Result;
use crate::request::Frames;

/// What a family does in each step.
pub(crate) trait Steps {
    /// The guided prediction of step number `step` at `time` for scaled latents.
    fn predict(&mut self, step: usize, time: Time, latents: &Tensor, control: &mut dyn Control) -> Result<Tensor>;

    /// Whether a preview can be made beside the walk without more memory than there is.
    fn can_preview(&self) -> bool {
        false
    }

    /// One frame of `clean`, which the last prediction means the result to be. Asked only where [`Steps::can_preview`] says so.
    fn preview(&mut self, clean: &Tensor, control: &mut dyn Control) -> Result<Frames>;
}

/// Walks to the end of `sampler`'s times. The caller is asked before each step whether to go on, and after it, except after the last
/// one, whether to be shown what has become of the latents.
pub(crate) fn walk(
    mut latents: Tensor,
    sampler: &mut dyn Sampler,
    noise: &mut Noise,
    control: &mut dyn Control,
    steps: &mut dyn Steps,
) -> Result<Tensor> {
    let times = sampler.times().to_vec();
    for (step, &time) in times.iter().enumerate() {
        control.progress(Stage::Denoise, step, times.len())?;
        let output = steps.predict(step, time, &sampler.scale_input(&latents)?, control)?;
        let done = step + 1;
        if done < times.len() && steps.can_preview() && control.wants_preview(done, times.len()) {
            let clean = sampler.clean(&output, &latents)?;
            let mut quiet = Quiet { control: &mut *control, done, total: times.len() };
            let frames = steps.preview(&clean, &mut quiet)?;
            control.preview(frames);
        }
        latents = sampler.step(&output, &latents, &mut |count| noise.randn(count))?;
    }
    control.progress(Stage::Denoise, times.len(), times.len())?;
    Ok(latents)
}

/// Asks the caller whether to go on while a preview is decoded, and shows no stage but that of the steps.
struct Quiet<'a> {
    control: &'a mut dyn Control,
    done: usize,
    total: usize,
}

impl Control for Quiet<'_> {
    fn progress(&mut self, _: Stage, _: usize, _: usize) -> Result<()> {
        self.control.progress(Stage::Denoise, self.done, self.total)
    }
}
