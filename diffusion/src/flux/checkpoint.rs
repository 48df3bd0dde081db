//! The recognised files of a FLUX.1 model: what the model can do, how much memory it needs, and how it is loaded.

use std::sync::Arc;

use must_tensors::{Error, Result};

use super::layouts::LAYOUTS;
use super::memory;
use super::model::Model;
use super::sampling::{NEGATIVE_SCALE, Recipe, has_negative_prompt};
use super::shape::PATCH;
use super::variant::Recognised;
use crate::control::Control;
use crate::family::{Checkpoint, Pipeline, Sampling};
use crate::parts;
use crate::place::{Budget, Needs, Policy};
use crate::request::{Request, Start};
use crate::sample::{Guidance, Schedule};
use crate::text::{ClipTokenizer, Padding, PromptTokenizer, clip_tokenizer, t5_tokenizer};
use crate::weights::{Inventory, ModelFiles, Place};

/// A recognised model, shared by its checkpoint and the pipelines that were loaded from it.
pub(super) struct Files {
    inventory: Inventory,
    pub(super) recognised: Recognised,
    recipe: Recipe,
}

/// The [`Checkpoint`] of a FLUX.1 model.
pub(super) struct FluxCheckpoint(pub(super) Arc<Files>);

impl FluxCheckpoint {
    pub(super) fn inspect(files: &ModelFiles, sampling: &Sampling) -> Result<Self> {
        Self::of(Inventory::read(files, &LAYOUTS)?, sampling)
    }

    pub(super) fn of(inventory: Inventory, sampling: &Sampling) -> Result<Self> {
        let recognised = Recognised::of(&inventory)?;
        parts::log(&recognised.variant.name(), &[], recognised.parts());
        let recipe = Recipe::of(recognised.variant, inventory.files(), sampling)?;
        Ok(Self(Arc::new(Files { inventory, recognised, recipe })))
    }
}

impl Files {
    /// Returns the schedule of a request.
    pub(super) fn schedule(&self, request: &Request) -> Result<Schedule> {
        let side = (self.recognised.vae.config.factor() * PATCH) as u32;
        let tokens = request.width.checked_div(side).unwrap_or(0) * request.height.checked_div(side).unwrap_or(0);
        self.recipe.schedule(request.sampler.as_deref(), tokens as usize)
    }

    /// Returns the classifier-free guidance of a request. A negative prompt costs a second prediction per step. Without a negative
    /// prompt there is none. The guidance scale of the request is an input of the transformer and is not used here.
    pub(super) fn guidance(request: &Request) -> Guidance {
        let scale = if has_negative_prompt(request) { NEGATIVE_SCALE } else { 1.0 };
        Guidance::Classifier { scale }
    }

    /// Returns the tokenizers of T5 and CLIP, from the model's files or else from the vocabularies in the library.
    pub(super) fn tokenizers(&self) -> Result<(PromptTokenizer, ClipTokenizer)> {
        Ok((
            t5_tokenizer(&self.inventory, "tokenizer_2", &self.recognised.t5.found)?,
            clip_tokenizer(&self.inventory, "tokenizer", Padding::End)?,
        ))
    }

    /// Returns the number of weights in all parts.
    fn elements(&self) -> u64 {
        self.recognised.parts().iter().map(|part| part.tensors().elements()).sum()
    }
}

impl Checkpoint for FluxCheckpoint {
    fn describe(&self) -> String {
        self.0.recognised.describe()
    }

    fn modes(&self) -> Vec<&'static str> {
        vec!["txt2img", "img2img"]
    }

    fn check(&self, request: &Request) -> Result<()> {
        check(&self.0, request)
    }

    fn needs(&self, request: &Request) -> Needs {
        memory::needs(&self.0, request)
    }

    fn load(&self, device: &crate::Device, budget: Budget, control: &mut dyn Control) -> Result<Box<dyn Pipeline>> {
        let place = Place::of_model(&device.0, self.0.elements());
        Ok(Box::new(Model::load(Arc::clone(&self.0), place, Policy::ByNeed(budget), control)?))
    }
}

/// Fails with `InvalidRequest` for a request that the model cannot fulfil.
pub(super) fn check(files: &Files, request: &Request) -> Result<()> {
    let side = (files.recognised.vae.config.factor() * PATCH) as u32;
    let divides = |pixels: u32| pixels > 0 && pixels.is_multiple_of(side);
    if !divides(request.width) || !divides(request.height) {
        return Err(Error::invalid_request(format!("height and width must be multiples of {side}")));
    }
    if request.num_frames != 1 {
        return Err(Error::invalid_request("this model makes pictures, not clips"));
    }
    request.check()?;
    if !request.given.is_empty() || matches!(request.start, Start::Given { .. }) {
        return Err(Error::invalid_request("this model cannot start from a given frame"));
    }
    files.schedule(request).map(drop)
}
