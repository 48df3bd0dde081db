//! Sizes of published files, and configurations that fit them or contradict them.

use must_tensors::Result;

use super::super::layouts::samples::{self, Folder, Sample, Sizes};
use super::super::layouts::{image, transformer, vae};
use super::*;
use crate::vae::VaeConfig;
use crate::vision::ClipVisionConfig;
use crate::weights::{FoundNetwork, ModelFiles, Network, Tensors};

/// Returns the result of `read` for a file in a folder of its own, with `config.json` if one is given.
fn read_one<T>(
    network: &Network,
    sample: Sample,
    config: Option<&str>,
    read: impl Fn(&ModelFiles, &FoundNetwork, &Tensors) -> Result<T>,
) -> Result<T> {
    let mut folder = Folder::new().with("part/model.safetensors", sample);
    if let Some(config) = config {
        folder = folder.put("part/config.json", config);
    }
    let inventory = folder.inventory();
    let copies = inventory.copies(network);
    read(inventory.files(), copies[0], copies[0].tensors())
}

fn transformer_of(sample: Sample, config: Option<&str>) -> Result<TransformerShape> {
    read_one(&transformer::NETWORK, sample, config, TransformerShape::read)
}

fn vae_of(sample: Sample, config: Option<&str>) -> Result<VaeConfig> {
    read_one(&vae::NETWORK, sample, config, VaeConfig::read)
}

fn clip_of(sample: Sample, config: Option<&str>) -> Result<ClipVisionConfig> {
    read_one(&image::NETWORK, sample, config, image_config)
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T>, expected: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::ModelUnavailable);
    assert!(error.detail().contains(expected), "{} does not say {expected}", error.detail());
}

#[test]
fn transformers_of_every_variant() {
    let heads = [12, 40, 40, 40, 12, 40, 40, 24];
    for (sizes, heads) in samples::ALL.into_iter().zip(heads) {
        let expected = TransformerShape {
            patch_size: [1, 2, 2],
            num_attention_heads: heads,
            attention_head_dim: 128,
            in_channels: sizes.input,
            out_channels: sizes.output,
            text_dim: 4096,
            freq_dim: 256,
            ffn_dim: sizes.ffn,
            num_layers: sizes.layers,
            cross_attn_norm: true,
            eps: 1e-6,
            image_dim: sizes.image.map(|_| 1280),
            added_kv_proj_dim: sizes.image.map(|_| sizes.dim),
            rope_max_seq_len: 1024,
            pos_embed_seq_len: sizes.image.flatten(),
            vace_layers: match sizes.vace {
                Some((15, _)) => (0..30).step_by(2).collect(),
                Some(_) => (0..40).step_by(5).collect(),
                None => vec![],
            },
            vace_in_channels: sizes.vace.map_or(0, |(_, channels)| channels),
        };
        assert_eq!(expected.inner_dim(), sizes.dim);
        for sample in [samples::original(sizes), samples::diffusers(sizes)] {
            assert_eq!(transformer_of(sample, None).unwrap(), expected);
        }
    }
}

/// Returns a configuration as `save_pretrained` of diffusers 0.42 writes it, with changes.
fn wan_config(changes: &[(&str, serde_json::Value)]) -> String {
    let mut config = serde_json::json!({
        "_class_name": "WanTransformer3DModel",
        "_diffusers_version": "0.42.1",
        "added_kv_proj_dim": null,
        "attention_head_dim": 128,
        "cross_attn_norm": true,
        "eps": 1e-06,
        "ffn_dim": 8960,
        "freq_dim": 256,
        "image_dim": null,
        "in_channels": 16,
        "num_attention_heads": 12,
        "num_layers": 30,
        "out_channels": 16,
        "patch_size": [1, 2, 2],
        "pos_embed_seq_len": null,
        "qk_norm": "rms_norm_across_heads",
        "rope_max_seq_len": 1024,
        "text_dim": 4096
    });
    for (field, value) in changes {
        config[*field] = value.clone();
    }
    config.to_string()
}

