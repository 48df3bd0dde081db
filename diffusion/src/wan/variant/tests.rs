//! Every variant in every layout, with true sizes and names; incomplete folders; parts that do not fit.

use super::super::layouts::samples::{self, Folder, Sample, Sizes, below};
use super::*;
use crate::sample::SamplerName;

const CLIP: Kind = Kind::ImageToVideo { clip: true, last: false };
const BOTH_FRAMES: Kind = Kind::ImageToVideo { clip: true, last: true };
const NO_CLIP: Kind = Kind::ImageToVideo { clip: false, last: false };

/// Variants with one transformer: sizes, kind, name, shift, steps.
const SINGLE: [(Sizes, Kind, &str, f64, u32); 8] = [
    (samples::T2V_1_3B, Kind::TextToVideo, "Wan T2V 1.3B", 5.0, 50),
    (samples::T2V_14B, Kind::TextToVideo, "Wan T2V 14B", 5.0, 50),
    (samples::I2V_14B, CLIP, "Wan 2.1 I2V 14B", 5.0, 40),
    (samples::FLF2V_14B, BOTH_FRAMES, "Wan 2.1 FLF2V 14B", 16.0, 50),
    (samples::VACE_1_3B, Kind::Vace, "Wan VACE 1.3B", 16.0, 50),
    (samples::VACE_14B, Kind::Vace, "Wan VACE 14B", 16.0, 50),
    (samples::I2V_A14B, NO_CLIP, "Wan 2.2 I2V 14B", 5.0, 40),
    (samples::TI2V_5B, Kind::TextImageToVideo, "Wan 2.2 TI2V 5B", 5.0, 50),
];

fn vae_for(sizes: Sizes, diffusers: bool) -> Sample {
    if sizes.output == 48 { samples::vae_2_2(diffusers) } else { samples::vae_2_1(96, 2, diffusers) }
}

fn umt5_original() -> Sample {
    samples::umt5_original(4096, 10_240, 24, 256_384)
}

fn umt5_gguf() -> Sample {
    samples::umt5_gguf(4096, 10_240, 24, 256_384)
}

fn recognise(folder: &Folder) -> Recognised {
    Recognised::of(&folder.inventory()).unwrap()
}

#[track_caller]
fn refusal(folder: &Folder) -> Error {
    let error = Recognised::of(&folder.inventory()).unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::ModelUnavailable);
    error
}

#[track_caller]
fn assert_refused(folder: &Folder, expected: &[&str]) {
    let error = refusal(folder);
    for expected in expected {
        assert!(error.detail().contains(expected), "{:?} does not say {expected}", error.detail());
    }
}

/// Returns folders with one transformer, one for each layout that people use.
fn folders(sizes: Sizes) -> Vec<(&'static str, Folder)> {
    let clip = sizes.image.is_some();
    let image = |folder: Folder, file: &str, sample: Sample| if clip { folder.with(file, sample) } else { folder };
    let whole = [
        below("model.diffusion_model.", &samples::original(sizes)),
        below("vae.", &vae_for(sizes, false)),
        below("text_encoders.umt5xxl.transformer.", &samples::umt5_xxl()),
    ]
    .concat();
    let befox = [
        samples::original(sizes),
        below("vae.", &vae_for(sizes, false)),
        below("text_encoders.umt5xxl.transformer.", &samples::umt5_xxl()),
    ]
    .concat();
    vec![
        (
            "diffusers",
            image(
                Folder::new()
                    .with("transformer/diffusion_pytorch_model.safetensors.index.json", samples::diffusers(sizes))
                    .with("text_encoder/model.safetensors.index.json", samples::umt5_xxl())
                    .with("vae/diffusion_pytorch_model.safetensors", vae_for(sizes, true)),
                "image_encoder/model.safetensors",
                below("vision_model.", &samples::clip(1280, 32)),
            ),
        ),
        (
            "original",
            image(
                Folder::new()
                    .with("diffusion_pytorch_model.safetensors.index.json", samples::original(sizes))
                    .with("models_t5_umt5-xxl-enc-bf16.safetensors", umt5_original())
                    .with("Wan_VAE.safetensors", vae_for(sizes, false)),
                "models_clip.safetensors",
                samples::clip_original(),
            ),
        ),
        (
            "ComfyUI",
            image(
                Folder::new()
                    .with("diffusion_models/wan.safetensors", samples::original(sizes))
                    .with("text_encoders/umt5_xxl_fp8_e4m3fn_scaled.safetensors", samples::umt5_xxl())
                    .with("vae/wan_vae.safetensors", vae_for(sizes, false)),
                "clip_vision/clip_vision_h.safetensors",
                samples::clip_vision_h(),
            ),
        ),
        (
            "GGUF, all in one folder",
            image(
                Folder::new()
                    .with("a.gguf", samples::original(sizes))
                    .with("b.gguf", umt5_gguf())
                    .with("c.safetensors", vae_for(sizes, false)),
                "d.safetensors",
                samples::clip(1280, 32),
            ),
        ),
        ("one file", image(Folder::new().with("aio.safetensors", whole), "clip.safetensors", samples::clip_vision_h())),
        ("one file, no prefix", image(Folder::new().with("x.gguf", befox), "c.safetensors", samples::clip_vision_h())),
    ]
}

