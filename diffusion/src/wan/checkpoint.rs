//! The recognised files of a Wan model: their abilities, their memory needs, and how they are loaded.

use std::sync::Arc;

use must_tensors::{Error, Result};

use super::memory;
use super::model::Model;
use super::shape::TransformerShape;
use super::variant::{Kind, Recognised};
use crate::control::Control;
use crate::family::{Checkpoint, Pipeline, Sampling};
use crate::parts::{self, FoundPart};
use crate::place::{Budget, Needs, Policy};
use crate::request::{Request, Start};
use crate::sample::{Guidance, SamplerName, Schedule, Spacing};
use crate::text::{self, PromptTokenizer, T5Config, Vocabulary};
use crate::vae::VaeConfig;
use crate::vision::{ClipVisionConfig, ImageProcessor};
use crate::weights::{Inventory, ModelFiles, Place};

/// A recognised model, shared by its checkpoint and the pipelines that were loaded from it.
pub(super) struct Files {
    pub(super) model: ModelFiles,
    pub(super) recognised: Recognised,
    schedule: Schedule,
    /// Whether the catalog sets the shift. The variant's own rule for small frames does not apply then.
    shift_is_set: bool,
    boundary: Option<f64>,
    processor: ImageProcessor,
}

/// The [`Checkpoint`] of a Wan model.
pub(super) struct WanCheckpoint(pub(super) Arc<Files>);

impl WanCheckpoint {
    pub(super) fn inspect(files: &ModelFiles, sampling: &Sampling, lighting: Option<&str>) -> Result<Self> {
        let inventory = Inventory::read(files, super::layouts::LAYOUTS)?;
        let mut recognised = Recognised::of(&inventory)?;
        if let Some(lighting) = lighting {
            super::lighting::choose(&mut recognised, lighting)?;
        }
        parts::log(&recognised.variant.name(), &recognised.notes, recognised.parts());
        Ok(Self(Arc::new(Files::new(files.clone(), recognised, sampling)?)))
    }
}

impl Files {
    fn new(model: ModelFiles, recognised: Recognised, sampling: &Sampling) -> Result<Self> {
        let fault =
            |what: &str, name: &str| Error::invalid_request(format!("the catalog's {what} {name} is not known"));
        let mut schedule = recognised.recommended.schedule.clone();
        if let Some(name) = &sampling.sampler {
            schedule = schedule.with_sampler(SamplerName::from_name(name).ok_or_else(|| fault("sampler", name))?);
        }
        if let Some(name) = &sampling.spacing {
            schedule = schedule.with_spacing(Spacing::from_name(name).ok_or_else(|| fault("spacing", name))?);
        }
        if let Some(shift) = sampling.shift {
            schedule = schedule.with_shift(shift);
        }
        let processor = match &recognised.image {
            Some(image) => processor(&model, image)?,
            None => ImageProcessor::default(),
        };
        let own = recognised.recommended.boundary;
        Ok(Self {
            shift_is_set: sampling.shift.is_some(),
            boundary: own.map(|own| sampling.boundary.unwrap_or(own)),
            schedule,
            processor,
            recognised,
            model,
        })
    }

    /// Returns the sizes of the transformer. Two experts have the same sizes.
    pub(super) fn transformer(&self) -> Result<&TransformerShape> {
        self.recognised.shape()
    }

    /// Returns the sizes of the autoencoder.
    pub(super) fn vae(&self) -> &VaeConfig {
        &self.recognised.vae.config
    }

    /// Returns the sizes of the text encoder.
    pub(super) fn text(&self) -> &T5Config {
        &self.recognised.text.config
    }

    pub(super) fn kind(&self) -> Kind {
        self.recognised.variant.kind
    }

    /// Returns the number of pictures that the image encoder reads: none, the first given one, or the first and the last.
    pub(super) fn pictures_seen(&self) -> usize {
        match self.kind() {
            Kind::ImageToVideo { clip: true, last } => 1 + usize::from(last),
            _ => 0,
        }
    }

    /// Returns the preprocessing of pictures for the image encoder.
    pub(super) fn processor(&self) -> &ImageProcessor {
        &self.processor
    }

    /// Returns the prompt in the form that the model was trained with.
    ///
    /// AniSora reads its motion score at the end of the prompt, in the form that its README shows. The aesthetic score is
    /// the one of the README's samples.
    pub(super) fn prompt(&self, request: &Request) -> String {
        match request.motion_score {
            Some(score) => format!(
                "{} aesthetic score: 5.5. motion score: {score:.1}. There is no text in the video.",
                request.prompt.trim_end()
            ),
            None => request.prompt.clone(),
        }
    }

    /// Returns the schedule of a request.
    pub(super) fn schedule(&self, request: &Request) -> Result<Schedule> {
        let mut schedule = self.schedule.clone();
        if !self.shift_is_set {
            schedule = schedule.with_shift(self.recognised.recommended.shift(request.width, request.height));
        }
        match &request.sampler {
            Some(name) => {
                let sampler = SamplerName::from_name(name)
                    .ok_or_else(|| Error::invalid_request(format!("there is no sampler {name:?} for this model")))?;
                Ok(schedule.with_sampler(sampler))
            }
            None => Ok(schedule),
        }
    }

