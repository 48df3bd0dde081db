//! The FLUX.1 family: T5 and CLIP text encoders, a diffusion transformer of double and single blocks, a 2-D autoencoder, flow
//! matching.
//!
//! Recognises the files and generates pictures, for dev (distilled with a guidance scale) and schnell (distilled to few steps).

mod block;
mod checkpoint;
mod denoiser;
mod layouts;
mod memory;
mod model;
mod pipeline;
mod sampling;
mod shape;
mod steps;
mod times;
mod variant;

#[cfg(test)]
mod tests;

use must_tensors::Result;

use self::checkpoint::FluxCheckpoint;
use self::sampling::FluxSampler;
use super::family::{Checkpoint, Family, Sampling, Supported};
use super::weights::ModelFiles;

/// The FLUX.1 family.
pub(super) struct Flux;

static SUPPORTED: Supported = Supported {
    modes: &["txt2img", "img2img"],
    parameters: &[
        "prompt",
        "negative_prompt",
        "width",
        "height",
        "steps",
        "guidance_scale",
        "sampler",
        "seed",
        "reference_image",
        "denoising_strength",
        "output_format",
    ],
    samplers: &FluxSampler::NAMES,
    spacings: &["linear", "simple", "beta"],
    lightings: &[],
};

impl Family for Flux {
    fn id(&self) -> &'static str {
        "flux"
    }

    fn supported(&self) -> &'static Supported {
        &SUPPORTED
    }

    fn inspect(&self, files: &ModelFiles, sampling: &Sampling, _lighting: Option<&str>) -> Result<Box<dyn Checkpoint>> {
        Ok(Box::new(FluxCheckpoint::inspect(files, sampling)?))
    }
}
