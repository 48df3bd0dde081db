//! Writes models in the encodings that people use.

use std::path::Path;

use candle_core::quantized::GgmlDType;
use safetensors::tensor::Dtype;
use serde_json::Value;

use super::files::{Part, Raw, to_e4m3, write, write_gguf};
use crate::weights::{StoredTensor, Tensors};

/// Writes a denoiser to a folder.
pub(crate) type Writer = Box<dyn Fn(&Part, &Path)>;

/// A function that returns whether files with a smaller encoding encode this tensor. All other tensors keep their type.
type Encodes = fn(&str, &Raw) -> bool;

fn safetensors(encodes: Encodes, change: impl Fn(&str, &Raw) -> Vec<(String, Raw)> + 'static) -> Writer {
    Box::new(move |part, folder| {
        let changed = part.iter().flat_map(|(name, raw)| {
            if encodes(name, raw) { change(name, raw) } else { vec![(name.clone(), raw.clone())] }
        });
        write(&folder.join("denoiser.safetensors"), &changed.collect());
    })
}

fn gguf(architecture: &'static str, kind: GgmlDType) -> Writer {
    Box::new(move |part, folder| write_gguf(&folder.join("denoiser.gguf"), part, architecture, kind))
}

fn dense(encodes: Encodes, dtype: Dtype) -> Writer {
    safetensors(encodes, move |name, raw| {
        let data = match dtype {
            Dtype::F32 => raw.values().iter().flat_map(|value| value.to_le_bytes()).collect(),
            Dtype::F16 => raw.values().iter().flat_map(|&value| half::f16::from_f32(value).to_le_bytes()).collect(),
            _ => raw.values().iter().flat_map(|&value| half::bf16::from_f32(value).to_le_bytes()).collect(),
        };
        vec![(name.to_owned(), Raw { dtype, shape: raw.shape.clone(), data })]
    })
}

/// Writes fp8 with one scale for each tensor, stored under the name `<layer>.<suffix>`. Without a suffix the scale is 1 and
/// is not written.
fn fp8(encodes: Encodes, suffix: Option<&'static str>) -> Writer {
    safetensors(encodes, move |name, raw| {
        let values = raw.values();
        let most = values.iter().fold(0f32, |most, value| most.max(value.abs()));
        let scale = if suffix.is_some() { most / 448.0 } else { 1.0 };
        let data = values.iter().map(|value| to_e4m3(value / scale)).collect();
        let mut out = vec![(name.to_owned(), Raw { dtype: Dtype::F8_E4M3, shape: raw.shape.clone(), data })];
        if let Some(suffix) = suffix {
            let layer = name.strip_suffix(".weight").unwrap();
            out.push((format!("{layer}.{suffix}"), Raw::f32(vec![], &[scale])));
        }
        out
    })
}

/// Writes bitsandbytes' format in blocks of 64, with or without double quantisation.
fn four_bit(encodes: Encodes, kind: &'static str, nested: bool) -> Writer {
    let code: Vec<f32> = match kind {
        "nf4" => vec![
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
        ],
        _ => [0.0, 0.0625, 8.0, 12.0, 4.0, 6.0, 2.0, 3.0, -0.0, -0.0625, -8.0, -12.0, -4.0, -6.0, -2.0, -3.0]
            .map(|value: f32| value / 12.0)
            .to_vec(),
    };
    safetensors(encodes, move |name, raw| {
        let values = raw.values();
        let maxima: Vec<f32> =
            values.chunks(64).map(|block| block.iter().fold(1e-9f32, |most, value| most.max(value.abs()))).collect();
        let nibble = |index: usize| {
            let wanted = values[index] / maxima[index / 64];
            let nearest = |&a: &usize, &b: &usize| (code[a] - wanted).abs().total_cmp(&(code[b] - wanted).abs());
            (0..16usize).min_by(nearest).unwrap() as u8
        };
        let packed =
            (0..values.len() / 2).map(|pair| nibble(2 * pair) << 4 | nibble(2 * pair + 1)).collect::<Vec<u8>>();
        let mut state = serde_json::json!({
            "quant_type": kind, "blocksize": 64, "dtype": "bfloat16", "shape": raw.shape,
        });
        let mut out = vec![
            (name.to_owned(), Raw::bytes(vec![packed.len(), 1], packed)),
            (format!("{name}.quant_map"), Raw::f32(vec![16], &code)),
        ];
        if nested {
            let offset = maxima.iter().sum::<f32>() / maxima.len() as f32;
            let widest: Vec<f32> = maxima
                .chunks(256)
                .map(|block| block.iter().fold(1e-9f32, |most, value| most.max((value - offset).abs())))
                .collect();
            let map: Vec<f32> = (0..256).map(|index| (index as f32 - 127.5) / 127.5).collect();
            let code = |(index, value): (usize, &f32)| {
                (((value - offset) / widest[index / 256]) * 127.5 + 127.5).round().clamp(0.0, 255.0) as u8
            };
            let codes: Vec<u8> = maxima.iter().enumerate().map(code).collect();
            for (key, value) in [
                ("nested_blocksize", Value::from(256)),
                ("nested_dtype", Value::from("float32")),
                ("nested_offset", Value::from(offset)),
            ] {
                state.as_object_mut().unwrap().insert(key.to_owned(), value);
            }
            out.push((format!("{name}.absmax"), Raw::bytes(vec![codes.len()], codes)));
            out.push((format!("{name}.nested_absmax"), Raw::f32(vec![widest.len()], &widest)));
            out.push((format!("{name}.nested_quant_map"), Raw::f32(vec![256], &map)));
        } else {
            out.push((format!("{name}.absmax"), Raw::f32(vec![maxima.len()], &maxima)));
        }
        let state = state.to_string().into_bytes();
        out.push((format!("{name}.quant_state.bitsandbytes__{kind}"), Raw::bytes(vec![state.len()], state)));
        out
    })
}

