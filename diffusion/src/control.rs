//! How a caller watches a generation and ends it.

use crate::error::Result;
use crate::request::Frames;

/// Where a generation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Reading weights; counted in bytes.
    Load,
    /// Text and pictures into states and latents.
    Encode,
    /// The steps of the sampler.
    Denoise,
    /// Latents into frames.
    Decode,
}

impl Stage {
    /// The stable name, as tasks report it.
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

    /// Whether a picture of what the latents show after `done` of `total` steps is wanted. It costs a decoding of one frame, and is
    /// asked only where that needs no more memory.
    fn wants_preview(&mut self, done: usize, total: usize) -> bool {
        let _ = (done, total);
        false
    }

    /// Takes that picture: one frame.
    fn preview(&mut self, picture: Frames) {
        let _ = picture;
    }
}

/// A caller that watches nothing.
pub(crate) struct Unwatched;

impl Control for Unwatched {
    fn progress(&mut self, _: Stage, _: usize, _: usize) -> Result<()> {
        Ok(())
    }
}
