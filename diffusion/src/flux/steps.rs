//! The steps of one generation: their predictions and previews.

use candle_core::Tensor;
use must_tensors::{Error, Result};

use super::denoiser::{Context, Plan};
use super::model::Model;
use crate::control::Control;
use crate::pixels::frame;
use crate::request::Frames;
use crate::sample::{Guidance, Steps, Time};

/// The steps of one generation.
pub(super) struct FluxSteps<'a> {
    /// The model, with its transformer loaded.
    pub(super) model: &'a mut Model,
    /// The context of the prompt, then that of the negative prompt if there is one.
    pub(super) contexts: Vec<Context>,
    pub(super) plan: Plan,
    pub(super) guidance: Guidance,
    /// Whether there is memory to decode a preview between two steps.
    pub(super) previews: bool,
}

impl Steps for FluxSteps<'_> {
    fn predict(&mut self, step: usize, time: Time, latents: &Tensor, _: &mut dyn Control) -> Result<Tensor> {
        let contexts: Vec<&Context> = self.contexts.iter().collect();
        match self.model.loaded_transformer()?.forward(latents, &self.plan, step, &contexts)?.as_slice() {
            [with] => self.guidance.combine(time, with, None),
            [with, without] => self.guidance.combine(time, with, Some(without)),
            _ => Err(Error::internal("the denoiser returned nothing")),
        }
    }

    fn can_preview(&self) -> bool {
        self.previews
    }

    fn preview(&mut self, clean: &Tensor, control: &mut dyn Control) -> Result<Frames> {
        frame(&self.model.decode(clean, control)?)
    }
}
