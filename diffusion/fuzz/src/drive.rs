//! Passes bytes to the readers of weights and uses the result. No input may cause a panic. The fuzz targets call these
//! functions, and so does a test of the library, which includes this file. Each function returns whether the bytes were
//! valid.

#![allow(unreachable_pub, reason = "only the fuzz targets need these to be public")]

use std::path::Path;

use super::{FileBytes, ModelFiles, Source, StoredTensor};

/// Reads a file that may be safetensors, GGUF or anything else.
pub fn container(data: &[u8]) -> bool {
    let Some(source) = open(data.to_vec()) else { return false };
    // If the format's own library can read the file too, it must return the same numbers.
    let Ok(other) = ::safetensors::SafeTensors::deserialize(data) else { return true };
    for tensor in source.names() {
        let (ours, theirs) = (source.get(tensor).unwrap(), other.tensor(tensor).unwrap());
        assert_eq!(ours.bytes(), theirs.data());
        if !ours.encoding().name().ends_with("F4") && !ours.encoding().name().ends_with("P4") {
            assert_eq!(ours.shape(), theirs.shape());
        }
    }
    true
}

/// Reads an index of shards, in a folder that has two of them.
pub fn index(folder: &Path, data: &[u8]) -> bool {
    let (index, shards) =
        ("m.safetensors.index.json", ["m-00001-of-00002.safetensors", "m-00002-of-00002.safetensors"]);
    for (shard, tensor) in shards.iter().zip(["a", "b"]) {
        if !folder.join(shard).exists() {
            std::fs::write(folder.join(shard), file(&[(tensor, "U8", vec![1], vec![7])], "")).unwrap();
        }
    }
    std::fs::write(folder.join(index), data).unwrap();
    Source::open(&ModelFiles::Folder(folder.to_owned()), index).is_ok_and(|source| use_all(&source))
}

/// Reads tensors whose names make them companions of each other. The bytes choose names, types, shapes and contents, in this
/// order: name, type, number of axes, length of each axis, number of content bytes (two bytes), content.
pub fn companions(data: &[u8]) -> bool {
    const NAMES: [&str; 22] = [
        "l.weight",
        "l.weight.absmax",
        "l.weight.quant_map",
        "l.weight.nested_absmax",
        "l.weight.nested_quant_map",
        "l.weight.quant_state.bitsandbytes__nf4",
        "l.weight.quant_state.bitsandbytes__fp4",
        "l.weight.quant_state.other",
        "l.weight_scale",
        "l.scale_weight",
        "l.weight_scale_inv",
        "l.weight_scale_2",
        "l.pre_quant_scale",
        "l.input_scale",
        "l.scale_input",
        "l.comfy_quant",
        "l.SCB",
        "l.weight_format",
        "scaled_fp8",
        "p.l.weight",
        "p.l.weight_scale",
        "_quantization_metadata",
    ];
    const TYPES: [(&str, usize); 8] =
        [("U8", 1), ("I8", 1), ("F8_E4M3", 1), ("F8_E5M2", 1), ("F32", 4), ("BF16", 2), ("F64", 8), ("BOOL", 1)];
    let mut metadata = String::new();
    let mut parts: Vec<Part> = vec![];
    let mut left = data;
    let mut next = || {
        let (byte, rest) = left.split_first()?;
        left = rest;
        Some(usize::from(*byte))
    };
    while let (Some(name), Some(kind), Some(axes)) = (next(), next(), next()) {
        let (name, (kind, size)) = (NAMES[name % NAMES.len()], TYPES[kind % TYPES.len()]);
        let mut shape: Vec<usize> = (0..axes % 4).map_while(|_| next()).collect();
        let length = next().unwrap_or(0) + 256 * next().unwrap_or(0);
        let mut bytes: Vec<u8> = (0..length).map_while(|_| next()).map(|byte| byte as u8).collect();
        if name == "_quantization_metadata" {
            let text = serde_json::to_string(&String::from_utf8_lossy(&bytes)).unwrap();
            metadata = format!("\"{name}\":{text}");
            continue;
        }
        // Shape and bytes must agree, otherwise the container itself is refused.
        if shape.is_empty() && bytes.len() != size || shape.iter().product::<usize>() * size > 1 << 16 {
            shape = vec![bytes.len() / size];
        }
        bytes.resize(shape.iter().product::<usize>() * size, 0);
        if parts.iter().all(|(other, ..)| *other != name) {
            parts.push((name, kind, shape, bytes));
        }
    }
    open(file(&parts, &metadata)).is_some()
}

/// Reads a file and uses everything in it.
fn open(data: Vec<u8>) -> Option<Source> {
    let name = "file".to_owned();
    let source = Source::of_files(name.clone(), &[(FileBytes::of_vec(data), name)], &[]).ok()?;
    use_all(&source);
    Some(source)
}

/// Name, type, shape and bytes of a tensor.
type Part = (&'static str, &'static str, Vec<usize>, Vec<u8>);

/// Builds a safetensors file.
fn file(parts: &[Part], metadata: &str) -> Vec<u8> {
    let mut header = format!("{{\"__metadata__\":{{{metadata}}}");
    let mut data: Vec<u8> = vec![];
    for (name, kind, shape, bytes) in parts {
        let (start, end) = (data.len(), data.len() + bytes.len());
        header += &format!(r#","{name}":{{"dtype":"{kind}","shape":{shape:?},"data_offsets":[{start},{end}]}}"#);
        data.extend(bytes);
    }
    header.push('}');
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat()
}

/// Decodes, slices and reshapes all tensors.
fn use_all(source: &Source) -> bool {
    for key in ["general.architecture", "tokenizer.ggml.tokens", "tokenizer.ggml.scores", "general.alignment", "k"] {
        if let Some(value) = source.metadata(key) {
            let _ = (value.text(), value.integer(), value.number(), value.flag());
            let _ = (value.texts(), value.numbers(), value.integers());
        }
    }
    for tensor in source.names().map(|name| source.get(name).unwrap()) {
        use_tensor(tensor);
        let rows = tensor.shape().first().copied().unwrap_or(0);
        for (from, to) in [(0, 1), (rows / 2, rows), (rows, rows), (1, rows.wrapping_add(1))] {
            if let Ok(part) = tensor.rows(from, to) {
                use_tensor(&part);
            }
        }
        use_tensor(&tensor.reshaped(vec![tensor.elements()]).unwrap());
    }
    true
}

fn use_tensor(tensor: &StoredTensor) {
    assert!(tensor.file_bytes() >= tensor.bytes().len() as u64);
    let elements = tensor.elements();
    let mut out = [0f32; 600];
    for start in [0, 1, elements / 2, elements.saturating_sub(300)] {
        let length = out.len().min(elements.saturating_sub(start));
        tensor.decode(start.min(elements), &mut out[..length]).unwrap();
    }
    assert!(tensor.decode(elements, &mut out[..1]).is_err());
}