#[test]
fn configurations_of_transformers_are_honoured_or_refused() {
    let read = |changes: &[(&str, serde_json::Value)]| {
        transformer_of(samples::original(samples::T2V_1_3B), Some(&wan_config(changes)))
    };
    assert_eq!(read(&[]).unwrap(), transformer_of(samples::original(samples::T2V_1_3B), None).unwrap());
    let changed = read(&[
        ("attention_head_dim", 64.into()),
        ("num_attention_heads", 24.into()),
        ("eps", 1e-5.into()),
        ("rope_max_seq_len", 512.into()),
    ]);
    let changed = changed.unwrap();
    assert_eq!((changed.num_attention_heads, changed.attention_head_dim), (24, 64));
    assert_eq!((changed.eps, changed.rope_max_seq_len), (1e-5, 512));
    for (field, value, expected) in [
        ("in_channels", 36.into(), "part/config.json: in_channels is 36, and the tensors say 16"),
        ("num_layers", 40.into(), "num_layers is 40, and the tensors say 30"),
        ("ffn_dim", 1.into(), "ffn_dim is 1, and the tensors say 8960"),
        ("out_channels", 48.into(), "out_channels is 48"),
        ("text_dim", 768.into(), "text_dim is 768"),
        ("freq_dim", 128.into(), "freq_dim is 128"),
        ("pos_embed_seq_len", 514.into(), "pos_embed_seq_len is 514"),
        ("vace_in_channels", 96.into(), "vace_in_channels is 96"),
        ("num_attention_heads", 40.into(), "width 1536 does not divide into heads of 128"),
        ("num_attention_heads", 0.into(), "width 1536 does not divide"),
        ("attention_head_dim", 0.into(), "width 1536 does not divide"),
        ("patch_size", serde_json::json!([1, 1, 1]), "patch_size does not fit"),
        ("qk_norm", "rms_norm".into(), "qk_norm is not rms_norm_across_heads"),
        ("cross_attn_norm", false.into(), "cross_attn_norm does not fit"),
        ("eps", 0.0.into(), "eps is not above 0"),
        ("rope_max_seq_len", 0.into(), "rope_max_seq_len is 0"),
        ("text_len", 256.into(), "text_len is not 512"),
        ("_class_name", "WanAnimateTransformer3DModel".into(), "WanAnimateTransformer3DModel is another kind"),
        ("in_channels", "x".into(), "part/config.json: "),
    ] {
        refused(read(&[(field, value)]), expected);
    }
    // When a folder holds all parts, config.json may describe another part.
    let other = r#"{"model_type": "umt5", "d_model": 4096}"#;
    assert!(transformer_of(samples::original(samples::T2V_1_3B), Some(other)).is_ok());
}

#[test]
fn configurations_of_the_original_repositories() {
    let config = r#"{"_class_name": "WanModel", "_diffusers_version": "0.30.0", "dim": 5120, "eps": 1e-06,
        "ffn_dim": 13824, "freq_dim": 256, "in_dim": 36, "model_type": "i2v", "num_heads": 40, "num_layers": 40,
        "out_dim": 16, "text_len": 512}"#;
    let sample = || samples::original(samples::I2V_A14B);
    assert_eq!(transformer_of(sample(), Some(config)).unwrap(), transformer_of(sample(), None).unwrap());
    refused(transformer_of(sample(), Some(&config.replace("36", "16"))), "in_dim is 16, and the tensors say 36");
    refused(transformer_of(sample(), Some(&config.replace("5120", "1536"))), "dim is 1536");
    refused(transformer_of(sample(), Some(&config.replace("WanModel", "CausalWanModel"))), "CausalWanModel");
}

