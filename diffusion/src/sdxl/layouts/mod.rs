//! The tensor names of SDXL's UNet in published files: those of diffusers, and those of the original code, which ComfyUI, GGUF
//! files and nearly all single files use. Other modules have the tables of the text encoders and the autoencoder, which
//! families share.
//!
//! Always holds: this folder contains tables only. Canonical names are those of diffusers. The mapping follows
//! <https://github.com/huggingface/diffusers/blob/main/src/diffusers/loaders/single_file_utils.py>

pub(crate) mod unet;

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

use crate::text;
use crate::vae::kl;
use crate::weights::Layout;

/// Returns all layouts in which parts of SDXL are published.
pub(crate) fn all() -> Vec<&'static Layout> {
    let unet = [&unet::DIFFUSERS, &unet::ORIGINAL];
    unet.into_iter().chain(text::layouts::CLIP.iter().copied()).chain(kl::layout::LAYOUTS.iter().copied()).collect()
}
