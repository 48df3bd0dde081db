//! The Wan autoencoders: clips to latents and back, causal in time.
//!
//! Always holds: a clip is processed in chunks. Encoding takes the first frame alone and then four frames at a time;
//! decoding takes one latent frame at a time. Each convolution keeps the last frames of its input between chunks, so the
//! result equals that of the whole clip while memory is that of one chunk. Layers that change the frame rate never mix the
//! first frame with later ones.
//!
//! Reference: <https://github.com/huggingface/diffusers/blob/main/src/diffusers/models/autoencoders/autoencoder_kl_wan.py>

use candle_core::Tensor;
use must_tensors::Result;

use super::Factors;
use super::blocks::{CausalConv, Chunk, Middle, Norm, Residual, State};
use super::config::VaeConfig;
use super::plan::{LevelPlan, TowerPlan, decoder, encoder};
use super::resample::{Resample, Shortcut, patchify, unpatchify};
use super::tiling::{ChunkedAutoencoder, Depth, Direction, Pass};
use crate::nn::{Conv, Resize};
use crate::weights::Scope;

/// Residual blocks, followed by a change of size.
#[derive(Debug)]
struct Level {
    blocks: Vec<Residual>,
    resample: Option<Resample>,
    shortcut: Option<Shortcut>,
}

impl Level {
    fn load(scope: &Scope<'_>, plan: &LevelPlan, up: bool, slots: &mut usize) -> Result<Self> {
        let blocks = plan
            .blocks
            .iter()
            .map(|(name, widths)| Residual::load(&scope.pp(name), *widths, slots))
            .collect::<Result<_>>()?;
        let resample = match &plan.resample {
            Some(resample) => Some(Resample::load(&scope.pp(&resample.name), resample, up, slots)?),
            None => None,
        };
        let shortcut = plan.shortcut.then(|| Shortcut::new(plan.widths(), plan.resample.as_ref(), up));
        Ok(Self { blocks, resample, shortcut })
    }

    fn forward(&self, x: Tensor, state: &mut State) -> Result<Tensor> {
        let input = self.shortcut.map(|shortcut| (shortcut, x.clone()));
        let mut x = x;
        for block in &self.blocks {
            x = block.forward(x, state)?;
        }
        if let Some(resample) = &self.resample {
            x = resample.forward(x, state)?;
        }
        match input {
            Some((shortcut, input)) => shortcut.add(x, &input, state.first()),
            None => Ok(x),
        }
    }

    fn bytes(&self) -> u64 {
        self.blocks.iter().map(Residual::bytes).sum::<u64>() + self.resample.as_ref().map_or(0, Resample::bytes)
    }
}

/// The encoder or the decoder: an input convolution, the middle and the levels, an output convolution. The middle comes
/// after the encoder's levels and before the decoder's.
#[derive(Debug)]
struct Tower {
    input: CausalConv,
    middle: Middle,
    up: bool,
    levels: Vec<Level>,
    norm: Norm,
    output: CausalConv,
    slots: usize,
}

impl Tower {
    fn load(scope: &Scope<'_>, plan: &TowerPlan) -> Result<Self> {
        let scope = scope.pp(plan.name);
        let mut slots = 0;
        let levels =
            plan.levels.iter().map(|level| Level::load(&scope, level, plan.up, &mut slots)).collect::<Result<_>>()?;
        Ok(Self {
            input: CausalConv::load(&scope, "conv_in", plan.input, &mut slots)?,
            middle: Middle::load(&scope.pp("mid_block"), plan.middle, &mut slots)?,
            up: plan.up,
            levels,
            norm: Norm::load(&scope, "norm_out", plan.output.0)?,
            output: CausalConv::load(&scope, "conv_out", plan.output, &mut slots)?,
            slots,
        })
    }

    /// Applies the layers that work at the size of latents.
    fn deep(&self, x: &Tensor, state: &mut State) -> Result<Tensor> {
        match self.up {
            true => self.middle.forward(self.input.forward(x, state)?, state),
            false => self.last(self.middle.forward(x.clone(), state)?, state),
        }
    }

    /// Applies the layers between the size of latents and that of frames.
    fn wide(&self, x: &Tensor, state: &mut State) -> Result<Tensor> {
        match self.up {
            true => self.last(self.levels(x.clone(), state)?, state),
            false => self.levels(self.input.forward(x, state)?, state),
        }
    }

