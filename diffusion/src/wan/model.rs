//! A loaded Wan model: its parts, which of them are in memory, and when they leave.
//!
//! Always holds: parts that do not fit beside each other leave before the next one comes; blocks that do not fit beside each
//! other are read when it is their turn; none of this changes a bit of the result.

use std::sync::Arc;

use candle_core::Tensor;

use super::block::{Block, ControlBlock};
use super::checkpoint::Files;
use super::denoiser::Transformer;
use super::memory;
use super::shape::TransformerShape;
use crate::control::{Control, Stage, Unwatched};
use crate::error::{Error, Result};
use crate::place::{Blocks, HoldsWeights, Policy, Reader, Residency, Slot, Whole};
use crate::request::Request;
use crate::sample::Expert;
use crate::text::{PromptTokenizer, TextEncoder};
use crate::vae::{Autoencoder, Clip, Vae};
use crate::vision::ClipVision;
use crate::weights::{Loading, Place, Scope, Tensors};

impl HoldsWeights for Vae {
    fn bytes(&self) -> u64 {
        self.bytes()
    }
}

impl HoldsWeights for ClipVision {
    fn bytes(&self) -> u64 {
        self.bytes()
    }
}

/// A part, for saying which may stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    ImageEncoder,
    Vae,
}

/// A model that can generate.
pub(crate) struct Model {
    pub(super) files: Arc<Files>,
    pub(super) place: Place,
    pub(super) tokenizer: PromptTokenizer,
    policy: Policy,
    residency: Residency,
    text: Slot<TextEncoder>,
    image: Option<Slot<ClipVision>>,
    vae: Slot<Vae>,
    experts: Vec<Slot<Transformer>>,
}

impl Model {
    /// A model of these files, with all parts loaded if they may stay together.
    pub(super) fn load(files: Arc<Files>, place: Place, policy: Policy, control: &mut dyn Control) -> Result<Self> {
        control.progress(Stage::Load, 0, 1)?;
        let residency = policy.residency(|| memory::weights(&files));
        let mut model = Self {
            tokenizer: files.tokenizer()?,
            text: Slot::new(files.recognised.text.tensors.clone()),
            image: files.recognised.image.as_ref().map(|image| Slot::new(image.tensors.clone())),
            vae: Slot::new(files.recognised.vae.tensors.clone()),
            experts: files.recognised.experts.iter().map(|expert| Slot::new(expert.tensors.clone())).collect(),
            files,
            place,
            policy,
            residency,
        };
        if residency == Residency::Together {
            let total = model.files.recognised.parts().map(|(_, tensors)| tensors.file_bytes()).sum();
            let control = &mut Whole::new(control, total);
            model.text(control)?;
            model.vae(control)?;
            if model.image.is_some() {
                model.image(control)?;
            }
            model.load_expert(Expert::High, control)?;
            model.load_expert(Expert::Low, control)?;
        }
        Ok(model)
    }

    /// Decides what may stay while a request is made.
    pub(super) fn make_room(&mut self, request: &Request) {
        let residency = self.policy.residency(|| memory::needs(&self.files, request));
        if residency != self.residency {
            self.residency = Residency::OneByOne;
            self.leave_for(&[]);
            self.residency = residency;
        }
    }

    /// Whether a frame can be decoded between two steps.
    pub(super) fn affords_preview(&self, request: &Request) -> bool {
        self.policy.affords_preview(self.residency, || memory::preview(&self.files, request))
    }

    /// Bytes of all weights that are in memory.
    pub(super) fn loaded_bytes(&self) -> u64 {
        let experts: u64 = self.experts.iter().map(Slot::bytes).sum();
        self.text.bytes() + self.image.as_ref().map_or(0, Slot::bytes) + self.vae.bytes() + experts
    }

    /// The text encoder, loaded.
    pub(super) fn text(&mut self, control: &mut dyn Control) -> Result<&TextEncoder> {
        let config = self.files.text();
        self.text.get(&self.place, control, |_, scope| TextEncoder::load(config, scope))
    }

    /// The image encoder, loaded.
    pub(super) fn image(&mut self, control: &mut dyn Control) -> Result<&ClipVision> {
        match (&mut self.image, &self.files.recognised.image) {
            (Some(slot), Some(part)) => {
                slot.get(&self.place, control, |_, scope| ClipVision::load(&part.config, scope))
            }
            _ => Err(Error::internal("the model has no image encoder")),
        }
    }

    fn vae(&mut self, control: &mut dyn Control) -> Result<&Vae> {
        let config = self.files.vae();
        self.vae.get(&self.place, control, |_, scope| Vae::load(config, scope))
    }

    /// A clip `[3, frames, height, width]` from -1 to 1 as latents.
    pub(super) fn encode(&mut self, clip: &dyn Clip, control: &mut dyn Control) -> Result<Tensor> {
        let (frames, height, width) = clip.size()?;
        let tiling = memory::tiling(self.files.vae(), frames, height, width);
        let vae = self.vae(control)?;
        vae.encode(clip, tiling, &mut |done, total| control.progress(Stage::Encode, done, total))
    }

