//! Every encoding of one transformer: what is computed is what the decoded numbers give in dense arithmetic, bit for bit.

use candle_core::quantized::GgmlDType;
use safetensors::tensor::Dtype;
use serde_json::Value;

use super::variants::{cases, request_of};
use super::*;
use crate::testing::files::{Part, Raw, read, renamed, to_e4m3, write, write_gguf};
use crate::weights::Tensors;

/// The linear layers' weights, which writers of small files encode.
fn is_matrix(name: &str, raw: &Raw) -> bool {
    raw.shape.len() == 2 && name.starts_with("blocks.")
}

/// How a transformer is written to a folder.
type Writer = Box<dyn Fn(&Part, &Path)>;

fn safetensors(change: impl Fn(&str, &Raw) -> Vec<(String, Raw)> + 'static) -> Writer {
    Box::new(move |part, folder| {
        let changed = part.iter().flat_map(|(name, raw)| {
            if is_matrix(name, raw) { change(name, raw) } else { vec![(name.clone(), raw.clone())] }
        });
        write(&folder.join("transformer.safetensors"), &changed.collect());
    })
}

fn gguf(kind: GgmlDType) -> Writer {
    Box::new(move |part, folder| write_gguf(&folder.join("transformer.gguf"), part, "wan", kind))
}

fn dense(dtype: Dtype) -> Writer {
    safetensors(move |name, raw| {
        let data = match dtype {
            Dtype::F32 => raw.values().iter().flat_map(|value| value.to_le_bytes()).collect(),
            Dtype::F16 => raw.values().iter().flat_map(|&value| half::f16::from_f32(value).to_le_bytes()).collect(),
            _ => raw.values().iter().flat_map(|&value| half::bf16::from_f32(value).to_le_bytes()).collect(),
        };
        vec![(name.to_owned(), Raw { dtype, shape: raw.shape.clone(), data })]
    })
}

