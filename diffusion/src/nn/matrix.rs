//! The weights of linear layers in all encodings.
//!
//! Always holds: a quantised matrix stays in the encoding of the file. There is one exception: devices other than the CPU hold
//! fp8 and int8 with block scales in the compute type. Products are computed from decoded numbers and never from the codes
//! themselves, so an encoding costs only the precision that the file itself lost.

use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::Arc;

use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{DType, Device, Tensor};
use must_tensors::cpu::{Activation, CpuMatrix, Product};
use must_tensors::{Error, Result};

use super::linear::activated;
use crate::weights::{Encoding, FileBytes, Ggml, Place, Scale, StoredTensor};

/// A weight `[outputs, inputs]` on one device.
pub(crate) trait Matrix: Debug + Send + Sync {
    /// Maps `[rows, inputs]` to `[rows, outputs]`: computes `x W^T`, adds the bias `[outputs]`, and applies the activation.
    fn forward(&self, input: &Tensor, bias: Option<&Tensor>, activation: Activation) -> Result<Tensor>;

    /// Returns the decoded weight, `[outputs, inputs]`, in the compute type.
    fn dequantised(&self) -> Result<Tensor>;

    /// Returns the bytes that the matrix holds.
    fn bytes(&self) -> u64;
}

/// Builds the matrix of a stored weight with two axes, in the form for its place.
pub(super) fn matrix(stored: &StoredTensor, place: &Place) -> Result<Arc<dyn Matrix>> {
    if place.device.is_cpu() && place.compute == DType::F32 {
        return Ok(Arc::new(CpuMatrix::new(stored.clone())));
    }
    let (device, compute) = (&place.device, place.compute);
    Ok(match stored.encoding() {
        Encoding::Dense(_) => Arc::new(DenseMatrix { weight: stored.tensor(device)?.to_dtype(compute)? }),
        Encoding::Ggml(kind) => {
            let storage = QStorage::from_data(Cow::Borrowed(stored.bytes()), device, ggml(*kind))?;
            let weight = QTensor::new(storage, stored.shape())?;
            Arc::new(BlockMatrix { weight, bytes: stored.file_bytes(), device: device.clone(), compute })
        }
        Encoding::F8 { scale: Scale::Blocks { .. }, .. } | Encoding::Int8 { scale: Scale::Blocks { .. } } => {
            Arc::new(DenseMatrix { weight: stored.tensor(device)?.to_dtype(compute)? })
        }
        Encoding::F8 { scale, .. } | Encoding::Int8 { scale } => {
            let scale = match scale {
                Scale::Tensor(scale) => vec![*scale],
                Scale::Rows(scales) => scales.to_vec(),
                Scale::None | Scale::Blocks { .. } => vec![],
            };
            Arc::new(CodedMatrix::new(stored, codes(stored.encoding())?, &scale, place)?)
        }
        Encoding::FourBit { code, absmax, .. } => {
            let nibble = |byte: usize| code.get(byte & 15).copied().unwrap_or(0.0);
            let pairs = (0..256).flat_map(|byte| [nibble(byte >> 4), nibble(byte)]).collect();
            Arc::new(CodedMatrix::new(stored, pairs, &absmax.values(), place)?)
        }
    })
}

/// Computes the product with a decoded weight, then adds the bias and applies the activation.
fn apply(weight: &Tensor, input: &Tensor, bias: Option<&Tensor>, activation: Activation) -> Result<Tensor> {
    let product = input.to_dtype(weight.dtype())?.matmul(&weight.t()?)?;
    let sum = match bias {
        Some(bias) => product.broadcast_add(&bias.to_dtype(weight.dtype())?)?,
        None => product,
    };
    activated(activation, sum)
}

impl Matrix for CpuMatrix {
    fn forward(&self, input: &Tensor, bias: Option<&Tensor>, activation: Activation) -> Result<Tensor> {
        let input = input.contiguous()?;
        let product = Product { matrix: self, activation };
        Ok(match bias {
            Some(bias) => input.apply_op2_no_bwd(bias, &product)?,
            None => input.apply_op1_no_bwd(&product)?,
        })
    }

    fn dequantised(&self) -> Result<Tensor> {
        Ok(self.stored().tensor(&Device::Cpu)?.to_dtype(DType::F32)?)
    }

    fn bytes(&self) -> u64 {
        self.stored().file_bytes()
    }
}

/// A weight in the compute type.
#[derive(Debug)]
struct DenseMatrix {
    weight: Tensor,
}

impl Matrix for DenseMatrix {
    fn forward(&self, input: &Tensor, bias: Option<&Tensor>, activation: Activation) -> Result<Tensor> {
        apply(&self.weight, input, bias, activation)
    }

    fn dequantised(&self) -> Result<Tensor> {
        Ok(self.weight.clone())
    }

    fn bytes(&self) -> u64 {
        (self.weight.elem_count() * self.weight.dtype().size_in_bytes()) as u64
    }
}

/// GGML blocks in the device's memory. Each use decodes them there.
#[derive(Debug)]
struct BlockMatrix {
    weight: QTensor,
    bytes: u64,
    device: Device,
    compute: DType,
}

impl Matrix for BlockMatrix {
    fn forward(&self, input: &Tensor, bias: Option<&Tensor>, activation: Activation) -> Result<Tensor> {
        apply(&self.dequantised()?, input, bias, activation)
    }