    /// Latents as a clip from 0 to 1, in chunks of frames.
    pub(super) fn decode(
        &mut self,
        latents: &Tensor,
        control: &mut dyn Control,
        frames: &mut dyn FnMut(&Tensor) -> Result<()>,
    ) -> Result<()> {
        let config = self.files.vae();
        let (_, count, height, width) = latents.dims4()?;
        let count = (count - 1) * config.temporal_factor() + 1;
        let factor = config.spatial_factor();
        let tiling = memory::tiling(config, count, height * factor, width * factor);
        let vae = self.vae(control)?;
        vae.decode(
            latents,
            tiling,
            &mut |done, total| control.progress(Stage::Decode, done, total),
            &mut |clip: Tensor| frames(&clip.affine(0.5, 0.5)?.clamp(0f32, 1f32)?),
        )
    }

    fn index(&self, expert: Expert) -> usize {
        match expert {
            Expert::High => 0,
            Expert::Low => self.experts.len().saturating_sub(1),
        }
    }

    /// Loads an expert. Returns whether the other one left for it.
    pub(super) fn load_expert(&mut self, expert: Expert, control: &mut dyn Control) -> Result<bool> {
        let index = self.index(expert);
        let mut left = false;
        if self.residency != Residency::Together {
            for (_, other) in
                self.experts.iter_mut().enumerate().filter(|(other, slot)| *other != index && slot.is_loaded())
            {
                other.leave();
                left = true;
            }
        }
        let (files, streamed) = (&self.files, self.residency == Residency::Streamed);
        let slot = self.experts.get_mut(index).ok_or_else(|| Error::internal("the model has no transformer"))?;
        slot.get(&self.place, control, |tensors, scope| transformer(files.transformer()?, tensors, scope, streamed))?;
        Ok(left)
    }

    /// An expert that is loaded.
    pub(super) fn expert(&self, expert: Expert) -> Result<&Transformer> {
        self.experts.get(self.index(expert)).ok_or_else(|| Error::internal("the model has no transformer"))?.loaded()
    }

    /// Sends away every part that is not in `staying`, where parts cannot stay together.
    pub(super) fn leave_for(&mut self, staying: &[Role]) {
        if self.residency == Residency::Together {
            return;
        }
        self.text.leave();
        self.experts.iter_mut().for_each(Slot::leave);
        if let Some(image) = self.image.as_mut().filter(|_| !staying.contains(&Role::ImageEncoder)) {
            image.leave();
        }
        if !staying.contains(&Role::Vae) {
            self.vae.leave();
        }
    }
}

/// The transformer with its blocks loaded, or read when it is their turn.
fn transformer(config: &TransformerShape, tensors: &Tensors, scope: &Scope<'_>, streamed: bool) -> Result<Transformer> {
    let (blocks, control_blocks) = if streamed {
        let stream = Stream { config: config.clone(), tensors: tensors.clone(), place: scope.place().clone() };
        let control: Box<dyn Reader<ControlBlock>> = Box::new(stream.clone());
        (Blocks::Streamed(Box::new(stream) as Box<dyn Reader<Block>>), Blocks::Streamed(control))
    } else {
        let blocks = (0..config.num_layers).map(|index| Block::load(config, &scope.pp(block_name(index))));
        let control = (0..config.vace_layers.len())
            .map(|index| ControlBlock::load(config, &scope.pp(control_name(index)), index));
        (Blocks::Resident(blocks.collect::<Result<_>>()?), Blocks::Resident(control.collect::<Result<_>>()?))
    };
    Transformer::load(config, scope, blocks, control_blocks)
}

fn block_name(index: usize) -> String {
    format!("blocks.{index}")
}

fn control_name(index: usize) -> String {
    format!("vace_blocks.{index}")
}

/// Reads blocks from the mapped file.
#[derive(Clone)]
struct Stream {
    config: TransformerShape,
    tensors: Tensors,
    place: Place,
}

impl Stream {
    fn load<B>(&self, name: &str, load: impl FnOnce(&Scope<'_>) -> Result<B>) -> Result<B> {
        let mut unwatched = Unwatched;
        let loading = Loading::new(&mut unwatched, 0);
        load(&Scope::root(&self.tensors, &self.place, &loading).pp(name))
    }
}

impl Reader<Block> for Stream {
    fn count(&self) -> usize {
        self.config.num_layers
    }

    fn read(&self, index: usize) -> Result<Block> {
        self.load(&block_name(index), |scope| Block::load(&self.config, scope))
    }

    fn release(&self, index: usize) {
        self.tensors.release_below(&block_name(index));
    }
}

impl Reader<ControlBlock> for Stream {
    fn count(&self) -> usize {
        self.config.vace_layers.len()
    }

    fn read(&self, index: usize) -> Result<ControlBlock> {
        self.load(&control_name(index), |scope| ControlBlock::load(&self.config, scope, index))
    }

    fn release(&self, index: usize) {
        self.tensors.release_below(&control_name(index));
    }
}
