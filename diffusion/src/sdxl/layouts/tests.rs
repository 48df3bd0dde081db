//! Every layout of the UNet gives the same names and shapes, below any prefix.

use std::collections::{BTreeMap, BTreeSet};

use super::samples::{REFINER, SD_1, SD_2, SDXL, original};
use super::{all, unet};
use crate::testing::json;
use crate::testing::samples::{Sample, below, source};
use crate::weights::{Layout, Source, StoredTensor, Tensors};

/// Prefixes of UNets in published files.
const PREFIXES: [&str; 8] =
    ["", "model.diffusion_model.", "diffusion_model.", "model.", "model.model.", "net.", "unet.", "module."];

fn recognised(source: &Source) -> Vec<(&'static Layout, &str)> {
    let names: BTreeSet<&str> = source.names().collect();
    Layout::recognise(&all(), &names)
}

fn shapes(tensors: &Tensors) -> BTreeMap<String, Vec<usize>> {
    tensors.iter().map(|(name, stored)| (name.to_owned(), stored.shape().to_vec())).collect()
}

#[track_caller]
fn applied(layout: &Layout, sample: &Sample, prefix: &str) -> Tensors {
    let source = source("file", &[below(prefix, sample)]);
    let found = recognised(&source);
    assert_eq!(found.len(), 1, "{prefix}: {found:?}");
    assert!(std::ptr::eq(found[0].0, layout), "{prefix}: {}", found[0].0.name);
    assert_eq!(found[0].1, prefix);
    layout.apply(&source, prefix, &[]).unwrap()
}

/// Compares with names that were checked with the reference library's converter.
#[test]
fn original_names_become_those_of_diffusers() {
    let names: BTreeMap<String, serde_json::Value> = json("sdxl/names.json");
    for part in ["unet", "wide"] {
        let rows: Vec<(String, Vec<usize>, String)> = serde_json::from_value(names[part].clone()).unwrap();
        let canonical: Sample = rows.iter().map(|(name, shape, _)| (name.clone(), shape.clone())).collect();
        let renamed: Sample = rows.iter().map(|(_, shape, name)| (name.clone(), shape.clone())).collect();
        let wanted: BTreeMap<_, _> = canonical.iter().cloned().collect();
        for prefix in PREFIXES {
            for (layout, sample) in [(&unet::DIFFUSERS, &canonical), (&unet::ORIGINAL, &renamed)] {
                let tensors = applied(layout, sample, prefix);
                assert_eq!(tensors.unknown, Vec::<String>::new());
                assert_eq!(shapes(&tensors), wanted);
            }
        }
    }
}

#[test]
fn published_sizes_have_no_unknown_name() {
    for (sizes, count, depth) in [(SDXL, 1680, 10), (REFINER, 1220, 4), (SD_1, 686, 1), (SD_2, 686, 1)] {
        let sample = original(sizes);
        let tensors = applied(&unet::ORIGINAL, &sample, "model.diffusion_model.");
        assert_eq!(tensors.unknown, Vec::<String>::new());
        assert_eq!(tensors.iter().count(), sample.len());
        assert_eq!(sample.len(), count);
        assert_eq!(tensors.count("mid_block.attentions.0.transformer_blocks"), depth);
        // Projections are matrices, even when a file stores them as convolutions.
        let shape = tensors.shape("mid_block.attentions.0.proj_in.weight").unwrap();
        assert_eq!(shape.len(), 2, "{shape:?}");
    }
}

#[test]
fn shapes_that_writers_changed_are_restored() {
    let mut sample = original(SDXL);
    for (name, shape) in &mut sample {
        if name.ends_with("proj_in.weight") {
            shape.extend([1, 1]);
        } else if name.ends_with("skip_connection.weight") {
            shape.truncate(2);
        } else if name.ends_with("in_layers.2.weight") {
            *shape = vec![shape[0] * shape[1] * 9];
        }
    }
    let (changed, whole) = (applied(&unet::ORIGINAL, &sample, ""), applied(&unet::ORIGINAL, &original(SDXL), ""));
    assert_eq!(shapes(&changed), shapes(&whole));
}

#[test]
fn the_oldest_names_of_diffusers_are_recognised() {
    let rows: BTreeMap<String, serde_json::Value> = json("sdxl/names.json");
    let rows: Vec<(String, Vec<usize>, String)> = serde_json::from_value(rows["unet"].clone()).unwrap();
    let old: Sample =
        rows.iter().map(|(name, shape, _)| (name.replace("to_out.0.", "to_out."), shape.clone())).collect();
    let tensors = applied(&unet::DIFFUSERS, &old, "");
    assert_eq!(tensors.unknown, Vec::<String>::new());
    let output = tensors.get("mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0.weight");
    assert_eq!(output.map(StoredTensor::shape), Some(&[128, 128][..]));
}