#[test]
fn vace_blocks_follow_their_list() {
    let sizes = Sizes { layers: 6, vace: Some((2, 96)), dim: 256, ffn: 64, ..samples::T2V_1_3B };
    let read = |list: serde_json::Value| {
        let config = serde_json::json!({"_class_name": "WanVACETransformer3DModel", "vace_layers": list});
        transformer_of(samples::diffusers(sizes), Some(&config.to_string()))
    };
    assert_eq!(transformer_of(samples::diffusers(sizes), None).unwrap().vace_layers, [0, 3]);
    assert_eq!(read(serde_json::json!([0, 1])).unwrap().vace_layers, [0, 1]);
    for wrong in [[0, 6], [1, 2], [0, 0]] {
        refused(read(serde_json::json!(wrong)), "2 VACE blocks do not fit 6 blocks");
    }
    refused(read(serde_json::json!([0, 1, 2])), "do not fit");
}

#[test]
fn impossible_transformers_are_refused() {
    let sizes = Sizes { layers: 2, ffn: 64, ..samples::T2V_1_3B };
    let changed = |name: &str, shape: Option<&[usize]>| {
        let mut sample = samples::diffusers(sizes);
        sample.retain(|(tensor, _)| tensor != name || shape.is_some());
        for (_, old) in sample.iter_mut().filter(|(tensor, _)| tensor == name) {
            *old = shape.unwrap().to_vec();
        }
        transformer_of(sample, None)
    };
    refused(changed("patch_embedding.weight", None), "tensor patch_embedding.weight is missing");
    refused(changed("patch_embedding.weight", Some(&[1, 2, 3])), "has shape [1, 2, 3], and 5 axes were expected");
    refused(changed("patch_embedding.weight", Some(&[1536, 0, 1, 2, 2])), "an axis of 0");
    refused(changed("proj_out.weight", Some(&[63, 1536])), "63 outputs");
    refused(changed("scale_shift_table", Some(&[1, 2, 1000])), "width 1000 does not divide");
    refused(changed("blocks.0.ffn.net.0.proj.weight", Some(&[2_000_000, 1])), "an axis of 2000000");
}

#[test]
fn autoencoders() {
    let published = VaeConfig {
        base_dim: 96,
        decoder_base_dim: 96,
        z_dim: 16,
        dim_mult: vec![1, 2, 4, 4],
        num_res_blocks: 2,
        temperal_downsample: vec![false, true, true],
        is_residual: false,
        patch_size: 1,
        latents_mean: vec![
            -0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508, 0.4134, -0.0715, 0.5517, -0.3632,
            -0.1922, -0.9497, 0.2503, -0.2921,
        ],
        latents_std: vec![
            2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743, 3.2687, 2.1526, 2.8652, 1.5579, 1.6382,
            1.1253, 2.8251, 1.916,
        ],
    };
    assert_eq!((published.spatial_factor(), published.temporal_factor()), (8, 4));
    for diffusers in [false, true] {
        assert_eq!(vae_of(samples::vae_2_1(96, 2, diffusers), None).unwrap(), published);
        let small = vae_of(samples::vae_2_1(16, 1, diffusers), None).unwrap();
        assert_eq!((small.base_dim, small.decoder_base_dim, small.num_res_blocks), (16, 16, 1));
        assert_eq!(small.dim_mult, [1, 2, 4, 4]);

        let new = vae_of(samples::vae_2_2(diffusers), None).unwrap();
        assert_eq!((new.base_dim, new.decoder_base_dim, new.z_dim, new.num_res_blocks), (160, 256, 48, 2));
        assert_eq!((new.dim_mult.as_slice(), new.is_residual, new.patch_size), (&[1, 2, 4, 4][..], true, 2));
        assert_eq!((new.spatial_factor(), new.temporal_factor()), (16, 4));
        assert_eq!(new.temperal_downsample, [false, true, true]);
        assert_eq!((new.latents_mean[0], new.latents_mean[47]), (-0.2289, -0.0667));
        assert_eq!((new.latents_std[0], new.latents_std[47]), (0.4765, 0.7744));
    }
}

