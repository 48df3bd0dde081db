//! The GGML block formats, and decoding of any range of elements.

use super::blocks::{q2_k, q3_k, q4_0, q4_1, q4_k, q5_0, q5_1, q5_k, q6_k, q8_0};

/// A GGML block format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ggml {
    /// 4 bits, blocks of 32 with a scale.
    Q4_0,
    /// 4 bits, blocks of 32 with a scale and a minimum.
    Q4_1,
    /// 5 bits, blocks of 32 with a scale.
    Q5_0,
    /// 5 bits, blocks of 32 with a scale and a minimum.
    Q5_1,
    /// 8 bits, blocks of 32 with a scale.
    Q8_0,
    /// 2 bits, blocks of 256 in groups with scales of their own.
    Q2K,
    /// 3 bits, blocks of 256 in groups with scales of their own.
    Q3K,
    /// 4 bits, blocks of 256 in groups with scales of their own.
    Q4K,
    /// 5 bits, blocks of 256 in groups with scales of their own.
    Q5K,
    /// 6 bits, blocks of 256 in groups with scales of their own.
    Q6K,
}

impl Ggml {
    /// Returns the name that files use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Q4_0 => "Q4_0",
            Self::Q4_1 => "Q4_1",
            Self::Q5_0 => "Q5_0",
            Self::Q5_1 => "Q5_1",
            Self::Q8_0 => "Q8_0",
            Self::Q2K => "Q2_K",
            Self::Q3K => "Q3_K",
            Self::Q4K => "Q4_K",
            Self::Q5K => "Q5_K",
            Self::Q6K => "Q6_K",
        }
    }

    /// Returns the elements of a block.
    pub const fn block(self) -> usize {
        match self {
            Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::Q8_0 => 32,
            Self::Q2K | Self::Q3K | Self::Q4K | Self::Q5K | Self::Q6K => 256,
        }
    }

    /// Returns the bytes of a block.
    pub const fn block_bytes(self) -> usize {
        match self {
            Self::Q4_0 => 18,
            Self::Q4_1 => 20,
            Self::Q5_0 => 22,
            Self::Q5_1 => 24,
            Self::Q8_0 => 34,
            Self::Q2K => 84,
            Self::Q3K => 110,
            Self::Q4K => 144,
            Self::Q5K => 176,
            Self::Q6K => 210,
        }
    }
}

/// Decodes elements `start..start + out.len()` of `bytes`. Returns `false` if some of them are missing.
pub(super) fn decode(kind: Ggml, bytes: &[u8], start: usize, out: &mut [f32]) -> bool {
    match kind {
        Ggml::Q4_0 => blocks(bytes, start, out, q4_0),
        Ggml::Q4_1 => blocks(bytes, start, out, q4_1),
        Ggml::Q5_0 => blocks(bytes, start, out, q5_0),
        Ggml::Q5_1 => blocks(bytes, start, out, q5_1),
        Ggml::Q8_0 => blocks(bytes, start, out, q8_0),
        Ggml::Q2K => blocks(bytes, start, out, q2_k),
        Ggml::Q3K => blocks(bytes, start, out, q3_k),
        Ggml::Q4K => blocks(bytes, start, out, q4_k),
        Ggml::Q5K => blocks(bytes, start, out, q5_k),
        Ggml::Q6K => blocks(bytes, start, out, q6_k),
    }
}

/// Decodes blocks of `BYTES` bytes to `N` elements each.
fn blocks<const BYTES: usize, const N: usize>(
    bytes: &[u8],
    start: usize,
    out: &mut [f32],
    decode: impl Fn(&[u8; BYTES], &mut [f32; N]),
) -> bool {
    let (all, _) = bytes.as_chunks::<BYTES>();
    let Some(mut blocks) = all.get(start / N..(start + out.len()).div_ceil(N)) else { return false };
    let mut out = out;
    let before = start % N;
    if before > 0 && !out.is_empty() {
        let Some((first, rest)) = blocks.split_first() else { return false };
        let mut whole = [0.0; N];
        decode(first, &mut whole);
        let (head, tail) = out.split_at_mut((N - before).min(out.len()));
        whole.iter().skip(before).zip(head).for_each(|(from, to)| *to = *from);
        (blocks, out) = (rest, tail);
    }
    let (whole, rest) = out.as_chunks_mut::<N>();
    for (block, out) in blocks.iter().zip(&mut *whole) {
        decode(block, out);
    }
    if let (false, Some(last)) = (rest.is_empty(), blocks.get(whole.len())) {
        let mut whole = [0.0; N];
        decode(last, &mut whole);
        whole.iter().zip(rest).for_each(|(from, to)| *to = *from);
    }
    true
}