#[test]
fn every_variant_in_every_layout() {
    for (sizes, kind, name, shift, steps) in SINGLE {
        for (layout, folder) in folders(sizes) {
            let model = recognise(&folder);
            assert_eq!(model.variant, Variant { kind, experts: 1, width: sizes.dim }, "{layout}");
            assert_eq!(model.variant.name(), name);
            assert_eq!(model.shape().unwrap().in_channels, sizes.input);
            assert_eq!((model.text.config.d_model, model.vae.config.z_dim), (4096, sizes.output));
            assert_eq!(model.image.is_some(), sizes.image.is_some(), "{layout}");
            assert_eq!((model.recommended.schedule.shift(), model.recommended.steps), (shift, steps), "{name}");
            assert_eq!((model.recommended.boundary, model.notes.len()), (None, 0));
            assert!(model.parts().all(|part| part.unknown().is_empty()));
            assert!(model.describe().starts_with(name), "{}", model.describe());
        }
    }
}

#[test]
fn two_experts() {
    let parts = || {
        Folder::new()
            .with("text_encoder/model.safetensors", samples::umt5_xxl())
            .with("vae/diffusion_pytorch_model.safetensors", samples::vae_2_1(96, 2, true))
    };
    for (sizes, kind, shift, boundary, guidance) in [
        (samples::T2V_14B, Kind::TextToVideo, 12.0, 0.875, [4.0, 3.0]),
        (samples::I2V_A14B, NO_CLIP, 5.0, 0.9, [3.5, 3.5]),
        (samples::VACE_14B, Kind::Vace, 16.0, 0.875, [5.0, 5.0]),
    ] {
        for (high, low, original) in [
            ("transformer/m.safetensors.index.json", "transformer_2/m.safetensors.index.json", false),
            ("high_noise_model/d.safetensors.index.json", "low_noise_model/d.safetensors.index.json", true),
            ("unet/Wan2.2-A14B-HighNoise-Q4_K_M.gguf", "unet/Wan2.2-A14B-LowNoise-Q4_K_M.gguf", true),
            ("wan2.2_high_noise_14B_fp8_scaled.safetensors", "wan2.2_low_noise_14B_fp8_scaled.safetensors", true),
        ] {
            let sample = if original { samples::original(sizes) } else { samples::diffusers(sizes) };
            let mut model = recognise(&parts().with(low, sample.clone()).with(high, sample));
            assert_eq!(model.variant, Variant { kind, experts: 2, width: 5120 });
            let files: Vec<&str> = model.experts.iter().map(|expert| expert.found.origin()).collect();
            assert_eq!(files, [high, low]);
            let recommended = model.recommended.clone();
            assert_eq!((recommended.schedule.shift(), recommended.boundary), (shift, Some(boundary)));
            assert_eq!(recommended.guidance, guidance);

            model.keep_expert(Expert::Low).unwrap();
            assert_eq!((model.experts[0].found.origin(), model.experts.len()), (low, 1));
            assert_eq!((model.variant.experts, model.recommended.boundary), (1, None));
            assert_eq!(model.keep_expert(Expert::Low).unwrap_err().kind(), crate::ErrorKind::InvalidRequest);
        }
    }
    let two = |high: Sizes, low: Sizes| {
        parts().with("high_noise.gguf", samples::original(high)).with("low_noise.gguf", samples::original(low))
    };
    assert_refused(
        &two(samples::T2V_14B, samples::I2V_A14B),
        &["high_noise.gguf and low_noise.gguf cannot be two experts", "input channels is 16 and 36"],
    );
    assert_refused(&two(samples::T2V_1_3B, samples::T2V_14B), &["the width is 1536 and 5120"]);
    assert_refused(&two(samples::T2V_14B, samples::VACE_14B), &["the number of VACE blocks is 0 and 8"]);
    assert_refused(
        &parts()
            .with("a.gguf", samples::original(samples::T2V_14B))
            .with("b.gguf", samples::original(samples::T2V_14B)),
        &["a.gguf and b.gguf both hold the Wan transformer"],
    );
}