/// fp8 with one scale a tensor under `suffix`, or a scale of 1 that is not written.
fn fp8(suffix: Option<&'static str>) -> Writer {
    safetensors(move |name, raw| {
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

/// bitsandbytes, blocks of 64, with and without double quantisation.
fn four_bit(kind: &'static str, nested: bool) -> Writer {
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
    safetensors(move |name, raw| {
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

/// Name for people, writer, and the largest change of the picture against dense weights that it may make, of 1.
fn encodings() -> Vec<(&'static str, Writer, f32)> {
    vec![
        ("F32", dense(Dtype::F32), 0.0),
        ("BF16", dense(Dtype::BF16), 0.0),
        ("F16", dense(Dtype::F16), 0.0),
        ("fp8 e4m3, plain", fp8(None), 0.0),
        ("fp8 e4m3, scale_weight", fp8(Some("scale_weight")), 0.2),
        ("fp8 e4m3, weight_scale", fp8(Some("weight_scale")), 0.2),
        ("NF4", four_bit("nf4", false), 0.5),
        ("NF4, double quantisation", four_bit("nf4", true), 0.5),
        ("FP4", four_bit("fp4", false), 0.6),
        ("FP4, double quantisation", four_bit("fp4", true), 0.6),
        ("GGUF F16", gguf(GgmlDType::F16), 0.0),
        ("GGUF BF16", gguf(GgmlDType::BF16), 0.0),
        ("GGUF Q8_0", gguf(GgmlDType::Q8_0), 0.1),
        ("GGUF Q6_K", gguf(GgmlDType::Q6K), 0.2),
        ("GGUF Q5_K", gguf(GgmlDType::Q5K), 0.3),
        ("GGUF Q5_1", gguf(GgmlDType::Q5_1), 0.3),
        ("GGUF Q5_0", gguf(GgmlDType::Q5_0), 0.3),
        ("GGUF Q4_K", gguf(GgmlDType::Q4K), 0.5),
        ("GGUF Q4_1", gguf(GgmlDType::Q4_1), 0.5),
        ("GGUF Q4_0", gguf(GgmlDType::Q4_0), 0.5),
        ("GGUF Q3_K", gguf(GgmlDType::Q3K), 0.7),
        ("GGUF Q2_K", gguf(GgmlDType::Q2K), 0.9),
    ]
}

/// A folder with the other parts of the variant `wide`.
fn others(folder: &Path, to: &Path) {
    for name in ModelFiles::Folder(folder.to_owned()).list().unwrap() {
        if !name.starts_with("transformer/") && name != "model_index.json" {
            std::fs::create_dir_all(to.join(&name).parent().unwrap()).unwrap();
            std::fs::copy(folder.join(&name), to.join(&name)).unwrap();
        }
    }
}

/// The decoded numbers of a checkpoint's transformer, as float32.
fn decoded(tensors: &Tensors) -> Part {
    let decode = |(name, stored): (&str, &crate::weights::Stored)| {
        let mut values = vec![0f32; stored.elements()];
        stored.decode(0, &mut values).unwrap();
        (name.to_owned(), Raw::f32(stored.shape().to_vec(), &values))
    };
    tensors.iter().map(decode).collect()
}

/// Also makes the table in `docs/models.md`.
#[test]
fn every_encoding_computes_with_its_decoded_numbers() {
    let (cases, images) = (cases(), golden("wan/shared/images.safetensors"));
    let names: Value = json("wan/names.json");
    let whole = tempfile::tempdir().unwrap();
    assemble("wide", whole.path());
    let part = renamed(&read(&whole.path().join("transformer")), &names["wide/transformer"]["original"]);
    let request = request_of(&cases.variants["wide"].cases["picture"], &cases, &images);
    let clip = |checkpoint: &WanCheckpoint| sample(&mut load(checkpoint), &request).unwrap();
    let reference = clip(&inspect(whole.path()).unwrap());
    let mut table = "| encoding of the transformer | bits of a weight | against its decoded numbers in dense arithmetic |\n|---|---|---|\n".to_owned();
    for (name, encode, limit) in encodings() {
        let place = tempfile::tempdir().unwrap();
        others(whole.path(), place.path());
        encode(&part, place.path());
        let checkpoint = inspect(place.path()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let ours = clip(&checkpoint);
        let tensors = &checkpoint.0.recognised.experts[0].tensors;

        let plain = tempfile::tempdir().unwrap();
        others(whole.path(), plain.path());
        write(&plain.path().join("transformer.safetensors"), &decoded(tensors));
        let dense = clip(&inspect(plain.path()).unwrap());
        assert_eq!(values(&ours), values(&dense), "{name}: other bits than its decoded numbers give");

        let worst = values(&ours).iter().zip(values(&reference)).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
        println!("{name}: largest change of a pixel {worst:.3} of 1");
        assert!(worst <= limit, "{name}: {worst}");
        let matrix = tensors.get("blocks.0.attn1.to_q.weight").unwrap();
        let bits = matrix.file_bytes() as f64 * 8.0 / matrix.elements() as f64;
        table += &format!("| {name} | {bits:.2} | same bits |\n");
    }
    crate::testing::table::compare("encodings", &table);
}

/// bfloat16 on the device decodes each encoding by its own way; on the CPU the same code runs through candle's operations.
#[test]
fn every_encoding_decodes_alike_for_devices() {
    let names: Value = json("wan/names.json");
    let whole = tempfile::tempdir().unwrap();
    assemble("wide", whole.path());
    let part = renamed(&read(&whole.path().join("transformer")), &names["wide/transformer"]["original"]);
    let (cases, images) = (cases(), golden("wan/shared/images.safetensors"));
    let request = request_of(&cases.variants["wide"].cases["picture"], &cases, &images);
    for (name, encode, _) in encodings() {
        let place = tempfile::tempdir().unwrap();
        others(whole.path(), place.path());
        encode(&part, place.path());
        let checkpoint = inspect(place.path()).unwrap();
        let exact = sample(&mut load(&checkpoint), &request).unwrap();
        let half = Place { device: Device::Cpu, compute: DType::BF16 };
        let ours = sample(&mut load_as(&checkpoint, half, Residency::Together), &request).unwrap();
        let squares: f32 = values(&ours).iter().zip(values(&exact)).map(|(a, b)| (a - b) * (a - b)).sum();
        let psnr = -10.0 * (squares / exact.elem_count() as f32).log10();
        println!("{name}: bfloat16 at {psnr:.1} dB");
        assert!(psnr >= 30.0, "{name}: {psnr} dB");
    }
}
