//! Compares the encoders with transformers, by the data of `tools/golden/text.py`, and every layout with every other.

use std::path::Path;

use candle_core::Tensor;
use candle_core::quantized::GgmlDType;

use super::{ClipEncoder, ClipStates, clip_config};
use crate::testing::files::{Part, Raw, prefixed, read, write, write_gguf};
use crate::testing::{Golden, Silent, check, folder, golden, values};
use crate::text::layouts::{self, clip::NETWORK};
use crate::weights::{Inventory, Loading, ModelFiles, Scope};

const LIMIT: f32 = 1e-5;

/// Returns the encoders of a folder, in the order of their widths, with or without their projections.
pub(crate) fn encoders(folder: &Path, projected: bool) -> Vec<ClipEncoder> {
    let files = ModelFiles::Folder(folder.to_owned());
    let inventory = Inventory::read(&files, &layouts::CLIP).unwrap();
    let mut encoders = vec![];
    for found in inventory.copies(&NETWORK) {
        assert_eq!(found.unknown(), Vec::<String>::new());
        let tensors = found.tensors();
        let mut config = clip_config(&files, found, tensors).unwrap();
        config.projection = config.projection.filter(|_| projected);
        let mut silent = Silent;
        let loading = Loading::new(&mut silent, 0);
        let scope = Scope::root(tensors, &crate::testing::place(), &loading);
        encoders.push(ClipEncoder::load(&config, &scope).unwrap());
    }
    encoders.sort_by_key(|encoder| encoder.config().width);
    encoders
}

pub(crate) fn encoder(name: &str) -> ClipEncoder {
    encoders(&folder().join("text").join(name), true).remove(0)
}

pub(crate) fn ids(golden: &Golden, name: &str) -> Vec<u32> {
    golden[&format!("{name}.ids")].to_vec1().unwrap()
}

#[test]
fn states_after_every_layer_and_pooled_states() {
    let golden = golden("text/golden.safetensors");
    for (name, layers) in [("clip_l", 4), ("clip_g", 3)] {
        let encoder = encoder(name);
        assert_eq!(encoder.config().layers, layers);
        for skip in 0..=layers {
            let ours = encoder.forward(&ids(&golden, &format!("{name}.short")), skip).unwrap();
            let of_layer = format!("{name}.short.{}", layers - skip);
            check(&of_layer, &ours.states, &golden[&of_layer], LIMIT);
            // The pooled state does not depend on the skipped layers.
            check(&format!("{name}.short.pooled"), &ours.pooled, &golden[&format!("{name}.short.pooled")], LIMIT);
        }
        for case in ["empty", "full", "ends", "added"] {
            let case = format!("{name}.{case}");
            let Some(pooled) = golden.get(&format!("{case}.pooled")) else { continue };
            let ours = encoder.forward(&ids(&golden, &case), 1).unwrap();
            check(&format!("{case}.pooled"), &ours.pooled, pooled, LIMIT);
            if let Some(states) = golden.get(&format!("{case}.penultimate")) {
                check(&format!("{case}.penultimate"), &ours.states, states, LIMIT);
            }
        }
        let error = encoder.forward(&[1, 2], layers + 1).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::InvalidRequest);
        assert!(encoder.forward(&[], 1).is_err() && encoder.forward(&[1; 78], 1).is_err());
        let error = encoder.forward(&[1, 300], 1).unwrap_err();
        assert!(error.detail().contains("gives the id 300"), "{}", error.detail());
    }
}

#[test]
fn without_a_projection_the_pooled_state_is_the_normalised_state() {
    let path = folder().join("text/clip_g");
    let (projected, plain) = (encoder("clip_g"), encoders(&path, false).remove(0));
    let golden = golden("text/golden.safetensors");
    let ids = ids(&golden, "clip_g.short");
    let (projected, plain) = (projected.forward(&ids, 1).unwrap(), plain.forward(&ids, 1).unwrap());
    assert_eq!(values(&projected.states), values(&plain.states));
    let part = read(&path);
    let matrix = Tensor::from_vec(part["text_projection.weight"].values(), (128, 128), plain.pooled.device()).unwrap();
    let ours = plain.pooled.unsqueeze(0).unwrap().matmul(&matrix.t().unwrap()).unwrap().squeeze(0).unwrap();
    check("projected", &ours, &projected.pooled, LIMIT);
}

