//! Compares whole generations with the pipelines of the reference library.

use std::collections::BTreeMap;

use super::*;
use crate::testing::files::write;
use crate::testing::{Golden, check, folder, frame, golden, json};

#[derive(serde::Deserialize)]
pub(super) struct Cases {
    pub(super) prompts: Vec<String>,
    pub(super) cases: BTreeMap<String, Case>,
}

#[derive(serde::Deserialize)]
pub(super) struct Case {
    prompt: usize,
    negative: usize,
    width: u32,
    height: u32,
    steps: u32,
    guidance: f64,
    seed: u64,
    zeros: bool,
    clip_skip: Option<u32>,
    strength: Option<f64>,
    times: Vec<f64>,
    scheduler_config: serde_json::Value,
}

pub(super) fn cases() -> Cases {
    json("sdxl/cases.json")
}

/// Folders of a diffusers model, with the names of the golden data's parts.
pub(super) const PARTS: [(&str, &str); 4] = [
    ("unet", "diffusion_pytorch_model"),
    ("vae", "diffusion_pytorch_model"),
    ("text_encoder", "model"),
    ("text_encoder_2", "model"),
];

/// Writes the model in the layout of diffusers.
pub(super) fn assemble(place: &Path) {
    for (part, name) in PARTS {
        write(&place.join(part).join(format!("{name}.safetensors")), &made::part(part));
        std::fs::copy(folder().join("sdxl").join(part).join("config.json"), place.join(part).join("config.json"))
            .unwrap();
    }
}

/// Writes a case's scheduler configuration, and whether an empty negative prompt is encoded as zeros.
pub(super) fn configure(place: &Path, case: &Case) {
    std::fs::create_dir_all(place.join("scheduler")).unwrap();
    std::fs::write(place.join("scheduler/scheduler_config.json"), case.scheduler_config.to_string()).unwrap();
    let index = serde_json::json!({
        "_class_name": "StableDiffusionXLPipeline", "force_zeros_for_empty_prompt": case.zeros,
    });
    std::fs::write(place.join("model_index.json"), index.to_string()).unwrap();
}

pub(super) fn request_of(case: &Case, cases: &Cases) -> Request {
    let start = match case.strength {
        Some(strength) => Start::Picture { image: frame(&golden("sdxl/golden.safetensors")["picture"]), strength },
        None => Start::Noise,
    };
    Request {
        negative_prompt: cases.prompts[case.negative].clone(),
        width: case.width,
        height: case.height,
        steps: case.steps,
        guidance_scale: case.guidance,
        seed: case.seed,
        clip_skip: case.clip_skip,
        start,
        ..request(&cases.prompts[case.prompt])
    }
}

fn latents(golden: &Golden, name: &str) -> candle_core::Tensor {
    golden[&format!("{name}.latents")].unsqueeze(1).unwrap()
}

#[test]
fn whole_generations_agree() {
    let (cases, golden) = (cases(), golden("sdxl/golden.safetensors"));
    let place = tempfile::tempdir().unwrap();
    assemble(place.path());
    let mut pictures = 0;
    for (name, case) in &cases.cases {
        configure(place.path(), case);
        let mut model = load(&inspect(place.path()).unwrap_or_else(|error| panic!("{name}: {error}")));
        let request = request_of(case, &cases);
        let kept = case.strength.map_or(case.steps, |strength| (f64::from(case.steps) * strength) as u32);
        let schedule = model.files.schedule(&request).unwrap();
        let sampler = schedule.make_sampler(case.steps as usize, (case.steps - kept) as usize).unwrap();
        let times: Vec<f64> = sampler.times().iter().map(|time| time.model).collect();
        assert_eq!(times.len(), case.times.len(), "{name}");
        for (ours, reference) in times.iter().zip(&case.times) {
            assert!((ours - reference).abs() <= 1e-3, "{name}: {times:?} and not {:?}", case.times);
        }
        let ours = model.latents(&request, &mut Silent).unwrap();
        check(name, &ours, &latents(&golden, name), 1e-4);
        if let Some(reference) = golden.get(&format!("{name}.image")) {
            let ours = model.decode(&ours, &mut Silent).unwrap();
            let ours = ours.squeeze(1).unwrap().permute((1, 2, 0)).unwrap().contiguous().unwrap();
            check(&format!("{name}, picture"), &ours, reference, 1e-4);
            pictures += 1;
        }
    }
    assert!(cases.cases.len() >= 40 && pictures >= 5, "{} {pictures}", cases.cases.len());
}

#[test]
fn prompts_become_the_same_states() {
    let (cases, golden) = (cases(), golden("sdxl/golden.safetensors"));
    let place = tempfile::tempdir().unwrap();
    assemble(place.path());
    let mut model = load(&inspect(place.path()).unwrap());
    for (index, skips) in [(0, &[1, 2, 3, 4][..]), (2, &[2]), (3, &[2])] {
        for &skip in skips {
            let request = Request { clip_skip: Some(skip), ..request(&cases.prompts[index]) };
            let ours = model.encode_prompts(&request, false, &mut Silent).unwrap().remove(0);
            let rows: Vec<u32> = (0..ours.states.dim(0).unwrap() as u32).step_by(7).collect();
            let rows = candle_core::Tensor::new(rows, crate::testing::device()).unwrap();
            let states = ours.states.index_select(&rows, 0).unwrap();
            check(&format!("text {index}, clip_skip {skip}"), &states, &golden[&format!("text.{index}.{skip}")], 1e-5);
            check(&format!("pooled {index}"), &ours.pooled, &golden[&format!("text.{index}.pooled")], 1e-5);
        }
    }
    // The default of clip_skip is 2.
    let of = |model: &mut Model, clip_skip| {
        let request = Request { clip_skip, ..request(&cases.prompts[0]) };
        crate::testing::values(&model.encode_prompts(&request, false, &mut Silent).unwrap().remove(0).states)
    };
    assert_eq!(of(&mut model, None), of(&mut model, Some(2)));
}

#[test]
fn previews_do_not_change_the_result() {
    let place = tempfile::tempdir().unwrap();
    assemble(place.path());
    let mut model = load(&inspect(place.path()).unwrap());
    for sampler in ["Euler a", "DPM++ 2M Karras"] {
        let request = Request { steps: 6, sampler: Some(sampler.to_owned()), ..request("a cat") };
        crate::testing::check_previews(&mut model, &request);
    }
}
