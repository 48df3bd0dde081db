//! The inference engine against the reference library: `tests/golden` holds what goes in and out of each part there.
//!
//! The data is written by `tools/golden/make.py`. Run with `--nocapture` to see the largest differences.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use must::Result;
use must::diffusion::wan::{Transformer, TransformerConfig, Vae, VaeConfig, Wan};
use must::diffusion::{Control, Frames, ModelFiles, Noise, Pipeline, Request, Stage, Start, UniPc, Weights};
use serde::Deserialize;

struct Silent;

impl Control for Silent {
    fn progress(&mut self, _: Stage, _: usize, _: usize) -> Result<()> {
        Ok(())
    }
}

#[derive(Deserialize)]
struct Cases {
    prompts: Vec<String>,
    tokens: Vec<Vec<u32>>,
    length: usize,
    cases: HashMap<String, Case>,
}

#[derive(Deserialize)]
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

type Tensors = HashMap<String, Tensor>;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden")
}

fn tensors(name: &str) -> Tensors {
    candle_core::safetensors::load(folder().join(name), &Device::Cpu).unwrap()
}

fn cases() -> Cases {
    serde_json::from_slice(&std::fs::read(folder().join("cases.json")).unwrap()).unwrap()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// Largest difference over the largest value of the reference.
fn difference(ours: &Tensor, reference: &Tensor) -> f32 {
    assert_eq!(ours.dims(), reference.dims());
    let (ours, reference) = (values(ours), values(reference));
    let scale = reference.iter().fold(0f32, |most, value| most.max(value.abs()));
    let worst = ours.iter().zip(&reference).map(|(a, b)| if a.is_finite() { (a - b).abs() } else { f32::INFINITY });
    worst.fold(0f32, f32::max) / scale.max(1e-30)
}

fn check(name: &str, ours: &Tensor, reference: &Tensor, limit: f32) {
    let difference = difference(ours, reference);
    println!("{name}: relative difference {difference:.2e} (limit {limit:.0e})");
    assert!(difference <= limit, "{name}: {difference:e} is more than {limit:e}");
}

#[test]
fn noise_is_the_reference_stream() {
    let parts = tensors("parts.safetensors");
    for (seed, count) in [(0, 1), (1, 2), (42, 1), (7, 1), (123, 3), (2_147_483_647, 1), (5, 1)] {
        let mut noise = Noise::new(seed);
        for call in 0..count {
            let reference = values(&parts[&format!("noise.{seed}.{call}")]);
            let ours = noise.randn(reference.len());
            let worst = ours.iter().zip(&reference).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
            println!("noise {seed}.{call}: {} values, difference {worst:.1e}", reference.len());
            assert!(worst <= 1e-6, "seed {seed}, call {call}: {worst:e}");
        }
    }
}

#[test]
fn scheduler_walks_like_the_reference() {
    let parts = tensors("parts.safetensors");
    let model = Wan::embedded(&Device::Cpu).unwrap();
    for (steps, begin) in [(1, 0), (2, 0), (8, 0), (20, 0), (8, 5)] {
        let name = format!("scheduler.{steps}.{begin}");
        let mut walk = UniPc::new(model.scheduler(), steps, begin).unwrap();
        assert_eq!(walk.timesteps(), parts[&format!("{name}.timesteps")].to_vec1::<i64>().unwrap());
        let (samples, outputs) = (&parts[&format!("{name}.samples")], &parts[&format!("{name}.outputs")]);
        let mut sample = samples.get(0).unwrap();
        for step in 0..steps - begin {
            sample = walk.step(&outputs.get(step).unwrap(), &sample).unwrap();
            check(&format!("{name} step {step}"), &sample, &samples.get(step + 1).unwrap(), 2e-5);
        }
    }
}

#[test]
fn text_becomes_the_same_tokens_and_states() {
    let (parts, cases) = (tensors("parts.safetensors"), cases());
    let model = Wan::embedded(&Device::Cpu).unwrap();
    assert_eq!(model.tokenizer().length(), cases.length);
    for (index, prompt) in cases.prompts.iter().enumerate() {
        let ids = model.tokenizer().encode(prompt).unwrap();
        assert_eq!(ids, cases.tokens[index], "{prompt:?}");
        let states = model.text_encoder().forward(&ids).unwrap();
        let reference = parts[&format!("text.{index}")].narrow(0, 0, ids.len()).unwrap();
        check(&format!("text {index}"), &states, &reference, 1e-5);
    }
}

#[test]
fn transformer_predicts_the_same() {
    let parts = tensors("parts.safetensors");
    let model = Wan::embedded(&Device::Cpu).unwrap();
    let transformer = model.transformer();
    let context = transformer.context(&parts["text.0"]).unwrap();
    let plan = transformer.plan((5, 8, 6), &[999, 374]).unwrap();
    for (step, time) in [999, 374].into_iter().enumerate() {
        let output = transformer.forward(&parts["transformer.input"], &plan, step, &[&context]).unwrap();
        check(&format!("transformer at {time}"), &output[0], &parts[&format!("transformer.output.{time}")], 1e-5);
    }
}

fn bytes_to_clip(frames: &Tensor) -> Tensor {
    let clip = frames.to_dtype(DType::F32).unwrap().permute((3, 0, 1, 2)).unwrap().contiguous().unwrap();
    clip.affine(2.0 / 255.0, -1.0).unwrap()
}

#[test]
fn autoencoder_agrees_both_ways() {
    let parts = tensors("parts.safetensors");
    let model = Wan::embedded(&Device::Cpu).unwrap();
    let latents = model.vae().encode(&bytes_to_clip(&parts["vae.clip"]), |_, _| Ok(())).unwrap();
    check("encode", &latents, &parts["vae.latents"], 1e-5);
    let clip = model.vae().decode(&parts["vae.input"], |_, _| Ok(())).unwrap();
    check("decode", &clip, &parts["vae.output"], 1e-5);
}

#[test]
fn other_shapes_agree() {
    let files = ModelFiles::Folder(folder().join("synthetic"));
    let parts = tensors("synthetic/parts.safetensors");
    let weights = |part| Weights::open(&files, part, "diffusion_pytorch_model", &Device::Cpu).unwrap();

    let config: VaeConfig = files.json("vae/config.json").unwrap();
    let vae = Vae::load(&config, &weights("vae"), &Device::Cpu).unwrap();
    check("synthetic encode", &vae.encode(&parts["vae.clip"], |_, _| Ok(())).unwrap(), &parts["vae.latents"], 1e-5);
    check("synthetic decode", &vae.decode(&parts["vae.input"], |_, _| Ok(())).unwrap(), &parts["vae.output"], 1e-5);

    let config: TransformerConfig = files.json("transformer/config.json").unwrap();
    let transformer = Transformer::load(&config, &weights("transformer"), &Device::Cpu).unwrap();
    let context = transformer.context(&parts["transformer.text"]).unwrap();
    let plan = transformer.plan((3, 6, 10), &[500]).unwrap();
    let output = transformer.forward(&parts["transformer.input"], &plan, 0, &[&context]).unwrap();
    check("synthetic transformer", &output[0], &parts["transformer.output"], 1e-5);
}

fn frame(results: &Tensors, name: &str) -> Frames {
    let tensor = &results[&format!("frame.{name}")];
    Frames { width: 64, height: 64, rgb: tensor.flatten_all().unwrap().to_vec1().unwrap() }
}

fn request(case: &Case, results: &Tensors) -> Request {
    let start = match (&case.image, &case.first, &case.last) {
        (Some(image), ..) => Start::Image { image: frame(results, image), strength: case.strength.unwrap() },
        (None, Some(first), Some(last)) => Start::FirstLast {
            first: frame(results, first),
            last: frame(results, last),
            first_strength: 1.0,
            last_strength: 1.0,
        },
        (None, Some(first), None) => Start::FirstFrame { image: frame(results, first), strength: 1.0 },
        _ => Start::Noise,
    };
    Request {
        prompt: case.prompt.clone(),
        negative_prompt: String::new(),
        width: 64,
        height: 64,
        num_frames: case.frames,
        steps: case.steps,
        guidance_scale: case.guidance.unwrap_or(3.0),
        seed: case.seed,
        start,
    }
}

#[test]
fn generations_agree() {
    let results = tensors("results.safetensors");
    let mut model = Wan::embedded(&Device::Cpu).unwrap();
    for (name, case) in &cases().cases {
        let request = request(case, &results);
        let begun = std::time::Instant::now();
        let clip = model.sample(&request, &mut Silent).unwrap();
        let seconds = begun.elapsed().as_secs_f32();
        let ours = values(&clip.permute((1, 2, 3, 0)).unwrap().contiguous().unwrap());
        let reference = values(&results[name]);
        assert_eq!(ours.len(), reference.len());
        let worst = ours.iter().zip(&reference).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
        println!("{name}: largest difference {worst:.2e} of 1, {seconds:.2} s");
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

#[test]
#[ignore = "a measurement: cargo test -p must --test golden -- --ignored --nocapture speed"]
fn speed() {
    let results = tensors("results.safetensors");
    let begun = std::time::Instant::now();
    let model = Wan::embedded(&Device::Cpu).unwrap();
    println!("load: {:.3} s", begun.elapsed().as_secs_f32());
    for name in ["t2v_20", "picture"] {
        let request = request(&cases().cases[name], &results);
        let mut best = f32::INFINITY;
        let mut stages: Vec<(Stage, std::time::Instant)> = vec![];
        for _ in 0..5 {
            let mut watch = Watch::default();
            let begun = std::time::Instant::now();
            model.sample(&request, &mut watch).unwrap();
            if begun.elapsed().as_secs_f32() < best {
                best = begun.elapsed().as_secs_f32();
                stages = watch.begun;
            }
        }
        let decode = stages.last().unwrap().1.duration_since(stages[0].1).as_secs_f32();
        println!("{name}: {best:.3} s at best, of which before decoding {decode:.3} s");
    }
}

#[derive(Default)]
struct Watch {
    begun: Vec<(Stage, std::time::Instant)>,
}

impl Control for Watch {
    fn progress(&mut self, stage: Stage, _: usize, _: usize) -> Result<()> {
        if self.begun.last().is_none_or(|(last, _)| *last != stage) {
            self.begun.push((stage, std::time::Instant::now()));
        }
        Ok(())
    }
}

#[test]
fn control_is_asked_and_obeyed() {
    struct Stopper(usize, Vec<(Stage, usize, usize)>);
    impl Control for Stopper {
        fn progress(&mut self, stage: Stage, done: usize, total: usize) -> Result<()> {
            self.1.push((stage, done, total));
            if self.1.len() > self.0 { Err(must::Error::new(must::ErrorCode::Cancelled, "stop")) } else { Ok(()) }
        }
    }
    let request =
        Request { num_frames: 5, width: 32, height: 32, steps: 2, ..request(&cases().cases["t2v_8"], &Tensors::new()) };
    let mut model = Wan::embedded(&Device::Cpu).unwrap();
    let mut free = Stopper(usize::MAX, vec![]);
    model.generate(&request, &mut free).unwrap();
    let calls = free.1;
    assert!(calls.contains(&(Stage::Denoise, 1, 2)) && calls.contains(&(Stage::Decode, 1, 2)));
    for stop in 0..calls.len() {
        let mut control = Stopper(stop, vec![]);
        let error = model.generate(&request, &mut control).unwrap_err();
        assert_eq!(error.code(), must::ErrorCode::Cancelled);
        assert_eq!(control.1.len(), stop + 1, "asked again after it said stop");
    }
}
