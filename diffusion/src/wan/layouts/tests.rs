//! Every layout of a part maps to the same names and shapes, whatever prefix its names have.

use std::collections::{BTreeMap, BTreeSet};

use super::samples::*;
use super::{LAYOUTS, image, transformer, vae};
use crate::weights::{Layout, Source, StoredTensor, Tensors};

/// Prefixes of transformers in published files.
const TRANSFORMER_PREFIXES: [&str; 9] = [
    "",
    "model.diffusion_model.",
    "diffusion_model.",
    "model.",
    "model.model.",
    "net.",
    "unet.",
    "transformer.",
    "module.",
];

/// Returns the layout and the prefix of each network in a file.
fn recognised(source: &Source) -> Vec<(&'static Layout, &str)> {
    let names: BTreeSet<&str> = source.names().collect();
    Layout::recognise(LAYOUTS, &names)
}

fn shapes(tensors: &Tensors) -> BTreeMap<String, Vec<usize>> {
    tensors.iter().map(|(name, stored)| (name.to_owned(), stored.shape().to_vec())).collect()
}

/// Checks that `sample`, below each prefix, is recognised as `layout` alone and gives the tensors of `canonical`.
#[track_caller]
fn check(layout: &Layout, sample: &Sample, canonical: &Sample, prefixes: &[&str]) {
    for &prefix in prefixes {
        let source = source("file", &[below(prefix, sample)]);
        let found = recognised(&source);
        assert_eq!(found.len(), 1, "{prefix}: {found:?}");
        assert!(std::ptr::eq(found[0].0, layout), "{prefix}: {} instead of {}", found[0].0.name, layout.name);
        assert_eq!(found[0].1, prefix);
        let tensors = layout.apply(&source, prefix, &[]).unwrap();
        assert_eq!(tensors.unknown, Vec::<String>::new(), "{prefix}");
        assert_eq!(shapes(&tensors), canonical.iter().cloned().collect::<BTreeMap<_, _>>(), "{prefix}");
    }
}

#[test]
fn transformers() {
    for sizes in ALL {
        let canonical = diffusers(sizes);
        check(&transformer::DIFFUSERS, &canonical, &canonical, &["", "transformer."]);
        check(&transformer::ORIGINAL, &original(sizes), &canonical, &["", "model.diffusion_model."]);
    }
    check(&transformer::ORIGINAL, &original(T2V_1_3B), &diffusers(T2V_1_3B), &TRANSFORMER_PREFIXES);
}

#[test]
fn autoencoders() {
    let prefixes = ["", "vae.", "first_stage_model.", "vae.vae."];
    for (base, blocks) in [(96, 2), (16, 1)] {
        let canonical = vae_2_1(base, blocks, true);
        check(&vae::DIFFUSERS, &canonical, &canonical, &prefixes);
        check(&vae::ORIGINAL_2_1, &vae_2_1(base, blocks, false), &canonical, &prefixes);
    }
    let canonical = vae_2_2(true);
    check(&vae::DIFFUSERS, &canonical, &canonical, &prefixes);
    check(&vae::ORIGINAL_2_2, &vae_2_2(false), &canonical, &prefixes);
}

#[test]
fn image_encoders() {
    let bare = clip(1280, 32);
    let canonical = below("vision_model.", &bare);
    check(&image::TRANSFORMERS, &canonical, &canonical, &["", "clip_vision."]);
    check(&image::ORIGINAL, &clip_original(), &canonical, &["", "model."]);
    check(&image::TRANSFORMERS_5, &bare, &canonical, &[""]);

    // The whole of CLIP, with the names of ComfyUI. Below `vision_model.` the bare names match too, and the first layout of
    // the list is used.
    let mut whole = clip_vision_h();
    whole.extend(below("text_model.", &clip(64, 1)));
    whole.push(("logit_scale".to_owned(), vec![]));
    whole.push(("text_model.embeddings.position_ids".to_owned(), vec![1, 77]));
    let source = source("file", &[whole]);
    let tensors = image::TRANSFORMERS.apply(&source, "", &[]).unwrap();
    assert_eq!(tensors.unknown, Vec::<String>::new());
    assert_eq!(shapes(&tensors), canonical.into_iter().collect());
}

