//! What a folder is as a model of SDXL: how it was trained, the parts that it needs, and whether they fit each other.
//!
//! Always holds: decided without reading a tensor; relatives of SDXL are refused by their names; a folder that is not whole is
//! answered with what was recognised, what is missing and what would fill it.

mod encoders;
mod index;
mod relatives;
#[cfg(test)]
mod tests;
mod training;

use self::encoders::Encoders;
use self::index::ModelIndex;
pub(crate) use self::training::Training;
use super::layouts::unet;
use super::shape::UnetShape;
use crate::error::Result;
use crate::parts::{self, Fit, Missing, Piece};
use crate::sample::Schedule;
use crate::text::ClipConfig;
use crate::vae::kl::{self, KlConfig, Scaling};
use crate::weights::{Found, Inventory, Tensors};

/// A whole model.
#[derive(Debug)]
pub(crate) struct Recognised {
    /// How it was trained.
    pub(crate) training: Training,
    /// The denoiser.
    pub(crate) unet: Piece<UnetShape>,
    /// The text encoders: CLIP-L, then OpenCLIP bigG, whose pooled state is used too.
    pub(crate) encoders: [Piece<ClipConfig>; 2],
    /// The autoencoder.
    pub(crate) vae: Piece<KlConfig>,
    /// How it is sampled where nobody says otherwise.
    pub(crate) schedule: Schedule,
    /// Whether an empty negative prompt is states of zeros instead of the states of an empty prompt.
    pub(crate) zeros_for_empty: bool,
    /// Sentences for whoever installed the model: what was left out or taken for granted.
    pub(crate) notes: Vec<String>,
}

impl Recognised {
    /// The model that a folder holds. Fails with `model_unavailable`, with a sentence on what is wrong and one on what to do.
    pub(crate) fn of(inventory: &Inventory) -> Result<Self> {
        let files = inventory.files();
        let index = ModelIndex::read(files)?;
        let unet = relatives::unet(inventory)?;
        let encoders = Encoders::of(inventory, unet.as_ref().map(|unet| &unet.config))?;
        let vae = vae(inventory, unet.as_ref().map_or(4, |unet| unet.config.channels))?;
        let mut missing = vec![];
        missing.extend(unet.is_none().then(no_unet));
        missing.extend(encoders.missing());
        missing.extend(vae.is_none().then(no_vae));
        let (Some(unet), Some(encoders), Some(vae)) = (unet, encoders.both(), vae) else {
            return Err(parts::incomplete(inventory, "SDXL", &missing, |found| parts::holds(found, Some("SDXL"))));
        };
        let mut notes = vec![];
        let (training, schedule) = training::read(files, &unet.found, &mut notes)?;
        Ok(Self { training, unet, encoders, vae, schedule, zeros_for_empty: index.zeros_for_empty(), notes })
    }

    /// What people call it, as far as its tensors tell.
    pub(crate) fn name(&self) -> String {
        format!("SDXL ({})", self.training.as_str())
    }

    /// All parts that the model uses.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (&Found, &Tensors)> {
        let encoders = self.encoders.iter().map(|piece| (&piece.found, &piece.tensors));
        [(&self.unet.found, &self.unet.tensors)]
            .into_iter()
            .chain(encoders)
            .chain([(&self.vae.found, &self.vae.tensors)])
    }

    /// A sentence for people: how it was trained, and for each part its file, layout and encodings.
    pub(crate) fn describe(&self) -> String {
        let parts: Vec<String> = self.parts().map(|(found, _)| parts::holds(found, None)).collect();
        format!("{}: {}", self.name(), parts.join(", "))
    }
}

fn vae(inventory: &Inventory, channels: usize) -> Result<Option<Piece<KlConfig>>> {
    let words = |number: usize| format!("{number} latent channels");
    let fit = Fit { want: channels, by: "the UNet", words, advice: "sdxl_vae.safetensors" };
    fit.piece(inventory, &kl::layout::NETWORK, |found, tensors| {
        KlConfig::read(inventory.files(), found, tensors, Scaling::SDXL).map(|config| (config.latent_channels, config))
    })
}

fn no_unet() -> Missing {
    Missing {
        name: unet::NETWORK.part.as_str().to_owned(),
        filled_by:
            "one file of an SDXL checkpoint as civitai has them (such as ponyDiffusionV6XL.safetensors), a GGUF of the \
                    UNet, or the unet folder of a diffusers repository"
                .to_owned(),
    }
}

fn no_vae() -> Missing {
    Missing {
        name: "autoencoder".to_owned(),
        filled_by: "sdxl_vae.safetensors, or the vae folder of a diffusers repository".to_owned(),
    }
}