    fn levels(&self, mut x: Tensor, state: &mut State) -> Result<Tensor> {
        for level in &self.levels {
            x = level.forward(x, state)?;
        }
        Ok(x)
    }

    fn last(&self, x: Tensor, state: &mut State) -> Result<Tensor> {
        let normal = self.norm.silu(&x)?;
        drop(x);
        self.output.forward(&normal, state)
    }

    fn bytes(&self) -> u64 {
        self.input.bytes()
            + self.middle.bytes()
            + self.levels.iter().map(Level::bytes).sum::<u64>()
            + self.output.bytes()
    }
}

/// The autoencoder of one checkpoint of Wan 2.1 or 2.2.
#[derive(Debug)]
pub(crate) struct Vae {
    encoder: (Tower, Conv),
    decoder: (Tower, Conv),
    mean: Tensor,      // [z, 1, 1, 1]
    deviation: Tensor, // [z, 1, 1, 1]
    factors: Factors,
    patch: usize,
}

impl Vae {
    /// Loads the autoencoder that `config` describes. It computes in float32, as the reference does.
    pub(crate) fn load(config: &VaeConfig, scope: &Scope<'_>) -> Result<Self> {
        config.check()?;
        let scope = &scope.precise();
        let z = config.z_dim;
        let vector = |values: &[f64]| -> Result<Tensor> {
            let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
            Ok(Tensor::from_vec(values, (z, 1, 1, 1), &scope.place().device)?)
        };
        let point = |name: &str, size| Conv::load(scope, name, (size, size), (1, 1), (Resize::Same, 1), false);
        Ok(Self {
            encoder: (Tower::load(scope, &encoder(config))?, point("quant_conv", z * 2)?),
            decoder: (Tower::load(scope, &decoder(config))?, point("post_quant_conv", z)?),
            mean: vector(&config.latents_mean)?,
            deviation: vector(&config.latents_std)?,
            factors: config.factors(),
            patch: config.patch_size,
        })
    }

    /// Returns the bytes of the weights.
    pub(crate) fn bytes(&self) -> u64 {
        let direction = |(tower, point): &(Tower, Conv)| tower.bytes() + point.bytes();
        direction(&self.encoder) + direction(&self.decoder)
    }
}

impl ChunkedAutoencoder for Vae {
    fn factors(&self) -> Factors {
        self.factors
    }

    fn pass(&self, direction: Direction, depth: Depth) -> Box<dyn Pass + '_> {
        let (tower, _) = match direction {
            Direction::Encode => &self.encoder,
            Direction::Decode => &self.decoder,
        };
        Box::new(TowerRun { vae: self, direction, depth, state: State::new(tower.slots), first: true })
    }
}

/// One half of a tower's layers, applied to a clip or to a tile of it, chunk by chunk.
struct TowerRun<'a> {
    vae: &'a Vae,
    direction: Direction,
    depth: Depth,
    state: State,
    first: bool,
}

impl Pass for TowerRun<'_> {
    fn next(&mut self, chunk: &Tensor, last: bool) -> Result<Tensor> {
        let vae = self.vae;
        let ((encoder, quant), (decoder, post_quant)) = (&vae.encoder, &vae.decoder);
        self.state.begin(Chunk { first: std::mem::take(&mut self.first), last });
        match (self.direction, self.depth) {
            (Direction::Encode, Depth::Wide) => encoder.wide(&patchify(chunk, vae.patch)?, &mut self.state),
            (Direction::Encode, Depth::Deep) => {
                // The mean of the posterior, normalised by the mean and the standard deviation of latents.
                let moments = quant.forward(&encoder.deep(chunk, &mut self.state)?)?;
                let mode = moments.narrow(0, 0, vae.factors.channels)?;
                Ok(mode.broadcast_sub(&vae.mean)?.broadcast_div(&vae.deviation)?)
            }
            (Direction::Decode, Depth::Deep) => {
                let latents = chunk.broadcast_mul(&vae.deviation)?.broadcast_add(&vae.mean)?;
                decoder.deep(&post_quant.forward(&latents)?, &mut self.state)
            }
            (Direction::Decode, Depth::Wide) => {
                let frames = decoder.wide(chunk, &mut self.state)?;
                Ok(unpatchify(&frames, vae.patch)?.clamp(-1f32, 1f32)?)
            }
        }
    }
}
