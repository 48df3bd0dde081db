//! The tensor names of Wan's networks in published files: those of diffusers and transformers, of the original repositories,
//! of ComfyUI (original names below its own prefixes) and of GGUF.
//!
//! Always holds: this module contains tables only. Canonical names are those of diffusers and, for the encoders, of
//! transformers. The mapping of the transformer and the autoencoders follows
//! <https://github.com/huggingface/diffusers/blob/main/scripts/convert_wan_to_diffusers.py>.

pub(crate) mod image;
pub(crate) mod transformer;
pub(crate) mod vae;

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

pub(crate) use crate::text::layouts::umt5 as text;
use crate::weights::Layout;

/// All layouts in which parts of Wan are published.
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
