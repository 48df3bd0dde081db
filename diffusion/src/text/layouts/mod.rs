//! The tensor names of text encoders in published files: those of transformers, of OpenCLIP, of the original repositories,
//! of ComfyUI (names of transformers below its own prefixes) and of GGUF.
//!
//! Always holds: this module contains tables only. Canonical names are those of transformers. The mapping of OpenCLIP's
//! names follows <https://github.com/huggingface/diffusers/blob/main/src/diffusers/loaders/single_file_utils.py>.

pub(crate) mod clip;
#[cfg(test)]
pub(crate) mod samples;
pub(crate) mod t5;
#[cfg(test)]
mod tests;
pub(crate) mod umt5;

use crate::weights::Layout;

/// All layouts of CLIP's text encoders.
pub(crate) static CLIP: [&Layout; 3] = [&clip::TRANSFORMERS, &clip::TRANSFORMERS_5, &clip::OPEN_CLIP];

/// All layouts of T5 and UMT5. Those of UMT5 come first, because T5 has a subset of UMT5's names.
pub(crate) static T5: [&Layout; 5] =
    [&umt5::TRANSFORMERS, &umt5::ORIGINAL, &umt5::LLAMA_CPP, &t5::TRANSFORMERS, &t5::LLAMA_CPP];
