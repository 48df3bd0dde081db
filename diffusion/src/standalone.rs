//! Models without a platform around them, for benchmarks of inference alone.

use std::path::Path;

use crate::device::Device;

use super::control::{Control, Stage};
use super::family::{Checkpoint, Pipeline, Sampling};
use super::place::Budget;
use super::request::{Frames, Request, Start};
use super::weights::ModelFiles;
use crate::error::{Error, ErrorKind, Result};

/// What a [`Standalone`] model is asked for.
#[derive(Debug, Clone)]
pub struct StandaloneRequest {
    /// What to show.
    pub prompt: String,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// 1 for a picture.
    pub frames: u32,
    /// Steps of the sampler.
    pub steps: u32,
    /// Classifier-free guidance; 1 switches it off.
    pub guidance: f64,
    /// Seed of the noise.
    pub seed: u64,
}

impl From<&StandaloneRequest> for Request {
    fn from(asked: &StandaloneRequest) -> Self {
        Self {
            prompt: asked.prompt.clone(),
            negative_prompt: String::new(),
            width: asked.width,
            height: asked.height,
            num_frames: asked.frames,
            steps: asked.steps,
            guidance_scale: asked.guidance,
            guidance_scale_2: None,
            seed: asked.seed,
            start: Start::Noise,
            given: vec![],
            sampler: None,
            motion_score: None,
            clip_skip: None,
        }
    }
}

/// Bytes that one stretch of a generation is said to need.
#[derive(Debug, Clone)]
pub struct StandaloneNeed {
    /// The part that it uses.
    pub name: &'static str,
    /// Weights.
    pub weights: u64,
    /// What it works in.
    pub work: u64,
}

/// Hears of every stage: its name, what is done of it and how much there is.
pub type Watch<'a> = &'a mut (dyn FnMut(&'static str, usize, usize) + Send);

struct Watching<'a>(Watch<'a>);

impl Control for Watching<'_> {
    fn progress(&mut self, stage: Stage, done: usize, total: usize) -> Result<()> {
        (self.0)(stage.as_str(), done, total);
        Ok(())
    }
}

/// A model on the CPU.
pub struct Standalone {
    checkpoint: Box<dyn Checkpoint>,
    pipeline: Box<dyn Pipeline>,
}

impl Standalone {
    /// Loads the model that the library carries.
    ///
    /// # Errors
    /// `model_unavailable` never for a released library.
    pub fn shipped() -> Result<Self> {
        let missing = || Error::new(ErrorKind::ModelUnavailable, "the library carries no small model");
        Self::load(super::embedded("tiny").ok_or_else(missing)?, &mut |_, _, _| {})
    }

    /// Loads the Wan model in a folder.
    ///
    /// # Errors
    /// `model_unavailable` with what is missing.
    pub fn open(folder: &Path, watch: Watch<'_>) -> Result<Self> {
        Self::load(&ModelFiles::Folder(folder.to_owned()), watch)
    }

    fn load(files: &ModelFiles, watch: Watch<'_>) -> Result<Self> {
        let family = super::family("wan").ok_or_else(|| Error::internal("there is no family wan"))?;
        let checkpoint = family.inspect(files, &Sampling::default(), None)?;
        let pipeline = checkpoint.load(&Device::cpu(), Budget::of(&Device::cpu()), &mut Watching(watch))?;
        Ok(Self { checkpoint, pipeline })
    }

    /// What the model is.
    #[must_use]
    pub fn describe(&self) -> String {
        self.checkpoint.describe()
    }

    /// What a request is said to need, stretch by stretch.
    #[must_use]
    pub fn needs(&self, request: &StandaloneRequest) -> Vec<StandaloneNeed> {
        let need = |stretch: &super::place::Stretch| StandaloneNeed {
            name: stretch.name,
            weights: stretch.weights,
            work: stretch.work,
        };
        self.checkpoint.needs(&request.into()).stretches.iter().map(need).collect()
    }

    /// Makes frames from text.
    ///
    /// # Errors
    /// `validation_error` for sizes that the model cannot make.
    pub fn generate(&mut self, request: &StandaloneRequest, watch: Watch<'_>) -> Result<Frames> {
        self.pipeline.generate(&request.into(), &mut Watching(watch))
    }
}
