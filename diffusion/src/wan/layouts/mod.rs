//! How Wan's networks are named by those who publish them: diffusers and transformers, the original repositories,
//! ComfyUI (original names below prefixes of its own) and GGUF.
//!
//! Always holds: tables only. Canonical names are those of diffusers and, for the encoders, of transformers. Mapping of
//! the transformer and the autoencoders:
//! <https://github.com/huggingface/diffusers/blob/main/scripts/convert_wan_to_diffusers.py>

pub(crate) mod image;
pub(crate) mod transformer;
pub(crate) mod vae;

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

pub(crate) use crate::text::layouts::umt5 as text;
use crate::weights::Layout;

/// Every layout in which a part of Wan is published.
pub(crate) static LAYOUTS: &[&Layout] = &[
    &transformer::DIFFUSERS,
    &transformer::ORIGINAL,
    &text::TRANSFORMERS,
    &text::ORIGINAL,
    &text::LLAMA_CPP,
    &vae::DIFFUSERS,
    &vae::ORIGINAL_2_1,
    &vae::ORIGINAL_2_2,
    &image::TRANSFORMERS,
    &image::TRANSFORMERS_5,
    &image::ORIGINAL,
];
