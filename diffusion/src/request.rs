//! The request that a pipeline takes and the frames that it returns.

use must_tensors::{Error, Result};

/// Frames in 8-bit RGB, row-major, one frame after another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frames {
    /// Width of every frame in pixels.
    pub width: u32,
    /// Height of every frame in pixels.
    pub height: u32,
    /// `count * height * width * 3` bytes.
    pub rgb: Vec<u8>,
}

impl Frames {
    /// Returns the number of frames.
    #[must_use]
    pub fn count(&self) -> usize {
        let frame = self.width as usize * self.height as usize * 3;
        self.rgb.len().checked_div(frame).unwrap_or(0)
    }
}

/// A frame that the caller gives for a position in the clip.
#[derive(Debug, Clone, PartialEq)]
pub struct GivenFrame {
    /// Position in the clip, 0 for the first frame.
    pub index: u32,
    /// One frame of the requested size.
    pub image: Frames,
    /// How strongly the clip keeps this frame: 1 as the model was trained, 0 not at all.
    pub strength: f64,
}

/// What the sampler starts from.
#[derive(Debug, Clone, PartialEq)]
pub enum Start {
    /// Pure noise.
    Noise,
    /// `img2img`: a picture with added noise; `strength` sets how much (0 keeps the picture, 1 ignores it).
    Picture {
        /// One frame of the requested size.
        image: Frames,
        /// 0 to 1.
        strength: f64,
    },
    /// A still clip in which every frame repeats the nearest given frame, with added noise; `strength` sets how much (0 keeps the clip, 1
    /// ignores it).
    Given {
        /// 0 to 1.
        strength: f64,
    },
}

/// The parameters of one generation, already validated by the catalog.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// What to show.
    pub prompt: String,
    /// What to avoid; empty for nothing.
    pub negative_prompt: String,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Number of frames; 1 for a picture.
    pub num_frames: u32,
    /// Steps of the sampler.
    pub steps: u32,
    /// Guidance scale. With classifier-free guidance, 1 switches guidance off. FLUX.1 dev reads the scale as an input instead, and
    /// schnell ignores it.
    pub guidance_scale: f64,
    /// Guidance scale of the low-noise expert; `None` uses `guidance_scale` for both experts.
    pub guidance_scale_2: Option<f64>,
    /// Seed of the task's random stream, 0 to 2147483647.
    pub seed: u64,
    /// What the sampler starts from.
    pub start: Start,
    /// Frames that the caller gives for positions in the clip.
    pub given: Vec<GivenFrame>,
    /// Name of the sampler; `None` uses the model's own.
    pub sampler: Option<String>,
    /// Amount of motion, 0 to 5, for models that were trained with a motion score in their prompts.
    pub motion_score: Option<f64>,
    /// The layer of the CLIP text encoder whose states are used, counted from the end: 1 is the last. `None` uses the model's
    /// own.
    pub clip_skip: Option<u32>,
}

impl Request {
    /// Fails with `InvalidRequest` for values that no family can use, and for images that do not have the requested size.
    pub(crate) fn check(&self) -> Result<()> {
        if self.steps == 0 || self.steps > 1000 {
            return Err(Error::invalid_request("steps must be from 1 to 1000"));
        }
        if !self.guidance_scale.is_finite() || self.guidance_scale_2.is_some_and(|scale| !scale.is_finite()) {
            return Err(Error::invalid_request("guidance_scale must be a finite number"));
        }
        let (start, strength) = match &self.start {
            Start::Noise => (None, None),
            Start::Picture { image, strength } => (Some(image), Some(*strength)),
            Start::Given { strength } => (None, Some(*strength)),
        };
        let bytes = self.width as usize * self.height as usize * 3;
        for image in self.given.iter().map(|given| &given.image).chain(start) {
            if (image.width, image.height) != (self.width, self.height)
                || image.count() != 1
                || image.rgb.len() != bytes
            {
                return Err(Error::invalid_request("a given image must be one frame of the requested size"));
            }
        }
        if self
            .given
            .iter()
            .map(|given| given.strength)
            .chain(strength)
            .any(|strength| !(0.0..=1.0).contains(&strength))
        {
            return Err(Error::invalid_request("a strength must be from 0 to 1"));
        }
        Ok(())
    }
}
