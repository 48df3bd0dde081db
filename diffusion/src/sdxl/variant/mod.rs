//! Recognition of an SDXL model in a folder: how it was trained, its parts, and whether the parts fit each other.
//!
//! Always holds: no tensor is read; models related to SDXL are refused by name; the error for an incomplete folder says what was
//! recognised, what is missing and which files would complete it.

mod encoders;
mod index;
mod relatives;
#[cfg(test)]
mod tests;
mod training;

use must_tensors::Result;

use self::encoders::Encoders;
use self::index::ModelIndex;
pub(crate) use self::training::Training;
use super::layouts::unet;
use super::shape::UnetShape;
use crate::parts::{self, Fit, FoundPart, Missing};
use crate::sample::Schedule;
use crate::text::ClipConfig;
use crate::vae::kl::{self, KlConfig, Scaling};
use crate::weights::{FoundNetwork, Inventory};

/// A complete model.
#[derive(Debug)]
pub(crate) struct Recognised {
    /// How the model was trained.
    pub(crate) training: Training,
    /// The denoiser.
    pub(crate) unet: FoundPart<UnetShape>,
    /// The text encoders: CLIP-L, then OpenCLIP bigG, whose pooled state is used too.
    pub(crate) encoders: [FoundPart<ClipConfig>; 2],
    /// The autoencoder.
    pub(crate) vae: FoundPart<KlConfig>,
    /// The model's default schedule.
    pub(crate) schedule: Schedule,
    /// Whether an empty negative prompt is encoded as zeros instead of by the text encoders.
    pub(crate) zeros_for_empty: bool,
    /// Log messages for the person who installed the model: what was ignored or assumed.
    pub(crate) notes: Vec<String>,
}

impl Recognised {
    /// Recognises the model in a folder. Fails with `ModelUnavailable`; the error says what is wrong and what to do.
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
            return Err(parts::incomplete(inventory, "SDXL", &missing, |found| {
                parts::describe_network(found, Some("SDXL"))
            }));
        };
        let mut notes = vec![];
        let (training, schedule) = training::read(files, &unet.found, &mut notes)?;
        Ok(Self { training, unet, encoders, vae, schedule, zeros_for_empty: index.zeros_for_empty(), notes })
    }

    /// Returns the variant's name for people, as far as its tensors reveal it.
    pub(crate) fn name(&self) -> String {
        format!("SDXL ({})", self.training.as_str())
    }

    /// Returns all parts that the model uses.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &FoundNetwork> {
        let encoders = self.encoders.iter().map(|part| &part.found);
        [&self.unet.found].into_iter().chain(encoders).chain([&self.vae.found])
    }

    /// Describes the model in one sentence: how it was trained, and the file, layout and encodings of each part.
    pub(crate) fn describe(&self) -> String {
        let parts: Vec<String> = self.parts().map(|part| parts::describe_network(part, None)).collect();
        format!("{}: {}", self.name(), parts.join(", "))
    }
}

fn vae(inventory: &Inventory, channels: usize) -> Result<Option<FoundPart<KlConfig>>> {
    let describe = |number: usize| format!("{number} latent channels");
    let fit = Fit { required: channels, required_by: "the UNet", describe, example: "sdxl_vae.safetensors" };
    fit.find(inventory, &kl::layout::NETWORK, |found, tensors| {
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