#[test]
fn one_expert_alone() {
    let parts = |file: &str| {
        Folder::new()
            .with(file, samples::original(samples::I2V_A14B))
            .with("umt5.safetensors", samples::umt5_xxl())
            .with("vae.safetensors", samples::vae_2_1(96, 2, false))
    };
    let high = refusal(&parts("wan2.2_i2v_high_noise_14B_fp8_scaled.safetensors"));
    assert!(
        high.detail()
            .starts_with("the low-noise transformer is missing; the folder holds the transformer (Wan 2.2 I2V")
    );
    assert!(
        high.user_action().unwrap().contains("wan2.2_i2v_low_noise_14B_fp8_scaled.safetensors"),
        "{}",
        high.user_action().unwrap()
    );
    let low = recognise(&parts("wan2.2_i2v_low_noise_14B_fp8_scaled.safetensors"));
    assert_eq!(low.notes.len(), 1);
    assert!(low.notes[0].contains("does all steps"));
    assert_eq!(recognise(&parts("phr00t_high.safetensors")).notes.len(), 0);

    let index = r#"{"_class_name": "WanImageToVideoPipeline", "boundary_ratio": 0.9,
        "transformer": ["diffusers", "WanTransformer3DModel"],
        "transformer_2": ["diffusers", "WanTransformer3DModel"]}"#;
    assert_refused(
        &parts("transformer/m.safetensors").put("model_index.json", index),
        &["the low-noise transformer is missing"],
    );
    assert_refused(
        &parts("transformer_2/m.safetensors").put("model_index.json", index),
        &["the high-noise transformer is missing"],
    );
}

