//! Convolutions over clips, including a doubling of height and width before them or a halving by their stride.

use candle_core::{DType, Tensor};
use must_tensors::cpu::{self, ConvShape, Resize};
use must_tensors::{Error, Result};

use crate::weights::Scope;

/// A convolution with a kernel `[kt, k, k]`. [`Self::forward`] does not pad time. [`Self::causal`] puts `kt - 1` frames in front of
/// the input.
#[derive(Debug)]
pub(crate) struct Conv {
    shape: ConvShape,
    numbers: Numbers,
    /// The type of the output.
    compute: DType,
    /// Whether a GPU may round float32 to TF32.
    tf32: bool,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "each layer has one, and it is not moved")]
enum Numbers {
    Packed(cpu::PackedConv),
    Plain {
        taps: Vec<Tensor>, // kt of [out, in, k, k]
        bias: Tensor,      // [out]
    },
}

impl Conv {
    /// Loads `name.weight` and `name.bias`. With `flat`, the checkpoint's weight has no time axis.
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
        let bias = scope.tensor(&format!("{name}.bias"), outputs)?;
        Ok(Self { tf32: scope.place().tf32, ..Self::new(&weight, bias, resize, time_stride)? })
    }

    /// Loads a convolution over pictures, with weights `[out, in, k, k]`. On the CPU they stay in the encoding of the file
    /// and are decoded on each use; on other devices they are held in the compute type. The input is float32 or the compute
    /// type, and the output is the compute type.
    pub(crate) fn load_encoded(
        scope: &Scope<'_>,
        name: &str,
        (inputs, outputs): (usize, usize),
        kernel: usize,
        resize: Resize,
    ) -> Result<Self> {
        let shape = ConvShape { inputs, outputs, time: 1, kernel, resize, time_stride: 1 };
        let stored = scope.stored(&format!("{name}.weight"), &[outputs, inputs, kernel, kernel])?;
        let bias = scope.tensor(&format!("{name}.bias"), outputs)?;
        let place = scope.place();
        let numbers = if place.device.is_cpu() {
            Numbers::Packed(cpu::PackedConv::encoded(shape, stored, bias.to_vec1::<f32>()?))
        } else {
            let weight = stored.tensor(&place.device)?.to_dtype(place.compute)?.unsqueeze(2)?;
            Self::taps(&weight, bias.to_dtype(place.compute)?)?
        };
        Ok(Self { shape, numbers, compute: place.compute, tf32: place.tf32 })
    }

    /// Creates a convolution from weight `[out, in, kt, k, k]` and bias `[out]`.
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
        Ok(Self { shape, numbers, compute: DType::F32, tf32: false })
    }

    fn taps(weight: &Tensor, bias: Tensor) -> Result<Numbers> {
        let taps = (0..weight.dim(2)?)
            .map(|tap| Ok(weight.narrow(2, tap, 1)?.squeeze(2)?.contiguous()?))
            .collect::<Result<_>>()?;
        Ok(Numbers::Plain { taps, bias })
    }

    /// Maps `[in, t, h, w]` to `[out, (t - kt) / stride + 1, h', w']`. [`Resize::Half`] needs even sides.
    pub(crate) fn forward(&self, input: &Tensor) -> Result<Tensor> {
        self.forward_to(input, None)
    }

    /// Does the same as [`Self::forward`], but doubling gives the height and width of `to`: twice the input's, or one less.
    pub(crate) fn forward_to(&self, input: &Tensor, to: Option<(usize, usize)>) -> Result<Tensor> {
        let (_, _, height, width) = input.dims4()?;
        let fits = |side: usize, to: usize| to == side * 2 || to + 1 == side * 2;
        if to.is_some_and(|to| self.shape.resize != Resize::Double || !fits(height, to.0) || !fits(width, to.1)) {
            return Err(Error::internal(format!("a convolution from {height}x{width} to {to:?}")));
        }
        match &self.numbers {
            Numbers::Packed(packed) => {
                let input = input.to_dtype(DType::F32)?.contiguous()?;
                let output = match to {
                    Some(to) => input.apply_op1_no_bwd(&cpu::Doubled(packed, to))?,
                    None => input.apply_op1_no_bwd(packed)?,
                };
                Ok(output.to_dtype(self.compute)?)
            }
            Numbers::Plain { taps, bias } => self.plain(input, to, taps, bias),
        }
    }

    /// Does the same as [`Self::forward`], but puts `kt - 1` frames in front of `input`: frames of zeros, then `past`
    /// `[in, p, h, w]`, which has at most `kt - 1` frames. With a time stride of 1 the output has as many frames as `input`.
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
                self.plain(&joined.pad_with_zeros(1, missing, 0)?, None, taps, bias)
            }
        }
    }

    /// Returns the bytes of the weights.
    pub(crate) fn bytes(&self) -> u64 {
        match &self.numbers {
            Numbers::Packed(packed) => packed.bytes(),
            Numbers::Plain { taps, bias } => {
                let count = taps.iter().map(Tensor::elem_count).sum::<usize>() + bias.elem_count();
                (count * bias.dtype().size_in_bytes()) as u64
            }
        }
    }

    fn plain(&self, input: &Tensor, to: Option<(usize, usize)>, taps: &[Tensor], bias: &Tensor) -> Result<Tensor> {
        let ConvShape { outputs: channels, time, kernel, resize, time_stride, .. } = self.shape;
        let frames = input.to_dtype(bias.dtype())?.transpose(0, 1)?.contiguous()?; // [t, in, h, w]
        let (count, _, height, width) = frames.dims4()?;
        let (frames, padding, stride) = match resize {
            Resize::Same => (frames, kernel / 2, 1),
            Resize::Double => {
                let (tall, wide) = resize.size((height, width), to);
                let doubled = frames.upsample_nearest2d(height * 2, width * 2)?;
                (doubled.narrow(2, 0, tall)?.narrow(3, 0, wide)?.contiguous()?, kernel / 2, 1)
            }
            Resize::Half => (frames.pad_with_zeros(2, 0, 1)?.pad_with_zeros(3, 0, 1)?, 0, 2),
            Resize::HalfCentred => (frames, kernel / 2, 2),
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
            let part = conv2d(&part, weight, padding, stride, self.tf32)?;
            sum = Some(match sum {
                None => part,
                Some(sum) => (sum + part)?,
            });
        }
        let sum = sum.ok_or_else(|| Error::internal("a convolution without weights"))?;
        Ok(sum.broadcast_add(&bias.reshape((1, channels, 1, 1))?)?.transpose(0, 1)?.contiguous()?)
    }
}

