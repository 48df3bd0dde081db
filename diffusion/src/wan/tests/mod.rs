//! Compares Wan with the reference library. `tests/golden` holds the inputs and outputs of each part, written by
//! `tools/golden`. Run with `--nocapture` to see the largest differences.

mod encodings;
mod layouts;
mod memory;
mod previews;
mod tiny;
mod variants;

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Tensor};
use must_tensors::Result;

use super::checkpoint::WanCheckpoint;
use super::model::Model;
use crate::control::{Control, Stage};
use crate::family::Sampling;
use crate::place::{Policy, Residency};
use crate::request::{Frames, Request, Start};
pub(super) use crate::testing::*;
use crate::weights::{ModelFiles, Place};

/// Assembles the folder of a golden variant as the reference library wrote it.
pub(super) fn assemble(variant: &str, place: &Path) {
    crate::testing::assemble("wan", variant, place);
}

/// Recognises the files of a folder.
pub(super) fn inspect(folder: &Path) -> Result<WanCheckpoint> {
    WanCheckpoint::inspect(&ModelFiles::Folder(folder.to_owned()), &Sampling::default(), None)
}

/// Loads a model of the checkpoint on the device under test, with all parts in memory.
pub(super) fn load(checkpoint: &WanCheckpoint) -> Model {
    load_as(checkpoint, crate::testing::place(), Residency::Together)
}

pub(super) fn load_as(checkpoint: &WanCheckpoint, place: Place, residency: Residency) -> Model {
    Model::load(checkpoint.0.clone(), place, Policy::Always(residency), &mut Silent).unwrap()
}

/// Generates the clip `[frames, height, width, 3]` from 0 to 1, before rounding to bytes.
pub(super) fn sample(model: &mut Model, request: &Request) -> Result<Tensor> {
    let mut chunks = vec![];
    model.sample(request, &mut Silent, &mut |chunk| {
        chunks.push(chunk.permute((1, 2, 3, 0))?.contiguous()?);
        Ok(())
    })?;
    Ok(Tensor::cat(&chunks, 0)?)
}

/// Returns a request for one frame of 32x32 in four steps.
pub(super) fn request(prompt: &str) -> Request {
    Request {
        prompt: prompt.to_owned(),
        negative_prompt: String::new(),
        width: 32,
        height: 32,
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
