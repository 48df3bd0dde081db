//! Compares every variant with the pipelines of diffusers: each recorded denoiser call, and whole generations.

use super::*;
use crate::request::GivenFrame;
use crate::sample::{Expert, Noise, Steps, Time, run_steps};
use crate::wan::denoiser::{Context, Control as ControlLatents};

#[derive(serde::Deserialize)]
pub(super) struct Cases {
    pub(super) prompts: Vec<String>,
    tokens: Vec<Vec<u32>>,
    pub(super) variants: HashMap<String, VariantCases>,
}

#[derive(serde::Deserialize)]
pub(super) struct VariantCases {
    pub(super) cases: HashMap<String, Case>,
}

#[derive(serde::Deserialize)]
pub(super) struct Case {
    prompt: usize,
    negative: usize,
    width: u32,
    height: u32,
    frames: u32,
    steps: u32,
    seed: u64,
    guidance: f64,
    guidance_2: Option<f64>,
    image: Option<String>,
    last: Option<String>,
    video: Option<String>,
    references: Option<Vec<String>>,
    conditioning_scale: Option<f64>,
    image_tokens_twice: Option<bool>,
    timesteps: Vec<f64>,
    experts: Vec<String>,
    calls: Vec<Call>,
}

#[derive(serde::Deserialize)]
struct Call {
    step: usize,
    expert: String,
}

pub(super) fn cases() -> Cases {
    json("wan/cases.json")
}

/// Returns the request of a case. Its pictures have the clip's size.
pub(super) fn request_of(case: &Case, cases: &Cases, images: &Golden) -> Request {
    let mut given = vec![];
    for (name, index) in [(&case.image, 0), (&case.last, case.frames - 1)] {
        if let Some(name) = name {
            given.push(GivenFrame { index, image: frame(&images[name]), strength: 1.0 });
        }
    }
    Request {
        negative_prompt: cases.prompts[case.negative].clone(),
        width: case.width,
        height: case.height,
        num_frames: case.frames,
        steps: case.steps,
        guidance_scale: case.guidance,
        guidance_scale_2: case.guidance_2,
        seed: case.seed,
        given,
        ..request(&cases.prompts[case.prompt])
    }
}

/// Returns whether a request of MUST can express the case: pictures have the clip's size, there is no video and no reference
/// picture, and the image tokens are not those of one picture used twice.
fn is_a_request(case: &Case, images: &Golden) -> bool {
    let fits = |name: &Option<String>| {
        name.as_ref().is_none_or(|name| {
            let frame = frame(&images[name]);
            (frame.width, frame.height) == (case.width, case.height)
        })
    };
    fits(&case.image)
        && fits(&case.last)
        && case.video.is_none()
        && case.references.is_none()
        && case.image_tokens_twice.is_none()
}

fn expert(name: &str) -> Expert {
    if name == "transformer" { Expert::High } else { Expert::Low }
}

fn contexts(model: &Model, expert: Expert, case: &Case, name: &str, shared: &Golden, golden: &Golden) -> Vec<Context> {
    let image = golden.get(&format!("{name}.image_states"));
    [case.prompt, case.negative]
        .iter()
        .map(|prompt| {
            let states = &shared[&format!("text.{prompt}")];
            let states = states.pad_with_zeros(0, 0, 512 - states.dim(0).unwrap()).unwrap();
            model.expert(expert).unwrap().context(&states, image).unwrap()
        })
        .collect()
}

fn control(case: &Case, name: &str, golden: &Golden) -> Option<ControlLatents> {
    let latents = golden.get(&format!("{name}.control"))?.clone();
    Some(ControlLatents { latents, scale: case.conditioning_scale.unwrap_or(1.0) })
}

const VARIANTS: [&str; 8] = ["t2v", "i2v", "flf2v", "vace", "t2v_a14b", "i2v_a14b", "ti2v_5b", "wide"];