    fn dequantised(&self) -> Result<Tensor> {
        Ok(self.weight.dequantize(&self.device)?.to_dtype(self.compute)?)
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// Returns the numbers that the 256 bytes of fp8 or int8 stand for, without a scale.
fn codes(encoding: &Encoding) -> Result<Vec<f32>> {
    let unscaled = match encoding {
        Encoding::F8 { kind, .. } => Encoding::F8 { kind: *kind, scale: Scale::None },
        _ => Encoding::Int8 { scale: Scale::None },
    };
    let mut values = vec![0f32; 256];
    StoredTensor::new(vec![256], unscaled, FileBytes::of_vec((0..=255).collect()))?.decode(0, &mut values)?;
    Ok(values)
}

const fn ggml(kind: Ggml) -> GgmlDType {
    match kind {
        Ggml::Q4_0 => GgmlDType::Q4_0,
        Ggml::Q4_1 => GgmlDType::Q4_1,
        Ggml::Q5_0 => GgmlDType::Q5_0,
        Ggml::Q5_1 => GgmlDType::Q5_1,
        Ggml::Q8_0 => GgmlDType::Q8_0,
        Ggml::Q2K => GgmlDType::Q2K,
        Ggml::Q3K => GgmlDType::Q3K,
        Ggml::Q4K => GgmlDType::Q4K,
        Ggml::Q5K => GgmlDType::Q5K,
        Ggml::Q6K => GgmlDType::Q6K,
    }
}

/// Bytes in the device's memory: fp8, int8, NF4 and FP4. Each byte stands for one or two numbers of a table, which are
/// multiplied by scales.
#[derive(Debug)]
struct CodedMatrix {
    codes: Tensor,          // bytes, flat
    table: Tensor,          // [256, numbers in a byte], float32
    scales: Option<Tensor>, // [count, 1], float32: each scales one of `count` runs of equal length
    shape: (usize, usize),
    compute: DType,
    bytes: u64,
}

impl CodedMatrix {
    fn new(stored: &StoredTensor, table: Vec<f32>, scales: &[f32], place: &Place) -> Result<Self> {
        let (outputs, inputs) = match *stored.shape() {
            [outputs, inputs] => (outputs, inputs),
            _ => return Err(Error::internal("a linear layer's weight has two axes")),
        };
        let device = &place.device;
        let each = table.len() / 256;
        let scales = match scales.len() {
            0 => None,
            count if (outputs * inputs).is_multiple_of(count) => Some(Tensor::from_slice(scales, (count, 1), device)?),
            _ => return Err(Error::internal("the scales of a coded weight do not divide it")),
        };
        Ok(Self {
            codes: Tensor::from_slice(stored.bytes(), stored.bytes().len(), device)?,
            table: Tensor::from_vec(table, (256, each), device)?,
            scales,
            shape: (outputs, inputs),
            compute: place.compute,
            bytes: stored.file_bytes(),
        })
    }
}

impl Matrix for CodedMatrix {
    fn forward(&self, input: &Tensor, bias: Option<&Tensor>, activation: Activation) -> Result<Tensor> {
        apply(&self.dequantised()?, input, bias, activation)
    }

    fn dequantised(&self) -> Result<Tensor> {
        // candle treats the largest number of an index type as "no row", so an index of 255 in bytes would give zeros.
        let numbers = self.table.index_select(&self.codes.to_dtype(DType::U32)?, 0)?.flatten_all()?;
        let numbers = match &self.scales {
            Some(scales) => numbers.reshape((scales.dim(0)?, ()))?.broadcast_mul(scales)?,
            None => numbers,
        };
        Ok(numbers.reshape(self.shape)?.to_dtype(self.compute)?)
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::F8;

    /// Checks that every byte of a file is decoded to the same number on the device as on the CPU.
    #[test]
    fn every_byte_of_a_coded_matrix_is_decoded() {
        let bytes = || FileBytes::of_vec((0..=255).collect());
        let code: [f32; 16] = std::array::from_fn(|index| (index as f32 - 7.0) / 8.0);
        let four = Encoding::FourBit { code, absmax: vec![0.5, 1.0, 2.0, 4.0, 0.25, 1.0, 8.0, 1.0].into(), block: 64 };
        for (encoding, shape) in [
            (four, [8, 64]),
            (Encoding::Int8 { scale: Scale::None }, [4, 64]),
            (Encoding::Int8 { scale: Scale::Rows([1.0, 0.5, 2.0, 4.0].into()) }, [4, 64]),
            (Encoding::F8 { kind: F8::E4M3, scale: Scale::Tensor(0.5) }, [4, 64]),
            (Encoding::F8 { kind: F8::E5M2, scale: Scale::None }, [4, 64]),
        ] {
            let stored = StoredTensor::new(shape.to_vec(), encoding.clone(), bytes()).unwrap();
            let place = Place::new(&Device::Cpu, DType::BF16);
            let ours = matrix(&stored, &place).unwrap().dequantised().unwrap();
            let ours = ours.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let mut exact = vec![0f32; stored.elements()];
            stored.decode(0, &mut exact).unwrap();
            for (index, (ours, exact)) in ours.iter().zip(&exact).enumerate() {
                let rounded = half::bf16::from_f32(*exact).to_f32();
                let same = *ours == rounded || (ours.is_nan() && rounded.is_nan());
                assert!(same, "{} at {index}: {ours} instead of {rounded}", encoding.name());
            }
        }
    }
}
