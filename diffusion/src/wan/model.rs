//! A loaded Wan model: loads its parts when they are needed and unloads them to make room.
//!
//! Always holds: parts that do not fit into memory together are unloaded before the next one is loaded; blocks that do not
//! fit are streamed from the file; none of this changes a bit of the result.

use std::sync::Arc;

use candle_core::Tensor;
use must_tensors::{Error, Result};

use super::block::{Block, ControlBlock};
use super::checkpoint::Files;
use super::denoiser::Transformer;
use super::memory;
use super::shape::TransformerShape;
use crate::control::{Control, Stage};
use crate::place::{Blocks, CombinedLoading, HoldsWeights, Policy, Residency, Slot};
use crate::request::Request;
use crate::sample::Expert;
use crate::text::{PromptTokenizer, TextEncoder};
use crate::vae::{Autoencoder, Clip, Vae};
use crate::vision::ClipVision;
use crate::weights::{Place, Scope, Tensors};

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

/// A part of the model that can stay in memory when [`Model::unload_except`] unloads the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    ImageEncoder,
    Vae,
}

/// A loaded model.
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
    /// Creates the model, and loads all parts if they may stay in memory together.
    pub(super) fn load(files: Arc<Files>, place: Place, policy: Policy, control: &mut dyn Control) -> Result<Self> {
        control.progress(Stage::Load, 0, 1)?;
        let residency = policy.residency(|| memory::weights(&files));
        let mut model = Self {
            tokenizer: files.tokenizer()?,
            text: Slot::new(files.recognised.text.found.tensors().clone()),
            image: files.recognised.image.as_ref().map(|image| Slot::new(image.found.tensors().clone())),
            vae: Slot::new(files.recognised.vae.found.tensors().clone()),
            experts: files.recognised.experts.iter().map(|expert| Slot::new(expert.found.tensors().clone())).collect(),
            files,
            place,
            policy,
            residency,
        };
        if residency == Residency::Together {
            let total = model.files.recognised.parts().map(|part| part.tensors().file_bytes()).sum();
            let control = &mut CombinedLoading::new(control, total);
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

    /// Chooses the residency for a request, and unloads all parts if it changes.
    pub(super) fn make_room(&mut self, request: &Request) {
        let residency = self.policy.residency(|| memory::needs(&self.files, request));
        if residency != self.residency {
            self.residency = Residency::OneByOne;
            self.unload_except(&[]);
            self.residency = residency;
        }
    }

    /// Returns whether there is memory to decode a preview between two steps.
    pub(super) fn has_room_for_preview(&self, request: &Request) -> bool {
        self.policy.has_room_for_preview(self.residency, || memory::preview(&self.files, request))
    }

    /// Returns the bytes of all weights in memory.
    pub(super) fn loaded_bytes(&self) -> u64 {
        let experts: u64 = self.experts.iter().map(Slot::bytes).sum();
        self.text.bytes() + self.image.as_ref().map_or(0, Slot::bytes) + self.vae.bytes() + experts
    }

    /// Returns the text encoder, and loads it first if needed.
    pub(super) fn text(&mut self, control: &mut dyn Control) -> Result<&TextEncoder> {
        let config = self.files.text();
        self.text.get(&self.place, control, |_, scope| TextEncoder::load(config, scope))
    }

    /// Returns the image encoder, and loads it first if needed.
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

    /// Encodes a clip `[3, frames, height, width]` from -1 to 1 to latents.
    pub(super) fn encode(&mut self, clip: &dyn Clip, control: &mut dyn Control) -> Result<Tensor> {
        let (frames, height, width) = clip.size()?;
        let tiling = memory::tiling(self.files.vae(), frames, height, width);
        let vae = self.vae(control)?;
        vae.encode(clip, tiling, &mut |done, total| control.progress(Stage::Encode, done, total))
    }

    /// Decodes latents to a clip from 0 to 1, in chunks of frames.
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

    /// Loads an expert. Returns whether the other one was unloaded for it.
    pub(super) fn load_expert(&mut self, expert: Expert, control: &mut dyn Control) -> Result<bool> {
        let index = self.index(expert);
        let mut left = false;
        if self.residency != Residency::Together {
            for (_, other) in
                self.experts.iter_mut().enumerate().filter(|(other, slot)| *other != index && slot.is_loaded())
            {
                other.unload();
                left = true;
            }
        }
        let (files, streamed) = (&self.files, self.residency == Residency::Streamed);
        let slot = self.experts.get_mut(index).ok_or_else(|| Error::internal("the model has no transformer"))?;
        slot.get(&self.place, control, |tensors, scope| transformer(files.transformer()?, tensors, scope, streamed))?;
        Ok(left)
    }

    /// Returns an expert that is loaded already.
    pub(super) fn expert(&self, expert: Expert) -> Result<&Transformer> {
        self.experts.get(self.index(expert)).ok_or_else(|| Error::internal("the model has no transformer"))?.loaded()
    }

    /// Unloads every part that is not in `staying`, when parts cannot stay in memory together.
    pub(super) fn unload_except(&mut self, staying: &[Role]) {
        if self.residency == Residency::Together {
            return;
        }
        self.text.unload();
        self.experts.iter_mut().for_each(Slot::unload);
        if let Some(image) = self.image.as_mut().filter(|_| !staying.contains(&Role::ImageEncoder)) {
            image.unload();
        }
        if !staying.contains(&Role::Vae) {
            self.vae.unload();
        }
    }
}

/// Loads the transformer, with its blocks either resident or streamed.
fn transformer(config: &TransformerShape, tensors: &Tensors, scope: &Scope<'_>, streamed: bool) -> Result<Transformer> {
    let streamed = streamed.then_some(tensors);
    let (of_blocks, of_control) = (config.clone(), config.clone());
    let blocks = Blocks::load_list("blocks", config.num_layers, scope, streamed, move |scope, _| {
        Block::load(&of_blocks, scope)
    })?;
    let control = Blocks::load_list("vace_blocks", config.vace_layers.len(), scope, streamed, move |scope, index| {
        ControlBlock::load(&of_control, scope, index)
    })?;
    Transformer::load(config, scope, blocks, control)
}
