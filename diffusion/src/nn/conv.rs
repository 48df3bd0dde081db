//! Convolutions over clips, with what happens to the grid just before one.

use candle_core::Tensor;

use super::cpu;
use crate::error::{Error, Result};
use crate::weights::Scope;

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

/// What a convolution is besides its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConvShape {
    /// Channels in.
    pub(crate) inputs: usize,
    /// Channels out.
    pub(crate) outputs: usize,
    /// Taps in time.
    pub(crate) time: usize,
    /// Taps in height and in width.
    pub(crate) kernel: usize,
    /// What happens to height and width.
    pub(crate) resize: Resize,
    /// Frames that one output frame moves on.
    pub(crate) time_stride: usize,
}

/// A convolution of kernel `[kt, k, k]`. Time is not padded: the caller puts `kt - 1` frames in front.
#[derive(Debug)]
pub(crate) struct Conv {
    shape: ConvShape,
    numbers: Numbers,
}

#[derive(Debug)]
enum Numbers {
    Packed(cpu::PackedConv),
    Plain {
        taps: Vec<Tensor>, // kt of [out, in, k, k]
        bias: Tensor,      // [out]
    },
}

impl Conv {
    /// Reads `name.weight` and `name.bias`. `flat` says that the checkpoint keeps the weight without a time axis.
    pub(crate) fn load(
        scope: &Scope<'_>,
        name: &str,
        (inputs, outputs): (usize, usize),
        (time, kernel): (usize, usize),
        (resize, time_stride): (Resize, usize),
        flat: bool,
    ) -> Result<Self> {
        let weight = if flat {
            scope.tensor(&format!("{name}.weight"), (outputs, inputs, kernel, kernel))?.unsqueeze(2)?
        } else {
            scope.tensor(&format!("{name}.weight"), (outputs, inputs, time, kernel, kernel))?
        };
        Self::new(&weight, scope.tensor(&format!("{name}.bias"), outputs)?, resize, time_stride)
    }

    /// A convolution from weight `[out, in, kt, k, k]` and bias `[out]`.
    fn new(weight: &Tensor, bias: Tensor, resize: Resize, time_stride: usize) -> Result<Self> {
        let (outputs, inputs, time, kernel, _) = weight.dims5()?;
        let shape = ConvShape { inputs, outputs, time, kernel, resize, time_stride };
        let numbers = if cpu::takes(weight) {
            Numbers::Packed(cpu::PackedConv::new(
                shape,
                &weight.flatten_all()?.to_vec1::<f32>()?,
                bias.to_vec1::<f32>()?,
            ))
        } else {
            Self::taps(weight, bias)?
        };
        Ok(Self { shape, numbers })
    }

    fn taps(weight: &Tensor, bias: Tensor) -> Result<Numbers> {
        let taps = (0..weight.dim(2)?)
            .map(|tap| Ok(weight.narrow(2, tap, 1)?.squeeze(2)?.contiguous()?))
            .collect::<Result<_>>()?;
        Ok(Numbers::Plain { taps, bias })
    }

    /// `[in, t, h, w]` to `[out, (t - kt) / stride + 1, h', w']`. Halving needs even sides.
    pub(crate) fn forward(&self, input: &Tensor) -> Result<Tensor> {
        match &self.numbers {
            Numbers::Packed(packed) => Ok(input.contiguous()?.apply_op1_no_bwd(packed)?),
            Numbers::Plain { taps, bias } => self.plain(input, taps, bias),
        }
    }

    /// The same with as many frames out as in: `past` `[in, p, h, w]`, at most `kt - 1` frames, stands in front of `input`, and
    /// zeros in front of that.
    pub(crate) fn causal(&self, past: Option<&Tensor>, input: &Tensor) -> Result<Tensor> {
        match (&self.numbers, past) {
            (Numbers::Packed(packed), None) => Ok(input.contiguous()?.apply_op1_no_bwd(&cpu::Causal(packed))?),
            (Numbers::Packed(packed), Some(past)) => {
                Ok(past.contiguous()?.apply_op2_no_bwd(&input.contiguous()?, &cpu::Causal(packed))?)
            }
            (Numbers::Plain { taps, bias }, past) => {
                let joined = match past {
                    Some(past) => Tensor::cat(&[past, input], 1)?,
                    None => input.clone(),
                };
                let missing = (self.shape.time - 1 + input.dim(1)?).saturating_sub(joined.dim(1)?);
                self.plain(&joined.pad_with_zeros(1, missing, 0)?, taps, bias)
            }
        }
    }

    /// Bytes of weights that it holds.
    pub(crate) fn bytes(&self) -> u64 {
        match &self.numbers {
            Numbers::Packed(packed) => packed.bytes(),
            Numbers::Plain { taps, bias } => {
                let count = taps.iter().map(Tensor::elem_count).sum::<usize>() + bias.elem_count();
                (count * size_of::<f32>()) as u64
            }
        }
    }

