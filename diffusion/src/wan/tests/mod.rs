//! Wan against the reference library: `tests/golden` holds what goes in and out of each part there, written by
//! `tools/golden`. Run with `--nocapture` to see the largest differences.

mod encodings;
mod files;
mod layouts;
mod memory;
mod table;
mod tiny;
mod variants;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};

use super::checkpoint::WanCheckpoint;
use super::model::{Model, Policy, Residency};
use crate::control::{Control, Stage};
use crate::error::Result;
use crate::family::Sampling;
use crate::request::{Frames, Request, Start};
use crate::weights::{ModelFiles, Place};

pub(super) struct Silent;

impl Control for Silent {
    fn progress(&mut self, _: Stage, _: usize, _: usize) -> Result<()> {
        Ok(())
    }
}

pub(super) type Golden = HashMap<String, Tensor>;

pub(super) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden")
}

pub(super) fn golden(name: &str) -> Golden {
    candle_core::safetensors::load(folder().join(name), &Device::Cpu).unwrap()
}

pub(super) fn json<T: serde::de::DeserializeOwned>(name: &str) -> T {
    serde_json::from_slice(&std::fs::read(folder().join(name)).unwrap()).unwrap()
}

pub(super) fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// Largest difference over the largest value of the reference.
pub(super) fn difference(ours: &Tensor, reference: &Tensor) -> f32 {
    assert_eq!(ours.dims(), reference.dims());
    let (ours, reference) = (values(ours), values(reference));
    let scale = reference.iter().fold(0f32, |most, value| most.max(value.abs()));
    let worst = ours.iter().zip(&reference).map(|(a, b)| if a.is_finite() { (a - b).abs() } else { f32::INFINITY });
    worst.fold(0f32, f32::max) / scale.max(1e-30)
}

pub(super) fn check(name: &str, ours: &Tensor, reference: &Tensor, limit: f32) {
    let difference = difference(ours, reference);
    println!("{name}: relative difference {difference:.2e} (limit {limit:.0e})");
    assert!(difference <= limit, "{name}: {difference:e} is more than {limit:e}");
}

/// The checkpoint in a folder.
pub(super) fn inspect(folder: &Path) -> Result<WanCheckpoint> {
    WanCheckpoint::inspect(&ModelFiles::Folder(folder.to_owned()), &Sampling::default(), None)
}

/// A model of the checkpoint on the CPU, whole.
pub(super) fn load(checkpoint: &WanCheckpoint) -> Model {
    load_as(checkpoint, Place::cpu(), Residency::Together)
}

pub(super) fn load_as(checkpoint: &WanCheckpoint, place: Place, residency: Residency) -> Model {
    Model::load(checkpoint.0.clone(), place, Policy::Always(residency), &mut Silent).unwrap()
}

/// The clip `[frames, height, width, 3]` from 0 to 1, before it is rounded to bytes.
pub(super) fn sample(model: &mut Model, request: &Request) -> Result<Tensor> {
    let mut chunks = vec![];
    model.sample(request, &mut Silent, &mut |chunk| {
        chunks.push(chunk.permute((1, 2, 3, 0))?.contiguous()?);
        Ok(())
    })?;
    Ok(Tensor::cat(&chunks, 0)?)
}

/// A request for one frame of 32x32 in four steps.
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
    }
}

/// The frame that a golden tensor `[height, width, 3]` of bytes is.
pub(super) fn frame(tensor: &Tensor) -> Frames {
    let (height, width, _) = tensor.dims3().unwrap();
    Frames { width: width as u32, height: height as u32, rgb: tensor.flatten_all().unwrap().to_vec1().unwrap() }
}

/// Puts the files of a golden variant together as the folder that the reference library wrote.
pub(super) fn assemble(variant: &str, place: &Path) {
    #[derive(serde::Deserialize)]
    struct Parts {
        files: HashMap<String, String>,
    }
    let parts: Parts = json(&format!("wan/{variant}/parts.json"));
    for (name, from) in parts.files {
        let to = place.join(name);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(folder().join("wan").join(from), to).unwrap();
    }
}
