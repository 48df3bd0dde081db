//! How a caller follows the progress of a generation and ends it early.

use must_tensors::Result;

use crate::request::Frames;

/// The stage that a generation is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Reading weights; progress is counted in bytes.
    Load,
    /// Encoding prompts and pictures.
    Encode,
    /// Running the steps of the sampler; progress is counted in denoiser calls. Some samplers make two calls for each step.
    Denoise,
    /// Decoding latents to frames.
    Decode,
}

impl Stage {
    /// Returns the stable name that tasks report.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Load => "loading",
            Self::Encode => "encoding",
            Self::Denoise => "denoising",
            Self::Decode => "decoding",
        }
    }
}

/// Receives the progress of a pipeline and can end it. The caller of a generation implements this.
pub trait Control: Send {
    /// Reports that `done` of `total` units of `stage` are finished. To end the generation (cancelled, timed out, lease lost),
    /// return an error, such as [`Error::stopped`](crate::Error::stopped): the pipeline stops at once and returns it unchanged.
    fn progress(&mut self, stage: Stage, done: usize, total: usize) -> Result<()>;

    /// Reports that the prompt in `parameter` has `tokens` tokens, of which the model reads only the first `kept`.
    fn prompt_cut(&mut self, parameter: &str, tokens: usize, kept: usize) {
        let _ = (parameter, tokens, kept);
    }

    /// Returns whether the caller wants a preview of the latents after `done` of `total` steps. A preview costs decoding one
    /// frame; this is called only when the memory budget has room for that.
    fn wants_preview(&mut self, done: usize, total: usize) -> bool {
        let _ = (done, total);
        false
    }

    /// Receives the preview that [`Self::wants_preview`] asked for: one frame.
    fn preview(&mut self, picture: Frames) {
        let _ = picture;
    }
}

/// A [`Control`] that ignores progress and never ends a generation.
pub(crate) struct Unwatched;

impl Control for Unwatched {
    fn progress(&mut self, _: Stage, _: usize, _: usize) -> Result<()> {
        Ok(())
    }
}
