//! Compares each part and whole generations with diffusers.

use std::collections::BTreeMap;

use super::*;
use crate::control::{Control, Stage};
use crate::family::{Checkpoint, Pipeline};
use crate::flux::denoiser::Context;
use crate::place::Budget;
use crate::sample::Time;
use crate::{Error, ErrorKind};

#[derive(serde::Deserialize)]
struct Cases {
    prompts: Vec<Text>,
    lengths: BTreeMap<String, usize>,
    variants: BTreeMap<String, BTreeMap<String, Case>>,
}

#[derive(serde::Deserialize)]
struct Text {
    prompt: String,
    t5: Vec<u32>,
    clip: Vec<u32>,
    clip_length: usize,
}

#[derive(serde::Deserialize)]
struct Case {
    prompt: usize,
    negative: Option<usize>,
    true_cfg: Option<f64>,
    width: u32,
    height: u32,
    steps: u32,
    guidance: f64,
    seed: u64,
    image: Option<String>,
    strength: Option<f64>,
    #[serde(default)]
    comfyui: bool,
    times: Vec<f32>,
    calls: Vec<usize>,
}

fn cases() -> Cases {
    json("flux/cases.json")
}

fn request_of(case: &Case, prompts: &[Text]) -> Request {
    let start = match &case.image {
        Some(name) => {
            Start::Picture { image: frame(&golden("flux/images.safetensors")[name]), strength: case.strength.unwrap() }
        }
        None => Start::Noise,
    };
    Request {
        negative_prompt: case.negative.map_or(String::new(), |index| prompts[index].prompt.clone()),
        width: case.width,
        height: case.height,
        steps: case.steps,
        guidance_scale: case.guidance,
        seed: case.seed,
        start,
        sampler: Some(if case.comfyui { "Euler" } else { "flow-matching" }.to_owned()),
        ..request(&prompts[case.prompt].prompt)
    }
}

#[test]
fn prompts_become_the_same_ids_and_states() {
    let cases = cases();
    for name in ["dev", "schnell"] {
        let golden = golden(&format!("flux/{name}/golden.safetensors"));
        let mut model = variant(name);
        let length = model.files.recognised.variant.text_tokens();
        assert_eq!(length, cases.lengths[name]);
        for (index, text) in cases.prompts.iter().enumerate() {
            let (ids, count) = model.t5_tokenizer.encode_padded(&text.prompt, length).unwrap();
            assert_eq!(count, text.t5.len());
            assert_eq!(ids[..count.min(length)], text.t5[..count.min(length)], "{:?}", text.prompt);
            assert!(ids[count.min(length)..].iter().all(|id| *id == 0));
            let clip_ids = model.clip_tokenizer.first(&text.prompt, 77).unwrap();
            assert_eq!(clip_ids[..text.clip.len()], text.clip, "{:?}", text.prompt);
            let pooled = model.clip(&mut Silent).unwrap().forward(&clip_ids, 0).unwrap().pooled;
            check(&format!("{name} pooled {index}"), &pooled, &golden[&format!("pooled.{index}")], 1e-5);
            if let Some(reference) = golden.get(&format!("text.{index}")) {
                let states = model.t5(&mut Silent).unwrap().forward(&ids).unwrap();
                check(&format!("{name} states {index}"), &states, reference, 1e-5);
            }
        }
    }
    assert!(cases.prompts.iter().any(|text| text.clip_length > 77 && text.t5.len() < 256));
}

/// Returns the contexts of a case's prompts, from the reference's encoder states where the golden data has them and from the
/// model's own encoders otherwise.
fn contexts(model: &mut Model, case: &Case, cases: &Cases, golden: &Golden, levels: &[f32]) -> Vec<Context> {
    let length = model.files.recognised.variant.text_tokens();
    [Some(case.prompt), case.negative]
        .into_iter()
        .flatten()
        .map(|index| {
            let (ids, _) = model.t5_tokenizer.encode_padded(&cases.prompts[index].prompt, length).unwrap();
            let states = match golden.get(&format!("text.{index}")) {
                Some(states) => states.clone(),
                None => model.t5(&mut Silent).unwrap().forward(&ids).unwrap(),
            };
            let pooled = &golden[&format!("pooled.{index}")];
            model.transformer(&mut Silent).unwrap().context(&states, pooled, levels, case.guidance).unwrap()
        })
        .collect()
}