#[test]
fn configurations_of_autoencoders_are_honoured_or_refused() {
    let base = serde_json::json!({
        "_class_name": "AutoencoderKLWan", "_diffusers_version": "0.42.1", "attn_scales": [], "base_dim": 160,
        "decoder_base_dim": 256, "dim_mult": [1, 2, 4, 4], "dropout": 0.0, "in_channels": 12, "is_residual": true,
        "latents_mean": vec![0.5; 48], "latents_std": vec![2.0; 48], "num_res_blocks": 2, "out_channels": 12,
        "patch_size": 2, "scale_factor_spatial": 16, "scale_factor_temporal": 4,
        "temperal_downsample": [false, true, true], "z_dim": 48
    });
    let read = |changes: &[(&str, serde_json::Value)]| {
        let mut config = base.clone();
        for (field, value) in changes {
            config[*field] = value.clone();
        }
        vae_of(samples::vae_2_2(true), Some(&config.to_string()))
    };
    let sound = read(&[]).unwrap();
    assert_eq!((sound.latents_mean, sound.latents_std), (vec![0.5; 48], vec![2.0; 48]));
    for (field, value, expected) in [
        ("z_dim", 16.into(), "z_dim is 16, and the tensors say 48"),
        ("base_dim", 96.into(), "base_dim is 96, and the tensors say 160"),
        ("decoder_base_dim", 160.into(), "decoder_base_dim is 160, and the tensors say 256"),
        ("num_res_blocks", 3.into(), "num_res_blocks is 3"),
        ("in_channels", 3.into(), "in_channels is 3, and the tensors say 12"),
        ("out_channels", 3.into(), "out_channels is 3"),
        ("patch_size", 1.into(), "patch_size is 1"),
        ("scale_factor_spatial", 8.into(), "scale_factor_spatial is 8, and the tensors say 16"),
        ("scale_factor_temporal", 8.into(), "scale_factor_temporal is 8"),
        ("dim_mult", serde_json::json!([1, 2, 4]), "dim_mult does not fit"),
        ("temperal_downsample", serde_json::json!([true, true, false]), "temperal_downsample does not fit"),
        ("is_residual", false.into(), "is_residual does not fit"),
        ("attn_scales", serde_json::json!([0.5]), "attn_scales is not empty"),
        ("latents_mean", serde_json::json!([0.0]), "the mean and deviation of 48 latent channels are not known"),
        ("latents_std", serde_json::json!(vec![0.0; 48]), "latents_std not positive"),
        ("_class_name", "AutoencoderKLQwenImage".into(), "_class_name is not AutoencoderKLWan"),
    ] {
        refused(read(&[(field, value)]), expected);
    }
    let odd = samples::vae_2_1(16, 1, true).into_iter().map(|(name, shape)| match name.as_str() {
        "post_quant_conv.weight" => (name, vec![8, 8, 1, 1, 1]),
        _ => (name, shape),
    });
    refused(vae_of(odd.collect(), None), "the mean and deviation of 8 latent channels are not known");
}

#[test]
fn image_encoders() {
    let config = |changes: &str| {
        format!(
            r#"{{"model_type": "clip_vision_model", "hidden_act": "gelu", "hidden_size": 1280,
            "intermediate_size": 5120,
            "num_attention_heads": 16, "num_hidden_layers": 32, "patch_size": 14, "image_size": 224{changes}}}"#
        )
    };
    let plain = clip_of(samples::clip_vision_h(), None).unwrap();
    assert_eq!((plain.num_attention_heads, plain.num_hidden_layers, plain.tokens()), (16, 32, 257));
    assert_eq!(clip_of(samples::clip_original(), None).unwrap(), plain);
    assert_eq!(clip_of(samples::clip_vision_h(), Some(&config(""))).unwrap(), plain);
    let changed = config("").replace("\"num_hidden_layers\": 32", "\"num_hidden_layers\": 24");
    refused(clip_of(samples::clip_vision_h(), Some(&changed)), "num_hidden_layers is 24, and the tensors say 32");
    let changed = config("").replace("224", "336");
    refused(clip_of(samples::clip_vision_h(), Some(&changed)), "do not fit the position embedding");
    let text = r#"{"model_type": "clip_text_model", "hidden_size": 768}"#;
    assert_eq!(clip_of(samples::clip_vision_h(), Some(text)).unwrap(), plain);
}
