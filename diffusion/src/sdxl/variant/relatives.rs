//! Distinguishes SDXL's UNet from those of related models.
//!
//! Always holds: names and shapes of tensors decide, and marker tensors that trainers add to a file; a related model is refused
//! by name.

use must_tensors::{Error, Result};

use super::super::layouts::unet;
use super::super::shape::UnetShape;
use crate::parts::FoundPart;
use crate::weights::{FoundNetwork, Inventory, Tensors, unusable};

/// Modules that only related models have, and the names of these models.
const MODULES: &[(&str, &str)] = &[
    ("time_stack", "Stable Video Diffusion"),
    ("time_mixer", "Stable Video Diffusion"),
    ("temporal_transformer_blocks", "Stable Video Diffusion"),
    ("time_pos_embed", "Stable Video Diffusion"),
    ("motion_modules", "AnimateDiff"),
    ("encoder_hid_proj", "Kolors or another UNet with text states of another encoder"),
    ("cond_proj", "a latent consistency model that takes the guidance as an input"),
    ("class_embedding", "a UNet for classes of pictures"),
];

/// Tensors that identify a related model, and the names of these models.
const MARKERS: &[(&str, &str)] = &[
    ("edm_mean", "Playground v2.5"),
    ("edm_vpred.sigma_max", "CosXL, which was trained on continuous noise levels (EDM)"),
];

/// Finds the UNet of a folder; `None` if there is none. The UNet of a related model is ignored if the folder has one of SDXL,
/// and refused otherwise.
pub(super) fn unet(inventory: &Inventory) -> Result<Option<FoundPart<UnetShape>>> {
    let mut fitting = vec![];
    let mut refusal = None;
    for found in inventory.copies(&unet::NETWORK) {
        match relative(found, found.tensors()) {
            Some(name) => refusal = refusal.or(Some(refused(found, &name))),
            None => fitting.push(found),
        }
    }
    match (FoundNetwork::choose(&fitting)?, refusal) {
        (Some(found), _) => {
            let config = UnetShape::read(inventory.files(), found, found.tensors())?;
            Ok(Some(FoundPart { found: found.clone(), config }))
        }
        (None, Some(error)) => Err(error),
        (None, None) => Ok(None),
    }
}

fn refused(found: &FoundNetwork, name: &str) -> Error {
    unusable(format!("{}: the UNet is that of {name}, which MUST does not run", found.origin())).with_action(
        "Use a checkpoint of SDXL 1.0 or of a model that was trained from it (Pony Diffusion V6 XL, Illustrious, NoobAI, \
         Animagine and the like), with noise or velocity prediction.",
    )
}

/// Returns the name of the related model that the UNet belongs to, or `None` for SDXL.
fn relative(found: &FoundNetwork, tensors: &Tensors) -> Option<String> {
    let module = |name: &str| tensors.unknown.iter().any(|unknown| unknown.split('.').any(|part| part == name));
    if let Some((_, name)) = MODULES.iter().find(|(part, _)| module(part)) {
        return Some((*name).to_owned());
    }
    if let Some((_, name)) = MARKERS.iter().find(|(mark, _)| found.file_has(mark)) {
        return Some((*name).to_owned());
    }
    let size = |name: &str, axis: usize| tensors.get(name).and_then(|stored| stored.shape().get(axis).copied());
    let context = context(tensors);
    let input = size("conv_in.weight", 1);
    let Some(added) = size("add_embedding.linear_1.weight", 1) else {
        return Some(match context {
            Some(768) => "Stable Diffusion 1.x".to_owned(),
            Some(1024) => "Stable Diffusion 2.x".to_owned(),
            _ => "a model without SDXL's size conditions".to_owned(),
        });
    };
    if context == Some(1280) || (added == 2560 && size("conv_in.weight", 0) == Some(384)) {
        return Some("the SDXL refiner".to_owned());
    }
    match input {
        Some(9) => return Some("an inpainting model (nine channels)".to_owned()),
        Some(8) => return Some("an editing model in the manner of InstructPix2Pix (eight channels)".to_owned()),
        Some(5) => return Some("a model that takes depths (five channels)".to_owned()),
        _ => {}
    }
    if !tensors.has("mid_block.resnets.0.conv1.weight") {
        return Some("KOALA, an SDXL without its middle".to_owned());
    }
    if !tensors.has("mid_block.attentions.0.proj_in.weight") {
        let depth = tensors.count("down_blocks.2.attentions.0.transformer_blocks");
        return Some(match depth {
            4 => "SSD-1B, an SDXL with fewer blocks".to_owned(),
            2 => "Segmind Vega, an SDXL with fewer blocks".to_owned(),
            _ => "an SDXL without attention in its middle".to_owned(),
        });
    }
    None
}

/// Returns the width of the text states.
fn context(tensors: &Tensors) -> Option<usize> {
    let key = |module: String| format!("{module}.transformer_blocks.0.attn2.to_k.weight");
    let levels = (0..tensors.count("down_blocks")).map(|level| key(format!("down_blocks.{level}.attentions.0")));
    levels
        .chain([key("mid_block.attentions.0".to_owned())])
        .find_map(|name| tensors.get(&name)?.shape().get(1).copied())
}