#[test]
fn every_denoiser_call_agrees() {
    let cases = cases();
    let mut compared = 0;
    for (name, listed) in &cases.variants {
        let golden = golden(&format!("flux/{name}/golden.safetensors"));
        let mut model = variant(name);
        for (case_name, case) in listed {
            for &step in &case.calls {
                let at = |part: &str| golden.get(&format!("{case_name}.call.{step}.{part}"));
                let input = at("input").unwrap();
                // The reference divides the time by 1000 once more before the transformer.
                let contexts = contexts(&mut model, case, &cases, &golden, &case.times[step..=step]);
                let contexts: Vec<&Context> = contexts.iter().collect();
                let transformer = model.transformer(&mut Silent).unwrap();
                let plan =
                    transformer.plan((input.dim(2).unwrap(), input.dim(3).unwrap()), cases.lengths[name]).unwrap();
                let ours = transformer.forward(input, &plan, 0, &contexts).unwrap();
                for (ours, branch) in ours.iter().zip(["cond", "uncond"]) {
                    check(&format!("{name} {case_name} step {step} {branch}"), ours, at(branch).unwrap(), 1e-5);
                    compared += 1;
                }
            }
        }
    }
    assert!(compared >= 14, "{compared}");
}

#[test]
fn times_equal_those_of_the_reference() {
    let cases = cases();
    for (name, listed) in &cases.variants {
        let model = variant(name);
        for (case_name, case) in listed {
            let request = request_of(case, &cases.prompts);
            let first = match request.start {
                Start::Picture { strength, .. } => crate::flux::sampling::first_step(case.steps as usize, strength),
                _ => 0,
            };
            let sampler = model.files.schedule(&request).unwrap().make_sampler(case.steps as usize, first).unwrap();
            let ours: Vec<f32> = sampler.times().iter().map(|time: &Time| time.sigma).collect();
            assert_eq!(ours.len(), case.times.len(), "{name} {case_name}");
            for (ours, reference) in ours.iter().zip(&case.times) {
                assert!((ours - reference).abs() < 2e-7, "{name} {case_name}: {ours} {reference}");
            }
        }
    }
}

#[test]
fn whole_runs_agree() {
    let cases = cases();
    let mut pictures = 0;
    for (name, listed) in &cases.variants {
        let golden = golden(&format!("flux/{name}/golden.safetensors"));
        let mut model = variant(name);
        for (case_name, case) in listed {
            if let Some(scale) = case.true_cfg {
                assert_eq!(scale, crate::flux::sampling::NEGATIVE_SCALE);
            }
            let request = request_of(case, &cases.prompts);
            let latents = model.latents(&request, &mut Silent).unwrap();
            check(&format!("{name} {case_name} latents"), &latents, &golden[&format!("{case_name}.latents")], 1e-4);
            if let Some(reference) = golden.get(&format!("{case_name}.frames")) {
                let picture = model.sample(&request, &mut Silent).unwrap();
                let picture = picture.squeeze(1).unwrap().permute((1, 2, 0)).unwrap();
                check(&format!("{name} {case_name} picture"), &picture, reference, 1e-4);
                pictures += 1;
            }
        }
    }
    assert!(pictures >= 3, "{pictures}");
}

