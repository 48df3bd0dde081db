//! Decodes numbers that are stored without quantisation.

use half::f16;
use half::slice::HalfFloatSliceExt;

use super::encoding::Dense;

/// Number of float16 elements that are converted at once.
const PIECE: usize = 256;

/// Decodes `bytes`, which hold `out.len()` numbers in little-endian order. Numbers that float32 cannot represent are
/// rounded.
pub(super) fn decode(kind: Dense, bytes: &[u8], out: &mut [f32]) {
    match kind {
        Dense::F64 => each(bytes, out, |bytes| f64::from_le_bytes(bytes) as f32),
        Dense::F32 => each(bytes, out, f32::from_le_bytes),
        Dense::F16 => decode_f16(bytes, out),
        Dense::BF16 => each(bytes, out, |bytes| f32::from_bits(u32::from(u16::from_le_bytes(bytes)) << 16)),
        Dense::I64 => each(bytes, out, |bytes| i64::from_le_bytes(bytes) as f32),
        Dense::I32 => each(bytes, out, |bytes| i32::from_le_bytes(bytes) as f32),
        Dense::I16 => each(bytes, out, |bytes| f32::from(i16::from_le_bytes(bytes))),
        Dense::I8 => each(bytes, out, |bytes| f32::from(i8::from_le_bytes(bytes))),
        Dense::U64 => each(bytes, out, |bytes| u64::from_le_bytes(bytes) as f32),
        Dense::U32 => each(bytes, out, |bytes| u32::from_le_bytes(bytes) as f32),
        Dense::U16 => each(bytes, out, |bytes| f32::from(u16::from_le_bytes(bytes))),
        Dense::U8 => each(bytes, out, |[byte]| f32::from(byte)),
        Dense::Bool => each(bytes, out, |[byte]| f32::from(byte != 0)),
    }
}

/// Decodes signed bytes and multiplies them by `scale`.
pub(super) fn decode_i8(bytes: &[u8], scale: f32, out: &mut [f32]) {
    each(bytes, out, |bytes| f32::from(i8::from_le_bytes(bytes)) * scale);
}

#[inline(always)]
fn each<const SIZE: usize>(bytes: &[u8], out: &mut [f32], decode: impl Fn([u8; SIZE]) -> f32) {
    for (bytes, out) in bytes.as_chunks::<SIZE>().0.iter().zip(out) {
        *out = decode(*bytes);
    }
}

fn decode_f16(bytes: &[u8], out: &mut [f32]) {
    // A file may store them at an unaligned address, but the conversion needs a slice of `f16`.
    let mut aligned = [f16::ZERO; PIECE];
    for (bytes, out) in bytes.chunks(2 * PIECE).zip(out.chunks_mut(PIECE)) {
        for (bytes, aligned) in bytes.as_chunks::<2>().0.iter().zip(&mut aligned) {
            *aligned = f16::from_le_bytes(*bytes);
        }
        if let Some(aligned) = aligned.get(..out.len()) {
            aligned.convert_to_f32_slice(out);
        }
    }
}
