//! Recognition with the names and sizes of published models, and the errors for other models and incomplete folders.

use std::collections::BTreeMap;

use super::*;
use crate::sdxl::layouts::samples::{REFINER, SD_1, SD_2, SDXL, SSD_1B, Sizes, VEGA, original};
use crate::testing::samples::{Folder, Sample, below};
use crate::text::layouts::samples::{clip_g, clip_l, clip_open};

/// The tensors of the autoencoder, with the names of diffusers or the original ones.
fn vae(diffusers: bool) -> Sample {
    let mut names: BTreeMap<String, serde_json::Value> = crate::testing::json("sdxl/names.json");
    let rows: Vec<(String, Vec<usize>, String, Vec<usize>)> =
        serde_json::from_value(names.remove("vae").unwrap()).unwrap();
    rows.into_iter()
        .map(|(name, shape, old, old_shape)| if diffusers { (name, shape) } else { (old, old_shape) })
        .collect()
}

fn single(sizes: Sizes) -> Sample {
    [
        below("model.diffusion_model.", &original(sizes)),
        below("conditioner.embedders.0.transformer.", &clip_l()),
        below("conditioner.embedders.1.model.", &clip_open(1280, 32, 1280)),
        below("first_stage_model.", &vae(false)),
    ]
    .concat()
}

fn mark(name: &str) -> Sample {
    vec![(name.to_owned(), vec![0])]
}

fn recognise(folder: &Folder) -> Result<Recognised> {
    Recognised::of(&folder.inventory_of(&crate::sdxl::layouts::all()))
}

#[track_caller]
fn refuses(folder: &Folder, expected: &[&str]) {
    let error = recognise(folder).unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::ModelUnavailable);
    let whole = format!("{} {}", error.detail(), error.user_action().unwrap_or_default());
    for expected in expected {
        assert!(whole.contains(expected), "{whole:?} does not say {expected}");
    }
}

fn split(unet: Sample) -> Folder {
    Folder::new()
        .with("unet/model.safetensors", unet)
        .with("clip/clip_l.safetensors", clip_l())
        .with("clip/clip_g.safetensors", clip_g())
        .with("vae/sdxl_vae.safetensors", vae(false))
}

#[test]
fn models_are_recognised_in_every_layout() {
    let folders = [
        Folder::new().with("ponyDiffusionV6XL.safetensors", single(SDXL)),
        split(original(SDXL)),
        split(below("model.diffusion_model.", &original(SDXL))),
    ];
    for folder in &folders {
        let model = recognise(folder).unwrap();
        let widths: Vec<usize> = model.encoders.iter().map(|encoder| encoder.config.width).collect();
        assert_eq!(widths, [768, 1280]);
        assert_eq!(model.encoders[0].config.projection, None);
        assert_eq!(model.encoders[1].config.projection, Some(1280));
        assert_eq!((model.unet.config.context, model.vae.config.latent_channels), (2048, 4));
        assert!(model.zeros_for_empty);
        assert_eq!(model.training, Training { velocity: false, zero_snr: false });
        assert!(model.describe().starts_with("SDXL (noise prediction): the UNet in "), "{}", model.describe());
    }
}

#[test]
fn a_separate_file_takes_precedence_over_a_part_of_a_larger_one() {
    let folder = Folder::new()
        .with("all.safetensors", single(SDXL))
        .with("fixed_vae.safetensors", vae(true))
        .with("clip_l.safetensors", clip_l());
    let model = recognise(&folder).unwrap();
    assert_eq!(model.vae.found.origin(), "fixed_vae.safetensors");
    assert_eq!(model.encoders[0].found.origin(), "clip_l.safetensors");
    assert_eq!(model.encoders[1].found.origin(), "all.safetensors");
    let folder = folder.with("other_vae.safetensors", vae(true));
    refuses(&folder, &["fixed_vae.safetensors and other_vae.safetensors both hold the autoencoder"]);
}

#[test]
fn training_is_recognised_by_marker_tensors_and_by_the_scheduler() {
    let of = |marks: &[&str]| {
        let sample = [single(SDXL), marks.iter().flat_map(|name| mark(name)).collect()].concat();
        recognise(&Folder::new().with("all.safetensors", sample)).unwrap()
    };
    for (marks, velocity, zero_snr) in [
        (&[][..], false, false),
        (&["v_pred"], true, false),
        (&["v_pred", "ztsnr"], true, true),
        (&["ztsnr"], false, false),
    ] {
        let model = of(marks);
        assert_eq!(model.training, Training { velocity, zero_snr }, "{marks:?}");
        assert_eq!(model.schedule.model().unwrap().zero_snr, zero_snr);
        assert_eq!(model.unet.found.unknown(), Vec::<String>::new());
    }
    let config = r#"{"_class_name": "EulerDiscreteScheduler", "beta_schedule": "scaled_linear", "beta_start": 0.00085,
        "beta_end": 0.012, "prediction_type": "v_prediction", "rescale_betas_zero_snr": true,
        "timestep_spacing": "trailing"}"#;
    let folder = split(original(SDXL)).put("scheduler/scheduler_config.json", config);
    let model = recognise(&folder).unwrap();
    assert_eq!(model.training, Training { velocity: true, zero_snr: true });
    assert_eq!(model.notes, Vec::<String>::new());
    let marked = [original(SDXL), mark("v_pred")].concat();
    let model = recognise(&split(marked).put("scheduler/scheduler_config.json", config)).unwrap();
    assert!(model.notes[0].contains("the former is used"), "{:?}", model.notes);
}