    /// Returns the guidance scales of a request, and which expert works at which steps.
    pub(super) fn guidance(&self, request: &Request) -> Guidance {
        let scale = request.guidance_scale;
        match self.boundary {
            Some(boundary) => Guidance::Experts {
                boundary: boundary * self.schedule.train_steps() as f64,
                high: scale,
                low: request.guidance_scale_2.unwrap_or(scale),
            },
            None => Guidance::Classifier { scale },
        }
    }

    /// Loads the tokenizer from the model's files, or the one embedded in the library.
    pub(super) fn tokenizer(&self) -> Result<PromptTokenizer> {
        text::tokenizer(&self.model, self.recognised.vocabulary.as_ref(), Vocabulary::Umt5)
    }

    /// Returns the number of elements of all parts.
    fn elements(&self) -> u64 {
        self.recognised.parts().map(|part| part.tensors().elements()).sum()
    }
}

/// Reads the preprocessing settings of the image encoder from the folder.
fn processor(model: &ModelFiles, image: &FoundPart<ClipVisionConfig>) -> Result<ImageProcessor> {
    let side = image.config.image_size;
    let files = ["image_processor/preprocessor_config.json", "image_encoder/preprocessor_config.json"];
    let processor = match files.iter().find(|file| model.has(file)) {
        Some(file) => model.json(file)?,
        None => ImageProcessor::of_side(side),
    };
    processor.check(side)?;
    Ok(processor)
}

impl Checkpoint for WanCheckpoint {
    fn describe(&self) -> String {
        self.0.recognised.describe()
    }

    fn modes(&self) -> Vec<&'static str> {
        match self.0.kind() {
            Kind::TextToVideo => vec!["txt2img", "img2img", "t2v"],
            Kind::ImageToVideo { last: true, .. } => vec!["first_last_frame"],
            Kind::ImageToVideo { clip: true, .. } => vec!["i2v", "first_last_frame", "arbitrary_frame"],
            Kind::ImageToVideo { clip: false, .. } | Kind::Vace => {
                vec!["txt2img", "img2img", "t2v", "i2v", "first_last_frame", "arbitrary_frame"]
            }
            Kind::TextImageToVideo => vec!["txt2img", "img2img", "t2v", "i2v"],
        }
    }

    fn check(&self, request: &Request) -> Result<()> {
        check(&self.0, request)
    }

    fn needs(&self, request: &Request) -> Needs {
        memory::needs(&self.0, request)
    }

    fn load(&self, device: &crate::Device, budget: Budget, control: &mut dyn Control) -> Result<Box<dyn Pipeline>> {
        let place = Place::of_model(&device.0, self.0.elements());
        Ok(Box::new(Model::load(Arc::clone(&self.0), place, Policy::ByNeed(budget), control)?))
    }
}

/// Fails with `InvalidRequest` for a request that the model cannot fulfil.
pub(super) fn check(files: &Files, request: &Request) -> Result<()> {
    let [_, ph, pw] = files.transformer()?.patch_size;
    let (frames, height, width) = (request.num_frames as usize, request.height as usize, request.width as usize);
    let vae = files.vae();
    let (spatial, temporal) = (vae.spatial_factor(), vae.temporal_factor());
    if frames == 0 || !(frames - 1).is_multiple_of(temporal) {
        return Err(Error::invalid_request(format!("num_frames must be one more than a multiple of {temporal}")));
    }
    let (rows, columns) = (spatial * ph, spatial * pw);
    if height == 0 || width == 0 || !height.is_multiple_of(rows) || !width.is_multiple_of(columns) {
        return Err(Error::invalid_request(format!("height and width must be multiples of {rows} and {columns}")));
    }
    request.check()?;
    if matches!(request.start, Start::Picture { .. }) && frames != 1 {
        return Err(Error::invalid_request("img2img makes one frame, not a clip"));
    }
    check_given(files, request)
}

/// Fails with `InvalidRequest` for given frames that the variant does not accept.
fn check_given(files: &Files, request: &Request) -> Result<()> {
    let placed = super::given::placed(&request.given, request.num_frames)?;
    if placed.len() > 1 && request.num_frames == 1 {
        return Err(Error::invalid_request("a clip between two frames needs more than one frame"));
    }
    let ends = |placed: &[super::given::PlacedFrame<'_>]| {
        placed.len() == 2
            && placed.first().is_some_and(|first| first.frame == 0)
            && placed.last().is_some_and(|last| last.frame + 1 == request.num_frames as usize)
    };
    match files.kind() {
        Kind::TextToVideo if !placed.is_empty() => {
            Err(Error::invalid_request("this model cannot start from a given frame"))
        }
        Kind::TextImageToVideo if placed.iter().any(|given| given.frame != 0) => {
            Err(Error::invalid_request("this model takes a given frame at the beginning only"))
        }
        Kind::ImageToVideo { last: true, .. } if !ends(&placed) => {
            Err(Error::invalid_request("this model needs a first and a last frame"))
        }
        Kind::ImageToVideo { clip: true, .. } if placed.is_empty() => {
            Err(Error::invalid_request("this model needs a given frame"))
        }
        _ => Ok(()),
    }
}
