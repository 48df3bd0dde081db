//! The parts of the autoencoder, and what they remember between chunks.

use candle_core::Tensor;

use crate::diffusion::kernels::{Activation, Conv, Linear, Resize, attention, channel_norm};
use crate::diffusion::weights::Weights;
use crate::error::{Error, Result};

/// What the layers of one tower remember between the chunks of one clip.
#[derive(Debug)]
pub(super) struct State {
    tails: Vec<Option<Tensor>>,
    first: bool,
}

impl State {
    pub(super) fn new(slots: usize) -> Self {
        Self { tails: vec![None; slots], first: true }
    }

    /// Called before each chunk.
    pub(super) fn rewind(&mut self) {
        self.first = self.tails.iter().all(Option::is_none);
    }

    fn take(&mut self, slot: usize) -> Option<Tensor> {
        self.tails.get_mut(slot).and_then(Option::take)
    }

    fn keep(&mut self, slot: usize, tail: Tensor) {
        if let Some(place) = self.tails.get_mut(slot) {
            *place = Some(tail);
        }
    }

    /// `x` with its two predecessors in time (zeros where there are none) in front; keeps its own last two.
    fn with_past(&mut self, slot: usize, x: &Tensor) -> Result<Tensor> {
        let past = match self.take(slot) {
            Some(past) => past,
            None => {
                let (channels, _, height, width) = x.dims4()?;
                Tensor::zeros((channels, 2, height, width), x.dtype(), x.device())?
            }
        };
        let joined = Tensor::cat(&[&past, x], 1)?;
        let count = joined.dim(1)?;
        self.keep(slot, joined.narrow(1, count - 2, 2)?.contiguous()?);
        Ok(joined)
    }
}

/// The next slot of a tower's state.
fn slot(slots: &mut usize) -> usize {
    *slots += 1;
    *slots - 1
}

/// A 3x3x3 convolution that looks at the present and two past frames.
#[derive(Debug)]
pub(super) struct CausalConv {
    conv: Conv,
    slot: usize,
}

impl CausalConv {
    pub(super) fn load(
        weights: &Weights,
        name: &str,
        inputs: usize,
        outputs: usize,
        slots: &mut usize,
    ) -> Result<Self> {
        let conv = Conv::load(weights, name, (inputs, outputs), (3, 3), (Resize::Same, 1), false)?;
        Ok(Self { conv, slot: slot(slots) })
    }

    /// `[in, t, h, w]` to `[out, t, h, w]`.
    pub(super) fn forward(&self, x: &Tensor, state: &mut State) -> Result<Tensor> {
        self.conv.forward(&state.with_past(self.slot, x)?)
    }
}

/// Root-mean-square norm over channels.
#[derive(Debug)]
pub(super) struct Norm {
    gain: Tensor, // [channels], the square root of the channel count included
}

impl Norm {
    pub(super) fn load(weights: &Weights, name: &str, channels: usize) -> Result<Self> {
        Self::load_shaped(weights, name, &[channels, 1, 1, 1])
    }

    fn load_shaped(weights: &Weights, name: &str, shape: &[usize]) -> Result<Self> {
        let channels = shape.first().copied().unwrap_or(1);
        let gain = weights.get(&format!("{name}.gamma"), shape.to_vec())?.reshape(channels)?;
        Ok(Self { gain: (gain * (channels as f64).sqrt())? })
    }

    /// `[channels, t, h, w]`, same shape out.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        channel_norm(x, &self.gain, false)
    }

    /// The norm, then SiLU.
    pub(super) fn silu(&self, x: &Tensor) -> Result<Tensor> {
        channel_norm(x, &self.gain, true)
    }
}

/// Two normalised convolutions beside a shortcut.
#[derive(Debug)]
pub(super) struct Residual {
    norms: [Norm; 2],
    convs: [CausalConv; 2],
    shortcut: Option<Conv>,
}

impl Residual {
    pub(super) fn load(
        weights: &Weights,
        name: &str,
        inputs: usize,
        outputs: usize,
        slots: &mut usize,
    ) -> Result<Self> {
        let shortcut = if inputs == outputs {
            None
        } else {
            let name = format!("{name}.conv_shortcut");
            Some(Conv::load(weights, &name, (inputs, outputs), (1, 1), (Resize::Same, 1), false)?)
        };
        Ok(Self {
            norms: [
                Norm::load(weights, &format!("{name}.norm1"), inputs)?,
                Norm::load(weights, &format!("{name}.norm2"), outputs)?,
            ],
            convs: [
                CausalConv::load(weights, &format!("{name}.conv1"), inputs, outputs, slots)?,
                CausalConv::load(weights, &format!("{name}.conv2"), outputs, outputs, slots)?,
            ],
            shortcut,
        })
    }

    /// `[in, t, h, w]` to `[out, t, h, w]`.
    pub(super) fn forward(&self, x: &Tensor, state: &mut State) -> Result<Tensor> {
        let mut inner = x.clone();
        for (norm, conv) in self.norms.iter().zip(&self.convs) {
            inner = conv.forward(&norm.silu(&inner)?, state)?;
        }
        let beside = match &self.shortcut {
            Some(shortcut) => shortcut.forward(x)?,
            None => x.clone(),
        };
        Ok((inner + beside)?)
    }
}

