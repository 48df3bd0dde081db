//! A loaded FLUX.1 model: its parts, which of them are in memory, and when they leave.
//!
//! Always holds: parts that do not fit beside each other leave before the next one comes; blocks that do not fit beside each
//! other are read when it is their turn; none of this changes a bit of the result.

use std::sync::Arc;

use candle_core::Tensor;

use super::block::{DoubleBlock, SingleBlock};
use super::checkpoint::Files;
use super::denoiser::Transformer;
use super::memory;
use super::shape::TransformerShape;
use crate::control::{Control, Stage, Unwatched};
use crate::error::Result;
use crate::place::{Blocks, Policy, Reader, Residency, Slot, Whole};
use crate::request::Request;
use crate::text::{ClipEncoder, ClipTokenizer, PromptTokenizer, TextEncoder};
use crate::vae::kl::KlVae;
use crate::weights::{Loading, Place, Scope, Tensors};

/// A model that can generate.
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
    /// A model of these files, with all parts loaded if they may stay together.
    pub(super) fn load(files: Arc<Files>, place: Place, policy: Policy, control: &mut dyn Control) -> Result<Self> {
        control.progress(Stage::Load, 0, 1)?;
        let residency = policy.residency(|| memory::weights(&files));
        let (t5_tokenizer, clip_tokenizer) = files.tokenizers()?;
        let mut model = Self {
            t5_tokenizer,
            clip_tokenizer,
            t5: Slot::new(files.recognised.t5.tensors.clone()),
            clip: Slot::new(files.recognised.clip.tensors.clone()),
            vae: Slot::new(files.recognised.vae.tensors.clone()),
            transformer: Slot::new(files.recognised.transformer.tensors.clone()),
            files,
            place,
            policy,
            residency,
        };
        if residency == Residency::Together {
            let total = model.files.recognised.parts().iter().map(|(_, tensors)| tensors.file_bytes()).sum();
            let control = &mut Whole::new(control, total);
            model.t5(control)?;
            model.clip(control)?;
            model.vae(control)?;
            model.transformer(control)?;
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
        self.t5.bytes() + self.clip.bytes() + self.vae.bytes() + self.transformer.bytes()
    }

    /// T5, loaded.
    pub(super) fn t5(&mut self, control: &mut dyn Control) -> Result<&TextEncoder> {
        let config = &self.files.recognised.t5.config;
        self.t5.get(&self.place, control, |_, scope| TextEncoder::load(config, scope))
    }

    /// CLIP, loaded.
    pub(super) fn clip(&mut self, control: &mut dyn Control) -> Result<&ClipEncoder> {
        let config = &self.files.recognised.clip.config;
        self.clip.get(&self.place, control, |_, scope| ClipEncoder::load(config, scope))
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
        control.progress(Stage::Decode, 1, 1)?;
        Ok(picture.affine(0.5, 0.5)?.clamp(0f32, 1f32)?)
    }

    /// The transformer, loaded.
    pub(super) fn transformer(&mut self, control: &mut dyn Control) -> Result<&Transformer> {
        let streamed = self.residency == Residency::Streamed;
        let config = &self.files.recognised.transformer.config;
        self.transformer.get(&self.place, control, |tensors, scope| transformer(config, tensors, scope, streamed))
    }

    /// Whether a picture can be decoded between two steps.
    pub(super) fn affords_preview(&self, request: &Request) -> bool {
        self.policy.affords_preview(self.residency, || Some(memory::preview(&self.files, request)))
    }

    /// The transformer, which is loaded.
    pub(super) fn loaded_transformer(&self) -> Result<&Transformer> {
        self.transformer.loaded()
    }

    /// Sends away every part, where parts cannot stay together.
    pub(super) fn leave(&mut self) {
        if self.residency == Residency::Together {
            return;
        }
        self.t5.leave();
        self.clip.leave();
        self.vae.leave();
        self.transformer.leave();
    }
}

/// The transformer with its blocks loaded, or read when it is their turn.
fn transformer(config: &TransformerShape, tensors: &Tensors, scope: &Scope<'_>, streamed: bool) -> Result<Transformer> {
    let (double, single) = if streamed {
        let stream = Stream { config: config.clone(), tensors: tensors.clone(), place: scope.place().clone() };
        let double: Box<dyn Reader<DoubleBlock>> = Box::new(stream.clone());
        (Blocks::Streamed(double), Blocks::Streamed(Box::new(stream) as Box<dyn Reader<SingleBlock>>))
    } else {
        let double = (0..config.num_layers).map(|index| DoubleBlock::load(config, &scope.pp(double_name(index))));
        let single =
            (0..config.num_single_layers).map(|index| SingleBlock::load(config, &scope.pp(single_name(index))));
        (Blocks::Resident(double.collect::<Result<_>>()?), Blocks::Resident(single.collect::<Result<_>>()?))
    };
    Transformer::load(config, scope, double, single)
}

fn double_name(index: usize) -> String {
    format!("transformer_blocks.{index}")
}

fn single_name(index: usize) -> String {
    format!("single_transformer_blocks.{index}")
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

impl Reader<DoubleBlock> for Stream {
    fn count(&self) -> usize {
        self.config.num_layers
    }

    fn read(&self, index: usize) -> Result<DoubleBlock> {
        self.load(&double_name(index), |scope| DoubleBlock::load(&self.config, scope))
    }

    fn release(&self, index: usize) {
        self.tensors.release_below(&double_name(index));
    }
}

impl Reader<SingleBlock> for Stream {
    fn count(&self) -> usize {
        self.config.num_single_layers
    }

    fn read(&self, index: usize) -> Result<SingleBlock> {
        self.load(&single_name(index), |scope| SingleBlock::load(&self.config, scope))
    }

    fn release(&self, index: usize) {
        self.tensors.release_below(&single_name(index));
    }
}
