//! The steps of one generation: their guided predictions and previews.

use candle_core::Tensor;
use must_tensors::{Error, Result};

use super::model::Model;
use super::unet::{Context, Plan};
use crate::control::Control;
use crate::pixels::frame;
use crate::request::Frames;
use crate::sample::{Guidance, Steps, Time};

/// The steps of one generation.
pub(super) struct SdxlSteps<'a> {
    /// The model, with its UNet loaded.
    pub(super) model: &'a mut Model,
    /// The context of the prompt, then that of the negative prompt if it is needed.
    pub(super) contexts: Vec<Context>,
    pub(super) plan: Plan,
    pub(super) guidance: Guidance,
    /// Whether there is memory to decode a preview between two steps.
    pub(super) previews: bool,
}

impl Steps for SdxlSteps<'_> {
    fn predict(&mut self, step: usize, time: Time, latents: &Tensor, _: &mut dyn Control) -> Result<Tensor> {
        let branches = if self.guidance.scale(time).is_some() { 2 } else { 1 };
        let contexts: Vec<&Context> = self.contexts.iter().take(branches).collect();
        match self.model.unet()?.forward(latents, &self.plan, step, &contexts)?.as_slice() {
            [with] => self.guidance.combine(time, with, None),
            [with, without] => self.guidance.combine(time, with, Some(without)),
            _ => Err(Error::internal("the UNet returned nothing")),
        }
    }

    fn can_preview(&self) -> bool {
        self.previews
    }

    fn preview(&mut self, clean: &Tensor, control: &mut dyn Control) -> Result<Frames> {
        frame(&self.model.decode(clean, control)?)
    }
}
