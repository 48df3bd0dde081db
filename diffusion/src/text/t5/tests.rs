//! Compares T5 with transformers, by the data of `tools/golden/text.py`, and every layout with every other.

use std::path::Path;

use candle_core::quantized::GgmlDType;
use safetensors::tensor::Dtype;

use super::super::layouts::{self, t5};
use super::super::t5_config::t5_config;
use super::*;
use crate::testing::files::{Part, Raw, e4m3, prefixed, read, to_e4m3, write, write_gguf};
use crate::testing::{Silent, check, folder, golden, values};
use crate::weights::{Inventory, Loading, ModelFiles};

fn encoder(folder: &Path) -> TextEncoder {
    let files = ModelFiles::Folder(folder.to_owned());
    let inventory = Inventory::read(&files, &layouts::T5).unwrap();
    let copies = inventory.copies(&t5::NETWORK);
    assert_eq!((copies.len(), copies[0].unknown()), (1, &[][..]));
    let tensors = copies[0].tensors();
    let config = t5_config(&files, copies[0], tensors).unwrap();
    assert!(!config.own_bias);
    let mut silent = Silent;
    let loading = Loading::new(&mut silent, 0);
    TextEncoder::load(&config, &Scope::root(tensors, &crate::testing::place(), &loading)).unwrap()
}

#[test]
fn padded_ids_have_the_states_of_the_reference() {
    let golden = golden("text/golden.safetensors");
    let encoder = encoder(&folder().join("text/t5"));
    for case in ["short", "empty", "full"] {
        let ids: Vec<u32> = golden[&format!("t5.{case}.ids")].to_vec1().unwrap();
        let ours = encoder.forward(&ids).unwrap();
        check(&format!("t5.{case}"), &ours, &golden[&format!("t5.{case}.states")], 1e-5);
    }
}

/// Renames T5's tensors as llama.cpp does.
fn llama_cpp(part: &Part) -> Part {
    let names = [
        ("shared.weight", "token_embd.weight"),
        ("encoder.final_layer_norm.", "enc.output_norm."),
        ("encoder.block.", "enc.blk."),
        (".layer.0.layer_norm.", ".attn_norm."),
        (".layer.1.layer_norm.", ".ffn_norm."),
        (".layer.0.SelfAttention.relative_attention_bias.", ".attn_rel_b."),
        (".layer.0.SelfAttention.", ".attn_"),
        (".layer.1.DenseReluDense.wi_0.", ".ffn_gate."),
        (".layer.1.DenseReluDense.wi_1.", ".ffn_up."),
        (".layer.1.DenseReluDense.wo.", ".ffn_down."),
    ];
    let renamed = |name: &String| names.iter().fold(name.clone(), |name, (from, to)| name.replace(from, to));
    part.iter().map(|(name, raw)| (renamed(name), raw.clone())).collect()
}

/// Returns matrices that are scaled into eight bits like ComfyUI's, and the same numbers in float32.
fn scaled(part: &Part) -> (Part, Part) {
    let (mut eight, mut whole) = (Part::new(), Part::new());
    for (name, raw) in part {
        let linear = name.contains("Attention.") && !name.contains("bias") || name.contains("DenseReluDense");
        if !linear {
            eight.insert(name.clone(), raw.clone());
            whole.insert(name.clone(), raw.clone());
            continue;
        }
        let scale = raw.values().iter().fold(0f32, |most, value| most.max(value.abs())) / 448.0;
        let data: Vec<u8> = raw.values().iter().map(|value| to_e4m3(value / scale)).collect();
        let values: Vec<f32> = data.iter().map(|&byte| e4m3(byte) * scale).collect();
        whole.insert(name.clone(), Raw::f32(raw.shape.clone(), &values));
        eight.insert(name.clone(), Raw { dtype: Dtype::F8_E4M3, shape: raw.shape.clone(), data });
        eight.insert(name.replace(".weight", ".scale_weight"), Raw::f32(vec![], &[scale]));
    }
    eight.insert("scaled_fp8".to_owned(), Raw { dtype: Dtype::F8_E4M3, shape: vec![0], data: vec![] });
    (eight, whole)
}

#[test]
fn every_layout_gives_the_same_bits() {
    let golden = golden("text/golden.safetensors");
    let ids: Vec<u32> = golden["t5.full.ids"].to_vec1().unwrap();
    let states = |folder: &Path| values(&encoder(folder).forward(&ids).unwrap());
    let from = folder().join("text/t5");
    let part = read(&from);
    let expected = states(&from);
    let mut twice = part.clone();
    twice.insert("encoder.embed_tokens.weight".to_owned(), part["shared.weight"].clone());
    let clip = prefixed(&read(&folder().join("text/clip_g")), "text_encoders.clip_l.transformer.");
    let mut all = prefixed(&twice, "text_encoders.t5xxl.transformer.");
    all.extend(clip);
    let place = tempfile::tempdir().unwrap();
    for (name, part) in [("t5xxl_fp16.safetensors", &part), ("twice.safetensors", &twice), ("all.safetensors", &all)] {
        let path = place.path().join(name.split_once('.').unwrap().0);
        write(&path.join(name), part);
        // Names of other networks in the same file are not reported as T5's unknown tensors.
        if name != "all.safetensors" {
            assert!(states(&path) == expected, "{name}");
            continue;
        }
        let files = ModelFiles::Folder(path);
        let all: Vec<_> = [&layouts::T5[..], &layouts::CLIP[..]].concat();
        let inventory = Inventory::read(&files, &all).unwrap();
        assert!(inventory.all().len() == 2 && inventory.all().iter().all(|found| found.unknown().is_empty()));
        let found = inventory.copies(&t5::NETWORK)[0];
        let tensors = found.tensors();
        let config = t5_config(&files, found, tensors).unwrap();
        let mut silent = Silent;
        let loading = Loading::new(&mut silent, 0);
        let encoder = TextEncoder::load(&config, &Scope::root(tensors, &crate::testing::place(), &loading)).unwrap();
        assert!(values(&encoder.forward(&ids).unwrap()) == expected, "{name}");
    }
    write_gguf(&place.path().join("gguf/t5.gguf"), &llama_cpp(&part), "t5encoder", GgmlDType::F16);
    assert!(states(&place.path().join("gguf")) == expected, "GGUF");

    let (eight, whole) = scaled(&part);
    write(&place.path().join("eight/t5xxl_fp8_e4m3fn_scaled.safetensors"), &eight);
    write(&place.path().join("whole/t5.safetensors"), &whole);
    assert!(states(&place.path().join("eight")) == states(&place.path().join("whole")), "scaled");
    // Three bits of each weight's fraction remain.
    let reference = golden["t5.full.states"].clone();
    let ours = encoder(&place.path().join("eight")).forward(&ids).unwrap();
    check("fp8 scaled", &ours, &reference, 0.2);
}
