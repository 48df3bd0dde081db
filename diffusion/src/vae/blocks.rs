//! The layers of Wan's autoencoders, and the frames that they keep between chunks.

use candle_core::Tensor;
use must_tensors::Result;

use super::plan::Widths;
use crate::nn::{Activation, Conv, Linear, Resize, attention, channel_norm};
use crate::weights::Scope;

/// The number of earlier frames that a convolution reads.
const PAST: usize = 2;

/// The frames that the layers of one tower keep between the chunks of a clip.
#[derive(Debug)]
pub(super) struct State {
    tails: Vec<Option<Tensor>>,
    chunk: Chunk,
}

/// The position of a chunk in its clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk {
    /// Whether it is the first one.
    pub(super) first: bool,
    /// Whether it is the last one. Layers then keep nothing.
    pub(super) last: bool,
}

impl State {
    pub(super) fn new(slots: usize) -> Self {
        Self { tails: vec![None; slots], chunk: Chunk { first: true, last: false } }
    }

    /// Starts a chunk. The caller must call this before each one.
    pub(super) fn begin(&mut self, chunk: Chunk) {
        self.chunk = chunk;
    }

    /// Returns whether this is the first chunk of a clip.
    pub(super) fn first(&self) -> bool {
        self.chunk.first
    }

    /// Removes and returns the frames that a layer kept.
    pub(super) fn take(&mut self, slot: usize) -> Option<Tensor> {
        self.tails.get_mut(slot).and_then(Option::take)
    }

    /// Keeps the last `count` frames of `x`. When `x` has fewer, frames of `past` come before them.
    pub(super) fn keep(&mut self, slot: usize, past: Option<&Tensor>, x: &Tensor, count: usize) -> Result<()> {
        if self.chunk.last {
            return Ok(());
        }
        let frames = x.dim(1)?;
        let tail = match past {
            _ if frames >= count => x.narrow(1, frames - count, count)?.contiguous()?,
            Some(past) => {
                let missing = (count - frames).min(past.dim(1)?);
                Tensor::cat(&[&past.narrow(1, past.dim(1)? - missing, missing)?, x], 1)?
            }
            None => x.contiguous()?,
        };
        if let Some(place) = self.tails.get_mut(slot) {
            *place = Some(tail);
        }
        Ok(())
    }

    /// Applies `conv` to `x` and the frames before it. The result has as many frames as `x`.
    pub(super) fn causal(&mut self, slot: usize, conv: &Conv, x: &Tensor) -> Result<Tensor> {
        let past = self.take(slot);
        let output = conv.causal(past.as_ref(), x)?;
        self.keep(slot, past.as_ref(), x, PAST)?;
        Ok(output)
    }
}

/// Returns the next free slot of a tower's state.
pub(super) fn slot(slots: &mut usize) -> usize {
    *slots += 1;
    *slots - 1
}

/// A 3x3x3 convolution over the current frame and two earlier ones.
#[derive(Debug)]
pub(super) struct CausalConv {
    conv: Conv,
    slot: usize,
}

impl CausalConv {
    pub(super) fn load(scope: &Scope<'_>, name: &str, widths: Widths, slots: &mut usize) -> Result<Self> {
        let conv = Conv::load(scope, name, widths, (3, 3), (Resize::Same, 1), false)?;
        Ok(Self { conv, slot: slot(slots) })
    }

    /// Maps `[in, t, h, w]` to `[out, t, h, w]`.
    pub(super) fn forward(&self, x: &Tensor, state: &mut State) -> Result<Tensor> {
        state.causal(self.slot, &self.conv, x)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.conv.bytes()
    }
}

/// Root-mean-square norm over channels.
#[derive(Debug)]
pub(super) struct Norm {
    gain: Tensor, // [channels], the square root of the channel count included
}

impl Norm {
    pub(super) fn load(scope: &Scope<'_>, name: &str, channels: usize) -> Result<Self> {
        Self::load_shaped(scope, name, &[channels, 1, 1, 1])
    }