    fn plain(&self, input: &Tensor, taps: &[Tensor], bias: &Tensor) -> Result<Tensor> {
        let ConvShape { outputs: channels, time, kernel, resize, time_stride, .. } = self.shape;
        let frames = input.transpose(0, 1)?.contiguous()?; // [t, in, h, w]
        let (count, _, height, width) = frames.dims4()?;
        let (frames, padding, stride) = match resize {
            Resize::Same => (frames, kernel / 2, 1),
            Resize::Double => (frames.upsample_nearest2d(height * 2, width * 2)?, kernel / 2, 1),
            Resize::Half => (frames.pad_with_zeros(2, 0, 1)?.pad_with_zeros(3, 0, 1)?, 0, 2),
        };
        let outputs = (count - time) / time_stride + 1;
        let mut sum: Option<Tensor> = None;
        for (tap, weight) in taps.iter().enumerate() {
            let part = if time_stride == 1 {
                frames.narrow(0, tap, outputs)?
            } else {
                let picked = (0..outputs)
                    .map(|frame| frames.narrow(0, tap + frame * time_stride, 1))
                    .collect::<candle_core::Result<Vec<_>>>()?;
                Tensor::cat(&picked, 0)?
            };
            let part = part.conv2d(weight, padding, stride, 1, 1)?;
            sum = Some(match sum {
                None => part,
                Some(sum) => (sum + part)?,
            });
        }
        let sum = sum.ok_or_else(|| Error::internal("a convolution without weights"))?;
        Ok(sum.broadcast_add(&bias.reshape((1, channels, 1, 1))?)?.transpose(0, 1)?.contiguous()?)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{D, Device};

    use super::*;

    fn random(shape: &[usize]) -> Tensor {
        Tensor::randn(0f32, 0.3, shape, &Device::Cpu).unwrap()
    }

    fn worst(a: &Tensor, b: &Tensor) -> f32 {
        assert_eq!(a.dims(), b.dims());
        (a - b).unwrap().abs().unwrap().flatten_all().unwrap().max(D::Minus1).unwrap().to_scalar::<f32>().unwrap()
    }

    #[test]
    fn fused_equals_plain() {
        for (inputs, outputs, time, kernel, resize, stride, size) in [
            (3, 5, 3, 3, Resize::Same, 1, [5, 6, 10]),
            (16, 16, 3, 3, Resize::Same, 1, [4, 24, 24]),
            (200, 7, 1, 3, Resize::Same, 1, [1, 9, 77]),
            (64, 4, 3, 3, Resize::Same, 1, [3, 50, 101]),
            (5, 9, 1, 1, Resize::Same, 1, [2, 3, 5]),
            (4, 8, 3, 1, Resize::Same, 1, [4, 4, 7]),
            (4, 4, 3, 1, Resize::Same, 2, [5, 4, 12]),
            (6, 3, 1, 3, Resize::Double, 1, [2, 5, 6]),
            (5, 6, 1, 3, Resize::Double, 1, [1, 40, 61]),
            (6, 6, 1, 3, Resize::Half, 1, [2, 10, 18]),
            (40, 6, 1, 3, Resize::Half, 1, [2, 62, 106]),
        ] {
            let weight = random(&[outputs, inputs, time, kernel, kernel]);
            let input = random(&[inputs, size[0], size[1], size[2]]);
            let bias = random(&[outputs]);
            let mut conv = Conv::new(&weight, bias.clone(), resize, stride).unwrap();
            let fused = conv.forward(&input).unwrap();
            let padded = [0, 1, 2].map(|past| {
                let past = Some(past.min(time - 1)).filter(|&past| past > 0);
                let past = past.map(|past| input.narrow(1, 0, past).unwrap());
                (stride == 1).then(|| (conv.causal(past.as_ref(), &input).unwrap(), past))
            });
            conv.numbers = Conv::taps(&weight, bias).unwrap();
            let apart = worst(&fused, &conv.forward(&input).unwrap());
            assert!(apart < 5e-5, "{resize:?} {apart}");
            for (fused, past) in padded.into_iter().flatten() {
                let apart = worst(&fused, &conv.causal(past.as_ref(), &input).unwrap());
                assert!(apart < 5e-5, "{resize:?} {apart} after {past:?}");
            }
        }
    }

    #[test]
    fn frames_of_zeros_change_no_bit() {
        for (time, kernel, frames) in [(3, 3, 1), (3, 3, 4), (3, 1, 2)] {
            let conv = Conv::new(&random(&[9, 7, time, kernel, kernel]), random(&[9]), Resize::Same, 1).unwrap();
            let input = random(&[7, frames, 19, 30]);
            let padded = conv.forward(&input.pad_with_zeros(1, time - 1, 0).unwrap()).unwrap();
            assert_eq!(worst(&conv.causal(None, &input).unwrap(), &padded), 0.0);
        }
    }
}
