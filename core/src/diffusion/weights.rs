//! Weights from safetensors: one file, or shards with an index, read tensor by tensor.
//!
//! Always holds: a file's whole header is checked before any tensor is used (size cap, known types, offsets that fill the
//! file without gap or overlap, sizes that agree with shapes), and a tensor is handed out only with the shape that its
//! user expects. Pickle files are told apart by content, whatever they are called, and refused, since reading them can run
//! code. Format: <https://github.com/huggingface/safetensors#format>

use std::collections::HashMap;

use candle_core::{DType, Device, Shape, Tensor};
use parking_lot::Mutex;
use serde::Deserialize;

use super::files::{Blob, ModelFiles, unusable};
use crate::error::Result;

/// The cap that the format's own library sets.
const HEADER_LIMIT: u64 = 100_000_000;

#[derive(Debug, Clone)]
struct Entry {
    file: usize,
    dtype: DType,
    shape: Vec<usize>,
    /// First byte in the file.
    start: u64,
    length: usize,
}

#[derive(Deserialize)]
struct RawEntry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [u64; 2],
}

#[derive(Deserialize)]
struct Index {
    weight_map: HashMap<String, String>,
}

/// The tensors of one component of a model.
#[derive(Debug)]
pub struct Weights {
    /// What the files are called in messages.
    origin: String,
    files: Vec<Blob>,
    entries: HashMap<String, Entry>,
    device: Device,
    held: Mutex<u64>,
}

impl Weights {
    /// Opens `stem.safetensors`, or the shards that `stem.safetensors.index.json` lists, in `folder` of the model. Tensors
    /// come out as float32 on `device`.
    pub fn open(model: &ModelFiles, folder: &str, stem: &str, device: &Device) -> Result<Self> {
        let single = format!("{folder}/{stem}.safetensors");
        let index = format!("{folder}/{stem}.safetensors.index.json");
        let mut weights = Self {
            origin: folder.to_owned(),
            files: vec![],
            entries: HashMap::new(),
            device: device.clone(),
            held: Mutex::new(0),
        };
        if model.has(&single) || !model.has(&index) {
            weights.add(model.open(&single)?, &single)?;
            return Ok(weights);
        }
        let listed: Index = model.json(&index)?;
        let mut shards: Vec<&String> = listed.weight_map.values().collect();
        shards.sort();
        shards.dedup();
        for shard in shards {
            if shard.contains(['/', '\\']) || shard.starts_with('.') {
                return Err(unusable(format!("{index} names a file outside its folder: {shard}")));
            }
            let name = format!("{folder}/{shard}");
            weights.add(model.open(&name)?, &name)?;
        }
        match listed.weight_map.keys().find(|name| !weights.entries.contains_key(*name)) {
            Some(name) => Err(unusable(format!("{index} lists {name}, which no shard holds"))),
            None => Ok(weights),
        }
    }

    fn add(&mut self, blob: Blob, name: &str) -> Result<()> {
        for (tensor, entry) in read_header(&blob, name, self.files.len())? {
            if self.entries.insert(tensor.clone(), entry).is_some() {
                return Err(unusable(format!("{tensor} is in two files of {}", self.origin)));
            }
        }
        self.files.push(blob);
        Ok(())
    }

    /// Whether there is a tensor of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// The tensor as float32. One that is missing or of another shape is a `model_unavailable` error that names it.
    pub fn get(&self, name: &str, shape: impl Into<Shape>) -> Result<Tensor> {
        let shape = shape.into();
        let entry =
            self.entries.get(name).ok_or_else(|| unusable(format!("{}: tensor {name} is missing", self.origin)))?;
        if entry.shape != shape.dims() {
            return Err(unusable(format!(
                "{}: tensor {name} has shape {:?}, {:?} was expected",
                self.origin,
                entry.shape,
                shape.dims()
            )));
        }
        let blob = self.files.get(entry.file).ok_or_else(|| unusable("a weight file is missing"))?;
        let bytes = blob.read(entry.start, entry.length)?;
        let tensor = Tensor::from_raw_buffer(&bytes, entry.dtype, &entry.shape, &self.device)?.to_dtype(DType::F32)?;
        *self.held.lock() += (tensor.elem_count() * DType::F32.size_in_bytes()) as u64;
        Ok(tensor)
    }

    /// Bytes of all tensors handed out so far, as they are held.
    #[must_use]
    pub fn held_bytes(&self) -> u64 {
        *self.held.lock()
    }
}

