//! Convolutions over clips, and what happens to the grid just before one.

use candle_core::Tensor;

use crate::diffusion::weights::Weights;
use crate::error::Result;

/// What a convolution does to height and width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resize {
    /// Keeps them; the input is padded evenly with zeros.
    Same,
    /// Doubles them: each pixel of the input stands for four (nearest).
    Double,
    /// Halves them: stride 2, one zero column and row at right and bottom.
    Half,
}

/// A convolution of kernel `[kt, k, k]`. Time is not padded: the caller puts `kt - 1` frames in front.
#[derive(Debug)]
pub(crate) struct Conv {
    taps: Vec<Tensor>, // kt of [out, in, k, k]
    bias: Tensor,      // [out]
    resize: Resize,
    time_stride: usize,
    kernel: usize,
}

impl Conv {
    /// Reads `name.weight` and `name.bias`. `flat` says that the checkpoint keeps the weight without a time axis.
    pub(crate) fn load(
        weights: &Weights,
        name: &str,
        (inputs, outputs): (usize, usize),
        (time, kernel): (usize, usize),
        (resize, time_stride): (Resize, usize),
        flat: bool,
    ) -> Result<Self> {
        let weight = if flat {
            weights.get(&format!("{name}.weight"), (outputs, inputs, kernel, kernel))?.unsqueeze(2)?
        } else {
            weights.get(&format!("{name}.weight"), (outputs, inputs, time, kernel, kernel))?
        };
        let bias = weights.get(&format!("{name}.bias"), outputs)?;
        let taps = (0..time)
            .map(|tap| Ok(weight.narrow(2, tap, 1)?.squeeze(2)?.contiguous()?))
            .collect::<Result<_>>()?;
        Ok(Self { taps, bias, resize, time_stride, kernel })
    }

    /// `[in, t, h, w]` to `[out, (t - kt) / stride + 1, h', w']`.
    pub(crate) fn forward(&self, input: &Tensor) -> Result<Tensor> {
        self.plain(input)
    }

    fn plain(&self, input: &Tensor) -> Result<Tensor> {
        let frames = input.transpose(0, 1)?.contiguous()?; // [t, in, h, w]
        let (count, _, height, width) = frames.dims4()?;
        let (frames, padding, stride) = match self.resize {
            Resize::Same => (frames, self.kernel / 2, 1),
            Resize::Double => (frames.upsample_nearest2d(height * 2, width * 2)?, self.kernel / 2, 1),
            Resize::Half => (frames.pad_with_zeros(2, 0, 1)?.pad_with_zeros(3, 0, 1)?, 0, 2),
        };
        let outputs = (count - self.taps.len()) / self.time_stride + 1;
        let mut sum: Option<Tensor> = None;
        for (tap, weight) in self.taps.iter().enumerate() {
            let part = if self.time_stride == 1 {
                frames.narrow(0, tap, outputs)?
            } else {
                let picked = (0..outputs)
                    .map(|frame| frames.narrow(0, tap + frame * self.time_stride, 1))
                    .collect::<candle_core::Result<Vec<_>>>()?;
                Tensor::cat(&picked, 0)?
            };
            let part = part.conv2d(weight, padding, stride, 1, 1)?;
            sum = Some(match sum {
                None => part,
                Some(sum) => (sum + part)?,
            });
        }
        let sum = sum.ok_or_else(|| crate::Error::internal("a convolution without weights"))?;
        let outputs = self.bias.dim(0)?;
        Ok(sum.broadcast_add(&self.bias.reshape((1, outputs, 1, 1))?)?.transpose(0, 1)?.contiguous()?)
    }
}
