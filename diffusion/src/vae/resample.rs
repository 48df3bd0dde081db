//! Changes of size: height and width by convolutions, the number of frames by convolutions whose output is interleaved, and
//! all three by averaging and repeating in the shortcuts of Wan 2.2.

use candle_core::Tensor;
use must_tensors::{Error, Result};

use super::blocks::{State, slot};
use super::plan::{ResamplePlan, Widths};
use crate::nn::{Conv, Resize};
use crate::weights::Scope;

/// A change of height and width, and of the number of frames if it has a convolution for that.
#[derive(Debug)]
pub(super) struct Resample {
    space: Conv,
    time: Option<(Conv, usize)>,
    up: bool,
}

impl Resample {
    /// Loads a layer that doubles (`up`) or halves height and width. If the plan sets `time`, it also doubles or halves the
    /// frames of a clip, except for the first one.
    pub(super) fn load(scope: &Scope<'_>, plan: &ResamplePlan, up: bool, slots: &mut usize) -> Result<Self> {
        let (inputs, outputs) = plan.widths;
        let resize = if up { Resize::Double } else { Resize::Half };
        let space = Conv::load(scope, "resample.1", (inputs, outputs), (1, 3), (resize, 1), true)?;
        let time = match (plan.time, up) {
            (false, _) => None,
            (true, true) => {
                Some(Conv::load(scope, "time_conv", (inputs, inputs * 2), (3, 1), (Resize::Same, 1), false)?)
            }
            (true, false) => {
                Some(Conv::load(scope, "time_conv", (outputs, outputs), (3, 1), (Resize::Same, 2), false)?)
            }
        };
        Ok(Self { space, time: time.map(|conv| (conv, slot(slots))), up })
    }

    /// Maps `[in, t, h, w]` to `[out, t', h', w']`.
    pub(super) fn forward(&self, x: Tensor, state: &mut State) -> Result<Tensor> {
        match &self.time {
            Some((conv, slot)) if self.up => {
                if state.first() {
                    return self.space.forward(&x);
                }
                let (channels, frames, height, width) = x.dims4()?;
                let pairs = state.causal(*slot, conv, &x)?; // [2 * channels, t, h, w]
                drop(x);
                let doubled = pairs
                    .reshape((2, channels, frames, height, width))?
                    .permute((1, 2, 0, 3, 4))?
                    .reshape((channels, frames * 2, height, width))?;
                drop(pairs);
                self.space.forward(&doubled)
            }
            Some((conv, slot)) => {
                let x = self.space.forward(&x)?;
                let past = state.take(*slot);
                state.keep(*slot, None, &x, 1)?;
                match past {
                    None if x.dim(1)? == 1 => Ok(x),
                    None => Err(Error::internal("a clip must begin with a chunk of one frame")),
                    Some(past) => conv.forward(&Tensor::cat(&[&past, &x], 1)?),
                }
            }
            None => self.space.forward(&x),
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.space.bytes() + self.time.as_ref().map_or(0, |(conv, _)| conv.bytes())
    }
}

/// The shortcut around a level. It has no weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shortcut {
    widths: Widths,
    /// How often frames are repeated, or how many frames are averaged.
    time: usize,
    /// The same for height and width.
    space: usize,
    up: bool,
}

impl Shortcut {
    /// Creates the shortcut around a level with these channels that ends with this change of size.
    pub(super) fn new(widths: Widths, resample: Option<&ResamplePlan>, up: bool) -> Self {
        let (time, space) = resample.map_or((1, 1), |resample| (1 + usize::from(resample.time), 2));
        Self { widths, time, space, up }
    }

    /// Adds the input `[in, t, h, w]` of a level to its output `[out, t', h', w']`, which must not be shared. When sizes
    /// grow it works frame by frame, so that it needs no second tensor of the output's size.
    pub(super) fn add(&self, output: Tensor, input: &Tensor, first: bool) -> Result<Tensor> {
        if !self.up {
            return Ok((output + self.averaged(input)?)?);
        }
        let output = output.contiguous()?;
        // The first chunk of a clip contains only the last one of the repeated frames.
        let skipped = if first { self.time - 1 } else { 0 };
        let mut at = 0;
        for frame in 0..input.dim(1)? {
            let repeated = self.repeated(&input.narrow(1, frame, 1)?)?;
            let from = if frame == 0 { skipped } else { 0 };
            let count = repeated.dim(1)? - from;
            let sum = (output.narrow(1, at, count)? + repeated.narrow(1, from, count)?)?;
            output.slice_set(&sum.contiguous()?, 1, at)?;
            at += count;
        }
        Ok(output)
    }

    /// Maps `[in, t, h, w]` to `[out, t / time, h / space, w / space]`, with zero frames in front if the number of frames
    /// does not divide. The pixels of a block become channels, and groups of adjacent channels are averaged. This is
    /// `AvgDown3D` of the reference.
    fn averaged(&self, x: &Tensor) -> Result<Tensor> {
        let (inputs, outputs) = self.widths;
        let (time, space) = (self.time, self.space);
        let missing = (time - x.dim(1)? % time) % time;
        let x = x.pad_with_zeros(1, missing, 0)?;
        let (_, frames, height, width) = x.dims4()?;
        let (frames, height, width) = (frames / time, height / space, width / space);
        let group = inputs * time * space * space / outputs;
        if group == 1 && inputs == outputs {
            return Ok(x);
        }
        Ok(x.reshape(&[inputs, frames, time, height, space, width, space])?
            .permute([0, 2, 4, 6, 1, 3, 5].as_slice())?
            .reshape((outputs, group, frames, height, width))?
            .mean(1)?)
    }

    /// Maps `[in, t, h, w]` to `[out, t * time, h * space, w * space]`. Each channel is repeated, and groups of channels
    /// become the pixels of a block. This is `DupUp3D` of the reference.
    fn repeated(&self, x: &Tensor) -> Result<Tensor> {
        let (inputs, outputs) = self.widths;
        let (time, space) = (self.time, self.space);
        let (_, frames, height, width) = x.dims4()?;
        let repeats = outputs * time * space * space / inputs;
        Ok(x.unsqueeze(1)?
            .broadcast_as((inputs, repeats, frames, height, width))?
            .reshape(&[outputs, time, space, space, frames, height, width])?
            .permute([0, 4, 1, 5, 2, 6, 3].as_slice())?
            .reshape((outputs, frames * time, height * space, width * space))?)
    }
}

/// Maps `[c, t, h, w]` to `[c * patch^2, t, h / patch, w / patch]`. The channels are in the order colour, column, row.
pub(super) fn patchify(x: &Tensor, patch: usize) -> Result<Tensor> {
    if patch == 1 {
        return Ok(x.clone());
    }
    let (channels, frames, height, width) = x.dims4()?;
    let (height, width) = (height / patch, width / patch);
    Ok(x.reshape((channels, frames, height, patch, width, patch))?.permute((0, 5, 3, 1, 2, 4))?.reshape((
        channels * patch * patch,
        frames,
        height,
        width,
    ))?)
}

/// Reverses [`patchify`].
pub(super) fn unpatchify(x: &Tensor, patch: usize) -> Result<Tensor> {
    if patch == 1 {
        return Ok(x.clone());
    }
    let (channels, frames, height, width) = x.dims4()?;
    let channels = channels / (patch * patch);
    Ok(x.reshape((channels, patch, patch, frames, height, width))?.permute((0, 3, 4, 2, 5, 1))?.reshape((
        channels,
        frames,
        height * patch,
        width * patch,
    ))?)
}