fn read_header(blob: &Blob, name: &str, file: usize) -> Result<HashMap<String, Entry>> {
    let bad = |what: &str| unusable(format!("{name}: {what}"));
    let start = blob.read(0, 8).map_err(|_| bad("is too short to be a safetensors file"))?;
    let size = match <[u8; 8]>::try_from(start.as_slice()) {
        Ok(bytes) if is_pickle(bytes) => {
            return Err(bad("is a pickle, which can run code when read, and is refused; convert it to safetensors"));
        }
        Ok(bytes) => u64::from_le_bytes(bytes),
        Err(_) => return Err(bad("is too short to be a safetensors file")),
    };
    if size > HEADER_LIMIT || size.checked_add(8).is_none_or(|end| end > blob.len()) {
        return Err(bad("is not a safetensors file: its header is larger than allowed or than the file"));
    }
    let header = blob.read(8, usize::try_from(size).map_err(|_| bad("has too large a header"))?)?;
    if header.first() != Some(&b'{') {
        return Err(bad("is not a safetensors file: its header is not JSON"));
    }
    let parsed: HashMap<String, serde_json::Value> =
        serde_json::from_slice(&header).map_err(|error| bad(&format!("header: {error}")))?;

    let data = 8 + size;
    let mut entries = HashMap::new();
    let mut spans = vec![];
    for (tensor, value) in parsed {
        if tensor == "__metadata__" {
            continue;
        }
        let raw: RawEntry =
            serde_json::from_value(value).map_err(|error| bad(&format!("entry of {tensor}: {error}")))?;
        let dtype = match raw.dtype.as_str() {
            "F64" => DType::F64,
            "F32" => DType::F32,
            "F16" => DType::F16,
            "BF16" => DType::BF16,
            "I64" => DType::I64,
            "U32" => DType::U32,
            "U8" => DType::U8,
            other => return Err(bad(&format!("tensor {tensor} has type {other}, which is not supported"))),
        };
        let length = raw.shape.iter().try_fold(dtype.size_in_bytes(), |size, &side| size.checked_mul(side));
        let [begin, end] = raw.data_offsets;
        let length = match length {
            Some(length) if begin.checked_add(length as u64) == Some(end) => length,
            _ => return Err(bad(&format!("tensor {tensor}: shape and offsets do not agree"))),
        };
        spans.push((begin, end));
        entries.insert(tensor, Entry { file, dtype, shape: raw.shape, start: data + begin, length });
    }
    spans.sort_unstable();
    let mut reached = 0;
    for (begin, end) in spans {
        if begin != reached {
            return Err(bad("tensors overlap or leave gaps"));
        }
        reached = end;
    }
    if data + reached != blob.len() {
        return Err(bad("the file is longer or shorter than its tensors"));
    }
    Ok(entries)
}

/// A zip archive (PyTorch since 1.6) or a bare pickle of protocol 2 to 5 (before that).
fn is_pickle(start: [u8; 8]) -> bool {
    matches!(start, [b'P', b'K', 3, 4, ..] | [0x80, 2..=5, ..])
        // A safetensors file may begin so, but then the upper half of its header size is zero.
        && start.get(4..) != Some(&[0; 4])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, data: usize) -> Vec<u8> {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend(vec![0u8; data]);
        bytes
    }

    fn open(bytes: &[u8]) -> Result<Weights> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("part")).unwrap();
        std::fs::write(folder.path().join("part/model.safetensors"), bytes).unwrap();
        Weights::open(&ModelFiles::Folder(folder.path().to_owned()), "part", "model", &Device::Cpu)
    }

    #[test]
    fn sound_files_open() {
        let header = r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F16","shape":[2,3],"data_offsets":[0,12]},"b":{"dtype":"F32","shape":[],"data_offsets":[12,16]}}"#;
        let weights = open(&file(header, 16)).unwrap();
        assert_eq!(weights.get("a", (2, 3)).unwrap().dims(), [2, 3]);
        assert!(weights.get("a", (3, 2)).unwrap_err().detail().contains("tensor a has shape [2, 3]"));
        assert!(weights.get("c", 1).unwrap_err().detail().contains("tensor c is missing"));
        assert_eq!(weights.held_bytes(), 24);
    }

    #[test]
    fn damaged_files_are_refused() {
        let one = |offsets: &str| format!(r#"{{"a":{{"dtype":"F32","shape":[2],"data_offsets":[{offsets}]}}}}"#);
        let cases = [
            (vec![], "too short"),
            (file("[]", 0), "not JSON"),
            (file("{", 0), "header"),
            (file(&one("0,8"), 7), "longer or shorter"),
            (file(&one("0,8"), 9), "longer or shorter"),
            (file(&one("4,12"), 12), "gaps"),
            (file(&one("0,4"), 8), "do not agree"),
            (file(&one("8,0"), 8), "do not agree"),
            (file(&one("18446744073709551612,4"), 8), "do not agree"),
            (file(r#"{"a":{"dtype":"F99","shape":[],"data_offsets":[0,1]}}"#, 1), "not supported"),
            (file(r#"{"a":{"dtype":"F32","shape":[18446744073709551615,2],"data_offsets":[0,8]}}"#, 8), "do not agree"),
            (u64::MAX.to_le_bytes().to_vec(), "larger than allowed"),
            (b"PK\x03\x04\x00\x00\x08\x08archive/data.pkl".to_vec(), "pickle"),
            (b"\x80\x02}q\x00(X\x06\x00".to_vec(), "pickle"),
        ];
        for (bytes, expected) in cases {
            let error = open(&bytes).unwrap_err();
            assert_eq!(error.code(), crate::ErrorCode::ModelUnavailable);
            assert!(error.detail().contains(expected), "{} does not say {expected}", error.detail());
        }
    }
}
