//! Models without a platform around them, for benchmarks of inference alone.

use std::path::Path;

use crate::device::Device;

use super::control::{Control, Stage};
use super::families::all;
use super::family::{Checkpoint, Family, Pipeline, Sampling};
use super::place::{Budget, Residency};
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

/// The checkpoint that these files are, by the first family that takes them. If none does, the error says of each family why:
/// which of them was meant, only the caller knows.
fn recognised(files: &ModelFiles, families: &[&dyn Family]) -> Result<Box<dyn Checkpoint>> {
    let mut refusals = vec![];
    for family in families {
        match family.inspect(files, &Sampling::default(), None) {
            Ok(checkpoint) => return Ok(checkpoint),
            Err(error) if error.kind() != ErrorKind::ModelUnavailable => return Err(error),
            Err(error) => refusals.push(format!("as {}: {}", family.id(), error.detail())),
        }
    }
    Err(Error::new(ErrorKind::ModelUnavailable, format!("no family takes the files; {}", refusals.join("; "))))
}

/// A model on one device.
pub struct Standalone {
    device: Device,
    checkpoint: Box<dyn Checkpoint>,
    pipeline: Box<dyn Pipeline>,
}

impl Standalone {
    /// Loads the model that the library carries, on the CPU.
    ///
    /// # Errors
    /// `model_unavailable` never for a released library.
    pub fn shipped() -> Result<Self> {
        let missing = || Error::new(ErrorKind::ModelUnavailable, "the library carries no small model");
        let checkpoint = recognised(super::embedded("tiny").ok_or_else(missing)?, all())?;
        Self::load(checkpoint, Device::cpu(), &mut |_, _, _| {})
    }

    /// Loads the model in a folder, of whichever family it is.
    ///
    /// # Errors
    /// `model_unavailable` with what each family misses.
    pub fn open(folder: &Path, device: Device, watch: Watch<'_>) -> Result<Self> {
        Self::load(recognised(&ModelFiles::Folder(folder.to_owned()), all())?, device, watch)
    }

    fn load(checkpoint: Box<dyn Checkpoint>, device: Device, watch: Watch<'_>) -> Result<Self> {
        let pipeline = checkpoint.load(&device, Budget::of(&device), &mut Watching(watch))?;
        Ok(Self { device, checkpoint, pipeline })
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

    /// The largest number of bytes that a request is said to hold, with the parts in memory that there is room for.
    #[must_use]
    pub fn peak(&self, request: &StandaloneRequest) -> u64 {
        let needs = self.checkpoint.needs(&request.into());
        Residency::of(&needs, Budget::of(&self.device)).peak(&needs)
    }

    /// Makes frames from text.
    ///
    /// # Errors
    /// `validation_error` for sizes that the model cannot make.
    pub fn generate(&mut self, request: &StandaloneRequest, watch: Watch<'_>) -> Result<Frames> {
        self.pipeline.generate(&request.into(), &mut Watching(watch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::Honours;

    /// A family that takes a folder with a file of its own name.
    struct Named(&'static str);

    impl Family for Named {
        fn id(&self) -> &'static str {
            self.0
        }

        fn honours(&self) -> &'static Honours {
            &Honours { modes: &[], parameters: &[], samplers: &[], spacings: &[], lightings: &[] }
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
