//! A tensor in a file: shape, encoding and bytes.
//!
//! Always holds: the number of bytes matches the shape and the encoding, so decoding inside the shape cannot fail. Cloning,
//! slicing and reshaping copy no numbers.

mod blocks;
mod bytes;
mod dense;
mod encoding;
mod float8;
mod fourbit;
mod ggml;
mod scale;

use candle_core::{DType, Device, Tensor};

use crate::error::{Error, Result, unusable};

pub use bytes::FileBytes;
pub use encoding::{Dense, Encoding, F8};
pub use fourbit::{Absmax, FP4, NF4};
pub use ggml::Ggml;
pub use scale::Scale;

/// A tensor that is decoded when it is used.
#[derive(Debug, Clone)]
pub struct StoredTensor {
    shape: Vec<usize>,
    elements: usize,
    encoding: Encoding,
    bytes: FileBytes,
}

impl StoredTensor {
    /// Creates a tensor of `shape` (row-major) from `bytes`. Fails with `ModelUnavailable` when they do not agree.
    pub fn new(shape: Vec<usize>, encoding: Encoding, bytes: FileBytes) -> Result<Self> {
        let elements = elements_of(&shape).ok_or_else(|| unusable(format!("the shape {shape:?} is too large")))?;
        if encoding.size(elements).map(|size| size as u64) != Some(bytes.length()) || !encoding.fits(elements) {
            return Err(unusable(format!("{} bytes cannot be {shape:?} in {}", bytes.length(), encoding.name())));
        }
        Ok(Self { shape, elements, encoding, bytes })
    }

    /// Creates a float32 tensor of `shape` in memory.
    pub fn dense_f32(shape: Vec<usize>, values: Vec<f32>) -> Result<Self> {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self::new(shape, Encoding::Dense(Dense::F32), FileBytes::of_vec(bytes))
    }

    /// Returns the sizes of the axes, the slowest first, as PyTorch writes them.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Returns the encoding of the numbers.
    pub fn encoding(&self) -> &Encoding {
        &self.encoding
    }

    /// Returns the product of the shape.
    pub fn elements(&self) -> usize {
        self.elements
    }

    /// Returns the bytes of the tensor, including scales and maxima.
    pub fn file_bytes(&self) -> u64 {
        self.bytes.length() + self.encoding.companion_bytes()
    }

    /// Returns the encoded numbers, without companions.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_slice()
    }

    /// Returns the range of the file, so that another tensor can use the same bytes.
    pub fn range(&self) -> &FileBytes {
        &self.bytes
    }

    /// Returns the memory of its pages to the system, when the tensor is in a mapped file.
    pub fn release(&self) {
        self.bytes.release();
    }

    /// Decodes the elements `start..start + out.len()` in row-major order. Fails with `Internal` when the range ends outside the
    /// tensor.
    pub fn decode(&self, start: usize, out: &mut [f32]) -> Result<()> {
        if self.encoding.decode(self.bytes(), self.elements, start, out) {
            return Ok(());
        }
        Err(Error::internal(format!("{} elements from {start} of a tensor of {:?}", out.len(), self.shape)))
    }

    /// Loads the whole tensor onto a device. Keeps the types float32, float16 and bfloat16, and decodes all others to float32.
    pub fn tensor(&self, device: &Device) -> Result<Tensor> {
        let dtype = match self.encoding() {
            Encoding::Dense(Dense::F32) => Some(DType::F32),
            Encoding::Dense(Dense::F16) => Some(DType::F16),
            Encoding::Dense(Dense::BF16) => Some(DType::BF16),
            _ => None,
        };
        if let Some(dtype) = dtype {
            return Ok(Tensor::from_raw_buffer(self.bytes(), dtype, self.shape(), device)?);
        }
        let mut values = vec![0f32; self.elements()];
        self.decode(0, &mut values)?;
        Ok(Tensor::from_vec(values, self.shape(), device)?)
    }

    /// Returns the part `from..to` of the first axis. Fails with `ModelUnavailable` when the tensor cannot be cut there, for
    /// example when a row ends inside a block.
    pub fn rows(&self, from: usize, to: usize) -> Result<Self> {
        let fault = |what: &str| unusable(format!("rows {from} to {to} of a tensor of {:?} {what}", self.shape));
        let (&all, rest) = self.shape.split_first().ok_or_else(|| fault("do not exist"))?;
        if from > to || to > all {
            return Err(fault("do not exist"));
        }
        let row = self.elements.checked_div(all).unwrap_or(0);
        let (first, end) = (from * row, to * row);
        let parts = self.encoding.cut(self.elements, first, end).zip(
            // The offsets of whole blocks, except at the end of the tensor.
            self.encoding.size(first).zip(self.encoding.size(end)),
        );
        let (encoding, (begin, end)) =
            parts.ok_or_else(|| fault(&format!("cannot be separated in the encoding {}", self.encoding.name())))?;
        let bytes = self.bytes.slice(begin as u64, (end - begin) as u64)?;
        Self::new([&[to - from], rest].concat(), encoding, bytes)
    }

    /// Returns the transposed matrix in float32. Fails with `Internal` when the tensor is not a matrix.
    pub fn transposed(&self) -> Result<Self> {
        let &[rows, columns] = self.shape() else {
            return Err(Error::internal(format!("a tensor of {:?} is not a matrix", self.shape)));
        };
        let mut values = vec![0.0; self.elements];
        self.decode(0, &mut values)?;
        let column = |column: usize| values.iter().skip(column).step_by(columns.max(1)).copied();
        let turned = if rows == 0 { vec![] } else { (0..columns).flat_map(column).collect() };
        Self::dense_f32(vec![columns, rows], turned)
    }

    /// Returns the same elements in another shape. Fails with `ModelUnavailable` when the number of elements differs.
    pub fn reshaped(&self, shape: Vec<usize>) -> Result<Self> {
        if elements_of(&shape) != Some(self.elements) {
            return Err(unusable(format!("a tensor of {:?} cannot take the shape {shape:?}", self.shape)));
        }
        Ok(Self { shape, ..self.clone() })
    }
}

/// Returns the product of a shape. `None` if it is too large.
pub fn elements_of(shape: &[usize]) -> Option<usize> {
    // An axis of 0 makes the tensor empty, even when the other axes are absurdly large.
    if shape.contains(&0) {
        return Some(0);
    }
    shape.iter().try_fold(1usize, |product, &side| product.checked_mul(side))
}
