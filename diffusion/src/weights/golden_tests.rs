//! Compares every encoding with the reference's own dequantiser. `tools/golden/encodings.py` wrote `tests/golden/encodings`
//! with the packages gguf, bitsandbytes and PyTorch.

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};

use super::*;

macro_rules! golden {
    ($name:literal) => {
        include_bytes!(concat!("../../../tests/golden/encodings/", $name))
    };
}

pub(super) const TYPES: &[u8] = golden!("types.gguf");
pub(super) const EIGHT_BITS: &[u8] = golden!("eight_bits.safetensors");
pub(super) const BITSANDBYTES: &[u8] = golden!("bitsandbytes.safetensors");
pub(super) const DENSE: &[u8] = golden!("dense.safetensors");
const EXPECTED: &[u8] = golden!("expected.safetensors");

const FILES: [(&str, &[u8]); 4] =
    [("gguf", TYPES), ("eight_bits", EIGHT_BITS), ("bitsandbytes", BITSANDBYTES), ("dense", DENSE)];

pub(super) fn open(bytes: &[u8]) -> crate::Result<Source> {
    Source::of_files("file".to_owned(), &[(FileBytes::of_vec(bytes.to_vec()), "file".to_owned())], &[])
}

fn decode(tensor: &StoredTensor) -> Vec<f32> {
    let mut values = vec![0.0; tensor.elements()];
    tensor.decode(0, &mut values).unwrap();
    values
}

/// Returns how many float32 steps apart two numbers are: 0 for equal bits or two NaN.
fn distance(ours: f32, theirs: f32) -> u32 {
    if ours.is_nan() && theirs.is_nan() { 0 } else { ours.to_bits().abs_diff(theirs.to_bits()) }
}

fn expected(file: &str, tensor: &str) -> (Vec<usize>, Vec<f32>) {
    let all = ::safetensors::SafeTensors::deserialize(EXPECTED).unwrap();
    let found = all.tensor(&format!("{file}/{tensor}")).unwrap();
    let values = found.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    (found.shape().to_vec(), values)
}

#[test]
fn every_encoding_matches_its_reference() {
    let all = ::safetensors::SafeTensors::deserialize(EXPECTED).unwrap();
    let mut names: Vec<String> = all.names().iter().map(|name| (*name).to_owned()).collect();
    let mut found = vec![];
    for (file, bytes) in FILES {
        let source = open(bytes).unwrap();
        for name in source.names() {
            found.push(format!("{file}/{name}"));
            let tensor = source.get(name).unwrap();
            let (shape, values) = expected(file, name);
            assert_eq!(tensor.shape(), shape, "{file}/{name}");
            let worst = decode(tensor).iter().zip(&values).map(|(ours, theirs)| distance(*ours, *theirs)).max();
            // bitsandbytes multiplies by the maximum and then by 1/127. MUST multiplies by their product. Each way rounds
            // twice.
            let bound = if name == "int8.weight" { 2 } else { 0 };
            assert!(worst.unwrap_or(0) <= bound, "{file}/{name} in {}: {worst:?}", tensor.encoding().name());
        }
    }
    names.sort();
    found.sort();
    assert_eq!(found, names, "nothing is missing, and no companion is listed");
}

#[test]
fn any_range_decodes_like_the_whole_tensor() {
    for (file, bytes) in FILES {
        let source = open(bytes).unwrap();
        for name in source.names() {
            let tensor = source.get(name).unwrap();
            let whole = decode(tensor);
            let elements = whole.len();
            let ends = [0, 1, 2, 3, 31, 32, 33, 63, 64, 65, 255, 256, 257, elements / 2, elements.max(1) - 1, elements];
            for start in ends.into_iter().filter(|start| *start <= elements) {
                for end in ends.into_iter().filter(|end| (start..=elements).contains(end)) {
                    let mut part = vec![7.0; end - start];
                    tensor.decode(start, &mut part).unwrap();
                    let same = part.iter().zip(&whole[start..end]).all(|(part, whole)| distance(*part, *whole) == 0);
                    assert!(same, "{file}/{name}: {start}..{end}");
                }
            }
            assert!(tensor.decode(elements, &mut [0.0]).is_err());
            assert!(tensor.decode(usize::MAX, &mut [0.0]).is_err());
        }
    }
}

