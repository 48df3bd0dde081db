//! The Wan family: causal 3D autoencoders, a UMT5 text encoder, a CLIP image encoder, diffusion transformers, flow matching.
//!
//! Recognises Wan's files, and turns a request into frames with every variant: text to video, image to video with and without
//! image tokens, first and last frame, VACE, two experts, and a time for each token.

mod block;
mod checkpoint;
mod denoiser;
mod given;
pub(crate) mod layouts;
mod lighting;
mod memory;
mod model;
mod pipeline;
mod shape;
mod steps;
mod times;
mod variant;

#[cfg(test)]
mod tests;

use must_tensors::Result;

use self::checkpoint::WanCheckpoint;
use super::family::{Checkpoint, Family, Sampling, Supported};
use super::weights::ModelFiles;

/// Embeds a file of the small model.
#[cfg(any(feature = "tiny", test))]
macro_rules! tiny {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_bytes!(concat!("../../models/tiny/", $name)).as_slice())),+]
    };
}

/// The small model that is embedded in the crate. It was trained for this project.
#[cfg(any(feature = "tiny", test))]
pub(super) static TINY: ModelFiles = ModelFiles::Embedded(tiny![
    "model_index.json",
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
    "tokenizer/tokenizer.json",
    "tokenizer/tokenizer_config.json",
    "transformer/config.json",
    "transformer/diffusion_pytorch_model.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
]);

/// The Wan family.
pub(super) struct Wan;

static SUPPORTED: Supported = Supported {
    modes: &["txt2img", "img2img", "t2v", "i2v", "first_last_frame", "arbitrary_frame"],
    parameters: &[
        "prompt",
        "negative_prompt",
        "width",
        "height",
        "num_frames",
        "fps",
        "steps",
        "guidance_scale",
        "guidance_scale_2",
        "cfg_scale",
        "sampler",
        "motion_score",
        "lighting_variant",
        "seed",
        "reference_image",
        "reference_strength",
        "denoising_strength",
        "first_frame_image",
        "last_frame_image",
        "first_strength",
        "last_strength",
        "arbitrary_frames",
        "output_format",
    ],
    samplers: &["UniPC", "Euler", "DPM++ 2M", "Euler a", "SA-Solver", "iPNDM"],
    spacings: &["reference", "simple", "beta"],
    lightings: &["high_noise", "low_noise"],
};

impl Family for Wan {
    fn id(&self) -> &'static str {
        "wan"
    }

    fn supported(&self) -> &'static Supported {
        &SUPPORTED
    }

    fn inspect(&self, files: &ModelFiles, sampling: &Sampling, lighting: Option<&str>) -> Result<Box<dyn Checkpoint>> {
        Ok(Box::new(WanCheckpoint::inspect(files, sampling, lighting)?))
    }
}
