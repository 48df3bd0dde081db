//! The tensor names of FLUX.1's networks in published files: diffusers and transformers, Black Forest Labs, ComfyUI and
//! Forge (the same names below other prefixes) and GGUF.
//!
//! Always holds: this folder contains tables only. Canonical names are those of diffusers and, for the encoders, of
//! transformers; a comment marks each deviation. The mapping of the transformer follows
//! <https://github.com/huggingface/diffusers/blob/main/scripts/convert_flux_to_diffusers.py>

pub(crate) mod relatives;
pub(crate) mod transformer;

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use crate::text;
use crate::vae::kl;
use crate::weights::Layout;

/// All layouts in which parts of FLUX.1 are published, and layouts of related models that are refused by name.
pub(crate) static LAYOUTS: LazyLock<Vec<&'static Layout>> = LazyLock::new(|| {
    let transformers: [&'static Layout; 6] = [
        &transformer::DIFFUSERS,
        &transformer::ORIGINAL,
        &relatives::FLUX_2_DIFFUSERS,
        &relatives::FLUX_2_ORIGINAL,
        &relatives::CHROMA_DIFFUSERS,
        &relatives::CHROMA_ORIGINAL,
    ];
    let text = text::layouts::T5.iter().chain(&text::layouts::CLIP).copied();
    transformers.into_iter().chain(text).chain(kl::layout::LAYOUTS.iter().copied()).collect()
});
