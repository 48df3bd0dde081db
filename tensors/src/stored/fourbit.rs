//! NF4 and FP4 of bitsandbytes: four bits for each element and a maximum for each block.
//!
//! Always holds: quantised maxima are decoded only when their block is decoded. Formulas: `dequantize_4bit` and
//! `dequantize_blockwise` in <https://github.com/bitsandbytes-foundation/bitsandbytes/blob/main/bitsandbytes/functional.py>.

use std::sync::Arc;

use super::bytes::FileBytes;

/// NF4: <https://arxiv.org/abs/2305.14314>, appendix E.
pub const NF4: [f32; 16] = [
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

/// FP4: one sign bit, two exponent bits and one mantissa bit, in the order of bitsandbytes.
pub const FP4: [f32; 16] = [
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

/// Returns the common name of a code.
pub(super) const fn name(code: &[f32; 16]) -> &'static str {
    let [first, ..] = code;
    if *first == -1.0 { "NF4" } else { "FP4" }
}

/// The maxima of blocks, one float32 for each block, in the form in which the file stores them.
#[derive(Debug, Clone)]
pub struct Absmax {
    form: AbsmaxForm,
    first: usize,
    count: usize,
}

#[derive(Debug, Clone)]
enum AbsmaxForm {
    /// Little-endian float32.
    Plain(FileBytes),
    /// Double quantisation: `map[codes[i]] * maxima[i / block] + offset`.
    Nested { codes: FileBytes, map: Arc<[f32; 256]>, maxima: Arc<[f32]>, block: usize, offset: f32 },
}

impl From<Vec<f32>> for Absmax {
    fn from(values: Vec<f32>) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { form: AbsmaxForm::Plain(FileBytes::of_vec(bytes)), first: 0, count: values.len() }
    }
}

impl Absmax {
    /// Wraps little-endian float32 maxima of a file.
    pub fn plain(values: FileBytes) -> Self {
        let count = values.as_slice().len() / 4;
        Self { form: AbsmaxForm::Plain(values), first: 0, count }
    }

    /// Wraps quantised maxima. `None` unless `maxima` has exactly one entry for each block of `block` codes.
    pub fn nested(codes: FileBytes, map: [f32; 256], maxima: Arc<[f32]>, block: usize, offset: f32) -> Option<Self> {
        let count = codes.as_slice().len();
        let enough = block > 0 && count.div_ceil(block) == maxima.len();
        enough.then(|| Self {
            form: AbsmaxForm::Nested { codes, map: Arc::new(map), maxima, block, offset },
            first: 0,
            count,
        })
    }

    /// Returns the number of maxima.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Decodes all maxima to float32.
    pub fn values(&self) -> Vec<f32> {
        (0..self.count).map(|index| self.get(index)).collect()
    }

    /// Returns the bytes of the maxima in the file.
    pub(super) fn file_bytes(&self) -> u64 {
        match &self.form {
            AbsmaxForm::Plain(_) => self.count as u64 * 4,
            AbsmaxForm::Nested { block, .. } => self.count as u64 + 4 * self.count.div_ceil(*block) as u64,
        }
    }

    /// Returns the maxima `from..to`.
    pub(super) fn cut(&self, from: usize, to: usize) -> Option<Self> {
        (from <= to && to <= self.count).then(|| Self {
            form: self.form.clone(),
            first: self.first + from,
            count: to - from,
        })
    }

    /// Returns the maximum of a block, or NaN past the end.
    fn get(&self, index: usize) -> f32 {
        let index = self.first + index;
        let found = match &self.form {
            AbsmaxForm::Plain(values) => {
                values.as_slice().as_chunks::<4>().0.get(index).map(|bytes| f32::from_le_bytes(*bytes))
            }
            AbsmaxForm::Nested { codes, map, maxima, block, offset } => {
                let code = codes.as_slice().get(index).and_then(|code| map.get(usize::from(*code)));
                code.zip(maxima.get(index / block)).map(|(code, maximum)| code * maximum + offset)
            }
        };
        found.unwrap_or(f32::NAN)
    }
}

/// Decodes elements `start..start + out.len()` of `bytes`. Returns `false` if some of them are missing.
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

/// Decodes part of one block. `odd` is set when the part begins with the lower half of the first byte.
#[expect(clippy::indexing_slicing, reason = "four bits are always a valid index of a table of 16")]
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
