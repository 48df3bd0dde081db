//! Autoencoders: pictures and clips to latents and back.
//!
//! Wan's autoencoders process clips. That of SDXL and FLUX.1 processes pictures ([`kl`]).
//!
//! Always holds: an autoencoder runs over chunks of frames and optionally over tiles, so the memory of its layers depends on
//! the size of a tile and not on the length of a clip. Frames are delivered as soon as they are finished.

mod blocks;
mod causal3d;
mod config;
#[cfg(test)]
mod golden;
pub(crate) mod kl;
mod plan;
mod resample;
#[cfg(test)]
mod tests;
mod tiling;
mod work;

use std::fmt::Debug;

use candle_core::Tensor;
use must_tensors::{Error, Result};

pub(crate) use self::causal3d::Vae;
pub(crate) use self::config::VaeConfig;
pub(crate) use self::tiling::Tiling;

/// The sizes of a clip relative to those of its latents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Factors {
    /// The side of one latent pixel, in pixels.
    pub(crate) spatial: usize,
    /// The number of frames for each latent frame after the first.
    pub(crate) temporal: usize,
    /// Channels of a latent.
    pub(crate) channels: usize,
}

impl Factors {
    /// Returns latent frames, height and width of a clip. Fails unless height and width are multiples of the spatial factor
    /// and the frames are one more than a multiple of the temporal factor.
    pub(crate) fn latent_size(&self, frames: usize, height: usize, width: usize) -> Result<(usize, usize, usize)> {
        if frames == 0 || !(frames - 1).is_multiple_of(self.temporal) {
            return Err(Error::invalid_request(format!(
                "num_frames must be one more than a multiple of {}",
                self.temporal
            )));
        }
        if height == 0 || width == 0 || !height.is_multiple_of(self.spatial) || !width.is_multiple_of(self.spatial) {
            return Err(Error::invalid_request(format!("width and height must be multiples of {}", self.spatial)));
        }
        Ok(((frames - 1) / self.temporal + 1, height / self.spatial, width / self.spatial))
    }
}

/// Called before each chunk with the number of finished chunks and of all chunks. [`kl`] counts layers instead of chunks. An
/// error that it returns ends the work.
pub(crate) type Progress<'a> = &'a mut dyn FnMut(usize, usize) -> Result<()>;

/// Receives finished frames `[3, n, h, w]` from -1 to 1, in order.
pub(crate) type FrameSink<'a> = &'a mut dyn FnMut(Tensor) -> Result<()>;

/// A clip of values from -1 to 1 that is read a few frames at a time, so that it need not be in memory as a whole. Tiling
/// reads it once for each tile.
pub(crate) trait Clip {
    /// Returns frames, height, width.
    fn size(&self) -> Result<(usize, usize, usize)>;

    /// Returns `[3, count, height, width]`, beginning with frame `from`.
    fn frames(&self, from: usize, count: usize) -> Result<Tensor>;
}

/// A clip in memory, `[3, frames, height, width]`.
impl Clip for Tensor {
    fn size(&self) -> Result<(usize, usize, usize)> {
        let (_, frames, height, width) = self.dims4()?;
        Ok((frames, height, width))
    }

    fn frames(&self, from: usize, count: usize) -> Result<Tensor> {
        Ok(self.narrow(1, from, count)?)
    }
}

/// An autoencoder that processes clips.
pub(crate) trait Autoencoder: Debug + Send + Sync {
    /// Encodes a clip to normalised latents `[z, t, h, w]`.
    fn encode(&self, clip: &dyn Clip, tiling: Option<Tiling>, progress: Progress<'_>) -> Result<Tensor>;

    /// Decodes normalised latents `[z, t, h, w]` to frames.
    fn decode(
        &self,
        latents: &Tensor,
        tiling: Option<Tiling>,
        progress: Progress<'_>,
        sink: FrameSink<'_>,
    ) -> Result<()>;
}

impl Autoencoder for Vae {
    fn encode(&self, clip: &dyn Clip, tiling: Option<Tiling>, progress: Progress<'_>) -> Result<Tensor> {
        tiling::encode(self, clip, tiling, progress)
    }

    fn decode(
        &self,
        latents: &Tensor,
        tiling: Option<Tiling>,
        progress: Progress<'_>,
        sink: FrameSink<'_>,
    ) -> Result<()> {
        tiling::decode(self, latents, tiling, progress, sink)
    }
}
