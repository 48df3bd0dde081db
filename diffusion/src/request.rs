//! What a pipeline is asked for, and what it gives.

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
}
