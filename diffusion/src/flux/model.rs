//! A loaded FLUX.1 model: loads its parts when they are needed and unloads them to make room.
//!
//! Always holds: parts that do not fit into memory together are unloaded before the next one is loaded; blocks that do not
//! fit are streamed from the file; none of this changes a bit of the result.

use std::sync::Arc;

use candle_core::Tensor;
use must_tensors::Result;

use super::block::{DoubleBlock, SingleBlock};
use super::checkpoint::Files;
use super::denoiser::Transformer;
use super::memory;
use super::shape::TransformerShape;
use crate::control::{Control, Stage};
use crate::place::{Blocks, CombinedLoading, Policy, Residency, Slot};
use crate::request::Request;
use crate::text::{ClipEncoder, ClipTokenizer, PromptTokenizer, TextEncoder};
use crate::vae::kl::KlVae;
use crate::weights::{Place, Scope, Tensors};

/// A loaded model.
pub(crate) struct Model {
    pub(super) files: Arc<Files>,
    pub(super) place: Place,
    pub(super) t5_tokenizer: PromptTokenizer,
    pub(super) clip_tokenizer: ClipTokenizer,
    policy: Policy,
    residency: Residency,
    t5: Slot<TextEncoder>,
    clip: Slot<ClipEncoder>,
    vae: Slot<KlVae>,
    transformer: Slot<Transformer>,
}

impl Model {
    /// Creates the model, and loads all parts if they may stay in memory together.
    pub(super) fn load(files: Arc<Files>, place: Place, policy: Policy, control: &mut dyn Control) -> Result<Self> {
        control.progress(Stage::Load, 0, 1)?;
        let residency = policy.residency(|| memory::weights(&files));
        let (t5_tokenizer, clip_tokenizer) = files.tokenizers()?;
        let mut model = Self {
            t5_tokenizer,
            clip_tokenizer,
            t5: Slot::new(files.recognised.t5.found.tensors().clone()),
            clip: Slot::new(files.recognised.clip.found.tensors().clone()),
            vae: Slot::new(files.recognised.vae.found.tensors().clone()),
            transformer: Slot::new(files.recognised.transformer.found.tensors().clone()),
            files,
            place,
            policy,
            residency,
        };
        if residency == Residency::Together {
            let total = model.files.recognised.parts().iter().map(|part| part.tensors().file_bytes()).sum();
            let control = &mut CombinedLoading::new(control, total);
            model.t5(control)?;
            model.clip(control)?;
            model.vae(control)?;
            model.transformer(control)?;
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
        self.t5.bytes() + self.clip.bytes() + self.vae.bytes() + self.transformer.bytes()
    }

    /// Returns T5, loading it first if necessary.
    pub(super) fn t5(&mut self, control: &mut dyn Control) -> Result<&TextEncoder> {
        let config = &self.files.recognised.t5.config;
        self.t5.get(&self.place, control, |_, scope| TextEncoder::load(config, scope))
    }

    /// Returns CLIP, loading it first if necessary.
    pub(super) fn clip(&mut self, control: &mut dyn Control) -> Result<&ClipEncoder> {
        let config = &self.files.recognised.clip.config;
        self.clip.get(&self.place, control, |_, scope| ClipEncoder::load(config, scope))
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
        control.progress(Stage::Decode, 1, 1)?;
        Ok(picture.affine(0.5, 0.5)?.clamp(0f32, 1f32)?)
    }

    /// Returns the transformer, loading it first if necessary.
    pub(super) fn transformer(&mut self, control: &mut dyn Control) -> Result<&Transformer> {
        let streamed = self.residency == Residency::Streamed;
        let config = &self.files.recognised.transformer.config;
        self.transformer.get(&self.place, control, |tensors, scope| transformer(config, tensors, scope, streamed))
    }

    /// Returns whether there is memory to decode a preview between two steps.
    pub(super) fn has_room_for_preview(&self, request: &Request) -> bool {
        self.policy.has_room_for_preview(self.residency, || Some(memory::preview(&self.files, request)))
    }

    /// Returns the transformer. Fails with `Internal` if it is not loaded.
    pub(super) fn loaded_transformer(&self) -> Result<&Transformer> {
        self.transformer.loaded()
    }

    /// Unloads all parts, unless they may stay in memory together.
    pub(super) fn unload(&mut self) {
        if self.residency == Residency::Together {
            return;
        }
        self.t5.unload();
        self.clip.unload();
        self.vae.unload();
        self.transformer.unload();
    }
}

/// Loads the transformer, with its blocks either resident or streamed.
fn transformer(config: &TransformerShape, tensors: &Tensors, scope: &Scope<'_>, streamed: bool) -> Result<Transformer> {
    let streamed = streamed.then_some(tensors);
    let (of_double, of_single) = (config.clone(), config.clone());
    let double = Blocks::load_list("transformer_blocks", config.num_layers, scope, streamed, move |scope, _| {
        DoubleBlock::load(&of_double, scope)
    })?;
    let single =
        Blocks::load_list("single_transformer_blocks", config.num_single_layers, scope, streamed, move |scope, _| {
            SingleBlock::load(&of_single, scope)
        })?;
    Transformer::load(config, scope, double, single)
}
