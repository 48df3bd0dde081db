//! The loop over all steps of a generation, which all families share.
//!
//! Always holds: previews change no bit of the result. They are computed from the state of the loop, and draw no noise.

use candle_core::Tensor;
use must_tensors::{Noise, Result};

use super::sampler::{Sampler, Time};
use crate::control::{Control, Stage};
use crate::request::Frames;

/// The work of a family in each step.
pub(crate) trait Steps {
    /// Computes the guided prediction of step number `step` at `time` for scaled latents.
    fn predict(&mut self, step: usize, time: Time, latents: &Tensor, control: &mut dyn Control) -> Result<Tensor>;

    /// Returns whether there is enough memory for a preview during the loop.
    fn can_preview(&self) -> bool {
        false
    }

    /// Decodes one frame of `clean`, the result according to the last prediction. Called only if [`Steps::can_preview`]
    /// returns true.
    fn preview(&mut self, clean: &Tensor, control: &mut dyn Control) -> Result<Frames>;
}

/// Runs all steps of `sampler`. Before each step, `control` can end the generation. After each step except the last one, it
/// can ask for a preview.
pub(crate) fn run_steps(
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
            let mut quiet = PreviewControl { control: &mut *control, done, total: times.len() };
            let frames = steps.preview(&clean, &mut quiet)?;
            control.preview(frames);
        }
        latents = sampler.step(&output, &latents, &mut |count| noise.randn(count))?;
    }
    control.progress(Stage::Denoise, times.len(), times.len())?;
    Ok(latents)
}

/// The control of a caller while a preview is decoded. It reports no other stage than that of the steps.
struct PreviewControl<'a> {
    control: &'a mut dyn Control,
    done: usize,
    total: usize,
}

impl Control for PreviewControl<'_> {
    fn progress(&mut self, _: Stage, _: usize, _: usize) -> Result<()> {
        self.control.progress(Stage::Denoise, self.done, self.total)
    }
}
