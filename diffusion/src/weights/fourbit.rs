//! NF4 and FP4 of bitsandbytes: half a byte an element, a maximum for each block.
//!
//! Always holds: maxima that are quantised themselves stay so until a block is decoded. Formulas: `dequantize_4bit` and
//! `dequantize_blockwise` of <https://github.com/bitsandbytes-foundation/bitsandbytes/blob/main/bitsandbytes/functional.py>.

use std::sync::Arc;

use super::bytes::FileBytes;

/// NF4: <https://arxiv.org/abs/2305.14314>, appendix E.
pub(super) const NF4: [f32; 16] = [
    -1.0,
    -0.696_192_8,
    -0.525_073_05,
    -0.394_917_5,
    -0.284_441_38,
    -0.184_773_43,
    -0.091_050_036,
    0.0,
    0.079_580_3,
    0.160_930_2,
    0.246_112_3,
    0.337_915_24,
    0.440_709_83,
    0.562_617,
    0.722_956_84,
    1.0,
];

/// FP4: a sign, two bits of exponent, one of mantissa, in the order of bitsandbytes.
pub(super) const FP4: [f32; 16] = [
    0.0,
    0.0625 / 12.0,
    8.0 / 12.0,
    1.0,
    4.0 / 12.0,
    0.5,
    2.0 / 12.0,
    0.25,
    -0.0,
    -0.0625 / 12.0,
    -8.0 / 12.0,
    -1.0,
    -4.0 / 12.0,
    -0.5,
    -2.0 / 12.0,
    -0.25,
];

/// What people call a code.
pub(super) const fn name(code: &[f32; 16]) -> &'static str {
    let [first, ..] = code;
    if *first == -1.0 { "NF4" } else { "FP4" }
}

/// The maxima of blocks, one float32 a block, from a file as they are kept there.
#[derive(Debug, Clone)]
pub(crate) struct Absmax {
    kept: Kept,
    first: usize,
    count: usize,
}

#[derive(Debug, Clone)]
enum Kept {
    /// Little-endian float32.
    Plain(FileBytes),
    /// Double quantisation: `map[codes[i]] * maxima[i / block] + offset`.
    Nested { codes: FileBytes, map: Arc<[f32; 256]>, maxima: Arc<[f32]>, block: usize, offset: f32 },
}

impl From<Vec<f32>> for Absmax {
    fn from(values: Vec<f32>) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { kept: Kept::Plain(FileBytes::of_vec(bytes)), first: 0, count: values.len() }
    }
}

impl Absmax {
    /// Maxima in a file, as little-endian float32.
    pub(super) fn plain(values: FileBytes) -> Self {
        let count = values.as_slice().len() / 4;
        Self { kept: Kept::Plain(values), first: 0, count }
    }

    /// Quantised maxima. `None` if there are too few `maxima` of blocks of `block` codes.
    pub(super) fn nested(
        codes: FileBytes,
        map: [f32; 256],
        maxima: Arc<[f32]>,
        block: usize,
        offset: f32,
    ) -> Option<Self> {
        let count = codes.as_slice().len();
        let enough = block > 0 && count.div_ceil(block) == maxima.len();
        enough.then(|| Self {
            kept: Kept::Nested { codes, map: Arc::new(map), maxima, block, offset },
            first: 0,
            count,
        })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// All of them as float32.
    pub(crate) fn values(&self) -> Vec<f32> {
        (0..self.count).map(|index| self.get(index)).collect()
    }

    /// Bytes that they take as they are kept.
    pub(super) fn file_bytes(&self) -> u64 {
        match &self.kept {
            Kept::Plain(_) => self.count as u64 * 4,
            Kept::Nested { block, .. } => self.count as u64 + 4 * self.count.div_ceil(*block) as u64,
        }
    }

    /// The maxima `from..to`.
    pub(super) fn cut(&self, from: usize, to: usize) -> Option<Self> {
        (from <= to && to <= self.count).then(|| Self {
            kept: self.kept.clone(),
            first: self.first + from,
            count: to - from,
        })
    }

    /// The maximum of a block; NaN beyond the end.
    fn get(&self, index: usize) -> f32 {
        let index = self.first + index;
        let found = match &self.kept {
            Kept::Plain(values) => {
                values.as_slice().as_chunks::<4>().0.get(index).map(|bytes| f32::from_le_bytes(*bytes))
            }
            Kept::Nested { codes, map, maxima, block, offset } => {
                let code = codes.as_slice().get(index).and_then(|code| map.get(usize::from(*code)));
                code.zip(maxima.get(index / block)).map(|(code, maximum)| code * maximum + offset)
            }
        };
        found.unwrap_or(f32::NAN)
    }
}

/// Decodes elements `start..start + out.len()` of `bytes`. `false` if they are not all there.
pub(super) fn decode(
    code: &[f32; 16],
    absmax: &Absmax,
    block: usize,
    bytes: &[u8],
    start: usize,
    out: &mut [f32],
) -> bool {
    let end = start + out.len();
    if block == 0 || end.div_ceil(2) > bytes.len() {
        return false;
    }
    let (mut at, mut out) = (start, out);
    while !out.is_empty() {
        let length = (block - at % block).min(out.len());
        let (head, tail) = out.split_at_mut(length);
        let Some(halves) = bytes.get(at / 2..(at + length).div_ceil(2)) else { return false };
        decode_block(code, absmax.get(at / block), halves, at % 2 == 1, head);
        out = tail;
        at += length;
    }
    true
}

/// Decodes part of one block; `odd` when it begins with the lower half of the first byte.
#[expect(clippy::indexing_slicing, reason = "half a byte cannot leave a table of 16")]
fn decode_block(code: &[f32; 16], maximum: f32, bytes: &[u8], odd: bool, out: &mut [f32]) {
    let scaled = code.map(|value| value * maximum);
    let (bytes, out) = match (bytes.split_first(), out) {
        (Some((byte, bytes)), [first, out @ ..]) if odd => {
            *first = scaled[usize::from(byte & 15)];
            (bytes, out)
        }
        (_, out) => (bytes, out),
    };
    let (pairs, last) = out.as_chunks_mut::<2>();
    for (byte, pair) in bytes.iter().zip(&mut *pairs) {
        *pair = [scaled[usize::from(byte >> 4)], scaled[usize::from(byte & 15)]];
    }
    if let (Some(byte), [last]) = (bytes.get(pairs.len()), last) {
        *last = scaled[usize::from(byte >> 4)];
    }
}
