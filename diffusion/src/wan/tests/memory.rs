//! Tests of what stays in memory. None of it changes a bit of the result.

use super::variants::{cases, request_of};
use super::*;
use crate::family::{Checkpoint, Pipeline};
use crate::place::Budget;

#[test]
fn resident_and_streamed_models_give_the_same_bits() {
    let (cases, images) = (cases(), golden("wan/shared/images.safetensors"));
    for (variant, case) in [("t2v_a14b", "clip"), ("i2v", "clip"), ("vace", "t2v"), ("ti2v_5b", "t2v")] {
        let place = tempfile::tempdir().unwrap();
        assemble(variant, place.path());
        let checkpoint = inspect(place.path()).unwrap();
        let request = request_of(&cases.variants[variant].cases[case], &cases, &images);
        let generate = |residency| {
            let mut model = load_as(&checkpoint, crate::testing::place(), residency);
            model.generate(&request, &mut Silent).unwrap()
        };
        let whole = generate(Residency::Together);
        for residency in [Residency::OneByOne, Residency::Streamed] {
            assert!(generate(residency) == whole, "{variant} {residency:?}");
        }
    }
}

#[test]
fn too_large_requests_are_refused_with_numbers() {
    let place = tempfile::tempdir().unwrap();
    assemble("t2v", place.path());
    let checkpoint = inspect(place.path()).unwrap();
    let small = request("a cat");
    let large = Request { width: 1280, height: 1280, num_frames: 161, ..small.clone() };
    let (least, most) = (checkpoint.needs(&small).least(), checkpoint.needs(&large).least());
    assert!(most > 10 * least, "{least} {most}");
    assert!(checkpoint.needs(&small).check(least).is_ok());
    let error = checkpoint.needs(&large).check(least).unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::OutOfMemory);
    assert!(error.detail().contains("GB") && error.user_action().unwrap().contains("fewer frames"));
}

/// Returns the resident bytes of this process, without the mapped files.
#[cfg(target_os = "linux")]
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("Anonymous:")).unwrap();
    line.trim().strip_suffix("kB").unwrap().trim().parse::<u64>().unwrap() * 1024
}

#[test]
#[cfg(target_os = "linux")]
#[ignore = "measures the memory of the whole process: run alone by the test below"]
fn two_hundred_cycles() {
    let place = tempfile::tempdir().unwrap();
    assemble("t2v_a14b", place.path());
    let checkpoint = inspect(place.path()).unwrap();
    let request = Request { steps: 2, ..request("a cat") };
    let cycle = |index: usize| {
        let mut model = load_as(&checkpoint, crate::testing::place(), Residency::Together);
        if index.is_multiple_of(10) {
            model.generate(&request, &mut Silent).unwrap();
        }
        // The caller ends the loading.
        let mut asked = 0;
        struct Stop<'a>(&'a mut usize);
        impl Control for Stop<'_> {
            fn progress(&mut self, _: Stage, _: usize, _: usize) -> Result<()> {
                *self.0 += 1;
                if *self.0 > 40 { Err(crate::Error::stopped(std::fmt::Error)) } else { Ok(()) }
            }
        }
        checkpoint.load(&crate::Device::cpu(), Budget { bytes: None }, &mut Stop(&mut asked)).err().unwrap();
    };
    (0..20).for_each(cycle);
    let before = resident();
    (0..200).for_each(cycle);
    let after = resident();
    println!("{before} bytes before, {after} after 200 cycles");
    assert!(after as f64 <= before as f64 * 1.05 + 1e6, "{before} {after}");
}

#[test]
#[cfg(target_os = "linux")]
fn memory_returns_after_loads_and_cancels() {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "wan::tests::memory::two_hundred_cycles"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
