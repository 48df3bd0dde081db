//! The Wan autoencoder: clips into latents and back, causal in time.
//!
//! Always holds: a clip is taken in chunks (the first frame alone, then four at a time; one latent frame at a time in the
//! other direction), and each convolution keeps the last frames of its input between chunks, so that the result is that of
//! the whole clip while memory is that of one chunk. The first frame is never mixed with later ones by the layers that
//! change the frame rate.
//!
//! Reference: <https://github.com/huggingface/diffusers/blob/main/src/diffusers/models/autoencoders/autoencoder_kl_wan.py>

mod blocks;

use candle_core::{Device, Tensor};

use self::blocks::{CausalConv, Middle, Norm, Resample, Residual, State};
use super::config::VaeConfig;
use crate::diffusion::kernels::{Conv, Resize};
use crate::diffusion::weights::Weights;
use crate::error::{Error, Result};

#[derive(Debug)]
enum Layer {
    Residual(Residual),
    Resample(Resample),
}

/// One direction: a convolution in, levels with the middle before or after them, a convolution out.
#[derive(Debug)]
struct Tower {
    input: CausalConv,
    before: Option<Middle>,
    layers: Vec<Layer>,
    after: Option<Middle>,
    norm: Norm,
    output: CausalConv,
    slots: usize,
}

impl Tower {
    fn forward(&self, chunk: &Tensor, state: &mut State) -> Result<Tensor> {
        state.rewind();
        let mut x = self.input.forward(chunk, state)?;
        if let Some(middle) = &self.before {
            x = middle.forward(&x, state)?;
        }
        for layer in &self.layers {
            x = match layer {
                Layer::Residual(block) => block.forward(&x, state)?,
                Layer::Resample(resample) => resample.forward(&x, state)?,
            };
        }
        if let Some(middle) = &self.after {
            x = middle.forward(&x, state)?;
        }
        self.output.forward(&self.norm.silu(&x)?, state)
    }
}

/// The autoencoder of one checkpoint.
#[derive(Debug)]
pub struct Vae {
    encoder: Tower,
    decoder: Tower,
    quant: Conv,
    post_quant: Conv,
    mean: Tensor,      // [z, 1, 1, 1]
    deviation: Tensor, // [z, 1, 1, 1]
    z: usize,
    spatial: usize,
    temporal: usize,
}

impl Vae {
    /// Reads both directions.
    pub fn load(config: &VaeConfig, weights: &Weights, device: &Device) -> Result<Self> {
        config.check()?;
        let z = config.z_dim;
        let vector = |values: &[f64]| -> Result<Tensor> {
            let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
            Ok(Tensor::from_vec(values, (z, 1, 1, 1), device)?)
        };
        let point = |name: &str, size| Conv::load(weights, name, (size, size), (1, 1), (Resize::Same, 1), false);
        Ok(Self {
            encoder: encoder(config, weights)?,
            decoder: decoder(config, weights)?,
            quant: point("quant_conv", z * 2)?,
            post_quant: point("post_quant_conv", z)?,
            mean: vector(&config.latents_mean)?,
            deviation: vector(&config.latents_std)?,
            z,
            spatial: config.spatial_factor(),
            temporal: config.temporal_factor(),
        })
    }