#[test]
fn bfloat16_stays_within_its_bound() {
    let cases = cases();
    for (name, case_name) in [("dev", "square"), ("schnell", "four_steps")] {
        let case = &cases.variants[name][case_name];
        let golden = golden(&format!("flux/{name}/golden.safetensors"));
        let folder = tempfile::tempdir().unwrap();
        assemble(name, folder.path());
        let place = crate::testing::place_in(DType::BF16);
        let mut model = load_as(&inspect(folder.path()).unwrap(), place, Residency::Together);
        let contexts = contexts(&mut model, case, &cases, &golden, &case.times[..1]);
        let at = |part: &str| &golden[&format!("{case_name}.call.0.{part}")];
        let transformer = model.transformer(&mut Silent).unwrap();
        let input = at("input");
        let plan = transformer.plan((input.dim(2).unwrap(), input.dim(3).unwrap()), cases.lengths[name]).unwrap();
        let ours = transformer.forward(input, &plan, 0, &[&contexts[0]]).unwrap();
        check(&format!("{name} bf16 against bf16"), &ours[0], at("cond.bf16"), 5e-2);
        check(&format!("{name} bf16 against float32"), &ours[0], at("cond"), 5e-2);
    }
}

fn distance(a: &Tensor, b: &Tensor) -> f32 {
    (a - b).unwrap().abs().unwrap().mean_all().unwrap().to_scalar().unwrap()
}

#[test]
fn every_parameter_has_its_effect() {
    let mut dev = variant("dev");
    let base = request("a large red circle");
    let run = |model: &mut Model, request: &Request| model.latents(request, &mut Silent).unwrap();
    let plain = run(&mut dev, &base);
    assert_eq!(distance(&plain, &run(&mut dev, &base)), 0.0);
    let guided = run(&mut dev, &Request { guidance_scale: 7.0, ..base.clone() });
    assert!(distance(&plain, &guided) > 1e-3, "dev reads its guidance");
    let sampled = run(&mut dev, &Request { sampler: Some("Euler".to_owned()), ..base.clone() });
    assert!(distance(&plain, &sampled) > 1e-3, "the samplers differ");
    let away = run(&mut dev, &Request { negative_prompt: "a green cross".to_owned(), ..base.clone() });
    assert!(distance(&plain, &away) > 1e-3, "a negative prompt is obeyed");
    assert_eq!(distance(&plain, &run(&mut dev, &Request { negative_prompt: " \n".to_owned(), ..base.clone() })), 0.0);

    let mut schnell = variant("schnell");
    let base = Request { steps: 1, ..base };
    let plain = run(&mut schnell, &base);
    let guided = run(&mut schnell, &Request { guidance_scale: 7.0, ..base.clone() });
    assert_eq!(distance(&plain, &guided), 0.0, "schnell has no guidance");
    let away = run(&mut schnell, &Request { negative_prompt: "a green cross".to_owned(), ..base.clone() });
    assert!(distance(&plain, &away) > 1e-3);
}

#[test]
fn a_lower_strength_stays_nearer_to_the_picture() {
    let mut model = variant("dev");
    let image = frame(&golden("flux/images.safetensors")["square"]);
    let encoded = model.encode(&crate::pixels::pixels(&image, crate::testing::device()).unwrap(), &mut Silent).unwrap();
    let mut before = 0.0;
    for strength in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let start = Start::Picture { image: image.clone(), strength };
        let latents = model.latents(&Request { start, ..request("a blue cross") }, &mut Silent).unwrap();
        let apart = distance(&encoded, &latents);
        assert!(if strength == 0.0 { apart == 0.0 } else { apart > before }, "{strength}: {apart} after {before}");
        before = apart;
    }
}

#[test]
fn impossible_requests_are_refused() {
    let place = tempfile::tempdir().unwrap();
    assemble("dev", place.path());
    let checkpoint = inspect(place.path()).unwrap();
    let base = request("a cat");
    assert_eq!(checkpoint.modes(), ["txt2img", "img2img"]);
    assert!(checkpoint.describe().starts_with("FLUX.1 dev of width 64"), "{}", checkpoint.describe());
    assert!(checkpoint.check(&base).is_ok());
    for (request, expected) in [
        (Request { width: 40, ..base.clone() }, "multiples of 16"),
        (Request { height: 0, ..base.clone() }, "multiples of 16"),
        (Request { num_frames: 5, ..base.clone() }, "makes pictures"),
        (Request { steps: 0, ..base.clone() }, "steps"),
        (Request { sampler: Some("UniPC".to_owned()), ..base.clone() }, "no sampler \"UniPC\""),
        (Request { start: Start::Given { strength: 0.5 }, ..base.clone() }, "given frame"),
    ] {
        let error = checkpoint.check(&request).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.detail().contains(expected), "{expected}: {}", error.detail());
    }
}

