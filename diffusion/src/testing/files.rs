//! Writes small models in the layouts and encodings that people use.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde_json::Value;

/// A tensor as stored in a file.
#[derive(Debug, Clone)]
pub(crate) struct Raw {
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    pub(crate) data: Vec<u8>,
}

impl Raw {
    pub(crate) fn f32(shape: Vec<usize>, values: &[f32]) -> Self {
        Self { dtype: Dtype::F32, shape, data: values.iter().flat_map(|value| value.to_le_bytes()).collect() }
    }

    pub(crate) fn bytes(shape: Vec<usize>, data: Vec<u8>) -> Self {
        Self { dtype: Dtype::U8, shape, data }
    }

    /// Returns the numbers as float32, whatever type they have.
    pub(crate) fn values(&self) -> Vec<f32> {
        let pairs = || self.data.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
        match self.dtype {
            Dtype::F32 => self.data.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect(),
            Dtype::BF16 => pairs().map(|bits| half::bf16::from_bits(bits).to_f32()).collect(),
            Dtype::F16 => pairs().map(|bits| half::f16::from_bits(bits).to_f32()).collect(),
            Dtype::F8_E4M3 => self.data.iter().map(|&byte| e4m3(byte)).collect(),
            other => panic!("{other:?}"),
        }
    }
}

/// Decodes e4m3fn by its definition.
pub(crate) fn e4m3(byte: u8) -> f32 {
    let (exponent, mantissa) = (i32::from(byte >> 3 & 15), f32::from(byte & 7));
    let size =
        if exponent == 0 { mantissa / 8.0 * 2f32.powi(-6) } else { (1.0 + mantissa / 8.0) * 2f32.powi(exponent - 7) };
    if byte & 0x80 == 0 { size } else { -size }
}

/// Returns the byte whose number is nearest. Of two equally near ones it returns the one with the smaller magnitude.
pub(crate) fn to_e4m3(value: f32) -> u8 {
    const LARGEST: u8 = 0x7e;
    let (mut low, mut high) = (0u8, LARGEST);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if e4m3(middle) <= value.abs() { low = middle } else { high = middle }
    }
    let size = if e4m3(high) - value.abs() < value.abs() - e4m3(low) { high } else { low };
    if value < 0.0 && size > 0 { size | 0x80 } else { size }
}

pub(crate) type Part = BTreeMap<String, Raw>;

/// Reads all tensors of the safetensors files in a folder.
pub(crate) fn read(folder: &Path) -> Part {
    let mut part = Part::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "safetensors") {
            let bytes = std::fs::read(path).unwrap();
            for (name, view) in SafeTensors::deserialize(&bytes).unwrap().iter() {
                let raw = Raw { dtype: view.dtype(), shape: view.shape().to_vec(), data: view.data().to_vec() };
                part.insert(name.to_owned(), raw);
            }
        }
    }
    part
}

pub(crate) fn write(path: &Path, part: &Part) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let views =
        part.iter().map(|(name, raw)| (name, TensorView::new(raw.dtype, raw.shape.clone(), &raw.data).unwrap()));
    std::fs::write(path, serialize(views, None).unwrap()).unwrap();
}

/// Renames a part to another layout, by a table that `wan_names.py` or `sdxl_names.py` in `tools/golden` wrote.
pub(crate) fn renamed(part: &Part, table: &Value) -> Part {
    let mut out = Part::new();
    for entry in table.as_array().unwrap() {
        if let Some(names) = entry.as_array() {
            let Some(to) = names[2].as_str() else { continue };
            let mut raw = part.get(names[0].as_str().unwrap()).unwrap_or_else(|| panic!("{names:?}")).clone();
            if let Some(shape) = names.get(3) {
                raw.shape = serde_json::from_value(shape.clone()).unwrap();
            }
            out.insert(to.to_owned(), raw);
            continue;
        }
        let joins: Vec<String> = serde_json::from_value(entry["joins"].clone()).unwrap();
        let shape: Vec<usize> = serde_json::from_value(entry["shape"].clone()).unwrap();
        let parts: Vec<&Raw> = joins.iter().map(|name| &part[name]).collect();
        let raw = match parts.first() {
            Some(first) => {
                Raw { dtype: first.dtype, shape, data: parts.iter().flat_map(|raw| raw.data.clone()).collect() }
            }
            // A tensor of the original file that no network reads.
            None => Raw::f32(shape.clone(), &vec![0.0; shape.iter().product()]),
        };
        out.insert(entry["original"].as_str().unwrap().to_owned(), raw);
    }
    out
}

