//! Compares FLUX.1 with the reference library: `tests/golden/flux` holds the inputs and outputs of each part there, written by
//! `tools/golden/flux.py`. Run with `--nocapture` to see the largest differences.

mod encodings;
mod golden;
mod layouts;
mod memory;

use std::path::Path;

use candle_core::{DType, Tensor};
use must_tensors::Result;

use super::checkpoint::FluxCheckpoint;
use super::model::Model;
use crate::family::Sampling;
use crate::place::{Policy, Residency};
use crate::request::{Request, Start};
use crate::testing::*;
use crate::weights::{ModelFiles, Place};

/// Assembles the folder of a golden variant as the reference library wrote it.
fn assemble(variant: &str, place: &Path) {
    crate::testing::assemble("flux", variant, place);
}

fn inspect(folder: &Path) -> Result<FluxCheckpoint> {
    FluxCheckpoint::inspect(&ModelFiles::Folder(folder.to_owned()), &Sampling::default())
}

/// Loads the checkpoint on the CPU with all parts resident.
fn load(checkpoint: &FluxCheckpoint) -> Model {
    load_as(checkpoint, crate::testing::place(), Residency::Together)
}

fn load_as(checkpoint: &FluxCheckpoint, place: Place, residency: Residency) -> Model {
    Model::load(checkpoint.0.clone(), place, Policy::Always(residency), &mut Silent).unwrap()
}

/// Loads the model that the reference library wrote.
fn variant(name: &str) -> Model {
    let place = tempfile::tempdir().unwrap();
    assemble(name, place.path());
    load(&inspect(place.path()).unwrap())
}

/// Returns a request for a picture of 48x48 in four steps.
fn request(prompt: &str) -> Request {
    Request {
        prompt: prompt.to_owned(),
        negative_prompt: String::new(),
        width: 48,
        height: 48,
        num_frames: 1,
        steps: 4,
        guidance_scale: 3.5,
        guidance_scale_2: None,
        seed: 1,
        start: Start::Noise,
        given: vec![],
        sampler: None,
        motion_score: None,
        clip_skip: None,
    }
}
