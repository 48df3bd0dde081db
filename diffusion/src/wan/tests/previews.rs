//! Previews approach the result, change no bit of it, and are made only when there is memory for them.

use super::variants::{cases, request_of};
use super::*;
use crate::family::{Checkpoint, Pipeline};
use crate::place::Budget;
use crate::wan::TINY;
use crate::{Error, ErrorKind};

/// A [`Control`] that asks for previews at the steps that `wants` accepts, and that can end the generation at a call.
struct Viewer {
    wants: fn(usize) -> bool,
    asked: Vec<(usize, usize)>,
    seen: Vec<Frames>,
    calls: Vec<(Stage, usize, usize)>,
    stop: usize,
}

impl Viewer {
    fn new(wants: fn(usize) -> bool) -> Self {
        Self { wants, asked: vec![], seen: vec![], calls: vec![], stop: usize::MAX }
    }
}

impl Control for Viewer {
    fn progress(&mut self, stage: Stage, done: usize, total: usize) -> Result<()> {
        self.calls.push((stage, done, total));
        if self.calls.len() > self.stop { Err(Error::stopped(std::fmt::Error)) } else { Ok(()) }
    }

    fn wants_preview(&mut self, done: usize, total: usize) -> bool {
        self.asked.push((done, total));
        (self.wants)(done)
    }

    fn preview(&mut self, picture: Frames) {
        self.seen.push(picture);
    }
}

fn tiny(residency: Residency) -> Model {
    load_as(&WanCheckpoint::inspect(&TINY, &Sampling::default(), None).unwrap(), crate::testing::place(), residency)
}

fn circle() -> Request {
    Request { width: 64, height: 64, steps: 8, guidance_scale: 3.0, ..request("a red circle") }
}

fn distance(one: &[u8], other: &[u8]) -> u64 {
    assert_eq!(one.len(), other.len());
    one.iter().zip(other).map(|(a, b)| u64::from(a.abs_diff(*b))).sum()
}

#[test]
fn previews_approach_the_result_without_changing_it() {
    for sampler in crate::wan::SUPPORTED.samplers {
        let request = Request { sampler: Some((*sampler).to_owned()), ..circle() };
        let plain = tiny(Residency::Together).generate(&request, &mut Silent).unwrap();
        let mut viewer = Viewer::new(|_| true);
        let result = tiny(Residency::Together).generate(&request, &mut viewer).unwrap();
        assert!(result == plain, "{sampler:?}: previews changed the picture");
        assert_eq!(viewer.asked, (1..8).map(|done| (done, 8)).collect::<Vec<_>>(), "{sampler:?}");
        assert!(viewer.seen.iter().all(|seen| (seen.width, seen.height, seen.count()) == (64, 64, 1)));
        let distance: Vec<u64> = viewer.seen.iter().map(|seen| distance(&seen.rgb, &result.rgb)).collect();
        println!("{sampler:?}: {distance:?}");
        assert!(distance[6] < distance[3] && distance[3] < distance[0], "{sampler:?}: {distance:?}");
    }
}

#[test]
fn a_clip_is_previewed_by_its_first_frame() {
    let (cases, images) = (cases(), golden("wan/shared/images.safetensors"));
    for (variant, case) in [("t2v_a14b", "clip"), ("i2v", "clip"), ("vace", "t2v"), ("ti2v_5b", "t2v")] {
        let place = tempfile::tempdir().unwrap();
        assemble(variant, place.path());
        let checkpoint = inspect(place.path()).unwrap();
        let request = request_of(&cases.variants[variant].cases[case], &cases, &images);
        let plain = load(&checkpoint).generate(&request, &mut Silent).unwrap();
        let mut viewer = Viewer::new(|done| done != 2);
        assert!(load(&checkpoint).generate(&request, &mut viewer).unwrap() == plain, "{variant}");
        let wanted = viewer.asked.iter().filter(|(done, _)| *done != 2).count();
        assert!(wanted > 0 && viewer.seen.len() == wanted, "{variant}: {}", viewer.seen.len());
        for seen in &viewer.seen {
            assert_eq!((seen.width, seen.height, seen.count()), (request.width, request.height, 1), "{variant}");
        }
    }
}

#[test]
fn a_generation_can_be_ended_during_a_preview() {
    let request = Request { num_frames: 5, steps: 3, ..circle() };
    let mut model = tiny(Residency::Together);
    let mut plain = Viewer::new(|_| false);
    model.generate(&request, &mut plain).unwrap();
    let mut free = Viewer::new(|_| true);
    let whole = model.generate(&request, &mut free).unwrap();
    assert!(free.calls.len() > plain.calls.len(), "control is not called while a preview is made");
    // A preview reports progress as a step, never as the decoding of the result.
    let shown = |calls: &[(Stage, usize, usize)]| {
        let mut calls = calls.to_vec();
        calls.dedup();
        calls
    };
    assert_eq!(shown(&free.calls), shown(&plain.calls));
    for stop in 0..free.calls.len() {
        let mut viewer = Viewer { stop, ..Viewer::new(|_| true) };
        let error = model.generate(&request, &mut viewer).unwrap_err();
        assert_eq!((error.kind(), viewer.calls.len()), (ErrorKind::Stopped, stop + 1));
    }
    assert!(model.generate(&request, &mut Silent).unwrap() == whole);
}

#[test]
fn previews_need_memory_beside_the_transformer() {
    let checkpoint = WanCheckpoint::inspect(&TINY, &Sampling::default(), None).unwrap();
    let request = circle();
    let needs = checkpoint.needs(&request);
    // All parts together take more than half of this memory, so parts are unloaded for each other.
    let little = needs.together() * 2 - 1;
    assert!(needs.one_by_one() <= little);
    // Too little for even one part at a time.
    let less = needs.one_by_one() - 1;
    let seen = |bytes| {
        let mut model =
            Model::load(checkpoint.0.clone(), crate::testing::place(), Policy::ByNeed(Budget { bytes }), &mut Silent)
                .unwrap();
        let mut viewer = Viewer::new(|_| true);
        let result = model.generate(&request, &mut viewer).unwrap();
        (viewer.seen, result, model.loaded_bytes())
    };
    let (all, result, together) = seen(None);
    let (also, same, one_by_one) = seen(Some(little));
    let (none, streamed, _) = seen(Some(less));
    assert!(one_by_one < together, "{one_by_one} {together}");
    assert!(all.len() == 7 && all == also && none.is_empty(), "{} {} {}", all.len(), also.len(), none.len());
    assert!(result == same && result == streamed);
    assert!(tiny(Residency::OneByOne).generate(&request, &mut Viewer::new(|_| true)).unwrap() == result);
}