pub(crate) fn prefixed(part: &Part, prefix: &str) -> Part {
    part.iter().map(|(name, raw)| (format!("{prefix}{name}"), raw.clone())).collect()
}

/// Writes a GGUF file of version 3. Tensors with two axes whose rows divide into blocks are written in `encoding`, all
/// others as float32.
pub(crate) fn write_gguf(path: &Path, part: &Part, architecture: &str, encoding: GgmlDType) {
    gguf(path, part, architecture, encoding, false);
}

/// Does the same as [`write_gguf`], but reshapes tensors with more axes to rows of 256 when possible, and writes their shapes to the
/// metadata.
pub(crate) fn write_gguf_relaid(path: &Path, part: &Part, architecture: &str, encoding: GgmlDType) {
    gguf(path, part, architecture, encoding, true);
}

fn gguf(path: &Path, part: &Part, architecture: &str, encoding: GgmlDType, relay: bool) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let text = |text: &str| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat();
    let relaid = |raw: &Raw| {
        let elements: usize = raw.shape.iter().product();
        relay && raw.shape.len() > 2 && elements >= 512 && elements.is_multiple_of(256)
    };
    let count = part.values().filter(|raw| relaid(raw)).count() as u64 + 1;
    let mut header =
        [&b"GGUF"[..], &3u32.to_le_bytes(), &(part.len() as u64).to_le_bytes(), &count.to_le_bytes()].concat();
    header.extend(text("general.architecture"));
    header.extend(8u32.to_le_bytes());
    header.extend(text(architecture));
    for (name, raw) in part.iter().filter(|(_, raw)| relaid(raw)) {
        header.extend(text(&format!("comfy.gguf.orig_shape.{name}")));
        header.extend([9u32, 5].iter().flat_map(|kind| kind.to_le_bytes()));
        header.extend((raw.shape.len() as u64).to_le_bytes());
        raw.shape.iter().for_each(|&side| header.extend((side as i32).to_le_bytes()));
    }
    let mut data: Vec<u8> = vec![];
    for (name, raw) in part {
        let values = raw.values();
        let shape = if relaid(raw) { vec![values.len() / 256, 256] } else { raw.shape.clone() };
        let blocks = shape.len() == 2 && shape[1].is_multiple_of(encoding.block_size());
        let (kind, bytes) = if blocks {
            (encoding, quantised(&values, &shape, encoding))
        } else {
            (GgmlDType::F32, values.iter().flat_map(|value| value.to_le_bytes()).collect())
        };
        header.extend(text(name));
        header.extend((shape.len() as u32).to_le_bytes());
        shape.iter().rev().for_each(|&side| header.extend((side as u64).to_le_bytes()));
        header.extend(number(kind).to_le_bytes());
        header.extend((data.len() as u64).to_le_bytes());
        data.extend(bytes);
        data.resize(data.len().next_multiple_of(32), 0);
    }
    header.resize(header.len().next_multiple_of(32), 0);
    header.extend(data);
    std::fs::write(path, header).unwrap();
}

fn quantised(values: &[f32], shape: &[usize], encoding: GgmlDType) -> Vec<u8> {
    let tensor = Tensor::from_slice(values, shape, &Device::Cpu).unwrap();
    QTensor::quantize(&tensor, encoding).unwrap().data().unwrap().to_vec()
}

/// Returns GGML's number of a type.
fn number(kind: GgmlDType) -> u32 {
    match kind {
        GgmlDType::F32 => 0,
        GgmlDType::F16 => 1,
        GgmlDType::Q4_0 => 2,
        GgmlDType::Q4_1 => 3,
        GgmlDType::Q5_0 => 6,
        GgmlDType::Q5_1 => 7,
        GgmlDType::Q8_0 => 8,
        GgmlDType::Q2K => 10,
        GgmlDType::Q3K => 11,
        GgmlDType::Q4K => 12,
        GgmlDType::Q5K => 13,
        GgmlDType::Q6K => 14,
        GgmlDType::BF16 => 30,
        other => panic!("{other:?}"),
    }
}

/// Returns the folder in `MUST_SMALL_MODELS`, to which models for the tests of other languages are written.
pub(crate) fn small_models() -> std::path::PathBuf {
    std::env::var_os("MUST_SMALL_MODELS").expect("MUST_SMALL_MODELS names the folder to write").into()
}

/// Returns an empty folder `name` inside [`small_models`].
pub(crate) fn small_model(name: &str) -> std::path::PathBuf {
    let place = small_models().join(name);
    let _ = std::fs::remove_dir_all(&place);
    std::fs::create_dir_all(&place).unwrap();
    place
}
