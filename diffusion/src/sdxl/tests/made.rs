//! Makes the small checkpoints of the golden data. `tools/golden/sdxl_weights.py` computes the same weights from the names of the
//! tensors.

use std::collections::BTreeMap;

use safetensors::tensor::Dtype;

use crate::testing::files::{Part, Raw};
use crate::testing::json;

/// Name and shape of a tensor, and the exponent of the power of two that its weights are multiplied by. Tensors without an exponent
/// are gains of norms.
type Listed = (String, Vec<usize>, Option<i32>);

fn seed(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |value, byte| (value ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// Generates random bytes with SplitMix64.
fn stream(text: &str) -> impl Iterator<Item = u8> + use<> {
    let seed = seed(text);
    (1u64..).flat_map(move |word| {
        let mut state = seed.wrapping_add(word.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (state ^ (state >> 31)).to_le_bytes()
    })
}

fn number(byte: u8, exponent: Option<i32>) -> f32 {
    let Some(exponent) = exponent else { return 0.75 + f32::from(byte & 3) * 0.125 };
    let size = (8.0 + f32::from(byte & 7)) / 16.0 / f32::from(1 + (byte >> 3 & 1)) * 2f32.powi(exponent);
    if byte >> 7 == 0 { size } else { -size }
}

/// Makes the tensors of a part in float16, which represents all of them exactly.
pub(super) fn part(name: &str) -> Part {
    let mut all: BTreeMap<String, Vec<Listed>> = json("sdxl/weights.json");
    let listed = all.remove(name).unwrap();
    let made = |(tensor, shape, exponent): Listed| {
        let count = shape.iter().product();
        let bytes = stream(&format!("{name}/{tensor}")).take(count);
        let data = bytes.flat_map(|byte| half::f16::from_f32(number(byte, exponent)).to_le_bytes()).collect();
        (tensor, Raw { dtype: Dtype::F16, shape, data })
    };
    listed.into_iter().map(made).collect()
}