#[test]
fn slicing_rows_and_reshaping_keep_the_numbers() {
    for (file, bytes) in FILES {
        let source = open(bytes).unwrap();
        for name in source.names() {
            let tensor = source.get(name).unwrap();
            let whole = decode(tensor);
            assert_eq!(tensor.reshaped(vec![whole.len()]).unwrap().shape(), [whole.len()]);
            assert!(tensor.reshaped(vec![whole.len() + 1]).is_err());
            let Some(&rows) = tensor.shape().first() else { continue };
            let row = whole.len().checked_div(rows).unwrap_or(0);
            assert!(tensor.rows(0, rows + 1).is_err() && tensor.rows(1, 0).is_err());
            let cuts = [(0, rows), (0, 1), (1, rows), (rows / 2, rows), (rows, rows), (1, 1)];
            for (from, to) in cuts.into_iter().filter(|(from, to)| from <= to && *to <= rows) {
                let block = tensor.encoding().block();
                let fits = |end: usize| end * row == whole.len() || (end * row).is_multiple_of(block);
                let part = tensor.rows(from, to);
                if !fits(from) || !fits(to) {
                    assert!(part.unwrap_err().detail().contains("cannot be separated"), "{file}/{name}");
                    continue;
                }
                let part = part.unwrap();
                assert_eq!(part.shape()[0], to - from);
                assert_eq!(part.shape()[1..], tensor.shape()[1..]);
                let same = decode(&part).iter().zip(&whole[from * row..to * row]).all(|(a, b)| distance(*a, *b) == 0);
                assert!(same, "{file}/{name}: rows {from}..{to} in {}", tensor.encoding().name());
                // A range of a range, reshaped.
                if to - from > 1 && fits(from + 1) {
                    let (elements, again) = (part.elements(), part.rows(1, to - from).unwrap());
                    let flat = part.reshaped(vec![elements]).unwrap();
                    assert!(decode(&again).iter().zip(&whole[(from + 1) * row..]).all(|(a, b)| distance(*a, *b) == 0));
                    assert!(decode(&flat).iter().zip(&whole[from * row..]).all(|(a, b)| distance(*a, *b) == 0));
                }
            }
        }
    }
}

#[test]
fn blocks_decode_as_candle_decodes_them() {
    let kinds = [
        (Ggml::Q4_0, GgmlDType::Q4_0),
        (Ggml::Q4_1, GgmlDType::Q4_1),
        (Ggml::Q5_0, GgmlDType::Q5_0),
        (Ggml::Q5_1, GgmlDType::Q5_1),
        (Ggml::Q8_0, GgmlDType::Q8_0),
        (Ggml::Q2K, GgmlDType::Q2K),
        (Ggml::Q3K, GgmlDType::Q3K),
        (Ggml::Q4K, GgmlDType::Q4K),
        (Ggml::Q5K, GgmlDType::Q5K),
        (Ggml::Q6K, GgmlDType::Q6K),
    ];
    for (ours, theirs) in kinds {
        assert_eq!((ours.block(), ours.block_bytes()), (theirs.block_size(), theirs.type_size()));
        let values: Vec<f32> =
            (0..4096u32).map(|i| ((i.wrapping_mul(2_654_435_761) >> 8) as f32 - 8e6) / 3e6).collect();
        let dense = Tensor::from_vec(values, (8, 512), &Device::Cpu).unwrap();
        let quantised = QTensor::quantize(&dense, theirs).unwrap();
        let theirs: Vec<f32> = quantised.dequantize(&Device::Cpu).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        let bytes = FileBytes::of_vec(quantised.data().unwrap().to_vec());
        let stored = StoredTensor::new(vec![8, 512], Encoding::Ggml(ours), bytes).unwrap();
        assert!(decode(&stored).iter().zip(&theirs).all(|(a, b)| a.to_bits() == b.to_bits()), "{ours:?}");
    }
}

