//! A loaded SDXL model: loads its parts when they are needed and unloads them to make room.
//!
//! Always holds: parts that do not fit into memory together are unloaded before the next one is loaded; units that do not
//! fit are streamed from the file; none of this changes a bit of the result.

use std::sync::Arc;

use candle_core::Tensor;
use must_tensors::{Error, Result};

use super::checkpoint::Files;
use super::memory;
use super::shape::UnetShape;
use super::unet::Unet;
use super::units::{Block, units};
use crate::control::{Control, Stage};
use crate::place::{Blocks, CombinedLoading, Policy, Residency, Slot};
use crate::request::Request;
use crate::text::{ClipEncoder, ClipTokenizer};
use crate::vae::kl::KlVae;
use crate::weights::{Place, Scope, Tensors};

/// One of the two text encoders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EncoderName {
    /// CLIP-L.
    ClipL,
    /// OpenCLIP bigG.
    BigG,
}

/// A loaded model.
pub(crate) struct Model {
    pub(super) files: Arc<Files>,
    pub(super) place: Place,
    tokenizers: [ClipTokenizer; 2],
    policy: Policy,
    residency: Residency,
    encoders: [Slot<ClipEncoder>; 2],
    vae: Slot<KlVae>,
    unet: Slot<Unet>,
}

impl Model {
    /// Creates the model, and loads all parts if they may stay in memory together.
    pub(super) fn load(files: Arc<Files>, place: Place, policy: Policy, control: &mut dyn Control) -> Result<Self> {
        control.progress(Stage::Load, 0, 1)?;
        let residency = policy.residency(|| memory::weights(&files));
        let recognised = &files.recognised;
        let [first, second] = &recognised.encoders;
        let mut model = Self {
            tokenizers: files.tokenizers()?,
            encoders: [Slot::new(first.found.tensors().clone()), Slot::new(second.found.tensors().clone())],
            vae: Slot::new(recognised.vae.found.tensors().clone()),
            unet: Slot::new(recognised.unet.found.tensors().clone()),
            files: Arc::clone(&files),
            place,
            policy,
            residency,
        };
        if residency == Residency::Together {
            let total = recognised.parts().map(|part| part.tensors().file_bytes()).sum();
            let control = &mut CombinedLoading::new(control, total);
            model.encoder(EncoderName::ClipL, control)?;
            model.encoder(EncoderName::BigG, control)?;
            model.vae(control)?;
            model.load_unet(control)?;
        }
        Ok(model)
    }

    /// Chooses the residency for a request, and unloads all parts if it changes.
    pub(super) fn make_room(&mut self, request: &Request) {
        let residency = self.policy.residency(|| memory::needs(&self.files, request));
        if residency != self.residency {
            self.residency = Residency::OneByOne;
            self.unload();
            self.residency = residency;
        }
    }

    /// Returns the bytes of all weights in memory.
    pub(super) fn loaded_bytes(&self) -> u64 {
        self.encoders.iter().map(Slot::bytes).sum::<u64>() + self.vae.bytes() + self.unet.bytes()
    }

    /// Returns the tokenizer of a text encoder.
    pub(super) fn tokenizer(&self, name: EncoderName) -> &ClipTokenizer {
        let [first, second] = &self.tokenizers;
        match name {
            EncoderName::ClipL => first,
            EncoderName::BigG => second,
        }
    }

    /// Returns a text encoder, loading it first if necessary.
    pub(super) fn encoder(&mut self, name: EncoderName, control: &mut dyn Control) -> Result<&ClipEncoder> {
        let ([first, second], [of_first, of_second]) = (&mut self.encoders, &self.files.recognised.encoders);
        let (slot, part) = match name {
            EncoderName::ClipL => (first, of_first),
            EncoderName::BigG => (second, of_second),
        };
        slot.get(&self.place, control, |_, scope| ClipEncoder::load(&part.config, scope))
    }

    fn vae(&mut self, control: &mut dyn Control) -> Result<&KlVae> {
        let config = &self.files.recognised.vae.config;
        self.vae.get(&self.place, control, |_, scope| KlVae::load(config, scope))
    }

    /// Encodes a picture `[3, 1, height, width]` with values from -1 to 1 to latents.
    pub(super) fn encode(&mut self, picture: &Tensor, control: &mut dyn Control) -> Result<Tensor> {
        let vae = self.vae(control)?;
        vae.encode(picture, &mut |done, total| control.progress(Stage::Encode, done, total))
    }

    /// Decodes latents to a picture `[3, 1, height, width]` with values from 0 to 1.
    pub(super) fn decode(&mut self, latents: &Tensor, control: &mut dyn Control) -> Result<Tensor> {
        let vae = self.vae(control)?;
        let picture = vae.decode(latents, &mut |done, total| control.progress(Stage::Decode, done, total))?;
        Ok(picture.affine(0.5, 0.5)?.clamp(0f32, 1f32)?)
    }

    /// Returns the UNet, loading it first if necessary.
    pub(super) fn load_unet(&mut self, control: &mut dyn Control) -> Result<&Unet> {
        let (shape, streamed) = (&self.files.recognised.unet.config, self.residency == Residency::Streamed);
        self.unet.get(&self.place, control, |tensors, scope| unet(shape, tensors, scope, streamed))
    }

    /// Returns the UNet. Fails with `Internal` if it is not loaded.
    pub(super) fn unet(&self) -> Result<&Unet> {
        self.unet.loaded()
    }

    /// Returns whether there is memory to decode a preview between two steps.
    pub(super) fn has_room_for_preview(&self, request: &Request) -> bool {
        self.policy.has_room_for_preview(self.residency, || Some(memory::preview(&self.files, request)))
    }

    /// Unloads all parts, unless they may stay in memory together.
    pub(super) fn unload(&mut self) {
        if self.residency != Residency::Together {
            self.encoders.iter_mut().for_each(Slot::unload);
            self.vae.unload();
            self.unet.unload();
        }
    }
}

/// Loads the UNet, with its units either resident or streamed.
fn unet(shape: &UnetShape, tensors: &Tensors, scope: &Scope<'_>, streamed: bool) -> Result<Unet> {
    let units = units(shape);
    let (named, names_of) = (units.clone(), shape.clone());
    let modules = move |index: usize| named.get(index).map_or_else(Vec::new, |unit| unit.modules(&names_of));
    let (count, sizes) = (units.len(), shape.clone());
    let load = move |scope: &Scope<'_>, index: usize| {
        let unit = units.get(index).copied().ok_or_else(|| Error::internal("the UNet has no such unit"))?;
        Block::load(&sizes, unit, scope)
    };
    Unet::load(shape, scope, Blocks::load(count, scope, streamed.then_some(tensors), modules, load)?)
}
