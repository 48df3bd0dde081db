//! One seed gives one result, whatever the number of threads: the same generation in processes of 1, 2 and 5 threads.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::process::Command;

use candle_core::Device;
use must::Result;
use must::diffusion::wan::Wan;
use must::diffusion::{Control, Frames, Pipeline, Request, Stage, Start};

struct Silent;

impl Control for Silent {
    fn progress(&mut self, _: Stage, _: usize, _: usize) -> Result<()> {
        Ok(())
    }
}

fn generate() -> Frames {
    let image = Frames { width: 48, height: 32, rgb: (0..48 * 32 * 3).map(|index| (index * 7 % 251) as u8).collect() };
    let request = Request {
        prompt: "a red circle moving left on a white background".to_owned(),
        negative_prompt: String::new(),
        width: 48,
        height: 32,
        num_frames: 9,
        steps: 3,
        guidance_scale: 3.0,
        seed: 1,
        start: Start::FirstFrame { image, strength: 0.8 },
    };
    Wan::embedded(&Device::Cpu).unwrap().generate(&request, &mut Silent).unwrap()
}

#[test]
#[ignore = "run by the test below, in a process of its own"]
fn write_frames() {
    if let Some(path) = std::env::var_os("MUST_TEST_FRAMES") {
        std::fs::write(path, generate().rgb).unwrap();
    }
}

#[test]
fn same_bytes_for_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let here = generate().rgb;
    for threads in ["1", "2", "5"] {
        let path = folder.path().join(threads);
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "write_frames"])
            .env("RAYON_NUM_THREADS", threads)
            .env("MUST_TEST_FRAMES", &path)
            .status()
            .unwrap();
        assert!(status.success());
        assert!(std::fs::read(&path).unwrap() == here, "{threads} threads gave other frames");
    }
}
