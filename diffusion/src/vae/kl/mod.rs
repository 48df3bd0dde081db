//! The autoencoder of Stable Diffusion, SDXL and FLUX.1: pictures to latents and back.
//!
//! Always holds: it computes in float32 on every device, whatever types the file and the rest of the model have, because the
//! original weights of SDXL overflow in float16. A picture up to 1024x1024 is processed as a whole, as in the reference. A
//! larger one takes about as much memory as that and shows no seams ([`tiles`]).
//!
//! Reference: <https://github.com/huggingface/diffusers/blob/main/src/diffusers/models/autoencoders/autoencoder_kl.py>

mod config;
#[cfg(test)]
mod golden;
pub(crate) mod layout;
mod plan;
mod stage;
#[cfg(test)]
mod tests;
mod tiles;
mod work;

use candle_core::Tensor;
use must_tensors::{Error, Result};

pub(crate) use self::config::{KlConfig, Scaling};
use self::stage::Stage;
use self::work::Direction;
use super::Progress;
use crate::place::HoldsWeights;
use crate::weights::Scope;

/// Bounds of the logarithm of a variance in the reference.
const LOG_VARIANCE: (f32, f32) = (-30.0, 20.0);

/// The encoding of a picture: a normal distribution for each number of the latents. Both tensors are `[z, 1, h, w]` and not
/// scaled.
#[derive(Debug)]
pub(crate) struct Posterior {
    /// The mean.
    pub(crate) mean: Tensor,
    /// The standard deviation.
    #[cfg_attr(not(test), expect(dead_code, reason = "pictures are encoded to the mean, as docs/models.md says"))]
    pub(crate) deviation: Tensor,
}

/// The autoencoder of one checkpoint.
#[derive(Debug)]
pub(crate) struct KlVae {
    encoder: Vec<Stage>,
    decoder: Vec<Stage>,
    config: KlConfig,
}

impl KlVae {
    /// Loads the autoencoder that `config` describes. On the CPU the weights stay in the encoding of the file.
    pub(crate) fn load(config: &KlConfig, scope: &Scope<'_>) -> Result<Self> {
        config.check()?;
        let scope = &scope.precise();
        let stages = |direction: Direction| -> Result<Vec<Stage>> {
            direction.plan(config).iter().map(|plan| Stage::load(scope, plan, config.groups)).collect()
        };
        Ok(Self { encoder: stages(Direction::Encode)?, decoder: stages(Direction::Decode)?, config: config.clone() })
    }

    /// Encodes a picture `[3, 1, h, w]` from -1 to 1 to latents `[z, 1, h / 8, w / 8]`: the means of the posterior, scaled
    /// for the denoiser. Height and width must be multiples of 8, or of the configuration's factor.
    pub(crate) fn encode(&self, picture: &Tensor, progress: Progress<'_>) -> Result<Tensor> {
        self.config.scaled(&self.posterior(picture, progress)?.mean)
    }

    /// Encodes a picture to the unscaled distribution from which diffusers' pipelines draw.
    pub(crate) fn posterior(&self, picture: &Tensor, progress: Progress<'_>) -> Result<Posterior> {
        self.posterior_within(picture, self.config.room(), progress)
    }

    fn posterior_within(&self, picture: &Tensor, room: u64, progress: Progress<'_>) -> Result<Posterior> {
        let (_, _, height, width) = picture.dims4()?;
        let factor = self.config.factor();
        if height == 0 || width == 0 || !height.is_multiple_of(factor) || !width.is_multiple_of(factor) {
            return Err(Error::invalid_request(format!("width and height must be multiples of {factor}")));
        }
        let cut = self.config.cut(Direction::Encode, (height, width), room);
        let moments = tiles::run(Direction::Encode, &self.encoder, picture.clone(), cut, progress)?;
        let channels = self.config.latent_channels;
        let (low, high) = LOG_VARIANCE;
        Ok(Posterior {
            mean: moments.narrow(0, 0, channels)?.contiguous()?,
            deviation: (moments.narrow(0, channels, channels)?.clamp(low, high)? * 0.5)?.exp()?,
        })
    }

    /// Decodes latents `[z, 1, h, w]`, scaled for the denoiser, to a picture `[3, 1, 8 * h, 8 * w]` from -1 to 1.
    pub(crate) fn decode(&self, latents: &Tensor, progress: Progress<'_>) -> Result<Tensor> {
        self.decode_within(latents, self.config.room(), progress)
    }

    fn decode_within(&self, latents: &Tensor, room: u64, progress: Progress<'_>) -> Result<Tensor> {
        let (channels, frames, rows, columns) = latents.dims4()?;
        if channels != self.config.latent_channels || frames != 1 || rows * columns == 0 {
            return Err(Error::internal(format!("latents {:?} of another autoencoder", latents.dims())));
        }
        let factor = self.config.factor();
        let cut = self.config.cut(Direction::Decode, (rows * factor, columns * factor), room);
        let picture = tiles::run(Direction::Decode, &self.decoder, self.config.unscaled(latents)?, cut, progress)?;
        Ok(picture.clamp(-1f32, 1f32)?)
    }
}

impl HoldsWeights for KlVae {
    fn bytes(&self) -> u64 {
        self.encoder.iter().chain(&self.decoder).map(Stage::bytes).sum()
    }
}
