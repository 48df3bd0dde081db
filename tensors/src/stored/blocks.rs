//! Decodes one block of each GGML format, as `dequantize_row_*` in
//! <https://github.com/ggml-org/ggml/blob/master/src/ggml-quants.c> does.
//!
//! Always holds: each function writes the elements of its block in order. It uses the reference's float32 operations in the
//! reference's order and fuses none of them, so the results are equal bit for bit.

#![expect(clippy::indexing_slicing, reason = "blocks and their elements are arrays of known sizes")]

use half::f16;

fn half(low: u8, high: u8) -> f32 {
    f16::from_le_bytes([low, high]).to_f32()
}

pub(super) fn q4_0(block: &[u8; 18], out: &mut [f32; 32]) {
    let d = half(block[0], block[1]);
    for i in 0..16 {
        let byte = block[2 + i];
        out[i] = f32::from((byte & 15) as i8 - 8) * d;
        out[i + 16] = f32::from((byte >> 4) as i8 - 8) * d;
    }
}

pub(super) fn q4_1(block: &[u8; 20], out: &mut [f32; 32]) {
    let (d, m) = (half(block[0], block[1]), half(block[2], block[3]));
    for i in 0..16 {
        let byte = block[4 + i];
        out[i] = f32::from(byte & 15) * d + m;
        out[i + 16] = f32::from(byte >> 4) * d + m;
    }
}

pub(super) fn q5_0(block: &[u8; 22], out: &mut [f32; 32]) {
    let d = half(block[0], block[1]);
    let fifth = u32::from_le_bytes([block[2], block[3], block[4], block[5]]);
    for i in 0..16 {
        let byte = block[6 + i];
        out[i] = f32::from((byte & 15 | bit(fifth, i) << 4) as i8 - 16) * d;
        out[i + 16] = f32::from((byte >> 4 | bit(fifth, i + 16) << 4) as i8 - 16) * d;
    }
}

pub(super) fn q5_1(block: &[u8; 24], out: &mut [f32; 32]) {
    let (d, m) = (half(block[0], block[1]), half(block[2], block[3]));
    let fifth = u32::from_le_bytes([block[4], block[5], block[6], block[7]]);
    for i in 0..16 {
        let byte = block[8 + i];
        out[i] = f32::from(byte & 15 | bit(fifth, i) << 4) * d + m;
        out[i + 16] = f32::from(byte >> 4 | bit(fifth, i + 16) << 4) * d + m;
    }
}

/// Returns bit `index` of a 32-bit number.
const fn bit(bits: u32, index: usize) -> u8 {
    (bits >> index & 1) as u8
}

pub(super) fn q8_0(block: &[u8; 34], out: &mut [f32; 32]) {
    let d = half(block[0], block[1]);
    for i in 0..32 {
        out[i] = f32::from(block[2 + i] as i8) * d;
    }
}

pub(super) fn q2_k(block: &[u8; 84], out: &mut [f32; 256]) {
    let (d, dmin) = (half(block[80], block[81]), half(block[82], block[83]));
    for (group, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        let scale = block[group];
        let (dl, ml) = (d * f32::from(scale & 15), dmin * f32::from(scale >> 4));
        // Each byte holds two bits of four elements: 32 bytes belong to eight groups, each of which uses 16 of the bytes.
        let (bytes, shift) = (16 + group / 8 * 32 + group % 2 * 16, group / 2 % 4 * 2);
        for i in 0..16 {
            out[i] = dl * f32::from(block[bytes + i] >> shift & 3) - ml;
        }
    }
}

pub(super) fn q3_k(block: &[u8; 110], out: &mut [f32; 256]) {
    let d = half(block[108], block[109]);
    for (group, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        // A scale has six bits: four are in the first eight bytes, two in the last four.
        let low = block[96 + group % 8] >> (group / 8 * 4) & 15;
        let high = block[104 + group % 4] >> (group / 4 * 2) & 3;
        let dl = d * f32::from((low | high << 4) as i8 - 32);
        let (bytes, shift) = (32 + group / 8 * 32 + group % 2 * 16, group / 2 % 4 * 2);
        let (mask, third) = (group % 2 * 16, group / 2);
        for i in 0..16 {
            // The third bit is stored inverted: 4 is subtracted where it is 0.
            let missing = (block[mask + i] >> third & 1 ^ 1) << 2;
            out[i] = dl * f32::from((block[bytes + i] >> shift & 3) as i8 - missing as i8);
        }
    }
}

pub(super) fn q4_k(block: &[u8; 144], out: &mut [f32; 256]) {
    let (d, dmin) = (half(block[0], block[1]), half(block[2], block[3]));
    for (pair, out) in out.as_chunks_mut::<64>().0.iter_mut().enumerate() {
        let (d1, m1) = scale_and_min(d, dmin, &block[4..16], 2 * pair);
        let (d2, m2) = scale_and_min(d, dmin, &block[4..16], 2 * pair + 1);
        let bytes = 16 + pair * 32;
        for i in 0..32 {
            let byte = block[bytes + i];
            out[i] = d1 * f32::from(byte & 15) - m1;
            out[i + 32] = d2 * f32::from(byte >> 4) - m2;
        }
    }
}

pub(super) fn q5_k(block: &[u8; 176], out: &mut [f32; 256]) {
    let (d, dmin) = (half(block[0], block[1]), half(block[2], block[3]));
    for (pair, out) in out.as_chunks_mut::<64>().0.iter_mut().enumerate() {
        let (d1, m1) = scale_and_min(d, dmin, &block[4..16], 2 * pair);
        let (d2, m2) = scale_and_min(d, dmin, &block[4..16], 2 * pair + 1);
        let bytes = 48 + pair * 32;
        for i in 0..32 {
            let (byte, fifth) = (block[bytes + i], block[16 + i] >> (2 * pair));
            out[i] = d1 * f32::from(byte & 15 | (fifth & 1) << 4) - m1;
            out[i + 32] = d2 * f32::from(byte >> 4 | (fifth >> 1 & 1) << 4) - m2;
        }
    }
}

/// Returns the scale and the minimum of a group of 32. Twelve bytes hold eight pairs of six bits.
fn scale_and_min(d: f32, dmin: f32, bytes: &[u8], group: usize) -> (f32, f32) {
    let (scale, min) = if group < 4 {
        (bytes[group] & 63, bytes[group + 4] & 63)
    } else {
        let low = bytes[group + 4];
        (low & 15 | bytes[group - 4] >> 6 << 4, low >> 4 | bytes[group] >> 6 << 4)
    };
    (d * f32::from(scale), dmin * f32::from(min))
}

pub(super) fn q6_k(block: &[u8; 210], out: &mut [f32; 256]) {
    let d = half(block[208], block[209]);
    for (group, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        let dl = d * f32::from(block[192 + group] as i8);
        // 128 elements share 64 bytes of lower bits and 32 bytes of upper bits. A group is half of a quarter of these
        // elements.
        let (part, quarter, side) = (group / 8, group / 2 % 4, group % 2 * 16);
        let low = part * 64 + quarter % 2 * 32 + side;
        let high = 128 + part * 32 + side;
        let (low_shift, high_shift) = (quarter / 2 * 4, quarter * 2);
        for i in 0..16 {
            let number = block[low + i] >> low_shift & 15 | (block[high + i] >> high_shift & 3) << 4;
            out[i] = dl * f32::from(number as i8 - 32);
        }
    }
}