#[test]
fn text_and_image_encoders_agree() {
    let (cases, shared) = (cases(), golden("wan/shared/golden.safetensors"));
    let place = tempfile::tempdir().unwrap();
    assemble("i2v", place.path());
    let mut model = load(&inspect(place.path()).unwrap());
    for (index, prompt) in cases.prompts.iter().enumerate() {
        let ids = model.tokenizer.encode(&crate::text::clean(prompt)).unwrap();
        assert_eq!(ids, cases.tokens[index], "{prompt:?}");
        let states = model.text(&mut Silent).unwrap().forward(&ids).unwrap();
        check(&format!("text {index}"), &states, &shared[&format!("text.{index}")], 1e-5);
    }
    let images = golden("wan/shared/images.safetensors");
    for name in ["square_first", "large"] {
        let picture = frame(&images[name]);
        let (files, size) = (model.files.clone(), (picture.width as usize, picture.height as usize));
        let encoder = model.image(&mut Silent).unwrap();
        let side = encoder.config().image_size;
        let pixels = files.processor().prepare(&picture.rgb, size, side, crate::testing::device()).unwrap();
        check(&format!("pixels of {name}"), &pixels, &shared[&format!("image_encoder.{name}.pixels")], 1e-5);
        let states = encoder.forward(&pixels).unwrap();
        check(&format!("states of {name}"), &states, &shared[&format!("image_encoder.{name}.states")], 1e-5);
    }
}

#[test]
fn every_denoiser_call_agrees() {
    let (cases, shared) = (cases(), golden("wan/shared/golden.safetensors"));
    for variant in VARIANTS {
        let place = tempfile::tempdir().unwrap();
        assemble(variant, place.path());
        let model = load(&inspect(place.path()).unwrap());
        let golden = golden(&format!("wan/{variant}/golden.safetensors"));
        for (name, case) in &cases.variants[variant].cases {
            let control = control(case, name, &golden);
            for call in &case.calls {
                let at = |part: &str| golden.get(&format!("{name}.call.{}.{part}", call.step));
                let expert = expert(&call.expert);
                let transformer = model.expert(expert).unwrap();
                let input = at("input").unwrap();
                let (_, frames, height, width) = input.dims4().unwrap();
                let time = case.timesteps[call.step];
                // The tokens of the given frame have time 0.
                let given = golden.contains_key(&format!("{name}.condition")) && variant == "ti2v_5b";
                let plan = transformer.plan((frames, height, width), &[time], given.then_some(0.0)).unwrap();
                let contexts = contexts(&model, expert, case, name, &shared, &golden);
                let contexts: Vec<&Context> = contexts.iter().collect();
                let ours = transformer.forward(input, &plan, 0, &contexts, control.as_ref()).unwrap();
                for (ours, branch) in ours.iter().zip(["cond", "uncond"]) {
                    if let Some(reference) = at(branch) {
                        check(&format!("{variant} {name} step {} {branch}", call.step), ours, reference, 1e-5);
                    }
                }
            }
        }
    }
}

#[test]
fn whole_generations_agree() {
    let (cases, images) = (cases(), golden("wan/shared/images.safetensors"));
    let mut compared = 0;
    for variant in VARIANTS {
        let place = tempfile::tempdir().unwrap();
        assemble(variant, place.path());
        let mut model = load(&inspect(place.path()).unwrap());
        let golden = golden(&format!("wan/{variant}/golden.safetensors"));
        for (name, case) in cases.variants[variant].cases.iter().filter(|(_, case)| is_a_request(case, &images)) {
            let clip = sample(&mut model, &request_of(case, &cases, &images)).unwrap();
            check(&format!("{variant} {name}"), &clip, &golden[&format!("{name}.frames")], 1e-4);
            compared += 1;
        }
    }
    assert!(compared >= 16, "{compared}");
}

/// Steps whose prediction is a function.
struct Predicting<F>(F);

impl<F: FnMut(usize, Time, &Tensor) -> Result<Tensor>> Steps for Predicting<F> {
    fn predict(&mut self, step: usize, time: Time, latents: &Tensor, _: &mut dyn Control) -> Result<Tensor> {
        (self.0)(step, time, latents)
    }

    fn preview(&mut self, _: &Tensor, _: &mut dyn Control) -> Result<Frames> {
        unreachable!("can_preview returned false")
    }
}

