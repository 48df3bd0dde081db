//! Decodes eight-bit floating point numbers: <https://arxiv.org/abs/2209.05433>.

use super::encoding::F8;

/// The number that each byte stands for.
pub(super) type Table = [f32; 256];

static E4M3: Table = all(3, 7, true);
static E5M2: Table = all(2, 15, false);

/// Returns the table of a format.
pub(super) const fn table(kind: F8) -> &'static Table {
    match kind {
        F8::E4M3 => &E4M3,
        F8::E5M2 => &E5M2,
    }
}

/// Decodes `bytes` and multiplies them by `scale`. Both slices have the same length.
#[expect(clippy::indexing_slicing, reason = "a byte is always a valid index of a table of 256")]
pub(super) fn decode(table: &Table, scale: f32, bytes: &[u8], out: &mut [f32]) {
    for (byte, out) in bytes.iter().zip(out) {
        *out = table[*byte as usize] * scale;
    }
}

#[expect(clippy::indexing_slicing, reason = "a byte is always a valid index of a table of 256")]
const fn all(mantissa_bits: u32, bias: i32, finite: bool) -> Table {
    let mut table = [0.0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = number(byte as u32, mantissa_bits, bias, finite);
        byte += 1;
    }
    table
}

const fn number(byte: u32, mantissa_bits: u32, bias: i32, finite: bool) -> f32 {
    let sign = byte >> 7 << 31;
    let exponent = (byte & 0x7f) >> mantissa_bits;
    let mantissa = byte & ((1 << mantissa_bits) - 1);
    let last = (1 << (7 - mantissa_bits)) - 1;
    if exponent == last && (!finite || mantissa == (1 << mantissa_bits) - 1) {
        return f32::from_bits(sign | 0x7f80_0000 | if mantissa == 0 { 0 } else { 0x40_0000 });
    }
    // Subnormal numbers have the smallest exponent and no implicit leading one.
    let (whole, power) =
        if exponent == 0 { (mantissa, 1 - bias) } else { (mantissa | 1 << mantissa_bits, exponent as i32 - bias) };
    let unit = f32::from_bits(((power - mantissa_bits as i32 + 127) as u32) << 23);
    let magnitude = whole as f32 * unit;
    f32::from_bits(magnitude.to_bits() | sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_match_the_paper() {
        let e4m3 = table(F8::E4M3);
        for (byte, number) in [(0x00, 0.0), (0x01, 2f32.powi(-9)), (0x08, 2f32.powi(-6)), (0x38, 1.0), (0x7e, 448.0)] {
            assert_eq!(e4m3[byte], number);
            assert_eq!(e4m3[byte + 128], -number);
        }
        assert!(e4m3[0x7f].is_nan() && e4m3[0xff].is_nan());
        assert_eq!(e4m3.iter().filter(|number| number.is_finite()).count(), 254);
        assert!(e4m3[0x80].is_sign_negative());
    }

    #[test]
    fn e5m2_is_the_upper_half_of_float16() {
        for (byte, number) in table(F8::E5M2).iter().enumerate() {
            let half = half::f16::from_bits((byte as u16) << 8).to_f32();
            assert!(number.to_bits() == half.to_bits() || number.is_nan() && half.is_nan(), "{byte}: {number} {half}");
        }
    }
}
