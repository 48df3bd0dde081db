//! Recognition of published folders, and the errors for folders that are incomplete or of another model.

use super::super::layouts::LAYOUTS;
use super::super::layouts::samples::{
    self, DEPTH, DEV, FILL, Folder, PRUNED, SCHNELL, Sizes, autoencoder, below, chroma, flux_2, published,
};
use super::Recognised;
use crate::Error;
use crate::text::layouts::samples as text;

fn recognise(folder: &Folder) -> Result<Recognised, Error> {
    Recognised::of(&folder.inventory_of(&LAYOUTS))
}

/// Asserts that the error for a folder contains these words and has advice.
#[track_caller]
fn refuses(folder: &Folder, words: &[&str]) {
    let error = recognise(folder).unwrap_err();
    let text = format!("{} {}", error.detail(), error.user_action().unwrap_or_default());
    for word in words {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
}

/// Everything but the transformer.
fn others() -> Folder {
    Folder::new()
        .with("t5xxl_fp16.safetensors", text::t5_xxl())
        .with("clip_l.safetensors", text::clip_l())
        .with("ae.safetensors", autoencoder(16))
}

#[test]
fn variants_are_recognised_by_their_tensors() {
    for (sizes, name) in [
        (DEV, "FLUX.1 dev"),
        (SCHNELL, "FLUX.1 schnell"),
        (PRUNED, "FLUX.1 dev with 8 and 38 blocks"),
        (Sizes { single: 0, ..SCHNELL }, "FLUX.1 schnell with 19 and 0 blocks"),
    ] {
        for folder in [
            published(sizes),
            others().with("transformer/a.safetensors", samples::diffusers(sizes)),
            others().with("a.gguf", below("model.diffusion_model.", &samples::original(sizes))),
        ] {
            let model = recognise(&folder).unwrap();
            assert_eq!(model.variant.name(), name);
            assert_eq!(model.variant.text_tokens(), if sizes.guided { 512 } else { 256 });
            let shape = &model.transformer.config;
            assert_eq!((shape.num_attention_heads, shape.attention_head_dim), (24, 128));
            assert_eq!((shape.axes_dims_rope, shape.mlp, shape.frequencies), ([16, 56, 56], 12_288, 256));
            assert_eq!((shape.num_layers, shape.num_single_layers), (sizes.double, sizes.single));
            assert_eq!(model.vae.config.latent_channels, 16);
            assert_eq!(model.clip.config.projection, None);
        }
    }
    let words = recognise(&published(DEV)).unwrap().describe();
    for word in [
        "FLUX.1 dev: the transformer in flux1.safetensors (original names, BF16 (",
        "the T5 text encoder in t5xxl_fp16.safetensors",
        "the CLIP text encoder in clip_l.safetensors",
        "the autoencoder in ae.safetensors",
    ] {
        assert!(words.contains(word), "{words}");
    }
}

#[test]
fn separate_parts_take_precedence_over_a_file_with_all_parts() {
    let all = [
        below("model.diffusion_model.", &samples::original(SCHNELL)),
        below("text_encoders.t5xxl.transformer.", &text::t5_xxl()),
        below("text_encoders.clip_l.transformer.", &text::clip_l()),
        below("vae.", &autoencoder(16)),
    ]
    .concat();
    let model = recognise(&Folder::new().with("all.safetensors", all.clone())).unwrap();
    assert_eq!(model.variant.name(), "FLUX.1 schnell");
    assert!(model.parts().iter().all(|part| part.origin() == "all.safetensors" && part.unknown().is_empty()));
    let folder = Folder::new().with("all.safetensors", all).with("ae.safetensors", autoencoder(16));
    assert_eq!(recognise(&folder).unwrap().vae.found.origin(), "ae.safetensors");
    // With the encoder of another model in the folder.
    let folder = published(DEV).with("clip_g.safetensors", text::clip_g());
    assert_eq!(recognise(&folder).unwrap().clip.found.origin(), "clip_l.safetensors");
}

#[test]
fn related_models_are_refused_by_name() {
    for (sizes, name) in [(FILL, "is FLUX.1 Fill"), (DEPTH, "is FLUX.1 Depth or Canny")] {
        refuses(&published(sizes), &["flux1.safetensors: the transformer", name, "Use FLUX.1 dev or schnell"]);
    }
    refuses(&published(Sizes { input: 196, ..DEV }), &["is Flex.2"]);
    refuses(&published(Sizes { input: 80, ..DEV }), &["takes 80 channels a token and gives 64"]);
    for diffusers in [true, false] {
        refuses(
            &others().with("f.safetensors", flux_2(diffusers)),
            &["f.safetensors: the transformer is FLUX.2", "Use"],
        );
        refuses(&others().with("c.gguf", chroma(diffusers)), &["c.gguf: the transformer is Chroma", "Use"]);
    }
    // Kontext has the shapes of dev, and is recognised by its name alone.
    let named = |file: &str| others().with(file, samples::original(DEV));
    refuses(&named("flux1-dev-kontext_fp8_scaled.safetensors"), &["is FLUX.1 Kontext"]);
    refuses(&named("FLUX.1-Kontext-dev/flux1.safetensors"), &["is FLUX.1 Kontext"]);
    assert_eq!(recognise(&named("flux1.safetensors")).unwrap().variant.name(), "FLUX.1 dev");
    for (class, words) in [
        ("FluxKontextPipeline", "FLUX.1 Kontext"),
        ("FluxFillPipeline", "FLUX.1 Fill"),
        ("FluxControlPipeline", "FLUX.1 Depth or Canny"),
        ("Flux2Pipeline", "FLUX.2"),
        ("ChromaPipeline", "Chroma"),
        ("WanPipeline", "WanPipeline is none of FluxPipeline"),
    ] {
        let index = format!("{{\"_class_name\": \"{class}\"}}");
        refuses(&published(DEV).put("model_index.json", index), &["model_index.json", words]);
    }
    let index = "{\"_class_name\": \"FluxImg2ImgPipeline\"}";
    assert!(recognise(&published(DEV).put("model_index.json", index)).is_ok());
}

#[test]
fn parts_that_do_not_fit_are_refused_with_numbers() {
    let with = |t5, clip, ae| {
        Folder::new()
            .with("w.safetensors", samples::original(DEV))
            .with("t.safetensors", t5)
            .with("c.safetensors", clip)
            .with("v.safetensors", ae)
    };
    refuses(
        &with(text::t5_xxl(), text::clip_l(), autoencoder(4)),
        &["the autoencoder in v.safetensors has 4 latent channels, and the transformer wants 16", "ae.safetensors"],
    );
    refuses(
        &with(text::t5_xxl(), text::clip_g(), autoencoder(16)),
        &["the text encoder in c.safetensors has a width of 1280, and the transformer wants 768", "clip_l"],
    );
    refuses(
        &with(text::umt5_xxl(), text::clip_l(), autoencoder(16)),
        &["the text encoder T5-XXL is missing", "the UMT5 text encoder in t.safetensors", "t5xxl_fp8_e4m3fn"],
    );
    let two = published(DEV).with("other.safetensors", samples::original(SCHNELL));
    refuses(&two, &["both hold the FLUX.1 transformer", "Leave one of them in the folder."]);
}

#[test]
fn missing_parts_are_named() {
    refuses(&Folder::new(), &["transformer, text encoder T5-XXL, text encoder CLIP-L and autoencoder are missing"]);
    refuses(&others(), &["the transformer is missing", "the T5 text encoder in", "flux1-dev.safetensors or a GGUF"]);
    let folder = Folder::new().with("flux1-dev.safetensors", samples::original(DEV));
    refuses(
        &folder,
        &[
            "text encoder T5-XXL, text encoder CLIP-L and autoencoder are missing",
            "the transformer (FLUX.1 dev) in flux1-dev.safetensors",
            "clip_l.safetensors",
            "ae.safetensors",
        ],
    );
}

#[test]
fn a_configuration_that_does_not_fit_is_refused() {
    let with = |config: &str| {
        others().with("transformer/a.safetensors", samples::diffusers(DEV)).put("transformer/config.json", config)
    };
    let class = "\"_class_name\": \"FluxTransformer2DModel\"";
    let published = format!(
        "{{{class}, \"attention_head_dim\": 128, \"axes_dims_rope\": [16, 56, 56], \"guidance_embeds\": true, \
         \"in_channels\": 64, \"joint_attention_dim\": 4096, \"num_attention_heads\": 24, \"num_layers\": 19, \
         \"num_single_layers\": 38, \"out_channels\": null, \"patch_size\": 1, \"pooled_projection_dim\": 768}}"
    );
    assert!(recognise(&with(&published)).is_ok());
    for (field, words) in [
        ("\"num_layers\": 18", "num_layers is 18, and the tensors say 19"),
        ("\"guidance_embeds\": false", "guidance_embeds does not fit the tensors"),
        ("\"patch_size\": 2", "patch_size is not 1"),
        ("\"axes_dims_rope\": [16, 56]", "axes_dims_rope is [16, 56], not three numbers"),
        ("\"axes_dims_rope\": [16, 56, 58]", "does not divide into heads"),
        ("\"axes_dims_rope\": [15, 57, 56]", "does not divide into heads"),
    ] {
        refuses(&with(&format!("{{{class}, {field}}}")), &[words]);
    }
    refuses(&with("{\"_class_name\": \"SD3Transformer2DModel\"}"), &["_class_name is not FluxTransformer2DModel"]);
}
