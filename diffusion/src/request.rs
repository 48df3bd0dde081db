//! What a pipeline is asked for, and what it gives.

use crate::error::{Error, Result};

/// Frames that a pipeline made or that a caller gave: 8-bit RGB, row-major, frame after frame.
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
    /// How many frames there are.
    #[must_use]
    pub fn count(&self) -> usize {
        let frame = self.width as usize * self.height as usize * 3;
        self.rgb.len().checked_div(frame).unwrap_or(0)
    }
}

/// A frame of the clip that is given.
#[derive(Debug, Clone, PartialEq)]
pub struct GivenFrame {
    /// Its place in the clip, 0 for the first.
    pub index: u32,
    /// One frame of the size asked for.
    pub image: Frames,
    /// How firmly it is held: 1 as the model was trained, 0 not at all.
    pub strength: f64,
}

/// What the first latents are made of.
#[derive(Debug, Clone, PartialEq)]
pub enum Start {
    /// Noise alone.
    Noise,
    /// A picture that is noised to `strength` (0 keeps it, 1 ignores it): `img2img`.
    Picture {
        /// One frame of the size asked for.
        image: Frames,
        /// 0 to 1.
        strength: f64,
    },
    /// A still clip of the nearest given frames, noised to `strength` (0 keeps it, 1 ignores it).
    Given {
        /// 0 to 1.
        strength: f64,
    },
}

/// One generation, already validated by the catalog.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// What to show.
    pub prompt: String,
    /// What to avoid; empty for nothing.
    pub negative_prompt: String,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// 1 for a picture.
    pub num_frames: u32,
    /// Steps of the sampler.
    pub steps: u32,
    /// Classifier-free guidance; 1 switches it off.
    pub guidance_scale: f64,
    /// The guidance of the expert for low noise; that of the other one when it is `None`.
    pub guidance_scale_2: Option<f64>,
    /// Seed of the task's random stream, 0 to 2147483647.
    pub seed: u64,
    /// What the first latents are made of.
    pub start: Start,
    /// Frames of the clip that are given.
    pub given: Vec<GivenFrame>,
    /// The sampler by its name; the model's own when it is `None`.
    pub sampler: Option<String>,
    /// How much moves, 0 to 5, for models that were trained with such a score in their prompts.
    pub motion_score: Option<f64>,
    /// The layer of a CLIP text encoder whose states are read, counted from the end: 1 for the last. The model's own when it
    /// is `None`.
    pub clip_skip: Option<u32>,
}

impl Request {
    /// Refuses, for any family, numbers that mean nothing and pictures that are not of the size asked for.
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
                return Err(Error::invalid_request("a given image must be one frame of the size asked for"));
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