/// Renames an encoder's tensors as OpenCLIP does, and transposes the projection.
pub(crate) fn open_clip(part: &Part) -> Part {
    let names = [
        ("text_model.embeddings.token_embedding.weight", "token_embedding.weight"),
        ("text_model.embeddings.position_embedding.weight", "positional_embedding"),
        ("text_model.final_layer_norm.", "ln_final."),
        ("text_model.encoder.layers.", "transformer.resblocks."),
        (".layer_norm1.", ".ln_1."),
        (".layer_norm2.", ".ln_2."),
        (".self_attn.out_proj.", ".attn.out_proj."),
        (".mlp.fc1.", ".mlp.c_fc."),
        (".mlp.fc2.", ".mlp.c_proj."),
    ];
    let mut out = Part::new();
    for (name, raw) in part {
        let open = names.iter().fold(name.clone(), |name, (from, to)| name.replace(from, to));
        if let Some((block, leaf)) = open.split_once(".self_attn.q_proj.") {
            let parts = ["q", "k", "v"].map(|which| &part[&name.replace("q_proj", &format!("{which}_proj"))]);
            let mut shape = raw.shape.clone();
            shape[0] *= 3;
            let data = parts.iter().flat_map(|raw| raw.data.clone()).collect();
            out.insert(format!("{block}.attn.in_proj_{leaf}"), Raw { dtype: raw.dtype, shape, data });
        } else if name == "text_projection.weight" {
            let pairs: Vec<&[u8]> = raw.data.chunks_exact(2).collect();
            let (rows, columns) = (raw.shape[0], raw.shape[1]);
            let turned = (0..columns).flat_map(|column| (0..rows).map(move |row| (row, column)));
            let data = turned.flat_map(|(row, column)| pairs[row * columns + column].to_vec()).collect();
            out.insert("text_projection".to_owned(), Raw { dtype: raw.dtype, shape: vec![columns, rows], data });
        } else if !open.contains("self_attn") {
            out.insert(open, raw.clone());
        }
    }
    out
}

/// Returns both golden encoders with the names of transformers 4.
fn both() -> (Part, Part) {
    let of = |name: &str| read(&folder().join("text").join(name));
    (prefixed(&of("clip_l"), "text_model."), of("clip_g"))
}

#[test]
fn every_layout_gives_the_same_bits() {
    let golden = golden("text/golden.safetensors");
    let made = |encoder: &ClipEncoder, of: &str| {
        let ClipStates { states, pooled } = encoder.forward(&ids(&golden, of), 1).unwrap();
        (values(&states), values(&pooled))
    };
    let expected = [made(&encoder("clip_l"), "clip_l.short"), made(&encoder("clip_g"), "clip_g.short")];
    let (l, g) = both();
    let joined = |parts: &[Part]| parts.iter().flat_map(Part::clone).collect::<Part>();
    // bigG's width alone would select quick GELU here, because it is narrow. Its names or its config.json select GELU.
    let config = std::fs::read(folder().join("text/clip_g/config.json")).unwrap();
    let ways: [(&str, Vec<(&str, Part)>); 4] = [
        (
            "one file as SDXL's",
            vec![(
                "model.safetensors",
                joined(&[
                    prefixed(&l, "conditioner.embedders.0.transformer."),
                    prefixed(&open_clip(&g), "conditioner.embedders.1.model."),
                ]),
            )],
        ),
        ("files of ComfyUI", vec![("clip_l.safetensors", l.clone()), ("g/clip_g.safetensors", g.clone())]),
        (
            "below ComfyUI's prefixes",
            vec![
                ("all.safetensors", prefixed(&l, "text_encoders.clip_l.transformer.")),
                ("g/all.safetensors", prefixed(&g, "text_encoders.clip_g.transformer.")),
            ],
        ),
        ("OpenCLIP's own file", vec![("l/l.safetensors", l.clone()), ("open_clip.safetensors", open_clip(&g))]),
    ];
    for (way, files) in ways {
        let place = tempfile::tempdir().unwrap();
        for (name, part) in files {
            write(&place.path().join(name), &part);
            if name.starts_with("g/") {
                std::fs::write(place.path().join("g/config.json"), &config).unwrap();
            }
        }
        let encoders = encoders(place.path(), true);
        assert_eq!(encoders.len(), 2, "{way}");
        for ((encoder, expected), of) in encoders.iter().zip(&expected).zip(["clip_l.short", "clip_g.short"]) {
            // Without a config.json the end token is the largest id, which is the same token in these cases.
            assert!(made(encoder, of) == *expected, "{way}: {of}");
        }
    }
    let place = tempfile::tempdir().unwrap();
    write_gguf(&place.path().join("clip_l.gguf"), &l, "clip", GgmlDType::F16);
    assert!(made(&encoders(place.path(), true)[0], "clip_l.short") == expected[0], "GGUF");
}
