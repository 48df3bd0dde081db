//! The steps of one generation: chooses the expert of each step, and makes previews.
//!
//! Always holds: the inputs that an expert needs for all its steps are computed once, and freed when the expert is unloaded.
//! Previews are made only when the autoencoder fits into memory beside the expert, which is decided before the first step.

use candle_core::Tensor;
use must_tensors::{Error, Result};

use super::denoiser::{Context, Plan};
use super::model::Model;
use super::pipeline::{Condition, Sizes, with_first};
use crate::control::Control;
use crate::pixels::frame;
use crate::request::{Frames, Request};
use crate::sample::{Expert, Guidance, Steps, Time};

/// The inputs that are known before the first step.
pub(super) struct StepInputs {
    pub(super) times: Vec<Time>,
    pub(super) sizes: Sizes,
    pub(super) guidance: Guidance,
    /// The states of the prompt, and of the negative prompt if guidance needs it.
    pub(super) states: Vec<Tensor>,
    pub(super) image: Option<Tensor>,
    pub(super) condition: Condition,
}

/// The inputs of one expert for all its steps.
struct ExpertInputs {
    plan: Plan,
    contexts: Vec<Context>,
}

/// The steps of one generation.
pub(super) struct WanSteps<'a> {
    model: &'a mut Model,
    inputs: StepInputs,
    /// The inputs of the high-noise expert and of the low-noise expert.
    expert_inputs: [Option<ExpertInputs>; 2],
    previews: bool,
}

impl<'a> WanSteps<'a> {
    pub(super) fn new(model: &'a mut Model, inputs: StepInputs, request: &Request) -> Self {
        let previews = model.has_room_for_preview(request);
        Self { model, inputs, expert_inputs: [None, None], previews }
    }

    /// Returns the denoiser's condition and frees everything else.
    pub(super) fn into_condition(self) -> Condition {
        self.inputs.condition
    }

    /// Computes the inputs that an expert needs for all its steps.
    fn inputs_of(&self, expert: Expert) -> Result<ExpertInputs> {
        let transformer = self.model.expert(expert)?;
        let times: Vec<f64> = self.inputs.times.iter().map(|time| time.model).collect();
        let given = match &self.inputs.condition {
            Condition::First { noise, .. } => Some(*noise),
            _ => None,
        };
        let image = self.inputs.image.as_ref();
        let contexts = self.inputs.states.iter().map(|states| transformer.context(states, image));
        let contexts = contexts.collect::<Result<_>>()?;
        Ok(ExpertInputs { plan: transformer.plan(self.inputs.sizes.latent, &times, given)?, contexts })
    }

    /// Computes the guided velocity of one step.
    fn velocity(
        &self,
        expert: Expert,
        inputs: &ExpertInputs,
        step: usize,
        time: Time,
        latents: &Tensor,
    ) -> Result<Tensor> {
        let (input, control) = match &self.inputs.condition {
            Condition::Nothing => (latents.clone(), None),
            Condition::Mask(mask) => (Tensor::cat(&[latents, mask], 0)?, None),
            Condition::Control(control) => (latents.clone(), Some(control)),
            Condition::First { latents: first, noise } => (with_first(latents, first, *noise)?, None),
        };
        let guidance = self.inputs.guidance;
        let branches = if guidance.scale(time).is_some() { 2 } else { 1 };
        let contexts: Vec<&Context> = inputs.contexts.iter().take(branches).collect();
        let velocities = self.model.expert(expert)?.forward(&input, &inputs.plan, step, &contexts, control)?;
        match velocities.as_slice() {
            [with] => guidance.combine(time, with, None),
            [with, without] => guidance.combine(time, with, Some(without)),
            _ => Err(Error::internal("the denoiser gave nothing")),
        }
    }
}

impl Steps for WanSteps<'_> {
    fn predict(&mut self, step: usize, time: Time, latents: &Tensor, control: &mut dyn Control) -> Result<Tensor> {
        let expert = self.inputs.guidance.expert(time);
        if self.model.load_expert(expert, control)? {
            // The keys and values belong to the unloaded expert, and take as much memory as a few of its blocks.
            self.expert_inputs = [None, None];
        }
        let kept = match (&mut self.expert_inputs, expert) {
            ([high, _], Expert::High) => high.take(),
            ([_, low], Expert::Low) => low.take(),
        };
        let inputs = match kept {
            Some(inputs) => inputs,
            None => self.inputs_of(expert)?,
        };
        let velocity = self.velocity(expert, &inputs, step, time, latents)?;
        match (&mut self.expert_inputs, expert) {
            ([high, _], Expert::High) => *high = Some(inputs),
            ([_, low], Expert::Low) => *low = Some(inputs),
        }
        Ok(velocity)
    }

    fn can_preview(&self) -> bool {
        self.previews
    }

    fn preview(&mut self, clean: &Tensor, control: &mut dyn Control) -> Result<Frames> {
        let first = clean.narrow(1, 0, 1)?;
        let first = match &self.inputs.condition {
            Condition::First { latents, noise } => with_first(&first, latents, *noise)?,
            _ => first.contiguous()?,
        };
        let mut shown = None;
        self.model.decode(&first, control, &mut |clip| {
            shown = Some(frame(clip)?);
            Ok(())
        })?;
        shown.ok_or_else(|| Error::internal("nothing was decoded"))
    }
}
