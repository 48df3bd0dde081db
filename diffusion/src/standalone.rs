//! Runs a model without the rest of `must`, for benchmarks of inference alone.

use std::path::Path;

use must_tensors::{Error, ErrorKind, Result};

use crate::device::Device;

use super::control::{Control, Stage};
use super::families::all;
use super::family::{Checkpoint, Family, Pipeline, Sampling};
use super::place::{Budget, Residency};
use super::request::{Frames, Request, Start};
use super::weights::ModelFiles;

/// A request to a [`Standalone`] model.
#[derive(Debug, Clone)]
pub struct StandaloneRequest {
    /// What to show.
    pub prompt: String,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Number of frames; 1 for a picture.
    pub frames: u32,
    /// Steps of the sampler.
    pub steps: u32,
    /// The guidance scale, as in [`Request::guidance_scale`].
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

/// The estimated bytes of memory that one stretch of a generation needs.
#[derive(Debug, Clone)]
pub struct StandaloneNeed {
    /// The part of the model in use.
    pub name: &'static str,
    /// Bytes of all weights of that part.
    pub weights: u64,
    /// Bytes of activations and temporary buffers.
    pub work: u64,
}

/// Receives the progress of every stage: the name of the stage, the finished units and all units.
pub type Watch<'a> = &'a mut (dyn FnMut(&'static str, usize, usize) + Send);

struct Watching<'a>(Watch<'a>);

impl Control for Watching<'_> {
    fn progress(&mut self, stage: Stage, done: usize, total: usize) -> Result<()> {
        (self.0)(stage.as_str(), done, total);
        Ok(())
    }
}

/// Returns the checkpoint of the first family that recognises the files. If no family does, the error gives the reason of each
/// family, because only the caller knows which family the files should belong to.
fn recognised(files: &ModelFiles, families: &[&dyn Family]) -> Result<Box<dyn Checkpoint>> {
    let mut refusals = vec![];
    for family in families {
        match family.inspect(files, &Sampling::default(), None) {
            Ok(checkpoint) => return Ok(checkpoint),
            Err(error) if error.kind() != ErrorKind::ModelUnavailable => return Err(error),
            Err(error) => refusals.push(format!("as {}: {}", family.id(), error.detail())),
        }
    }
    Err(Error::new(ErrorKind::ModelUnavailable, format!("no family recognises the files; {}", refusals.join("; "))))
}

/// A loaded model on one device.
pub struct Standalone {
    device: Device,
    checkpoint: Box<dyn Checkpoint>,
    pipeline: Box<dyn Pipeline>,
}

impl Standalone {
    /// Loads the embedded model `tiny` on the CPU.
    ///
    /// # Errors
    /// `ModelUnavailable` if the library was built without the feature `tiny`.
    pub fn shipped() -> Result<Self> {
        let missing = || {
            Error::new(
                ErrorKind::ModelUnavailable,
                "the library was built without the feature tiny and has no embedded model",
            )
        };
        let checkpoint = recognised(super::embedded("tiny").ok_or_else(missing)?, all())?;
        Self::load(checkpoint, Device::cpu(), &mut |_, _, _| {})
    }

    /// Loads the model in a folder. The files determine its family.
    ///
    /// # Errors
    /// `ModelUnavailable` if no family recognises the files: the error says what each family misses. Other kinds if loading fails,
    /// such as `OutOfMemory`.
    pub fn open(folder: &Path, device: Device, watch: Watch<'_>) -> Result<Self> {
        Self::load(recognised(&ModelFiles::Folder(folder.to_owned()), all())?, device, watch)
    }

    fn load(checkpoint: Box<dyn Checkpoint>, device: Device, watch: Watch<'_>) -> Result<Self> {
        let pipeline = checkpoint.load(&device, Budget::of(&device), &mut Watching(watch))?;
        Ok(Self { device, checkpoint, pipeline })
    }

    /// Describes the model's files in one sentence.
    #[must_use]
    pub fn describe(&self) -> String {
        self.checkpoint.describe()
    }

    /// Returns the estimated memory that a request needs, for each stretch of the generation in order.
    #[must_use]
    pub fn needs(&self, request: &StandaloneRequest) -> Vec<StandaloneNeed> {
        let need = |stretch: &super::place::Stretch| StandaloneNeed {
            name: stretch.name,
            weights: stretch.weights,
            work: stretch.work,
        };
        self.checkpoint.needs(&request.into()).stretches.iter().map(need).collect()
    }

    /// Returns the estimated peak bytes of a request. The memory of the device decides which parts are loaded at the same time.
    #[must_use]
    pub fn peak(&self, request: &StandaloneRequest) -> u64 {
        let needs = self.checkpoint.needs(&request.into());
        Residency::of(&needs, Budget::of(&self.device)).peak(&needs)
    }

    /// Makes frames from text.
    ///
    /// # Errors
    /// `InvalidRequest` for a request that the model cannot fulfil, and `OutOfMemory` if the device runs out of memory.
    pub fn generate(&mut self, request: &StandaloneRequest, watch: Watch<'_>) -> Result<Frames> {
        self.pipeline.generate(&request.into(), &mut Watching(watch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::Supported;

    /// A family that takes a folder with a file of its own name.
    struct Named(&'static str);

    impl Family for Named {
        fn id(&self) -> &'static str {
            self.0
        }

        fn supported(&self) -> &'static Supported {
            &Supported { modes: &[], parameters: &[], samplers: &[], spacings: &[], lightings: &[] }
        }

        fn inspect(&self, files: &ModelFiles, _: &Sampling, _: Option<&str>) -> Result<Box<dyn Checkpoint>> {
            match files.has(self.0) {
                true => crate::families::family("wan").unwrap().inspect(&crate::wan::TINY, &Sampling::default(), None),
                false => Err(Error::new(ErrorKind::ModelUnavailable, format!("{} is missing", self.0))),
            }
        }
    }

    #[test]
    fn the_first_family_that_takes_a_folder_has_it() {
        let families: [&dyn Family; 2] = [&Named("one"), &Named("two")];
        let folder = tempfile::tempdir().unwrap();
        let files = ModelFiles::Folder(folder.path().to_owned());
        let error = recognised(&files, &families).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::ModelUnavailable);
        assert!(error.detail().contains("as one: one is missing; as two: two is missing"), "{}", error.detail());
        std::fs::write(folder.path().join("two"), "").unwrap();
        recognised(&files, &families).unwrap();
        assert!(recognised(&files, &families[..1]).is_err());
    }
}