/// Returns all encodings: name for people, writer, and the largest change of a pixel (on a scale from 0 to 1) that it may make
/// compared with dense weights. `encodes` selects the tensors that are encoded in safetensors. In GGUF all matrices whose rows divide
/// into blocks are encoded.
pub(crate) fn encodings(encodes: Encodes, architecture: &'static str) -> Vec<(&'static str, Writer, f32)> {
    vec![
        ("F32", dense(encodes, Dtype::F32), 0.0),
        ("BF16", dense(encodes, Dtype::BF16), 0.0),
        ("F16", dense(encodes, Dtype::F16), 0.0),
        ("fp8 e4m3, plain", fp8(encodes, None), 0.0),
        ("fp8 e4m3, scale_weight", fp8(encodes, Some("scale_weight")), 0.2),
        ("fp8 e4m3, weight_scale", fp8(encodes, Some("weight_scale")), 0.2),
        ("NF4", four_bit(encodes, "nf4", false), 0.5),
        ("NF4, double quantisation", four_bit(encodes, "nf4", true), 0.5),
        ("FP4", four_bit(encodes, "fp4", false), 0.6),
        ("FP4, double quantisation", four_bit(encodes, "fp4", true), 0.6),
        ("GGUF F16", gguf(architecture, GgmlDType::F16), 0.0),
        ("GGUF BF16", gguf(architecture, GgmlDType::BF16), 0.0),
        ("GGUF Q8_0", gguf(architecture, GgmlDType::Q8_0), 0.1),
        ("GGUF Q6_K", gguf(architecture, GgmlDType::Q6K), 0.2),
        ("GGUF Q5_K", gguf(architecture, GgmlDType::Q5K), 0.3),
        ("GGUF Q5_1", gguf(architecture, GgmlDType::Q5_1), 0.3),
        ("GGUF Q5_0", gguf(architecture, GgmlDType::Q5_0), 0.3),
        ("GGUF Q4_K", gguf(architecture, GgmlDType::Q4K), 0.5),
        ("GGUF Q4_1", gguf(architecture, GgmlDType::Q4_1), 0.5),
        ("GGUF Q4_0", gguf(architecture, GgmlDType::Q4_0), 0.5),
        ("GGUF Q3_K", gguf(architecture, GgmlDType::Q3K), 0.7),
        ("GGUF Q2_K", gguf(architecture, GgmlDType::Q2K), 0.9),
    ]
}

/// Returns the decoded numbers of a denoiser as float32.
pub(crate) fn decoded(tensors: &Tensors) -> Part {
    let decode = |(name, stored): (&str, &StoredTensor)| {
        let mut values = vec![0f32; stored.elements()];
        stored.decode(0, &mut values).unwrap();
        (name.to_owned(), Raw::f32(stored.shape().to_vec(), &values))
    };
    tensors.iter().map(decode).collect()
}
