//! The encodings of tensors in files, and their decoding to float32.
//!
//! Always holds: an encoding includes its companions (scales, maxima), so encoding and bytes are enough to compute the
//! numbers. Decoding does at most one multiplication and one addition in float32 for each element, in the order of the
//! reference's dequantiser. Every way to decode an element therefore gives the same bits.

use super::fourbit::Absmax;
use super::ggml::Ggml;
use super::scale::Scale;
use super::{dense, float8, fourbit, ggml};

/// The number type of a tensor that is stored without quantisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dense {
    /// float64.
    F64,
    /// float32.
    F32,
    /// float16.
    F16,
    /// bfloat16.
    BF16,
    /// Signed integers of 64 bits.
    I64,
    /// Signed integers of 32 bits.
    I32,
    /// Signed integers of 16 bits.
    I16,
    /// Signed integers of 8 bits.
    I8,
    /// Unsigned integers of 64 bits.
    U64,
    /// Unsigned integers of 32 bits.
    U32,
    /// Unsigned integers of 16 bits.
    U16,
    /// Unsigned integers of 8 bits.
    U8,
    /// Truth values, one byte each.
    Bool,
}

impl Dense {
    /// Returns the bytes of one element.
    pub const fn size(self) -> usize {
        match self {
            Self::F64 | Self::I64 | Self::U64 => 8,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::F16 | Self::BF16 | Self::I16 | Self::U16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::F64 => "F64",
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::BF16 => "BF16",
            Self::I64 => "I64",
            Self::I32 => "I32",
            Self::I16 => "I16",
            Self::I8 => "I8",
            Self::U64 => "U64",
            Self::U32 => "U32",
            Self::U16 => "U16",
            Self::U8 => "U8",
            Self::Bool => "BOOL",
        }
    }
}

/// Floating point numbers of eight bits: <https://arxiv.org/abs/2209.05433>.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum F8 {
    /// Bias 7, largest 448, no infinity, 0x7F and 0xFF are NaN (`e4m3fn`).
    E4M3,
    /// Bias 15, the upper byte of a float16.
    E5M2,
}

/// The encoding of a tensor's numbers.
#[derive(Debug, Clone)]
pub enum Encoding {
    /// Numbers without quantisation.
    Dense(Dense),
    /// Eight-bit floats that are multiplied by a scale.
    F8 {
        /// The format.
        kind: F8,
        /// The factors.
        scale: Scale,
    },
    /// Signed bytes that are multiplied by a scale.
    Int8 {
        /// The factors.
        scale: Scale,
    },
    /// Blocks in a format of GGML.
    Ggml(Ggml),
    /// NF4 and FP4 of bitsandbytes: four bits an element, the first element in the upper half of the byte. An element is
    /// `code[bits] * absmax[element / block]`.
    FourBit {
        /// The number that each of the sixteen codes stands for.
        code: [f32; 16],
        /// The maxima of the blocks.
        absmax: Absmax,
        /// Elements of a block.
        block: usize,
    },
}

impl Encoding {
    /// Returns the common name of the encoding.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Dense(dense) => dense.name(),
            Self::F8 { kind: F8::E4M3, scale: Scale::None } => "F8_E4M3",
            Self::F8 { kind: F8::E5M2, scale: Scale::None } => "F8_E5M2",
            Self::F8 { kind: F8::E4M3, .. } => "F8_E4M3 scaled",
            Self::F8 { kind: F8::E5M2, .. } => "F8_E5M2 scaled",
            Self::Int8 { .. } => "INT8",
            Self::Ggml(kind) => kind.name(),
            Self::FourBit { code, .. } => fourbit::name(code),
        }
    }

    /// Returns the elements of one block. A tensor can be cut between blocks only.
    pub const fn block(&self) -> usize {
        match self {
            Self::Dense(_) | Self::F8 { .. } | Self::Int8 { .. } => 1,
            Self::Ggml(kind) => kind.block(),
            Self::FourBit { block, .. } => *block,
        }
    }

    /// Returns the exact size of `elements` elements in bytes, without companions. `None` if no tensor can have this size.
    pub fn size(&self, elements: usize) -> Option<usize> {
        match self {
            Self::Dense(dense) => elements.checked_mul(dense.size()),
            Self::F8 { .. } | Self::Int8 { .. } => Some(elements),
            Self::Ggml(kind) if elements.is_multiple_of(kind.block()) => {
                (elements / kind.block()).checked_mul(kind.block_bytes())
            }
            Self::Ggml(_) => None,
            Self::FourBit { .. } => Some(elements.div_ceil(2)),
        }
    }

    /// Returns the bytes of the scales or maxima.
    pub fn companion_bytes(&self) -> u64 {
        match self {
            Self::Dense(_) | Self::Ggml(_) => 0,
            Self::F8 { scale, .. } | Self::Int8 { scale } => scale.bytes(),
            Self::FourBit { absmax, .. } => absmax.file_bytes(),
        }
    }

    /// Returns whether the companions cover a tensor of `elements` elements.
    pub(super) fn fits(&self, elements: usize) -> bool {
        match self {
            Self::Dense(_) | Self::Ggml(_) => true,
            Self::F8 { scale, .. } | Self::Int8 { scale } => scale.fits(elements),
            Self::FourBit { absmax, block, .. } => {
                *block > 0 && block.is_multiple_of(2) && absmax.count() == elements.div_ceil(*block)
            }
        }
    }

    /// Returns the encoding of the elements `from..to` of a tensor of `elements` elements. `None` if the tensor cannot be
    /// cut there.
    pub(super) fn cut(&self, elements: usize, from: usize, to: usize) -> Option<Self> {
        let whole = |at: usize| at == elements || at.is_multiple_of(self.block());
        if !whole(from) || !whole(to) {
            return None;
        }
        Some(match self {
            Self::Dense(_) | Self::Ggml(_) => self.clone(),
            Self::F8 { kind, scale } => Self::F8 { kind: *kind, scale: scale.cut(elements, from, to)? },
            Self::Int8 { scale } => Self::Int8 { scale: scale.cut(elements, from, to)? },
            Self::FourBit { code, absmax, block } => {
                let blocks = if from == to { 0..0 } else { from / block..to.div_ceil(*block) };
                let absmax = absmax.cut(blocks.start, blocks.end)?;
                Self::FourBit { code: *code, absmax, block: *block }
            }
        })
    }

    /// Decodes elements `start..start + out.len()` of a tensor of `elements` elements stored in `bytes`. Returns `false` if
    /// some of them are missing.
    pub(super) fn decode(&self, bytes: &[u8], elements: usize, start: usize, out: &mut [f32]) -> bool {
        let Some(end) = start.checked_add(out.len()).filter(|end| *end <= elements) else { return false };
        match self {
            Self::Dense(kind) => {
                let size = kind.size();
                let Some(bytes) = bytes.get(start * size..end * size) else { return false };
                dense::decode(*kind, bytes, out);
            }
            Self::F8 { kind, scale } => {
                let Some(bytes) = bytes.get(start..end) else { return false };
                let table = float8::table(*kind);
                scale.each_run(elements, start, bytes, out, |bytes, scale, out| {
                    float8::decode(table, scale, bytes, out);
                });
            }
            Self::Int8 { scale } => {
                let Some(bytes) = bytes.get(start..end) else { return false };
                scale.each_run(elements, start, bytes, out, dense::decode_i8);
            }
            Self::Ggml(kind) => return ggml::decode(*kind, bytes, start, out),
            Self::FourBit { code, absmax, block } => return fourbit::decode(code, absmax, *block, bytes, start, out),
        }
        true
    }
}
