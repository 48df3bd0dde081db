//! Compares the embedded model with the reference, and tests progress, cancelling and threads with it.

use super::*;
use crate::family::{Checkpoint, Family, Pipeline};
use crate::place::Budget;
use crate::request::GivenFrame;
use crate::sample::{Expert, Noise};
use crate::wan::{TINY, Wan};
use crate::{Error, ErrorKind};

#[derive(serde::Deserialize)]
struct Cases {
    prompts: Vec<String>,
    tokens: Vec<Vec<u32>>,
    length: usize,
    cases: HashMap<String, Case>,
}

#[derive(serde::Deserialize)]
struct Case {
    prompt: String,
    frames: u32,
    steps: u32,
    seed: u64,
    guidance: Option<f64>,
    image: Option<String>,
    first: Option<String>,
    last: Option<String>,
    strength: Option<f64>,
}

fn cases() -> Cases {
    json("cases.json")
}

fn checkpoint() -> WanCheckpoint {
    WanCheckpoint::inspect(&TINY, &Sampling::default(), None).unwrap()
}

fn tiny() -> Model {
    load_as(&checkpoint(), crate::testing::place(), Residency::Together)
}

#[test]
fn noise_is_the_reference_stream() {
    let parts = golden("parts.safetensors");
    for (seed, count) in [(0, 1), (1, 2), (42, 1), (7, 1), (123, 3), (2_147_483_647, 1), (5, 1)] {
        let mut noise = Noise::new(seed);
        for call in 0..count {
            let reference = values(&parts[&format!("noise.{seed}.{call}")]);
            let ours = noise.randn(reference.len());
            let worst = ours.iter().zip(&reference).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
            assert!(worst <= 2e-6, "seed {seed}, call {call}: {worst:e}");
        }
    }
}

#[test]
fn tokens_and_text_states_agree() {
    let (parts, cases) = (golden("parts.safetensors"), cases());
    let mut model = tiny();
    assert_eq!(model.tokenizer.length(), cases.length);
    for (index, prompt) in cases.prompts.iter().enumerate() {
        let ids = model.tokenizer.encode(&crate::text::clean(prompt)).unwrap();
        assert_eq!(ids, cases.tokens[index], "{prompt:?}");
        let states = model.text(&mut Silent).unwrap().forward(&ids).unwrap();
        let reference = parts[&format!("text.{index}")].narrow(0, 0, ids.len()).unwrap();
        check(&format!("text {index}"), &states, &reference, 1e-5);
    }
}

#[test]
fn transformer_predictions_agree() {
    let parts = golden("parts.safetensors");
    let model = tiny();
    let transformer = model.expert(Expert::High).unwrap();
    let context = transformer.context(&parts["text.0"], None).unwrap();
    let plan = transformer.plan((5, 8, 6), &[999.0, 374.0], None).unwrap();
    for (step, time) in [999, 374].into_iter().enumerate() {
        let output = transformer.forward(&parts["transformer.input"], &plan, step, &[&context], None).unwrap();
        check(&format!("transformer at {time}"), &output[0], &parts[&format!("transformer.output.{time}")], 1e-5);
    }
}

fn picture(results: &Golden, name: &str) -> Frames {
    frame(&results[&format!("frame.{name}")])
}

fn request_of(case: &Case, results: &Golden) -> Request {
    let mut given = vec![];
    for (name, index) in [(&case.first, 0), (&case.last, case.frames - 1)] {
        if let Some(name) = name {
            given.push(GivenFrame { index, image: picture(results, name), strength: 1.0 });
        }
    }
    let start = match &case.image {
        Some(image) => Start::Picture { image: picture(results, image), strength: case.strength.unwrap() },
        None => Start::Noise,
    };
    Request {
        width: 64,
        height: 64,
        num_frames: case.frames,
        steps: case.steps,
        guidance_scale: case.guidance.unwrap_or(3.0),
        seed: case.seed,
        start,
        given,
        ..request(&case.prompt)
    }
}