/// Attention with one head among the pixels of each frame.
#[derive(Debug)]
struct FrameAttention {
    norm: Norm,
    joint: Linear,
    output: Linear,
}

impl FrameAttention {
    fn load(weights: &Weights, name: &str, width: usize) -> Result<Self> {
        let point = |part: &str, outputs: usize| -> Result<Linear> {
            let weight = weights.get(&format!("{name}.{part}.weight"), (outputs, width, 1, 1))?;
            let bias = weights.get(&format!("{name}.{part}.bias"), outputs)?;
            Linear::new(weight.reshape((outputs, width))?, Some(bias))
        };
        Ok(Self {
            norm: Norm::load_shaped(weights, &format!("{name}.norm"), &[width, 1, 1])?,
            joint: point("to_qkv", width * 3)?,
            output: point("proj", width)?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (channels, frames, height, width) = x.dims4()?;
        let pixels = height * width;
        let rows = self.norm.forward(x)?.reshape((channels, frames * pixels))?.t()?.contiguous()?;
        let joint = self.joint.forward(&rows, Activation::None)?; // [t * h * w, 3 * channels]
        let mixed = (0..frames)
            .map(|frame| {
                let part = |index| {
                    joint.narrow(0, frame * pixels, pixels)?.narrow(1, index * channels, channels)?.contiguous()
                };
                attention(&part(0)?, &part(1)?, &part(2)?, 1)
            })
            .collect::<Result<Vec<_>>>()?;
        let output = self.output.forward(&Tensor::cat(&mixed, 0)?, Activation::None)?;
        Ok((output.t()?.reshape((channels, frames, height, width))? + x)?)
    }
}

/// The middle of either direction: block, attention, block.
#[derive(Debug)]
pub(super) struct Middle {
    blocks: [Residual; 2],
    attention: FrameAttention,
}

impl Middle {
    pub(super) fn load(weights: &Weights, name: &str, width: usize, slots: &mut usize) -> Result<Self> {
        Ok(Self {
            blocks: [
                Residual::load(weights, &format!("{name}.resnets.0"), width, width, slots)?,
                Residual::load(weights, &format!("{name}.resnets.1"), width, width, slots)?,
            ],
            attention: FrameAttention::load(weights, &format!("{name}.attentions.0"), width)?,
        })
    }

    /// Shape kept.
    pub(super) fn forward(&self, x: &Tensor, state: &mut State) -> Result<Tensor> {
        let [first, second] = &self.blocks;
        let x = self.attention.forward(&first.forward(x, state)?)?;
        second.forward(&x, state)
    }
}

/// A change of size: in space always, in time if there is a convolution for it.
#[derive(Debug)]
pub(super) struct Resample {
    space: Conv,
    time: Option<(Conv, usize)>,
    up: bool,
}

impl Resample {
    /// Doubles height and width and halves channels; `time` doubles frames too, except for the first of a clip.
    pub(super) fn up(weights: &Weights, name: &str, width: usize, time: bool, slots: &mut usize) -> Result<Self> {
        let space =
            Conv::load(weights, &format!("{name}.resample.1"), (width, width / 2), (1, 3), (Resize::Double, 1), true)?;
        let time = if time {
            let name = format!("{name}.time_conv");
            let conv = Conv::load(weights, &name, (width, width * 2), (3, 1), (Resize::Same, 1), false)?;
            Some((conv, slot(slots)))
        } else {
            None
        };
        Ok(Self { space, time, up: true })
    }

    /// Halves height and width; `time` halves frames too, except for the first of a clip.
    pub(super) fn down(weights: &Weights, name: &str, width: usize, time: bool, slots: &mut usize) -> Result<Self> {
        let space =
            Conv::load(weights, &format!("{name}.resample.1"), (width, width), (1, 3), (Resize::Half, 1), true)?;
        let time = if time {
            let name = format!("{name}.time_conv");
            let conv = Conv::load(weights, &name, (width, width), (3, 1), (Resize::Same, 2), false)?;
            Some((conv, slot(slots)))
        } else {
            None
        };
        Ok(Self { space, time, up: false })
    }

    pub(super) fn forward(&self, x: &Tensor, state: &mut State) -> Result<Tensor> {
        match &self.time {
            Some((conv, slot)) if self.up => {
                if state.first {
                    return self.space.forward(x);
                }
                let (channels, frames, height, width) = x.dims4()?;
                let doubled = conv.forward(&state.with_past(*slot, x)?)?; // [2 * channels, t, h, w]
                let doubled = doubled
                    .reshape((2, channels, frames, height, width))?
                    .permute((1, 2, 0, 3, 4))?
                    .reshape((channels, frames * 2, height, width))?;
                self.space.forward(&doubled)
            }
            Some((conv, slot)) => {
                let x = self.space.forward(x)?;
                let frames = x.dim(1)?;
                let past = state.take(*slot);
                state.keep(*slot, x.narrow(1, frames - 1, 1)?.contiguous()?);
                match past {
                    None if frames == 1 => Ok(x),
                    None => Err(Error::internal("a clip must begin with a chunk of one frame")),
                    Some(past) => conv.forward(&Tensor::cat(&[&past, &x], 1)?),
                }
            }
            None => self.space.forward(x),
        }
    }
}
