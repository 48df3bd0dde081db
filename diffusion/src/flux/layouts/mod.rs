//! How FLUX.1's networks are named by those who publish them: diffusers and transformers, Black Forest Labs, ComfyUI and
//! Forge (the same names below prefixes of their own) and GGUF.
//!
//! Always holds: tables only. Canonical names are those of diffusers and, for the encoders, of transformers; what deviates
//! says so. Mapping of the transformer:
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

/// Every layout in which a part of FLUX.1 is published, and those of relatives that are refused by name.
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
