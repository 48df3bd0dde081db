//! The recognised files of an SDXL model: what the model can do, how much memory it needs, and how it is loaded.

use std::sync::Arc;

use must_tensors::{Error, Result};

use super::memory;
use super::model::Model;
use super::variant::Recognised;
use crate::control::Control;
use crate::family::{Checkpoint, Pipeline, Sampling};
use crate::parts;
use crate::place::{Budget, Needs, Policy};
use crate::request::{Request, Start};
use crate::sample::{Guidance, Schedule, Spacing};
use crate::text::{ClipTokenizer, Padding, clip_tokenizer};
use crate::weights::{Inventory, ModelFiles, Place};

/// Number of last layers of the text encoders that are skipped by default: SDXL was trained on the states before the last layer.
const DEFAULT_SKIPPED: usize = 1;

/// A recognised model, shared by its checkpoint and the pipelines that were loaded from it.
pub(super) struct Files {
    pub(super) recognised: Recognised,
    schedule: Schedule,
    inventory: Inventory,
}

/// The [`Checkpoint`] of an SDXL model.
pub(super) struct SdxlCheckpoint(pub(super) Arc<Files>);

impl SdxlCheckpoint {
    pub(super) fn inspect(files: &ModelFiles, sampling: &Sampling) -> Result<Self> {
        let layouts = super::layouts::all();
        let inventory = Inventory::read(files, &layouts)?;
        let recognised = Recognised::of(&inventory)?;
        parts::log(&recognised.name(), &recognised.notes, recognised.parts());
        Ok(Self(Arc::new(Files::new(inventory, recognised, sampling)?)))
    }
}

impl Files {
    fn new(inventory: Inventory, recognised: Recognised, sampling: &Sampling) -> Result<Self> {
        let fault =
            |what: &str, name: &str| Error::invalid_request(format!("the catalog's {what} {name} is not known"));
        let mut schedule = recognised.schedule.clone();
        if let Some(name) = &sampling.sampler {
            schedule = schedule.with_name(name).ok_or_else(|| fault("sampler", name))?;
        }
        if let Some(name) = &sampling.spacing {
            schedule = schedule.with_spacing(Spacing::from_name(name).ok_or_else(|| fault("spacing", name))?);
        }
        Ok(Self { recognised, schedule, inventory })
    }

    /// Returns the schedule of a request.
    pub(super) fn schedule(&self, request: &Request) -> Result<Schedule> {
        let schedule = self.schedule.clone().with_seed(request.seed);
        match &request.sampler {
            Some(name) => schedule
                .with_name(name)
                .ok_or_else(|| Error::invalid_request(format!("there is no sampler {name:?} for this model"))),
            None => Ok(schedule),
        }
    }

    /// Returns the guidance of a request.
    pub(super) fn guidance(request: &Request) -> Guidance {
        Guidance::Classifier { scale: request.guidance_scale }
    }

    /// Returns how many last layers of both text encoders a request skips. `clip_skip` counts from the end, as in the metadata of
    /// published pictures: 1 is the last layer, 2 the one before it, which is the default because SDXL was trained on it. See
    /// `docs/decisions.md`.
    pub(super) fn skipped_layers(request: &Request) -> usize {
        request.clip_skip.map_or(DEFAULT_SKIPPED, |skip| skip.saturating_sub(1) as usize)
    }

    /// Returns the tokenizers of both text encoders, from the model's files or else from the vocabulary in the library.
    pub(super) fn tokenizers(&self) -> Result<[ClipTokenizer; 2]> {
        Ok([
            clip_tokenizer(&self.inventory, "tokenizer", Padding::End)?,
            clip_tokenizer(&self.inventory, "tokenizer_2", Padding::Zero)?,
        ])
    }

    fn place(&self, device: &candle_core::Device) -> Place {
        Place::of_model(device, self.recognised.parts().map(|part| part.tensors().elements()).sum())
    }
}

impl Checkpoint for SdxlCheckpoint {
    fn describe(&self) -> String {
        self.0.recognised.describe()
    }

    fn modes(&self) -> Vec<&'static str> {
        super::SUPPORTED.modes.to_vec()
    }

    fn check(&self, request: &Request) -> Result<()> {
        check(&self.0, request)
    }

    fn needs(&self, request: &Request) -> Needs {
        memory::needs(&self.0, request)
    }

    fn load(&self, device: &crate::Device, budget: Budget, control: &mut dyn Control) -> Result<Box<dyn Pipeline>> {
        let place = self.0.place(&device.0);
        Ok(Box::new(Model::load(Arc::clone(&self.0), place, Policy::ByNeed(budget), control)?))
    }
}

/// Fails with `InvalidRequest` for a request that the model cannot fulfil.
pub(super) fn check(files: &Files, request: &Request) -> Result<()> {
    request.check()?;
    let factor = files.recognised.vae.config.factor();
    let (height, width) = (request.height as usize, request.width as usize);
    if height == 0 || width == 0 || !height.is_multiple_of(factor) || !width.is_multiple_of(factor) {
        return Err(Error::invalid_request(format!("height and width must be multiples of {factor}")));
    }
    if request.num_frames != 1 {
        return Err(Error::invalid_request("this model makes pictures: num_frames must be 1"));
    }
    if !request.given.is_empty() || matches!(request.start, Start::Given { .. }) {
        return Err(Error::invalid_request("this model cannot start from given frames"));
    }
    let layers = files.recognised.encoders.iter().map(|encoder| encoder.config.layers).min().unwrap_or(0);
    if request.clip_skip.is_some_and(|skip| skip == 0 || skip as usize > layers) {
        return Err(Error::invalid_request(format!("clip_skip must be from 1 to {layers} for this model")));
    }
    Ok(())
}
