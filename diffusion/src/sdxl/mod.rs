//! The SDXL family: two CLIP text encoders, a UNet with added conditions, an autoencoder of four channels.
//!
//! Recognises the files and generates pictures, for models that predict noise or velocity.

mod attention;
mod checkpoint;
mod embedding;
mod layouts;
mod memory;
mod model;
mod pipeline;
mod residual;
mod shape;
mod steps;
mod unet;
mod units;
mod variant;

#[cfg(test)]
mod tests;

use must_tensors::Result;

use self::checkpoint::SdxlCheckpoint;
use super::family::{Checkpoint, Family, Sampling, Supported};
use super::sample::DISCRETE_NAMES;
use super::weights::ModelFiles;

/// The SDXL family.
pub(super) struct Sdxl;

static SUPPORTED: Supported = Supported {
    modes: &["txt2img", "img2img"],
    parameters: &[
        "prompt",
        "negative_prompt",
        "width",
        "height",
        "steps",
        "guidance_scale",
        "cfg_scale",
        "sampler",
        "clip_skip",
        "seed",
        "reference_image",
        "denoising_strength",
        "output_format",
    ],
    samplers: DISCRETE_NAMES,
    spacings: &["reference", "karras", "exponential", "simple", "normal", "sgm-uniform", "beta"],
    lightings: &[],
};

impl Family for Sdxl {
    fn id(&self) -> &'static str {
        "sdxl"
    }

    fn supported(&self) -> &'static Supported {
        &SUPPORTED
    }

    fn inspect(&self, files: &ModelFiles, sampling: &Sampling, _: Option<&str>) -> Result<Box<dyn Checkpoint>> {
        Ok(Box::new(SdxlCheckpoint::inspect(files, sampling)?))
    }
}
