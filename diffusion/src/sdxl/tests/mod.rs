//! Compares SDXL with the reference library: `tests/golden/sdxl` holds the inputs and outputs of each part there, written by
//! `tools/golden/sdxl.py`. Run with `--nocapture` to see the largest differences.

mod encodings;
mod layouts;
mod made;
mod memory;
mod modules;
mod runs;

use std::path::Path;

use must_tensors::Result;

use super::checkpoint::SdxlCheckpoint;
use super::model::Model;
use crate::family::Sampling;
use crate::place::{Policy, Residency};
use crate::request::{Request, Start};
use crate::testing::Silent;
use crate::weights::{ModelFiles, Place};

/// Recognises the checkpoint in a folder.
fn inspect(folder: &Path) -> Result<SdxlCheckpoint> {
    SdxlCheckpoint::inspect(&ModelFiles::Folder(folder.to_owned()), &Sampling::default())
}

/// Loads the checkpoint on the CPU with all parts resident.
fn load(checkpoint: &SdxlCheckpoint) -> Model {
    load_as(checkpoint, crate::testing::place(), Residency::Together)
}

fn load_as(checkpoint: &SdxlCheckpoint, place: Place, residency: Residency) -> Model {
    Model::load(checkpoint.0.clone(), place, Policy::Always(residency), &mut Silent).unwrap()
}

/// Returns a request for a picture of 64x64 in four steps.
fn request(prompt: &str) -> Request {
    Request {
        prompt: prompt.to_owned(),
        negative_prompt: String::new(),
        width: 64,
        height: 64,
        num_frames: 1,
        steps: 4,
        guidance_scale: 1.0,
        guidance_scale_2: None,
        seed: 1,
        start: Start::Noise,
        given: vec![],
        sampler: None,
        motion_score: None,
        clip_skip: None,
    }
}
