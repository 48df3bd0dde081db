//! The two text encoders of a folder, distinguished by the sizes that the UNet requires.
//!
//! Always holds: the projection of the second encoder is as wide as the UNet's pooled state; the widths of both encoders add up
//! to that of the UNet's text states.

use must_tensors::Result;

use super::super::shape::UnetShape;
use crate::parts::{FoundPart, Missing};
use crate::text::layouts::clip::NETWORK;
use crate::text::{ClipConfig, clip_config};
use crate::weights::{FoundNetwork, Inventory, unusable};

/// Width of the published CLIP-L encoder.
const CLIP_L: usize = 768;
/// Width of the published OpenCLIP bigG encoder and of its projection.
const BIG_G: usize = 1280;

/// The encoders that were found.
pub(super) struct Encoders {
    first: Option<FoundPart<ClipConfig>>,
    second: Option<FoundPart<ClipConfig>>,
}

impl Encoders {
    /// Finds the encoders that fit the UNet; without a UNet, those with the published sizes.
    pub(super) fn of(inventory: &Inventory, unet: Option<&UnetShape>) -> Result<Self> {
        let (context, pooled) = unet.map_or((CLIP_L + BIG_G, BIG_G), |unet| (unet.context, unet.pooled));
        let mut copies = vec![];
        for found in inventory.copies(&NETWORK) {
            copies.push((found, clip_config(inventory.files(), found, found.tensors())?));
        }
        let second = choose(&copies, |config| config.projection == Some(pooled) && config.width < context)?;
        let width = context - second.as_ref().map_or(BIG_G.min(context), |second| second.config.width);
        // Some files of the first encoder have a projection, which SDXL does not use.
        let first = choose(&copies, |config| config.width == width)?
            .map(|first| FoundPart { config: ClipConfig { projection: None, ..first.config }, ..first });
        if let (Some((found, config)), true) = (copies.first(), first.is_none() && second.is_none()) {
            return Err(unusable(format!(
                "the text encoder in {} has a width of {}, and the UNet wants two text encoders whose widths add up to {context}, \
                 one of them with a projection to {pooled}",
                found.origin(),
                config.width
            ))
            .with_action("Put the text encoders of SDXL there: clip_l.safetensors and clip_g.safetensors."));
        }
        Ok(Self { first, second })
    }

    /// Returns the missing encoders.
    pub(super) fn missing(&self) -> Vec<Missing> {
        let missing = |name: &str, filled_by: &str| Missing { name: name.to_owned(), filled_by: filled_by.to_owned() };
        let mut all = vec![];
        if self.first.is_none() {
            all.push(missing(
                "first text encoder (CLIP-L)",
                "clip_l.safetensors, or the text_encoder folder of a diffusers repository",
            ));
        }
        if self.second.is_none() {
            all.push(missing(
                "second text encoder (OpenCLIP bigG)",
                "clip_g.safetensors, or the text_encoder_2 folder of a diffusers repository",
            ));
        }
        all
    }

    /// Returns both encoders, or `None` if one is missing.
    pub(super) fn both(self) -> Option<[FoundPart<ClipConfig>; 2]> {
        Some([self.first?, self.second?])
    }
}

/// Returns the copy that fits.
fn choose(
    copies: &[(&FoundNetwork, ClipConfig)],
    fits: impl Fn(&ClipConfig) -> bool,
) -> Result<Option<FoundPart<ClipConfig>>> {
    let fitting: Vec<&FoundNetwork> =
        copies.iter().filter(|(_, config)| fits(config)).map(|(found, _)| *found).collect();
    let chosen = FoundNetwork::choose(&fitting)?;
    let piece = copies.iter().find(|(found, _)| chosen.is_some_and(|chosen| std::ptr::eq(*found, chosen)));
    Ok(piece.map(|(found, config)| FoundPart { found: (*found).clone(), config: config.clone() }))
}