/// Convolves `[n, in, h, w]` with `[out, in, k, k]` on a device other than the CPU.
#[cfg_attr(not(feature = "cudnn"), expect(unused_variables, reason = "only cuDNN rounds to TF32"))]
fn conv2d(input: &Tensor, weight: &Tensor, padding: usize, stride: usize, tf32: bool) -> Result<Tensor> {
    #[cfg(feature = "cudnn")]
    if input.device().is_cuda() {
        return Ok(input.contiguous()?.apply_op2_no_bwd(weight, &super::cudnn::Conv2d { padding, stride, tf32 })?);
    }
    Ok(input.conv2d(weight, padding, stride, 1, 1)?)
}

#[cfg(test)]
mod tests {
    use candle_core::{D, Device};

    use super::*;
    use crate::control::Unwatched;
    use crate::weights::{Dense, Encoding, FileBytes, Loading, Place, StoredTensor, Tensors};

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
            (6, 6, 1, 3, Resize::HalfCentred, 1, [2, 10, 18]),
            (40, 6, 1, 3, Resize::HalfCentred, 1, [1, 63, 107]),
            (70, 9, 1, 3, Resize::HalfCentred, 1, [1, 9, 8]),
            (3, 4, 1, 3, Resize::HalfCentred, 1, [1, 1, 1]),
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