#[derive(Default)]
struct Watcher {
    stop: Option<usize>,
    calls: Vec<(Stage, usize, usize)>,
    cut: Vec<(String, usize, usize)>,
}

impl Control for Watcher {
    fn progress(&mut self, stage: Stage, done: usize, total: usize) -> Result<()> {
        self.calls.push((stage, done, total));
        match self.stop {
            Some(stop) if self.calls.len() > stop => Err(Error::stopped(std::fmt::Error)),
            _ => Ok(()),
        }
    }

    fn prompt_cut(&mut self, parameter: &str, tokens: usize, kept: usize) {
        self.cut.push((parameter.to_owned(), tokens, kept));
    }
}

#[test]
fn control_is_asked_at_every_stage_and_obeyed() {
    let mut model = variant("schnell");
    let image = frame(&golden("flux/images.safetensors")["square"]);
    let start = Start::Picture { image, strength: 1.0 };
    let request = Request { steps: 2, start, negative_prompt: "a cat".to_owned(), ..request("a dog") };
    let mut free = Watcher::default();
    let picture = model.generate(&request, &mut free).unwrap();
    assert_eq!((picture.width, picture.height, picture.count()), (48, 48, 1));
    for call in [(Stage::Encode, 1, 2), (Stage::Denoise, 1, 2), (Stage::Denoise, 2, 2), (Stage::Decode, 1, 1)] {
        assert!(free.calls.contains(&call), "{call:?}");
    }
    for stop in 0..free.calls.len() {
        let mut control = Watcher { stop: Some(stop), ..Watcher::default() };
        let error = model.generate(&request, &mut control).unwrap_err();
        assert_eq!((error.kind(), control.calls.len()), (ErrorKind::Stopped, stop + 1));
    }
}

#[test]
fn only_tokens_that_t5_does_not_read_are_reported() {
    let mut model = variant("schnell");
    let cases = cases();
    let mut watcher = Watcher::default();
    let short = Request { steps: 1, ..request(&cases.prompts[4].prompt) };
    model.generate(&short, &mut watcher).unwrap();
    assert_eq!(watcher.cut, [], "CLIP reads less, T5 reads all");
    let long = Request { negative_prompt: "red ".repeat(300), ..short };
    model.generate(&long, &mut watcher).unwrap();
    assert_eq!(watcher.cut, [("negative_prompt".to_owned(), 301, 256)]);
}

#[test]
fn loading_reports_bytes_and_can_be_ended() {
    let place = tempfile::tempdir().unwrap();
    assemble("dev", place.path());
    let checkpoint = inspect(place.path()).unwrap();
    let load = |control: &mut Watcher| checkpoint.load(&crate::Device::cpu(), Budget { bytes: None }, control);
    let mut free = Watcher::default();
    let whole = load(&mut free).unwrap();
    assert!(whole.memory_bytes() > 1_000_000, "{}", whole.memory_bytes());
    assert!(free.calls.iter().all(|(stage, ..)| *stage == Stage::Load));
    let (_, done, total) = *free.calls.last().unwrap();
    assert_eq!(done, total);
    for stop in (0..free.calls.len()).step_by(29) {
        let mut control = Watcher { stop: Some(stop), ..Watcher::default() };
        assert_eq!(load(&mut control).err().unwrap().kind(), ErrorKind::Stopped);
        assert_eq!(control.calls.len(), stop + 1);
    }
}

#[test]
fn same_bytes_for_any_number_of_threads() {
    let request = Request { width: 64, height: 48, steps: 2, ..request("a red circle") };
    let generate = || variant("dev").generate(&request, &mut Silent).unwrap().rgb;
    let here = generate();
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert!(pool.install(generate) == here, "{threads} threads gave another picture");
    }
}

#[test]
fn previews_do_not_change_the_result() {
    check_previews(&mut variant("dev"), &Request { steps: 6, ..request("a large red circle") });
}