#[test]
fn fused_rows_of_the_image_encoder_are_split() {
    let fused = |name: &str, shape: &[usize]| {
        let values = (0..shape.iter().product::<usize>()).map(|value| value as f32).collect();
        (format!("visual.transformer.0.attn.to_qkv.{name}"), StoredTensor::dense_f32(shape.to_vec(), values).unwrap())
    };
    let source = Source::from_tensors("file", vec![fused("weight", &[6, 2]), fused("bias", &[6])]);
    let tensors = image::ORIGINAL.apply(&source, "", &[]).unwrap();
    for (at, name) in ["q_proj", "k_proj", "v_proj"].into_iter().enumerate() {
        let name = format!("vision_model.encoder.layers.0.self_attn.{name}");
        let weight = tensors.get(&format!("{name}.weight")).unwrap();
        let mut values = [0.0; 4];
        weight.decode(0, &mut values).unwrap();
        assert_eq!((weight.shape(), values[0], values[3]), (&[2, 2][..], 4.0 * at as f32, 4.0 * at as f32 + 3.0));
        let bias = tensors.get(&format!("{name}.bias")).unwrap();
        bias.decode(0, &mut values[..2]).unwrap();
        assert_eq!(values[..2], [2.0 * at as f32, 2.0 * at as f32 + 1.0]);
    }
}

/// GGUF writers change shapes: they drop axes of length 1 at the end of a ggml shape, and fold shapes of more than four
/// axes.
#[test]
fn shapes_that_writers_change_are_restored() {
    let change = |sample: &mut Sample, end: &str, change: &dyn Fn(&[usize]) -> Vec<usize>| {
        let mut changed = 0;
        for (_, shape) in sample.iter_mut().filter(|(name, _)| name.ends_with(end)) {
            *shape = change(shape);
            changed += 1;
        }
        assert!(changed > 0, "{end}");
    };
    let canonical = diffusers(Sizes { vace: Some((4, 96)), ..FLF2V_14B });
    let mut sample = original(Sizes { vace: Some((4, 96)), ..FLF2V_14B });
    change(&mut sample, ".modulation", &|shape| shape[1..].to_vec());
    change(&mut sample, "patch_embedding.weight", &|shape| vec![shape[0] * shape[1], 1, 2, 2]);
    change(&mut sample, "emb_pos", &|shape| shape[1..].to_vec());
    check(&transformer::ORIGINAL, &sample, &canonical, &[""]);
    // A quantiser that supports only matrices writes the patch embedding as a matrix.
    change(&mut sample, "patch_embedding.weight", &|shape| vec![5120, shape.iter().product::<usize>() / 5120]);
    check(&transformer::ORIGINAL, &sample, &canonical, &[""]);

    for (mut sample, canonical) in [(vae_2_1(96, 2, false), vae_2_1(96, 2, true)), (vae_2_2(false), vae_2_2(true))] {
        for (name, shape) in &mut sample {
            if name.ends_with("gamma") {
                shape.truncate(1);
            } else if shape.len() == 5 {
                *shape = vec![shape[0] * shape[1], shape[2], shape[3], shape[4]];
            }
        }
        let layout = recognised(&source("file", &[sample.clone()]))[0].0;
        check(layout, &sample, &canonical, &["vae."]);
    }
}

#[test]
fn unknown_names_are_reported_and_ignored_ones_dropped() {
    let mut sample = original(T2V_1_3B);
    let unknown = [
        "audio_proj.weight",
        "blocks.0.self_attn.q.lora_A.weight",
        "blocks.x.self_attn.q.weight",
        "head.head.scale",
        "vace_blocks.0.after_proj.extra",
    ];
    let useless = ["model_ema.decay", "betas", "loss.logvar", "first.logit_scale", "spiece_model"];
    sample.extend(unknown.iter().chain(&useless).map(|name| ((*name).to_owned(), vec![1])));
    let source = source("file", &[below("model.", &sample)]);
    let tensors = transformer::ORIGINAL.apply(&source, "model.", &[]).unwrap();
    assert_eq!(tensors.unknown, unknown.map(|name| format!("model.{name}")));
    assert_eq!(tensors.names().count(), diffusers(T2V_1_3B).len());
}

#[test]
fn all_networks_of_one_file_are_recognised() {
    for prefix in ["model.diffusion_model.", ""] {
        let source = source(
            "file",
            &[
                below(prefix, &original(VACE_14B)),
                below("vae.", &vae_2_1(96, 2, false)),
                below("text_encoders.umt5xxl.transformer.", &umt5_xxl()),
            ],
        );
        let found = recognised(&source);
        let prefixes: Vec<&str> = found.iter().map(|(_, prefix)| *prefix).collect();
        assert_eq!(prefixes, [prefix, "text_encoders.umt5xxl.transformer.", "vae."]);
        let expected = [diffusers(VACE_14B), umt5_xxl(), vae_2_1(96, 2, true)];
        for ((layout, prefix), expected) in found.into_iter().zip(expected) {
            let foreign: Vec<&str> = prefixes.iter().copied().filter(|other| *other != prefix).collect();
            let tensors = layout.apply(&source, prefix, &foreign).unwrap();
            assert_eq!(tensors.unknown, Vec::<String>::new());
            assert_eq!(shapes(&tensors), expected.into_iter().collect());
        }
    }
}