    /// Channels of a latent.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.z
    }

    /// Latent frames, height and width of a clip; sizes must divide, and frames be one more than a multiple of 4.
    pub fn latent_size(&self, frames: usize, height: usize, width: usize) -> Result<(usize, usize, usize)> {
        if frames == 0 || !(frames - 1).is_multiple_of(self.temporal) {
            return Err(Error::validation(format!("num_frames must be one more than a multiple of {}", self.temporal)));
        }
        if height == 0 || width == 0 || !height.is_multiple_of(self.spatial) || !width.is_multiple_of(self.spatial) {
            return Err(Error::validation(format!("width and height must be multiples of {}", self.spatial)));
        }
        Ok(((frames - 1) / self.temporal + 1, height / self.spatial, width / self.spatial))
    }

    /// A clip `[3, frames, h, w]` of values from -1 to 1 into normalised latents `[z, (frames - 1) / 4 + 1, h / 8, w / 8]`:
    /// the mode of the posterior, less the mean, over the standard deviation. `chunk(done, total)` is called before each chunk.
    pub fn encode(&self, clip: &Tensor, mut chunk: impl FnMut(usize, usize) -> Result<()>) -> Result<Tensor> {
        let (_, frames, height, width) = clip.dims4()?;
        let (chunks, ..) = self.latent_size(frames, height, width)?;
        let mut state = State::new(self.encoder.slots);
        let mut parts = vec![];
        for index in 0..chunks {
            chunk(index, chunks)?;
            let frames = match index {
                0 => clip.narrow(1, 0, 1)?,
                _ => clip.narrow(1, 1 + self.temporal * (index - 1), self.temporal)?,
            };
            parts.push(self.encoder.forward(&frames.contiguous()?, &mut state)?);
        }
        let moments = self.quant.forward(&Tensor::cat(&parts, 1)?)?;
        Ok(moments.narrow(0, 0, self.z)?.broadcast_sub(&self.mean)?.broadcast_div(&self.deviation)?)
    }

    /// Normalised latents `[z, t, h, w]` into a clip `[3, 4 t - 3, 8 h, 8 w]`, clamped to -1 to 1. `chunk(done, total)` is
    /// called before each chunk.
    pub fn decode(&self, latents: &Tensor, mut chunk: impl FnMut(usize, usize) -> Result<()>) -> Result<Tensor> {
        let (channels, frames, ..) = latents.dims4()?;
        if channels != self.z || frames == 0 {
            return Err(Error::internal("latents of another autoencoder"));
        }
        let latents = latents.broadcast_mul(&self.deviation)?.broadcast_add(&self.mean)?;
        let latents = self.post_quant.forward(&latents)?;
        let mut state = State::new(self.decoder.slots);
        let mut parts = vec![];
        for index in 0..frames {
            chunk(index, frames)?;
            parts.push(self.decoder.forward(&latents.narrow(1, index, 1)?.contiguous()?, &mut state)?);
        }
        Ok(Tensor::cat(&parts, 1)?.clamp(-1f32, 1f32)?)
    }
}

fn encoder(config: &VaeConfig, weights: &Weights) -> Result<Tower> {
    let mut slots = 0;
    let base = config.base_dim;
    let input = CausalConv::load(weights, "encoder.conv_in", 3, base, &mut slots)?;
    let mut layers = vec![];
    let mut width = base;
    for (level, multiple) in config.dim_mult.iter().enumerate() {
        let outputs = base * multiple;
        for _ in 0..config.num_res_blocks {
            let name = format!("encoder.down_blocks.{}", layers.len());
            layers.push(Layer::Residual(Residual::load(weights, &name, width, outputs, &mut slots)?));
            width = outputs;
        }
        if let Some(&halve_time) = config.temperal_downsample.get(level) {
            let name = format!("encoder.down_blocks.{}", layers.len());
            layers.push(Layer::Resample(Resample::down(weights, &name, width, halve_time, &mut slots)?));
        }
    }
    Ok(Tower {
        input,
        before: None,
        layers,
        after: Some(Middle::load(weights, "encoder.mid_block", width, &mut slots)?),
        norm: Norm::load(weights, "encoder.norm_out", width)?,
        output: CausalConv::load(weights, "encoder.conv_out", width, config.z_dim * 2, &mut slots)?,
        slots,
    })
}

fn decoder(config: &VaeConfig, weights: &Weights) -> Result<Tower> {
    let mut slots = 0;
    let base = config.decoder_base_dim.unwrap_or(config.base_dim);
    let mut width = base * config.dim_mult.last().copied().unwrap_or(1);
    let input = CausalConv::load(weights, "decoder.conv_in", config.z_dim, width, &mut slots)?;
    let before = Some(Middle::load(weights, "decoder.mid_block", width, &mut slots)?);
    let mut layers = vec![];
    for (level, multiple) in config.dim_mult.iter().rev().enumerate() {
        let outputs = base * multiple;
        let name = format!("decoder.up_blocks.{level}");
        for block in 0..=config.num_res_blocks {
            let name = format!("{name}.resnets.{block}");
            layers.push(Layer::Residual(Residual::load(weights, &name, width, outputs, &mut slots)?));
            width = outputs;
        }
        if let Some(&double_time) = config.temperal_downsample.iter().rev().nth(level) {
            let name = format!("{name}.upsamplers.0");
            layers.push(Layer::Resample(Resample::up(weights, &name, width, double_time, &mut slots)?));
            width /= 2;
        }
    }
    Ok(Tower {
        input,
        before,
        layers,
        after: None,
        norm: Norm::load(weights, "decoder.norm_out", width)?,
        output: CausalConv::load(weights, "decoder.conv_out", width, 3, &mut slots)?,
        slots,
    })
}