#[test]
fn a_model_index_is_honoured_or_refused() {
    let parts = |sizes: Sizes| {
        Folder::new()
            .with("transformer/m.safetensors", samples::diffusers(sizes))
            .with("transformer_2/m.safetensors", samples::diffusers(sizes))
            .with("text_encoder/m.safetensors", samples::umt5_xxl())
            .with("vae/m.safetensors", samples::vae_2_1(96, 2, true))
    };
    let index = |rest: &str| format!(r#"{{"_class_name": "WanPipeline", "_diffusers_version": "0.42.1"{rest}}}"#);
    let model = recognise(&parts(samples::T2V_14B).put("model_index.json", index(r#", "boundary_ratio": 0.8"#)));
    assert_eq!((model.recommended.boundary, model.notes.len()), (Some(0.8), 0));
    let model = recognise(&parts(samples::T2V_14B).put("model_index.json", index(r#", "boundary_ratio": null"#)));
    assert_eq!((model.recommended.boundary, model.notes.len()), (Some(0.875), 1));
    for (rest, expected) in [
        (r#", "boundary_ratio": 2.0"#, "boundary_ratio is not between 0 and 1"),
        (r#", "expand_timesteps": "yes""#, "model_index.json"),
    ] {
        assert_refused(&parts(samples::T2V_14B).put("model_index.json", index(rest)), &[expected]);
    }
    assert_refused(
        &parts(samples::T2V_14B).put("model_index.json", r#"{"_class_name": "WanAnimatePipeline"}"#),
        &["model_index.json: WanAnimatePipeline is none of WanPipeline"],
    );
    let expand = index(r#", "expand_timesteps": true"#);
    let model = recognise(&parts(samples::T2V_14B).put("model_index.json", &expand));
    assert_eq!(model.variant.kind, Kind::TextImageToVideo);
    assert_refused(
        &parts(samples::I2V_A14B).put("model_index.json", &expand),
        &["expand_timesteps is for a transformer without"],
    );
}

#[test]
fn the_schedule_comes_from_the_file_or_from_the_authors() {
    let parts = || {
        Folder::new()
            .with("transformer/m.safetensors", samples::diffusers(samples::I2V_14B))
            .with("text_encoder/m.safetensors", samples::umt5_xxl())
            .with("vae/m.safetensors", samples::vae_2_1(96, 2, true))
            .with("image_encoder/m.safetensors", samples::clip_vision_h())
    };
    let authors = recognise(&parts()).recommended;
    assert_eq!(authors.schedule.sampler(), SamplerName::UniPc);
    assert_eq!((authors.shift(832, 480), authors.shift(480, 832), authors.shift(1280, 720)), (3.0, 3.0, 5.0));
    let config = r#"{"_class_name": "UniPCMultistepScheduler", "prediction_type": "flow_prediction",
        "use_flow_sigmas": true, "flow_shift": 7.0}"#;
    let file = recognise(&parts().put("scheduler/scheduler_config.json", config)).recommended;
    assert_eq!((file.shift(832, 480), file.shift(1280, 720)), (7.0, 7.0));
    let euler = r#"{"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 8.0}"#;
    let file = recognise(&parts().put("scheduler/scheduler_config.json", euler)).recommended;
    assert_eq!((file.schedule.sampler(), file.schedule.shift()), (SamplerName::Euler, 8.0));
    let other = r#"{"_class_name": "DDIMScheduler"}"#;
    assert_refused(&parts().put("scheduler/scheduler_config.json", other), &["DDIMScheduler"]);
}

#[test]
fn missing_parts_are_named_with_files_that_would_fill_the_gap() {
    let nothing = refusal(&Folder::new());
    assert_eq!(
        nothing.detail(),
        "the transformer, text encoder (UMT5-XXL) and autoencoder are missing; the folder holds nothing of Wan"
    );
    assert!(
        nothing.user_action().unwrap().starts_with("Add a Wan transformer such as wan2.1_t2v_1.3B_fp16.safetensors")
    );

    let transformer = refusal(&Folder::new().with("w.gguf", samples::original(samples::T2V_14B)));
    assert_eq!(
        transformer.detail(),
        "the text encoder (UMT5-XXL) and autoencoder are missing; the folder holds the transformer (Wan T2V 14B) in \
         w.gguf (original names, BF16 (1095 tensors))"
    );
    assert_eq!(
        transformer.user_action().unwrap(),
        "Add umt5_xxl_fp8_e4m3fn_scaled.safetensors, umt5-xxl-encoder-Q8_0.gguf, or the text_encoder folder of a \
         diffusers repository; and wan_2.1_vae.safetensors, or the vae folder of a diffusers repository to the \
         model's folder."
    );

    let image = refusal(
        &Folder::new()
            .with("w.safetensors", samples::original(samples::I2V_14B))
            .with("t.safetensors", samples::umt5_xxl())
            .with("v.safetensors", samples::vae_2_1(96, 2, false)),
    );
    assert!(
        image.detail().starts_with("the image encoder (CLIP ViT-H) is missing; the folder holds"),
        "{}",
        image.detail()
    );
    assert!(image.user_action().unwrap().contains("clip_vision_h.safetensors"));

    let small = refusal(&Folder::new().with("w.safetensors", samples::original(samples::TI2V_5B)));
    assert!(small.user_action().unwrap().contains("wan2.2_vae.safetensors"), "{}", small.user_action().unwrap());

    // A copy of an original repository, whose text encoder and autoencoder are pickles.
    let pickle = b"PK\x03\x04\x00\x00\x08\x08archive/data.pkl";
    let original = refusal(
        &Folder::new()
            .with("diffusion_pytorch_model.safetensors", samples::original(samples::T2V_1_3B))
            .put("models_t5_umt5-xxl-enc-bf16.pth", pickle)
            .put("Wan2.1_VAE.pth", pickle),
    );
    for expected in ["Wan2.1_VAE.pth is a pickle", "models_t5_umt5-xxl-enc-bf16.pth is a pickle", "not used: "] {
        assert!(original.detail().contains(expected), "{}", original.detail());
    }
    let mut many = Folder::new();
    for number in 0..5 {
        many = many.put(&format!("{number}.pth"), pickle);
    }
    assert!(refusal(&many).detail().ends_with("; and 2 more"));
}

#[test]
fn parts_of_other_variants_are_refused_with_both_numbers() {
    let parts = |sizes: Sizes, text: Sample, vae: Sample| {
        Folder::new()
            .with("w.safetensors", samples::original(sizes))
            .with("t.safetensors", text)
            .with("v.safetensors", vae)
    };
    let vae = || samples::vae_2_1(96, 2, false);
    assert_refused(
        &parts(samples::T2V_14B, samples::umt5_xxl(), samples::vae_2_2(false)),
        &["the autoencoder in v.safetensors has 48 latent channels, and the transformer wants 16"],
    );
    assert_refused(
        &parts(samples::TI2V_5B, samples::umt5_xxl(), vae()),
        &["the autoencoder in v.safetensors has 16 latent channels, and the transformer wants 48"],
    );
    assert_refused(
        &parts(samples::T2V_14B, samples::umt5(128, 256, 2, 64), vae()),
        &["the text encoder in t.safetensors has a width of 128, and the transformer wants 4096"],
    );
    let image = |sizes: Sizes, sample: Sample| parts(sizes, samples::umt5_xxl(), vae()).with("c.safetensors", sample);
    assert_refused(
        &image(samples::I2V_14B, below("vision_model.", &samples::clip(1024, 24))),
        &["the image encoder in c.safetensors has a width of 1024, and the transformer wants 1280"],
    );
    let positions = Sizes { image: Some(Some(300)), ..samples::I2V_14B };
    assert_refused(
        &image(positions, samples::clip_vision_h()),
        &["w.safetensors: the number of position embeddings differs", "300 and 514"],
    );
    let vace = Sizes { vace: Some((8, 64)), ..samples::T2V_14B };
    assert_refused(&parts(vace, samples::umt5_xxl(), vae()), &["the channels of VACE differ", "64 and 96"]);
}

#[test]
fn the_fitting_part_is_chosen_among_several() {
    let both = |sizes: Sizes| {
        Folder::new()
            .with("w.safetensors", samples::original(sizes))
            .with("t.safetensors", samples::umt5_xxl())
            .with("small.safetensors", samples::umt5(128, 256, 2, 64))
            .with("vae/wan2.2_vae.safetensors", samples::vae_2_2(false))
            .with("vae/wan_2.1_vae.safetensors", samples::vae_2_1(96, 2, false))
    };
    assert_eq!(recognise(&both(samples::T2V_14B)).vae.found.origin(), "vae/wan_2.1_vae.safetensors");
    assert_eq!(recognise(&both(samples::TI2V_5B)).vae.found.origin(), "vae/wan2.2_vae.safetensors");
    assert_refused(
        &both(samples::T2V_14B).with("another.safetensors", samples::vae_2_1(96, 2, true)),
        &["vae/wan_2.1_vae.safetensors and another.safetensors both hold the Wan autoencoder"],
    );
    let aio = [
        below("model.diffusion_model.", &samples::original(samples::VACE_14B)),
        below("vae.", &samples::vae_2_1(96, 2, false)),
        below("text_encoders.umt5xxl.transformer.", &samples::umt5_xxl()),
    ]
    .concat();
    let model = recognise(&Folder::new().with("aio.safetensors", aio.clone()).with("better.gguf", umt5_gguf()));
    assert_eq!(model.text.found.origin(), "better.gguf");
    assert_eq!(model.vae.found.origin(), "aio.safetensors");
    // Two complete files, one of which is chosen later. Their small parts are equal.
    let two = Folder::new().with("nsfw_high_noise.safetensors", aio.clone()).with("nsfw_low_noise.safetensors", aio);
    let model = recognise(&two);
    assert_eq!((model.experts.len(), model.experts[0].found.is_bundled()), (2, true));
    assert_eq!(model.vae.found.origin(), "nsfw_high_noise.safetensors");
}

#[test]
fn relatives_of_wan_are_refused_by_name() {
    let of = |sizes: Sizes, extra: &[&str]| {
        let mut sample = samples::original(sizes);
        sample.extend(extra.iter().map(|name| ((*name).to_owned(), vec![5120])));
        Folder::new().with("w.safetensors", below("model.diffusion_model.", &sample))
    };
    for (sizes, extra, expected) in [
        (samples::I2V_14B, "audio_proj.audio_proj_glob_1.layer.bias", "is HuMo"),
        (samples::T2V_14B, "casual_audio_encoder.encoder.final_linear.weight", "is Wan 2.2 S2V"),
        (samples::I2V_14B, "face_adapter.fuser_blocks.0.k_norm.weight", "is Wan 2.2 Animate"),
        (samples::I2V_14B, "motion_encoder.dec.direction.weight", "is Wan 2.2 Animate"),
        (samples::I2V_14B, "audio_proj.norm.weight", "driven by sound"),
        (Sizes { input: 32, ..samples::I2V_14B }, "control_adapter.conv.weight", "camera control"),
        (samples::I2V_A14B, "control_adapter.conv.weight", "camera control"),
        (Sizes { input: 48, ..samples::I2V_14B }, "ref_conv.weight", "Fun Control with a reference"),
    ] {
        assert_refused(&of(sizes, &[extra]), &["the transformer ", expected]);
    }
    for (sizes, expected) in [
        (Sizes { input: 48, ..samples::I2V_14B }, "is Wan 2.1 Fun Control"),
        (Sizes { input: 52, ..samples::T2V_14B }, "is Wan 2.2 Fun Control"),
        (Sizes { input: 32, ..samples::I2V_14B }, "camera control"),
        (Sizes { input: 20, ..samples::T2V_14B }, "takes 20 channels and gives 16"),
        (Sizes { input: 16, ..samples::I2V_14B }, "takes 16 channels and image tokens and gives 16"),
        (Sizes { vace: Some((8, 96)), ..samples::I2V_14B }, "takes 36 channels"),
    ] {
        assert_refused(&of(sizes, &[]), &[expected]);
    }
    // A module whose name only contains such a word is another module.
    assert!(!refusal(&of(samples::T2V_14B, &["my_audio_proj.weight"])).detail().contains("sound"));
}

#[test]
fn vocabularies_by_place() {
    let base = || {
        Folder::new()
            .with("w.safetensors", samples::original(samples::T2V_14B))
            .with("v.safetensors", samples::vae_2_1(96, 2, false))
    };
    let text = || {
        let mut sample = samples::umt5_xxl();
        sample.push(("spiece_model".to_owned(), vec![100]));
        base().with("text_encoders/t.safetensors", sample)
    };
    let of = |folder: Folder| match recognise(&folder).vocabulary {
        Some(Vocabulary::Tensor(file, _)) => format!("in {file}"),
        Some(vocabulary) => vocabulary.file().to_owned(),
        None => "none".to_owned(),
    };
    assert_eq!(of(base().with("t.safetensors", samples::umt5_xxl())), "none");
    assert_eq!(of(text()), "in text_encoders/t.safetensors");
    assert_eq!(of(text().put("xlm-roberta-large/tokenizer.json", "{}")), "in text_encoders/t.safetensors");
    assert_eq!(of(text().put("tokenizer.json", "{}")), "tokenizer.json");
    assert_eq!(
        of(text().put("text_encoders/spiece.model", "").put("tokenizer.json", "{}")),
        "text_encoders/spiece.model"
    );
    let original = text().put("google/umt5-xxl/spiece.model", "").put("google/umt5-xxl/tokenizer.json", "{}");
    assert_eq!(of(original), "google/umt5-xxl/tokenizer.json");
    let diffusers = text().put("google/umt5-xxl/spiece.model", "").put("tokenizer/tokenizer.json", "{}");
    assert_eq!(of(diffusers), "tokenizer/tokenizer.json");
}