    /// Returns a convolution over pictures with a weight `[out, in, k, k]` in float16, and one with the same numbers packed.
    fn encoded_and_packed(weight: &Tensor, bias: &Tensor, resize: Resize) -> [Conv; 2] {
        let weight = weight.to_dtype(DType::F16).unwrap();
        let values: Vec<half::f16> = weight.flatten_all().unwrap().to_vec1().unwrap();
        let bytes = FileBytes::of_vec(values.iter().flat_map(|value| value.to_le_bytes()).collect());
        let stored = StoredTensor::new(weight.dims().to_vec(), Encoding::Dense(Dense::F16), bytes).unwrap();
        let (mut control, tensors) = (
            Unwatched,
            Tensors::new(
                "test",
                [
                    ("conv.weight".to_owned(), stored),
                    (
                        "conv.bias".to_owned(),
                        StoredTensor::dense_f32(vec![bias.elem_count()], bias.to_vec1().unwrap()).unwrap(),
                    ),
                ],
            ),
        );
        let loading = Loading::new(&mut control, 0);
        let place = Place::new(&Device::Cpu, DType::F32);
        let scope = Scope::root(&tensors, &place, &loading);
        let (outputs, inputs, kernel, _) = weight.dims4().unwrap();
        [
            Conv::load_encoded(&scope, "conv", (inputs, outputs), kernel, resize).unwrap(),
            Conv::load(&scope, "conv", (inputs, outputs), (1, kernel), (resize, 1), true).unwrap(),
        ]
    }

    #[test]
    fn weights_decoded_on_use_change_no_bit() {
        for (inputs, outputs, kernel, resize, size) in [
            (5, 9, 3, Resize::Same, [7, 11]),
            // More outputs than are decoded at a time, and not a multiple of four.
            (700, 190, 3, Resize::Same, [6, 5]),
            (640, 181, 3, Resize::HalfCentred, [5, 4]),
            (96, 12, 3, Resize::Double, [9, 30]),
            (70, 33, 1, Resize::Same, [8, 8]),
        ] {
            let (weight, bias) = (random(&[outputs, inputs, kernel, kernel]), random(&[outputs]));
            let [encoded, packed] = encoded_and_packed(&weight, &bias, resize);
            let input = random(&[inputs, 1, size[0], size[1]]);
            assert_eq!(worst(&encoded.forward(&input).unwrap(), &packed.forward(&input).unwrap()), 0.0);
            assert_eq!(encoded.bytes(), (weight.elem_count() * 2 + outputs * 4) as u64);
        }
    }

    #[test]
    fn doubling_may_end_one_row_and_column_early() {
        let (weight, bias) = (random(&[6, 5, 3, 3]), random(&[6]));
        let conv = Conv::new(&weight.unsqueeze(2).unwrap(), bias.clone(), Resize::Double, 1).unwrap();
        let same = Conv::new(&weight.unsqueeze(2).unwrap(), bias.clone(), Resize::Same, 1).unwrap();
        let mut plain = Conv::new(&weight.unsqueeze(2).unwrap(), bias.clone(), Resize::Double, 1).unwrap();
        plain.numbers = Conv::taps(&weight.unsqueeze(2).unwrap(), bias).unwrap();
        let input = random(&[5, 1, 7, 40]);
        let doubled = input.squeeze(1).unwrap().unsqueeze(0).unwrap().upsample_nearest2d(14, 80).unwrap();
        for (height, width) in [(14, 80), (13, 80), (14, 79), (13, 79)] {
            let cut = doubled.narrow(2, 0, height).unwrap().narrow(3, 0, width).unwrap();
            let expected = same.forward(&cut.squeeze(0).unwrap().unsqueeze(1).unwrap()).unwrap();
            assert_eq!(worst(&conv.forward_to(&input, Some((height, width))).unwrap(), &expected), 0.0);
            assert!(worst(&plain.forward_to(&input, Some((height, width))).unwrap(), &expected) < 5e-5);
        }
        assert!(conv.forward_to(&input, Some((12, 80))).is_err());
        assert!(same.forward_to(&input, Some((14, 80))).is_err());
    }

    #[test]
    fn centred_halving_rounds_odd_sides_up() {
        // Every tap is 1, so each output is the sum of a 3x3 square, whose centre is every second pixel.
        let ones = Tensor::ones((1, 1, 1, 3, 3), DType::F32, &Device::Cpu).unwrap();
        let bias = Tensor::zeros(1, DType::F32, &Device::Cpu).unwrap();
        let conv = Conv::new(&ones, bias, Resize::HalfCentred, 1).unwrap();
        let input = Tensor::arange(0f32, 15.0, &Device::Cpu).unwrap().reshape((1, 1, 3, 5)).unwrap();
        let sums: Vec<f32> = conv.forward(&input).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(sums, [12.0, 27.0, 24.0, 32.0, 57.0, 44.0]);
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
