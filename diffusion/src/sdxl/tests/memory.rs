//! Residency does not change a bit of the result; progress is reported and generations can be ended.

use super::runs::{assemble, cases, request_of};
use super::*;
use crate::control::{Control, Stage};
use crate::family::{Checkpoint, Pipeline};
use crate::place::Budget;
use crate::{Error, ErrorKind};

#[test]
fn resident_and_streamed_models_give_the_same_bits() {
    let cases = cases();
    let place = tempfile::tempdir().unwrap();
    assemble(place.path());
    let checkpoint = inspect(place.path()).unwrap();
    for case in ["negative", "image_euler_70", "odd"] {
        let request = request_of(&cases.cases[case], &cases);
        let generate = |residency| {
            let mut model = load_as(&checkpoint, crate::testing::place(), residency);
            model.generate(&request, &mut Silent).unwrap()
        };
        let whole = generate(Residency::Together);
        for residency in [Residency::OneByOne, Residency::Streamed] {
            assert!(generate(residency) == whole, "{case} {residency:?}");
        }
    }
}

#[test]
fn needs_grow_with_the_size_and_are_checked() {
    let place = tempfile::tempdir().unwrap();
    assemble(place.path());
    let checkpoint = inspect(place.path()).unwrap();
    let small = request("a cat");
    let large = Request { width: 1280, height: 1280, guidance_scale: 6.0, ..small.clone() };
    let work =
        |request: &Request| checkpoint.needs(request).stretches.iter().map(|stretch| stretch.work).max().unwrap();
    assert!(work(&large) > 2 * work(&small), "{} {}", work(&large), work(&small));
    let names: Vec<&str> = checkpoint.needs(&small).stretches.iter().map(|stretch| stretch.name).collect();
    assert_eq!(names, ["the text encoders", "the text encoders", "the UNet", "the autoencoder"]);
    let unet = checkpoint.needs(&small).stretches[2];
    assert!(unet.least < unet.weights / 2, "{unet:?}");
    let error = checkpoint.needs(&large).check(checkpoint.needs(&small).least()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfMemory);
}

struct Stopper(usize, Vec<(Stage, usize, usize)>);

impl Control for Stopper {
    fn progress(&mut self, stage: Stage, done: usize, total: usize) -> Result<()> {
        self.1.push((stage, done, total));
        if self.1.len() > self.0 { Err(Error::stopped(std::fmt::Error)) } else { Ok(()) }
    }
}

#[test]
fn control_is_asked_at_every_stage_and_obeyed() {
    let cases = cases();
    let place = tempfile::tempdir().unwrap();
    assemble(place.path());
    let checkpoint = inspect(place.path()).unwrap();
    let request = Request { steps: 2, ..request_of(&cases.cases["image_euler_100"], &cases) };
    let mut model = load(&checkpoint);
    let mut free = Stopper(usize::MAX, vec![]);
    model.generate(&request, &mut free).unwrap();
    assert!(free.1.contains(&(Stage::Denoise, 1, 2)) && free.1.iter().any(|(stage, ..)| *stage == Stage::Decode));
    for stop in 0..free.1.len() {
        let mut control = Stopper(stop, vec![]);
        let error = model.generate(&request, &mut control).unwrap_err();
        assert_eq!((error.kind(), control.1.len()), (ErrorKind::Stopped, stop + 1));
    }
    let mut loading = Stopper(usize::MAX, vec![]);
    let whole = checkpoint.load(&crate::Device::cpu(), Budget { bytes: None }, &mut loading).unwrap();
    assert!(whole.memory_bytes() > 10_000_000);
    for stop in (0..loading.1.len()).step_by(97) {
        let mut control = Stopper(stop, vec![]);
        let error = checkpoint.load(&crate::Device::cpu(), Budget { bytes: None }, &mut control).err().unwrap();
        assert_eq!((error.kind(), control.1.len()), (ErrorKind::Stopped, stop + 1));
    }
}

#[test]
fn same_bytes_for_any_number_of_threads() {
    let place = tempfile::tempdir().unwrap();
    assemble(place.path());
    let checkpoint = inspect(place.path()).unwrap();
    let request =
        Request { steps: 2, guidance_scale: 4.0, sampler: Some("Euler a".to_owned()), ..request("a red chair") };
    let generate = || load(&checkpoint).generate(&request, &mut Silent).unwrap();
    let here = generate();
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert!(pool.install(generate) == here, "{threads} threads gave another picture");
    }
}

#[test]
fn every_sampler_and_spacing_runs() {
    let place = tempfile::tempdir().unwrap();
    assemble(place.path());
    let mut model = load(&inspect(place.path()).unwrap());
    let mut seen = vec![];
    for name in crate::sample::DISCRETE_NAMES {
        let request = Request { steps: 3, sampler: Some((*name).to_owned()), ..request("a cat") };
        let latents = crate::testing::values(&model.latents(&request, &mut Silent).unwrap());
        assert!(latents.iter().all(|value| value.is_finite()), "{name}");
        seen.push((name, latents));
    }
    let error =
        model.latents(&Request { sampler: Some("iPNDM".to_owned()), ..request("a cat") }, &mut Silent).unwrap_err();
    assert!(error.detail().contains("no sampler"), "{}", error.detail());
    // The samplers that the catalog offers give different latents.
    let of = |wanted: &str| &seen.iter().find(|(name, _)| **name == wanted).unwrap().1;
    let offered = ["Euler a", "DPM++ 2M Karras", "DPM++ SDE Karras"];
    for (index, name) in offered.iter().enumerate() {
        assert!(offered[..index].iter().all(|other| of(other) != of(name)), "{name}");
    }
}

#[test]
fn impossible_requests_are_refused() {
    let place = tempfile::tempdir().unwrap();
    assemble(place.path());
    let checkpoint = inspect(place.path()).unwrap();
    for (request, says) in [
        (Request { width: 60, ..request("a") }, "multiples of 8"),
        (Request { num_frames: 5, ..request("a") }, "makes pictures"),
        (Request { start: Start::Given { strength: 0.5 }, ..request("a") }, "given frames"),
        (Request { clip_skip: Some(0), ..request("a") }, "clip_skip must be from 1 to 5"),
        (Request { clip_skip: Some(6), ..request("a") }, "clip_skip must be from 1 to 5"),
        (Request { steps: 0, ..request("a") }, "steps"),
    ] {
        let error = checkpoint.check(&request).unwrap_err();
        assert!(error.detail().contains(says), "{}", error.detail());
    }
    assert_eq!(checkpoint.modes(), ["txt2img", "img2img"]);
}

/// A strength of 0 must not change the picture.
#[test]
fn a_strength_of_0_keeps_the_picture() {
    let cases = cases();
    let place = tempfile::tempdir().unwrap();
    assemble(place.path());
    let mut model = load(&inspect(place.path()).unwrap());
    let mut request = request_of(&cases.cases["image_euler_70"], &cases);
    let Start::Picture { image, .. } = request.start.clone() else { panic!() };
    let pixels = crate::pixels::pixels(&image, crate::testing::device()).unwrap();
    request.start = Start::Picture { image, strength: 0.0 };
    let kept = model.latents(&request, &mut Silent).unwrap();
    let encoded = model.encode(&pixels, &mut Silent).unwrap();
    assert_eq!(crate::testing::values(&kept), crate::testing::values(&encoded));
}