    fn load_shaped(scope: &Scope<'_>, name: &str, shape: &[usize]) -> Result<Self> {
        let channels = shape.first().copied().unwrap_or(1);
        let gain = scope.tensor(&format!("{name}.gamma"), shape)?.reshape(channels)?;
        Ok(Self { gain: (gain * (channels as f64).sqrt())? })
    }

    /// Normalises `[channels, t, h, w]`.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        channel_norm(x, &self.gain, false)
    }

    /// Applies the norm, then SiLU.
    pub(super) fn silu(&self, x: &Tensor) -> Result<Tensor> {
        channel_norm(x, &self.gain, true)
    }
}

/// Two normalised convolutions with a shortcut around them.
#[derive(Debug)]
pub(super) struct Residual {
    norms: [Norm; 2],
    convs: [CausalConv; 2],
    shortcut: Option<Conv>,
}

impl Residual {
    pub(super) fn load(scope: &Scope<'_>, (inputs, outputs): Widths, slots: &mut usize) -> Result<Self> {
        let shortcut = if inputs == outputs {
            None
        } else {
            Some(Conv::load(scope, "conv_shortcut", (inputs, outputs), (1, 1), (Resize::Same, 1), false)?)
        };
        Ok(Self {
            norms: [Norm::load(scope, "norm1", inputs)?, Norm::load(scope, "norm2", outputs)?],
            convs: [
                CausalConv::load(scope, "conv1", (inputs, outputs), slots)?,
                CausalConv::load(scope, "conv2", (outputs, outputs), slots)?,
            ],
            shortcut,
        })
    }

    /// Maps `[in, t, h, w]` to `[out, t, h, w]`.
    pub(super) fn forward(&self, x: Tensor, state: &mut State) -> Result<Tensor> {
        let [first, second] = &self.norms;
        let [widen, refine] = &self.convs;
        let inner = widen.forward(&first.silu(&x)?, state)?;
        let normal = second.silu(&inner)?;
        drop(inner);
        let inner = refine.forward(&normal, state)?;
        drop(normal);
        let beside = match &self.shortcut {
            Some(shortcut) => {
                let beside = shortcut.forward(&x)?;
                drop(x);
                beside
            }
            None => x,
        };
        Ok((inner + beside)?)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.convs.iter().map(CausalConv::bytes).sum::<u64>() + self.shortcut.as_ref().map_or(0, Conv::bytes)
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
    fn load(scope: &Scope<'_>, width: usize) -> Result<Self> {
        Ok(Self {
            norm: Norm::load_shaped(scope, "norm", &[width, 1, 1])?,
            joint: Linear::load_shaped(scope, "to_qkv", &[width * 3, width, 1, 1], true)?,
            output: Linear::load_shaped(scope, "proj", &[width, width, 1, 1], true)?,
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

    fn bytes(&self) -> u64 {
        self.joint.bytes() + self.output.bytes()
    }
}

/// The middle of a tower: block, attention, block.
#[derive(Debug)]
pub(super) struct Middle {
    blocks: [Residual; 2],
    attention: FrameAttention,
}

impl Middle {
    pub(super) fn load(scope: &Scope<'_>, width: usize, slots: &mut usize) -> Result<Self> {
        Ok(Self {
            blocks: [
                Residual::load(&scope.pp("resnets.0"), (width, width), slots)?,
                Residual::load(&scope.pp("resnets.1"), (width, width), slots)?,
            ],
            attention: FrameAttention::load(&scope.pp("attentions.0"), width)?,
        })
    }

    /// Applies the three parts. The shape does not change.
    pub(super) fn forward(&self, x: Tensor, state: &mut State) -> Result<Tensor> {
        let [first, second] = &self.blocks;
        let x = self.attention.forward(&first.forward(x, state)?)?;
        second.forward(x, state)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.blocks.iter().map(Residual::bytes).sum::<u64>() + self.attention.bytes()
    }
}
