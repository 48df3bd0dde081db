//! The two text encoders of a folder, told apart by what the UNet takes of each.
//!
//! Always holds: the second is the one whose projection is as wide as the pooled state that the UNet takes; the first is as wide
//! as what is left of the UNet's text states.

use super::super::shape::UnetShape;
use crate::error::Result;
use crate::parts::{Missing, Piece};
use crate::text::layouts::clip::NETWORK;
use crate::text::{ClipConfig, clip_config};
use crate::weights::{Found, Inventory, Tensors, unusable};

/// Widths of the published encoders, and of bigG's projection.
const CLIP_L: usize = 768;
const BIG_G: usize = 1280;

/// What was found of the two.
pub(super) struct Encoders {
    first: Option<Piece<ClipConfig>>,
    second: Option<Piece<ClipConfig>>,
}

impl Encoders {
    /// The encoders that a UNet wants, or, without a UNet, the published ones.
    pub(super) fn of(inventory: &Inventory, unet: Option<&UnetShape>) -> Result<Self> {
        let (context, pooled) = unet.map_or((CLIP_L + BIG_G, BIG_G), |unet| (unet.context, unet.pooled));
        let mut copies = vec![];
        for found in inventory.copies(&NETWORK) {
            let tensors = found.tensors()?;
            let config = clip_config(inventory.files(), found, &tensors)?;
            copies.push((found, tensors, config));
        }
        let second = choose(&copies, |config| config.projection == Some(pooled) && config.width < context)?;
        let width = context - second.as_ref().map_or(BIG_G.min(context), |second| second.config.width);
        // Some files of the first have a projection that SDXL has no use for.
        let first = choose(&copies, |config| config.width == width)?
            .map(|first| Piece { config: ClipConfig { projection: None, ..first.config }, ..first });
        if let (Some((found, _, config)), true) = (copies.first(), first.is_none() && second.is_none()) {
            return Err(unusable(format!(
                "the text encoder in {} has a width of {}, and the UNet wants one of {context} together with a projection to \
                 {pooled}",
                found.origin(),
                config.width
            ))
            .with_action("Put the text encoders of SDXL there: clip_l.safetensors and clip_g.safetensors."));
        }
        Ok(Self { first, second })
    }

    /// Those that are not there.
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

    /// Both, if both are there.
    pub(super) fn both(self) -> Option<[Piece<ClipConfig>; 2]> {
        Some([self.first?, self.second?])
    }
}

/// The one copy that fits.
fn choose(
    copies: &[(&Found, Tensors, ClipConfig)],
    fits: impl Fn(&ClipConfig) -> bool,
) -> Result<Option<Piece<ClipConfig>>> {
    let fitting: Vec<&Found> = copies.iter().filter(|(_, _, config)| fits(config)).map(|(found, ..)| *found).collect();
    let chosen = Found::choose(&fitting)?;
    let piece = copies.iter().find(|(found, ..)| chosen.is_some_and(|chosen| std::ptr::eq(*found, chosen)));
    Ok(piece.map(|(found, tensors, config)| Piece {
        found: (*found).clone(),
        tensors: tensors.clone(),
        config: config.clone(),
    }))
}