#[test]
fn related_models_are_refused_by_name() {
    let nine = Sizes { input: 9, ..SDXL };
    let eight = Sizes { input: 8, ..SDXL };
    for (sizes, name) in [
        (REFINER, "the SDXL refiner"),
        (SD_1, "Stable Diffusion 1.x"),
        (SD_2, "Stable Diffusion 2.x"),
        (nine, "an inpainting model (nine channels)"),
        (eight, "InstructPix2Pix (eight channels)"),
        (SSD_1B, "SSD-1B"),
        (VEGA, "Segmind Vega"),
    ] {
        refuses(&Folder::new().with("model.safetensors", single(sizes)), &[name, "Use a checkpoint of SDXL 1.0"]);
    }
    for (marks, name) in [
        (&["edm_mean", "edm_std"][..], "Playground v2.5"),
        (&["edm_vpred.sigma_max", "edm_vpred.sigma_min"], "CosXL"),
        (&["model.diffusion_model.input_blocks.1.0.time_stack.in_layers.0.weight"], "Stable Video Diffusion"),
        (&["model.diffusion_model.time_embed.cond_proj.weight"], "takes the guidance as an input"),
    ] {
        let sample = [single(SDXL), marks.iter().flat_map(|name| mark(name)).collect()].concat();
        refuses(&Folder::new().with("model.safetensors", sample), &[name]);
    }
    let headless: Sample = single(SDXL).into_iter().filter(|(name, _)| !name.contains("middle_block")).collect();
    refuses(&Folder::new().with("model.safetensors", headless), &["KOALA"]);
    let pipeline = r#"{"_class_name": "KolorsPipeline"}"#;
    refuses(&split(original(SDXL)).put("model_index.json", pipeline), &["KolorsPipeline is none of"]);
}

#[test]
fn a_refiner_beside_the_base_model_is_ignored() {
    let folder = split(original(SDXL)).with("refiner.safetensors", below("model.diffusion_model.", &original(REFINER)));
    assert_eq!(recognise(&folder).unwrap().unet.found.origin(), "unet/model.safetensors");
}

#[test]
fn errors_for_incomplete_folders_name_the_missing_parts() {
    refuses(
        &Folder::new(),
        &[
            "the UNet, first text encoder (CLIP-L), second text encoder (OpenCLIP bigG) and autoencoder are missing",
            "nothing of SDXL",
        ],
    );
    let unet = Folder::new().with("unet.gguf", original(SDXL));
    refuses(
        &unet,
        &[
            "first text encoder (CLIP-L)",
            "the UNet (SDXL) in unet.gguf",
            "Add clip_l.safetensors",
            "sdxl_vae.safetensors",
        ],
    );
    let one = Folder::new()
        .with("unet.safetensors", original(SDXL))
        .with("clip_l.safetensors", clip_l())
        .with("vae.safetensors", vae(true));
    refuses(&one, &["the second text encoder (OpenCLIP bigG) is missing", "Add clip_g.safetensors"]);
    let without: Sample = single(SDXL).into_iter().filter(|(name, _)| !name.starts_with("first_stage")).collect();
    refuses(&Folder::new().with("novae.safetensors", without), &["the autoencoder is missing"]);
    let other = split(original(SDXL)).with("none", vec![]);
    assert!(recognise(&other).is_ok());
}

#[test]
fn parts_that_do_not_fit_are_refused_with_both_numbers() {
    let narrow = Folder::new()
        .with("unet.safetensors", original(SDXL))
        .with("clip.safetensors", clip_open(1024, 24, 1024))
        .with("vae.safetensors", vae(true));
    refuses(&narrow, &["clip.safetensors has a width of 1024", "2048", "clip_g.safetensors"]);
}

#[test]
fn an_empty_negative_prompt_is_encoded_if_the_model_index_says_so() {
    let index = r#"{"_class_name": "StableDiffusionXLPipeline", "force_zeros_for_empty_prompt": false}"#;
    assert!(!recognise(&split(original(SDXL)).put("model_index.json", index)).unwrap().zeros_for_empty);
    let silent = r#"{"_class_name": "StableDiffusionXLPipeline"}"#;
    assert!(recognise(&split(original(SDXL)).put("model_index.json", silent)).unwrap().zeros_for_empty);
}
