//! A loaded SDXL model: its parts, which of them are in memory, and when they leave.
//!
//! Always holds: parts that do not fit beside each other leave before the next one comes; units that do not fit beside each other
//! are read when it is their turn; none of this changes a bit of the result.

use std::sync::Arc;

use candle_core::Tensor;

use super::checkpoint::Files;
use super::memory;
use super::shape::UnetShape;
use super::unet::Unet;
use super::units::{Block, Unit, units};
use crate::control::{Control, Stage, Unwatched};
use crate::error::Result;
use crate::place::{Blocks, Policy, Reader, Residency, Slot, Whole};
use crate::request::Request;
use crate::text::{ClipEncoder, ClipTokenizer};
use crate::vae::kl::KlVae;
use crate::weights::{Loading, Place, Scope, Tensors};

/// One of the two text encoders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// CLIP-L.
    First,
    /// OpenCLIP bigG.
    Second,
}

/// A model that can generate.
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
    /// A model of these files, with all parts loaded if they may stay together.
    pub(super) fn load(files: Arc<Files>, place: Place, policy: Policy, control: &mut dyn Control) -> Result<Self> {
        control.progress(Stage::Load, 0, 1)?;
        let residency = policy.residency(|| memory::weights(&files));
        let recognised = &files.recognised;
        let [first, second] = &recognised.encoders;
        let mut model = Self {
            tokenizers: files.tokenizers()?,
            encoders: [Slot::new(first.tensors.clone()), Slot::new(second.tensors.clone())],
            vae: Slot::new(recognised.vae.tensors.clone()),
            unet: Slot::new(recognised.unet.tensors.clone()),
            files: Arc::clone(&files),
            place,
            policy,
            residency,
        };
        if residency == Residency::Together {
            let total = recognised.parts().map(|(_, tensors)| tensors.file_bytes()).sum();
            let control = &mut Whole::new(control, total);
            model.encoder(Which::First, control)?;
            model.encoder(Which::Second, control)?;
            model.vae(control)?;
            model.load_unet(control)?;
        }
        Ok(model)
    }

    /// Decides what may stay while a request is made.
    pub(super) fn make_room(&mut self, request: &Request) {
        let residency = self.policy.residency(|| memory::needs(&self.files, request));
        if residency != self.residency {
            self.residency = Residency::OneByOne;
            self.leave();
            self.residency = residency;
        }
    }

    /// Bytes of all weights that are in memory.
    pub(super) fn loaded_bytes(&self) -> u64 {
        self.encoders.iter().map(Slot::bytes).sum::<u64>() + self.vae.bytes() + self.unet.bytes()
    }

    /// The tokenizer of a text encoder.
    pub(super) fn tokenizer(&self, which: Which) -> &ClipTokenizer {
        let [first, second] = &self.tokenizers;
        match which {
            Which::First => first,
            Which::Second => second,
        }
    }

    /// A text encoder, loaded.
    pub(super) fn encoder(&mut self, which: Which, control: &mut dyn Control) -> Result<&ClipEncoder> {
        let ([first, second], [of_first, of_second]) = (&mut self.encoders, &self.files.recognised.encoders);
        let (slot, piece) = match which {
            Which::First => (first, of_first),
            Which::Second => (second, of_second),
        };
        slot.get(&self.place, control, |_, scope| ClipEncoder::load(&piece.config, scope))
    }

    fn vae(&mut self, control: &mut dyn Control) -> Result<&KlVae> {
        let config = &self.files.recognised.vae.config;
        self.vae.get(&self.place, control, |_, scope| KlVae::load(config, scope))
    }

    /// A picture `[3, 1, height, width]` from -1 to 1 as latents.
    pub(super) fn encode(&mut self, picture: &Tensor, control: &mut dyn Control) -> Result<Tensor> {
        let vae = self.vae(control)?;
        vae.encode(picture, &mut |done, total| control.progress(Stage::Encode, done, total))
    }

    /// Latents as a picture `[3, 1, height, width]` from 0 to 1.
    pub(super) fn decode(&mut self, latents: &Tensor, control: &mut dyn Control) -> Result<Tensor> {
        let vae = self.vae(control)?;
        let picture = vae.decode(latents, &mut |done, total| control.progress(Stage::Decode, done, total))?;
        Ok(picture.affine(0.5, 0.5)?.clamp(0f32, 1f32)?)
    }

    /// Loads the UNet, or makes it ready to be streamed.
    pub(super) fn load_unet(&mut self, control: &mut dyn Control) -> Result<&Unet> {
        let (shape, streamed) = (&self.files.recognised.unet.config, self.residency == Residency::Streamed);
        self.unet.get(&self.place, control, |tensors, scope| unet(shape, tensors, scope, streamed))
    }

    /// The UNet, which is loaded.
    pub(super) fn unet(&self) -> Result<&Unet> {
        self.unet.loaded()
    }

    /// Whether a picture can be decoded between two steps.
    pub(super) fn affords_preview(&self, request: &Request) -> bool {
        self.policy.affords_preview(self.residency, || Some(memory::preview(&self.files, request)))
    }

    /// Sends away every part where parts cannot stay together.
    pub(super) fn leave(&mut self) {
        if self.residency != Residency::Together {
            self.encoders.iter_mut().for_each(Slot::leave);
            self.vae.leave();
            self.unet.leave();
        }
    }
}

/// The UNet with its units loaded, or read when it is their turn.
fn unet(shape: &UnetShape, tensors: &Tensors, scope: &Scope<'_>, streamed: bool) -> Result<Unet> {
    let units = units(shape);
    let blocks = if streamed {
        let (shape, tensors, place) = (shape.clone(), tensors.clone(), scope.place().clone());
        Blocks::Streamed(Box::new(Stream { shape, units, tensors, place }) as Box<dyn Reader<Block>>)
    } else {
        Blocks::Resident(units.into_iter().map(|unit| Block::load(shape, unit, scope)).collect::<Result<_>>()?)
    };
    Unet::load(shape, scope, blocks)
}

/// Reads units from the mapped file.
struct Stream {
    shape: UnetShape,
    units: Vec<Unit>,
    tensors: Tensors,
    place: Place,
}

impl Stream {
    fn unit(&self, index: usize) -> Result<Unit> {
        self.units.get(index).copied().ok_or_else(|| crate::Error::internal("the UNet has no such unit"))
    }
}

impl Reader<Block> for Stream {
    fn count(&self) -> usize {
        self.units.len()
    }

    fn read(&self, index: usize) -> Result<Block> {
        let mut unwatched = Unwatched;
        let loading = Loading::new(&mut unwatched, 0);
        Block::load(&self.shape, self.unit(index)?, &Scope::root(&self.tensors, &self.place, &loading))
    }

    fn release(&self, index: usize) {
        if let Ok(unit) = self.unit(index) {
            unit.modules(&self.shape).iter().for_each(|module| self.tensors.release_below(module));
        }
    }
}
