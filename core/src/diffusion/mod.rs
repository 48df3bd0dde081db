//! Inference: text, images and parameters in, frames out. Knows nothing of tasks, stores or HTTP.
//!
//! Always holds: a pipeline checks shapes and sizes before a tensor is made, asks its [`Control`] at every step whether to
//! go on, and draws all randomness on the CPU, so that one seed gives one result on every device.

mod files;
mod kernels;
mod noise;
mod scheduler;
mod tokenizer;
mod weights;

pub mod wan;

pub use files::ModelFiles;
pub use noise::Noise;
pub use scheduler::{UniPc, UniPcConfig};
pub use tokenizer::{PromptTokenizer, clean};
pub use weights::Weights;

use crate::error::Result;

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

/// Where a generation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Reading weights.
    Load,
    /// Text into states.
    Encode,
    /// The steps of the scheduler.
    Denoise,
    /// Latents into frames.
    Decode,
}

impl Stage {
    /// The stable name, as tasks report it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Load => "loading",
            Self::Encode => "encoding",
            Self::Denoise => "denoising",
            Self::Decode => "decoding",
        }
    }
}

/// What a pipeline asks and tells while it runs. Implemented by whoever runs the task.
pub trait Control: Send {
    /// `done` of `total` units of `stage` are finished. Returns the error that ends the generation (cancelled, timed out,
    /// lease lost), which the pipeline passes up unchanged and at once.
    fn progress(&mut self, stage: Stage, done: usize, total: usize) -> Result<()>;

    /// The prompt in `parameter` has `tokens` tokens, of which the model reads the first `kept`.
    fn prompt_cut(&mut self, parameter: &str, tokens: usize, kept: usize) {
        let _ = (parameter, tokens, kept);
    }
}

/// How a generation starts.
#[derive(Debug, Clone, PartialEq)]
pub enum Start {
    /// From noise alone: `txt2img`, `t2v`.
    Noise,
    /// From a picture that is noised to `strength` (0 keeps it, 1 ignores it): `img2img`.
    Image {
        /// One frame of the size asked for.
        image: Frames,
        /// 0 to 1.
        strength: f64,
    },
    /// A clip whose first frame is given: `i2v`. `strength` 1 starts from pure noise, less starts nearer the still picture.
    FirstFrame {
        /// One frame of the size asked for.
        image: Frames,
        /// 0 to 1.
        strength: f64,
    },
    /// A clip between two given frames: `first_last_frame`. Strengths (0.5 to 1) weigh how firmly each frame is held.
    FirstLast {
        /// One frame of the size asked for.
        first: Frames,
        /// One frame of the size asked for.
        last: Frames,
        /// 0.5 to 1.
        first_strength: f64,
        /// 0.5 to 1.
        last_strength: f64,
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
    /// Scheduler steps.
    pub steps: u32,
    /// Classifier-free guidance; 1 switches it off.
    pub guidance_scale: f64,
    /// Seed of the task's random stream, 0 to 2147483647.
    pub seed: u64,
    /// What the generation starts from.
    pub start: Start,
}

/// A loaded model that can generate. One generation at a time.
pub trait Pipeline: Send {
    /// Makes frames. Ends early with the error that `control` returns.
    fn generate(&mut self, request: &Request, control: &mut dyn Control) -> Result<Frames>;

    /// Bytes of device memory that the loaded weights hold.
    fn memory_bytes(&self) -> u64;
}