#[test]
fn original_shapes_are_restored() {
    let source = open(BITSANDBYTES).unwrap();
    let tensor = source.get("x.nf4.nested.odd.weight").unwrap();
    assert_eq!(tensor.shape(), [65, 299]);
    assert_eq!(tensor.encoding().name(), "NF4");
    let (elements, blocks) = (65 * 299usize, 304u64);
    assert_eq!(tensor.file_bytes(), elements.div_ceil(2) as u64 + blocks + 2 * 4);
    let Encoding::FourBit { absmax, block: 64, .. } = tensor.encoding() else { panic!() };
    assert_eq!(absmax.values().len(), 304);
    assert_eq!(source.get("x.fp4.plain.even.weight").unwrap().encoding().name(), "FP4");
    for name in source.names() {
        if let Encoding::FourBit { code, .. } = source.get(name).unwrap().encoding() {
            assert_eq!(*code, if name.contains("nf4") { must_tensors::NF4 } else { must_tensors::FP4 }, "{name}");
        }
    }
    let source = open(TYPES).unwrap();
    assert_eq!(source.get("conv.weight").unwrap().shape(), [4, 8, 4, 4]);
    assert_eq!(source.get("patch_embedding.weight").unwrap().shape(), [2, 3, 1, 2, 2]);
}

#[test]
fn metadata_is_kept() {
    let source = open(TYPES).unwrap();
    assert_eq!(source.metadata("general.architecture").and_then(Metadata::text), Some("wan"));
    let tokens = source.metadata("tokenizer.ggml.tokens").and_then(Metadata::texts).unwrap();
    assert_eq!(tokens, ["<pad>", "</s>", "\u{2581}\u{e9}t\u{e9}", "\u{1f98a}"]);
    let scores = source.metadata("tokenizer.ggml.scores").and_then(Metadata::numbers).unwrap();
    assert_eq!(scores, [0.0, -1.5, -2.25, -1e10]);
    assert_eq!(source.metadata("tokenizer.ggml.token_type").and_then(Metadata::integers).unwrap(), [3, 3, 1, 1]);
    assert_eq!(source.metadata("tokenizer.ggml.add_space_prefix").and_then(Metadata::flag), Some(true));
    assert_eq!(source.metadata("tokenizer.ggml.eos_token_id").and_then(Metadata::integer), Some(1));
    assert!(source.metadata("tokenizer.ggml.eos_token_id").and_then(Metadata::text).is_none());
    let source = open(DENSE).unwrap();
    let architecture = source.metadata("modelspec.architecture").and_then(Metadata::text);
    assert_eq!(architecture, Some("stable-diffusion-xl-v1-base"));
}

#[test]
fn version_two_is_read_as_version_three() {
    let mut bytes = TYPES.to_vec();
    bytes[4] = 2;
    assert_eq!(open(&bytes).unwrap().names().count(), open(TYPES).unwrap().names().count());
}

/// Prints nanoseconds for each element on one thread. Run with `--ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn speed() {
    const ROWS: usize = 1024;
    let mut kinds: Vec<(Encoding, &str)> = [
        Ggml::Q4_0,
        Ggml::Q4_1,
        Ggml::Q5_0,
        Ggml::Q5_1,
        Ggml::Q8_0,
        Ggml::Q2K,
        Ggml::Q3K,
        Ggml::Q4K,
        Ggml::Q5K,
        Ggml::Q6K,
    ]
    .map(|kind| (Encoding::Ggml(kind), kind.name()))
    .to_vec();
    let rows: std::sync::Arc<[f32]> = (0..ROWS).map(|row| row as f32).collect();
    kinds.extend([
        (Encoding::Dense(Dense::F32), "F32"),
        (Encoding::Dense(Dense::F16), "F16"),
        (Encoding::Dense(Dense::BF16), "BF16"),
        (Encoding::F8 { kind: F8::E4M3, scale: Scale::None }, "F8"),
        (Encoding::F8 { kind: F8::E4M3, scale: Scale::Rows(rows.clone()) }, "F8 rows"),
        (Encoding::Int8 { scale: Scale::Rows(rows) }, "INT8 rows"),
        (Encoding::FourBit { code: must_tensors::NF4, absmax: vec![1.0; ROWS * 64].into(), block: 64 }, "NF4"),
    ]);
    for (encoding, name) in kinds {
        let size = encoding.size(ROWS * 4096).unwrap();
        let bytes = FileBytes::of_vec((0..size).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8 & 0x3b).collect());
        let stored = StoredTensor::new(vec![ROWS, 4096], encoding, bytes).unwrap();
        let mut out = vec![0.0; 4096];
        let mut best = f64::INFINITY;
        for _ in 0..5 {
            let begun = std::time::Instant::now();
            for row in 0..ROWS {
                stored.decode(row * 4096, &mut out).unwrap();
            }
            best = best.min(begun.elapsed().as_secs_f64());
        }
        println!("{name:10} {:.2} ns", best * 1e9 / (ROWS * 4096) as f64);
    }
}
