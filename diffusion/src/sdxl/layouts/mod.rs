//! How SDXL's UNet is named by those who publish it: diffusers, and the original code, whose names ComfyUI, writers of GGUF and
//! nearly all single files have. The text encoders and the autoencoder have tables of their own, shared with other families.
//!
//! Always holds: tables only. Canonical names are those of diffusers. Mapping:
//! <https://github.com/huggingface/diffusers/blob/main/src/diffusers/loaders/single_file_utils.py>

pub(crate) mod unet;

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

use crate::text;
use crate::vae::kl;
use crate::weights::Layout;

/// Every layout in which a part of SDXL is published.
pub(crate) fn all() -> Vec<&'static Layout> {
    let unet = [&unet::DIFFUSERS, &unet::ORIGINAL];
    unet.into_iter().chain(text::layouts::CLIP.iter().copied()).chain(kl::layout::LAYOUTS.iter().copied()).collect()
}
