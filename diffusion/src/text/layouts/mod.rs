//! How text encoders are named by those who publish them: transformers, OpenCLIP, the original repositories, ComfyUI (names of
//! transformers below prefixes of its own) and GGUF.
//!
//! Always holds: tables only. Canonical names are those of transformers. Mapping of OpenCLIP's names:
//! <https://github.com/huggingface/diffusers/blob/main/src/diffusers/loaders/single_file_utils.py>

pub(crate) mod clip;
#[cfg(test)]
pub(crate) mod samples;
pub(crate) mod t5;
#[cfg(test)]
mod tests;
pub(crate) mod umt5;

use crate::weights::Layout;

/// Every layout of CLIP's text encoders.
pub(crate) static CLIP: [&Layout; 3] = [&clip::TRANSFORMERS, &clip::TRANSFORMERS_5, &clip::OPEN_CLIP];

/// Every layout of T5, behind those of UMT5, from which T5 differs by what it lacks.
pub(crate) static T5: [&Layout; 5] =
    [&umt5::TRANSFORMERS, &umt5::ORIGINAL, &umt5::LLAMA_CPP, &t5::TRANSFORMERS, &t5::LLAMA_CPP];