#[test]
fn generations_agree() {
    let results = golden("results.safetensors");
    let mut model = tiny();
    for (name, case) in &cases().cases {
        let request = request_of(case, &results);
        let ours = values(&sample(&mut model, &request).unwrap());
        let reference = values(&results[name]);
        assert_eq!(ours.len(), reference.len());
        let worst = ours.iter().zip(&reference).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
        println!("{name}: largest difference {worst:.2e} of 1");
        assert!(worst <= 1e-3, "{name}: {worst:e}");
        if case.frames > 1 {
            continue;
        }
        let frames = model.generate(&request, &mut Silent).unwrap();
        assert_eq!(frames.count(), case.frames as usize);
        let worst =
            frames.rgb.iter().zip(&reference).map(|(&a, b)| (f32::from(a) / 255.0 - b).abs()).fold(0f32, f32::max);
        assert!(worst <= 1e-3 + 0.5 / 255.0, "{name} in bytes: {worst:e}");
    }
}

struct Stopper(usize, Vec<(Stage, usize, usize)>);

impl Control for Stopper {
    fn progress(&mut self, stage: Stage, done: usize, total: usize) -> Result<()> {
        self.1.push((stage, done, total));
        if self.1.len() > self.0 { Err(Error::stopped(std::fmt::Error)) } else { Ok(()) }
    }
}

#[test]
fn control_is_called_and_obeyed() {
    let request = Request {
        num_frames: 5,
        width: 32,
        height: 32,
        steps: 2,
        ..request_of(&cases().cases["t2v_8"], &Golden::new())
    };
    let mut model = tiny();
    let mut free = Stopper(usize::MAX, vec![]);
    model.generate(&request, &mut free).unwrap();
    let calls = free.1;
    assert!(calls.contains(&(Stage::Denoise, 1, 2)) && calls.contains(&(Stage::Decode, 1, 2)));
    for stop in 0..calls.len() {
        let mut control = Stopper(stop, vec![]);
        let error = model.generate(&request, &mut control).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Stopped);
        assert_eq!(control.1.len(), stop + 1, "called again after it returned an error");
    }
}

#[test]
fn loading_counts_bytes_and_can_be_ended_at_every_tensor() {
    let checkpoint = checkpoint();
    let load = |control: &mut Stopper| checkpoint.load(&crate::Device::cpu(), Budget { bytes: None }, control);
    let mut free = Stopper(usize::MAX, vec![]);
    let whole = load(&mut free).unwrap();
    assert!(whole.memory_bytes() > 10_000_000);
    let calls = free.1;
    assert!(calls.len() > 200 && calls.iter().all(|(stage, ..)| *stage == Stage::Load));
    // The progress runs up to the bytes of all parts together.
    let largest = calls.iter().map(|(_, _, total)| *total).max().unwrap();
    assert!(largest > 10_000_000 && calls.contains(&(Stage::Load, largest, largest)), "{largest}");
    for stop in (0..calls.len()).step_by(37) {
        let mut control = Stopper(stop, vec![]);
        let error = load(&mut control).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Stopped);
        assert_eq!(control.1.len(), stop + 1);
    }
}

#[test]
fn same_bytes_for_any_number_of_threads() {
    let image = Frames { width: 48, height: 32, rgb: (0..48 * 32 * 3).map(|index| (index * 7 % 251) as u8).collect() };
    let request = Request {
        width: 48,
        height: 32,
        num_frames: 9,
        steps: 3,
        guidance_scale: 3.0,
        start: Start::Given { strength: 0.8 },
        given: vec![GivenFrame { index: 0, image, strength: 1.0 }],
        ..request("a red circle moving left on a white background")
    };
    let generate = || tiny().generate(&request, &mut Silent).unwrap().rgb;
    let here = generate();
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert!(pool.install(generate) == here, "{threads} threads: the frames differ");
    }
}

#[test]
fn the_embedded_model_is_recognised() {
    let found = Wan.inspect(&TINY, &Sampling::default(), None).unwrap();
    assert!(found.describe().starts_with("Wan 2.2 I2V"), "{}", found.describe());
    assert!(found.modes().contains(&"first_last_frame"));
}
