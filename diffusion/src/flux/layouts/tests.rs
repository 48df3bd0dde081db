//! Every layout of the transformer gives the same names and shapes, below any prefix.

use std::collections::{BTreeMap, BTreeSet};

use super::samples::*;
use super::{LAYOUTS, relatives, transformer};
use crate::weights::{Layout, Source, StoredTensor};

/// Prefixes of transformers in published files.
const PREFIXES: [&str; 7] =
    ["", "model.diffusion_model.", "diffusion_model.", "model.", "model.model.", "net.", "transformer."];

fn recognised(source: &Source) -> Vec<(&'static Layout, &str)> {
    let names: BTreeSet<&str> = source.names().collect();
    Layout::recognise(&LAYOUTS, &names)
}

/// Asserts that `sample`, below each prefix, matches `layout` alone and gives the tensors of `canonical`.
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
        let shapes: BTreeMap<_, _> =
            tensors.iter().map(|(name, stored)| (name.to_owned(), stored.shape().to_vec())).collect();
        assert_eq!(shapes, canonical.iter().cloned().collect::<BTreeMap<_, _>>(), "{prefix}");
    }
}

#[test]
fn transformers() {
    for sizes in [DEV, SCHNELL, FILL, DEPTH, PRUNED, Sizes { single: 0, ..DEV }] {
        check(&transformer::DIFFUSERS, &diffusers(sizes), &canonical(sizes), &["", "transformer."]);
        check(&transformer::ORIGINAL, &original(sizes), &canonical(sizes), &["", "model.diffusion_model."]);
    }
    check(&transformer::ORIGINAL, &original(DEV), &canonical(DEV), &PREFIXES);
    // The names of norms in newer programs.
    let newer = original(DEV).into_iter().map(|(name, shape)| (name.replace("_norm.scale", "_norm.weight"), shape));
    check(&transformer::ORIGINAL, &newer.collect(), &canonical(DEV), &["", "model.diffusion_model."]);
}

#[test]
fn fused_layers_are_split_in_the_order_of_their_rows() {
    let rows = |count: usize| -> StoredTensor {
        let values = (0..count * 2).map(|value| (value / 2) as f32).collect();
        StoredTensor::dense_f32(vec![count, 2], values).unwrap()
    };
    let source = Source::from_tensors(
        "file",
        vec![
            ("single_blocks.3.linear1.weight".to_owned(), rows(14)),
            ("double_blocks.1.txt_attn.qkv.weight".to_owned(), rows(6)),
            ("final_layer.adaLN_modulation.1.weight".to_owned(), rows(4)),
            ("norm_out.linear.weight".to_owned(), rows(4)),
        ],
    );
    let first = |layout: &Layout, name: &str| {
        let tensors = layout.apply(&source, "", &[]).unwrap();
        let stored = tensors.get(name).unwrap();
        let mut value = [0.0];
        stored.decode(0, &mut value).unwrap();
        (stored.shape()[0], value[0])
    };
    for (name, expected) in [
        ("single_transformer_blocks.3.attn.to_q.weight", (2, 0.0)),
        ("single_transformer_blocks.3.attn.to_k.weight", (2, 2.0)),
        ("single_transformer_blocks.3.attn.to_v.weight", (2, 4.0)),
        ("single_transformer_blocks.3.proj_mlp.weight", (8, 6.0)),
        ("transformer_blocks.1.attn.add_q_proj.weight", (2, 0.0)),
        ("transformer_blocks.1.attn.add_k_proj.weight", (2, 2.0)),
        ("transformer_blocks.1.attn.add_v_proj.weight", (2, 4.0)),
        // The original stores shift before scale, diffusers scale before shift.
        ("norm_out.shift.weight", (2, 0.0)),
        ("norm_out.scale.weight", (2, 2.0)),
    ] {
        assert_eq!(first(&transformer::ORIGINAL, name), expected, "{name}");
    }
    assert_eq!(first(&transformer::DIFFUSERS, "norm_out.scale.weight"), (2, 0.0));
    assert_eq!(first(&transformer::DIFFUSERS, "norm_out.shift.weight"), (2, 2.0));
}

#[test]
fn related_models_are_recognised_by_their_tensor_names() {
    for (sample, network) in [
        (flux_2(true), &relatives::FLUX_2),
        (flux_2(false), &relatives::FLUX_2),
        (chroma(true), &relatives::CHROMA),
        (chroma(false), &relatives::CHROMA),
    ] {
        for prefix in ["", "model.diffusion_model."] {
            let source = source("file", &[below(prefix, &sample)]);
            let found = recognised(&source);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(std::ptr::eq(found[0].0.network, network), "{found:?}");
        }
    }
    // A video model with blocks of the same names.
    let mut hunyuan = original(DEV);
    hunyuan.retain(|(name, _)| !name.starts_with("img_in"));
    hunyuan.push(("txt_in.individual_token_refiner.blocks.0.norm1.weight".to_owned(), vec![3072]));
    assert!(recognised(&source("file", &[hunyuan])).is_empty());
}
