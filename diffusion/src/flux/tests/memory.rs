//! Residency does not change a bit of the result, and the memory estimate is plausible.

use super::*;
use crate::family::{Checkpoint, Pipeline};
use crate::flux::layouts::samples::{self, DEV};
use crate::flux::{checkpoint, layouts};

#[test]
fn resident_and_streamed_models_give_the_same_bits() {
    for name in ["dev", "schnell"] {
        let place = tempfile::tempdir().unwrap();
        assemble(name, place.path());
        let checkpoint = inspect(place.path()).unwrap();
        let image = frame(&golden("flux/images.safetensors")["square"]);
        let start = Start::Picture { image, strength: 0.6 };
        let request = Request { negative_prompt: "a dog".to_owned(), start, ..request("a cat") };
        let generate = |residency| {
            let mut model = load_as(&checkpoint, crate::testing::place(), residency);
            let first = model.generate(&request, &mut Silent).unwrap();
            assert!(model.generate(&request, &mut Silent).unwrap() == first, "{residency:?} twice");
            first
        };
        let whole = generate(Residency::Together);
        for residency in [Residency::OneByOne, Residency::Streamed] {
            assert!(generate(residency) == whole, "{name} {residency:?}");
        }
    }
}

#[test]
fn too_large_requests_are_refused_with_numbers() {
    let place = tempfile::tempdir().unwrap();
    assemble("dev", place.path());
    let checkpoint = inspect(place.path()).unwrap();
    let small = request("a cat");
    let large = Request { width: 1280, height: 1280, ..small.clone() };
    let (least, most) = (checkpoint.needs(&small).least(), checkpoint.needs(&large).least());
    assert!(most > 2 * least, "{least} {most}");
    assert!(checkpoint.needs(&small).check(least).is_ok());
    let error = checkpoint.needs(&large).check(least).unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::OutOfMemory);
}

#[test]
fn needs_of_the_published_sizes() {
    // Two bytes per weight.
    let inventory = samples::published(DEV).inventory_of(&layouts::LAYOUTS);
    let checkpoint = checkpoint::FluxCheckpoint::of(inventory, &Sampling::default()).unwrap();
    let gigabytes = |bytes: u64| bytes as f64 / 1e9;
    let of = |width, height, negative: &str| {
        let base = request("a cat");
        checkpoint.needs(&Request { width, height, steps: 25, negative_prompt: negative.to_owned(), ..base })
    };
    let needs = of(1024, 1024, "");
    // 11.9 billion weights.
    let whole = gigabytes(needs.one_by_one());
    assert!((23.8..26.0).contains(&whole), "{whole}");
    let streamed = gigabytes(needs.least());
    assert!((9.5..11.5).contains(&streamed), "T5 as a whole: {streamed}");
    let transformer = |needs: &crate::Needs| {
        let stretch = needs.stretches.iter().find(|stretch| stretch.name == "the transformer").unwrap();
        (gigabytes(stretch.weights), gigabytes(stretch.least), gigabytes(stretch.work))
    };
    let (weights, least, work) = transformer(&needs);
    assert!((23.7..23.9).contains(&weights) && least < 1.0, "{weights} {least}");
    assert!((0.5..1.2).contains(&work), "{work}");
    let (_, _, small) = transformer(&of(512, 512, ""));
    assert!((0.2..0.6).contains(&small) && small < work / 1.5, "{small}");
    let (_, _, both) = transformer(&of(1024, 1024, "a dog"));
    assert!(both > work, "{both} {work}");
}
