//! The Wan family: a causal 3D autoencoder, a UMT5 text encoder, a diffusion transformer, flow matching.
//!
//! Owns loading of a diffusers folder and the walk from request to frames. Always holds: every configuration file is
//! checked before weights are read; compute is float32 whatever type the weights are stored in.

mod config;
mod pipeline;
mod text;
mod transformer;
mod vae;

use std::path::Path;

use candle_core::Device;

pub use self::config::{ModelIndex, TextConfig, TransformerConfig, VaeConfig};
pub use self::text::TextEncoder;
pub use self::transformer::{Plan, TextContext, Transformer};
pub use self::vae::Vae;
use super::files::{ModelFiles, unusable};
use super::scheduler::UniPcConfig;
use super::tokenizer::PromptTokenizer;
use super::weights::Weights;
use crate::error::Result;

/// A file of the small model that the crate carries.
macro_rules! tiny {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_bytes!(concat!("../../../models/tiny/", $name)).as_slice())),+]
    };
}

/// The small model that the crate carries, trained for this project.
pub static TINY: ModelFiles = ModelFiles::Embedded(tiny![
    "model_index.json",
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
    "tokenizer/tokenizer.json",
    "tokenizer/tokenizer_config.json",
    "transformer/config.json",
    "transformer/diffusion_pytorch_model.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
]);

/// A loaded Wan model.
#[derive(Debug)]
pub struct Wan {
    tokenizer: PromptTokenizer,
    text: TextEncoder,
    transformer: Transformer,
    vae: Vae,
    scheduler: UniPcConfig,
    device: Device,
    bytes: u64,
}

impl Wan {
    /// Loads the small model that the crate carries onto `device`.
    pub fn embedded(device: &Device) -> Result<Self> {
        Self::load(&TINY, device)
    }

    /// Loads a diffusers folder onto `device`. Anything that is missing, damaged or not supported gives
    /// `model_unavailable` with what it is.
    pub fn from_folder(folder: impl AsRef<Path>, device: &Device) -> Result<Self> {
        Self::load(&ModelFiles::Folder(folder.as_ref().to_owned()), device)
    }

    /// Loads a model from wherever its files are.
    pub fn load(files: &ModelFiles, device: &Device) -> Result<Self> {
        files.json::<ModelIndex>("model_index.json")?.check()?;
        let scheduler: UniPcConfig = files.json("scheduler/scheduler_config.json")?;
        scheduler.check()?;
        let text_config: TextConfig = files.json("text_encoder/config.json")?;
        let transformer_config: TransformerConfig = files.json("transformer/config.json")?;
        let vae_config: VaeConfig = files.json("vae/config.json")?;
        transformer_config.check()?;
        vae_config.check()?;
        let z = vae_config.z_dim;
        if text_config.d_model != transformer_config.text_dim {
            return Err(unusable("the text encoder's d_model is not the transformer's text_dim"));
        }
        if transformer_config.out_channels != z
            || ![z, 2 * z + vae_config.temporal_factor()].contains(&transformer_config.in_channels)
        {
            return Err(unusable("the transformer's channels do not fit the autoencoder's"));
        }
        let text_weights = Weights::open(files, "text_encoder", "model", device)?;
        let transformer_weights = Weights::open(files, "transformer", "diffusion_pytorch_model", device)?;
        let vae_weights = Weights::open(files, "vae", "diffusion_pytorch_model", device)?;
        Ok(Self {
            tokenizer: PromptTokenizer::open(files, "tokenizer")?,
            text: TextEncoder::load(&text_config, &text_weights, device)?,
            transformer: Transformer::load(&transformer_config, &transformer_weights, device)?,
            vae: Vae::load(&vae_config, &vae_weights, device)?,
            scheduler,
            device: device.clone(),
            bytes: text_weights.held_bytes() + transformer_weights.held_bytes() + vae_weights.held_bytes(),
        })
    }

    /// The tokenizer, for whoever wants to look at one stage alone.
    #[must_use]
    pub fn tokenizer(&self) -> &PromptTokenizer {
        &self.tokenizer
    }

    /// The text encoder.
    #[must_use]
    pub fn text_encoder(&self) -> &TextEncoder {
        &self.text
    }

    /// The denoiser.
    #[must_use]
    pub fn transformer(&self) -> &Transformer {
        &self.transformer
    }

    /// The autoencoder.
    #[must_use]
    pub fn vae(&self) -> &Vae {
        &self.vae
    }

    /// The scheduler's configuration.
    #[must_use]
    pub fn scheduler(&self) -> &UniPcConfig {
        &self.scheduler
    }
}