/// Control inputs that the reference accepts and no request of MUST makes: regions, reference pictures, grey of level 128.
#[test]
fn vace_agrees_on_any_control() {
    let (cases, shared) = (cases(), golden("wan/shared/golden.safetensors"));
    let place = tempfile::tempdir().unwrap();
    assemble("vace", place.path());
    let model = load(&inspect(place.path()).unwrap());
    let golden = golden("wan/vace/golden.safetensors");
    for (name, case) in &cases.variants["vace"].cases {
        let control = control(case, name, &golden);
        let transformer = model.expert(Expert::High).unwrap();
        let latents = golden[&format!("{name}.noise")].clone();
        let (_, frames, height, width) = latents.dims4().unwrap();
        let mut request = request("");
        (request.width, request.height) = (case.width, case.height);
        let guidance = crate::sample::Guidance::Classifier { scale: case.guidance };
        let mut sampler = model.files.schedule(&request).unwrap().make_sampler(case.steps as usize, 0).unwrap();
        let times: Vec<f64> = sampler.times().iter().map(|time| time.model).collect();
        assert_eq!(times, case.timesteps);
        let plan = transformer.plan((frames, height, width), &times, None).unwrap();
        let contexts = contexts(&model, Expert::High, case, name, &shared, &golden);
        let contexts: Vec<&Context> = contexts.iter().collect();
        let mut noise = Noise::new(case.seed);
        let mut steps = Predicting(|step: usize, time: Time, latents: &Tensor| {
            let both = transformer.forward(latents, &plan, step, &contexts, control.as_ref())?;
            guidance.combine(time, &both[0], both.get(1))
        });
        let ours = run_steps(latents, sampler.as_mut(), &mut noise, &mut Silent, &mut steps).unwrap();
        let reference = &golden[&format!("{name}.latents")];
        let skipped = ours.dim(1).unwrap() - reference.dim(1).unwrap();
        let ours = ours.narrow(1, skipped, reference.dim(1).unwrap()).unwrap();
        check(&format!("vace {name} latents"), &ours, reference, 1e-4);
    }
}

#[test]
fn experts_share_the_steps_as_in_the_reference() {
    let cases = cases();
    for variant in ["t2v_a14b", "i2v_a14b"] {
        let place = tempfile::tempdir().unwrap();
        assemble(variant, place.path());
        let model = load(&inspect(place.path()).unwrap());
        let images = golden("wan/shared/images.safetensors");
        for case in cases.variants[variant].cases.values() {
            let request = request_of(case, &cases, &images);
            let sampler = model.files.schedule(&request).unwrap().make_sampler(case.steps as usize, 0).unwrap();
            let guidance = model.files.guidance(&request);
            let ours: Vec<Expert> = sampler.times().iter().map(|&time| guidance.expert(time)).collect();
            assert_eq!(ours, case.experts.iter().map(|name| expert(name)).collect::<Vec<_>>());
        }
    }
}

#[test]
fn bfloat16_stays_within_its_bound() {
    let (cases, shared) = (cases(), golden("wan/shared/golden.safetensors"));
    for variant in VARIANTS {
        let place = tempfile::tempdir().unwrap();
        assemble(variant, place.path());
        let place = crate::testing::place_in(DType::BF16);
        let folder = tempfile::tempdir().unwrap();
        assemble(variant, folder.path());
        let model = load_as(&inspect(folder.path()).unwrap(), place, Residency::Together);
        let golden = golden(&format!("wan/{variant}/golden.safetensors"));
        for (name, case) in &cases.variants[variant].cases {
            let control = control(case, name, &golden);
            for call in &case.calls {
                let at = |part: &str| golden.get(&format!("{name}.call.{}.{part}", call.step));
                let Some(reference) = at("cond.bf16") else { continue };
                let expert = expert(&call.expert);
                let transformer = model.expert(expert).unwrap();
                let input = at("input").unwrap();
                let (_, frames, height, width) = input.dims4().unwrap();
                let plan = transformer.plan((frames, height, width), &[case.timesteps[call.step]], None).unwrap();
                let contexts = contexts(&model, expert, case, name, &shared, &golden);
                let ours = transformer.forward(input, &plan, 0, &[&contexts[0]], control.as_ref()).unwrap();
                check(&format!("{variant} {name} bf16 against bf16"), &ours[0], reference, 5e-2);
                check(&format!("{variant} {name} bf16 against float32"), &ours[0], at("cond").unwrap(), 5e-2);
            }
        }
    }
}
