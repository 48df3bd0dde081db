//! Sizes of published UNets, with configurations that fit and that contradict them.

use must_tensors::Result;
use serde_json::json;

use super::*;
use crate::sdxl::layouts::samples::{SDXL, original};
use crate::sdxl::layouts::unet::NETWORK;
use crate::testing::samples::{Folder, Sample};

fn shape_of(sample: Sample, config: Option<&serde_json::Value>) -> Result<UnetShape> {
    let mut folder = Folder::new().with("unet/model.safetensors", sample);
    if let Some(config) = config {
        folder = folder.put("unet/config.json", config.to_string());
    }
    let inventory = folder.inventory_of(&crate::sdxl::layouts::all());
    let found = inventory.copies(&NETWORK)[0];
    UnetShape::read(inventory.files(), found, found.tensors())
}

#[track_caller]
fn refused(result: Result<UnetShape>, expected: &str) {
    let error = result.unwrap_err();
    assert!(error.detail().contains(expected), "{:?} does not say {expected}", error.detail());
}

/// The configuration of the published base model.
fn config() -> serde_json::Value {
    let text = r#"{
        "_class_name": "UNet2DConditionModel", "act_fn": "silu", "addition_embed_type": "text_time",
        "addition_embed_type_num_heads": 64, "addition_time_embed_dim": 256, "attention_head_dim": [5, 10, 20],
        "block_out_channels": [320, 640, 1280], "center_input_sample": false, "class_embed_type": null,
        "class_embeddings_concat": false, "conv_in_kernel": 3, "conv_out_kernel": 3, "cross_attention_dim": 2048,
        "cross_attention_norm": null, "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
        "downsample_padding": 1, "dual_cross_attention": false, "encoder_hid_dim": null, "encoder_hid_dim_type": null,
        "flip_sin_to_cos": true, "freq_shift": 0, "in_channels": 4, "layers_per_block": 2,
        "mid_block_only_cross_attention": null, "mid_block_scale_factor": 1, "mid_block_type": "UNetMidBlock2DCrossAttn",
        "norm_eps": 1e-05, "norm_num_groups": 32, "num_attention_heads": null, "num_class_embeds": null,
        "only_cross_attention": false, "out_channels": 4, "projection_class_embeddings_input_dim": 2816,
        "resnet_out_scale_factor": 1.0, "resnet_skip_time_act": false, "resnet_time_scale_shift": "default",
        "sample_size": 128, "time_cond_proj_dim": null, "time_embedding_act_fn": null, "time_embedding_dim": null,
        "time_embedding_type": "positional", "timestep_post_act": null, "transformer_layers_per_block": [1, 2, 10],
        "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"], "upcast_attention": null,
        "use_linear_projection": true
    }"#;
    serde_json::from_str(text).unwrap()
}

#[test]
fn the_published_unet() {
    let level = |width, heads, depth| Level { width, heads, down: vec![depth; 2], up: vec![depth; 3] };
    let published = UnetShape {
        channels: 4,
        levels: vec![level(320, 5, 0), level(640, 10, 2), level(1280, 20, 10)],
        middle: 10,
        context: 2048,
        pooled: 1280,
        sinusoids: 256,
        embedding: 1280,
        groups: 32,
        epsilon: 1e-5,
    };
    assert_eq!(shape_of(original(SDXL), None).unwrap(), published);
    assert_eq!(shape_of(original(SDXL), Some(&config())).unwrap(), published);
}

#[test]
fn fields_are_honoured_or_refused_by_name() {
    let with = |field: &str, value: serde_json::Value| {
        let mut config = config();
        config[field] = value;
        shape_of(original(SDXL), Some(&config))
    };
    assert_eq!(with("attention_head_dim", json!(8)).unwrap().levels[1].heads, 8);
    assert_eq!(with("norm_num_groups", json!(16)).unwrap().groups, 16);
    let epsilon = with("norm_eps", json!(1e-6)).unwrap().epsilon;
    assert!((epsilon - 1e-6).abs() < 1e-12);
    for (field, value, says) in [
        ("in_channels", json!(9), "in_channels is 9, and the tensors say 4"),
        ("block_out_channels", json!([320, 640, 640]), "block_out_channels does not fit"),
        ("transformer_layers_per_block", json!([1, 2, 4]), "transformer_layers_per_block is 4, and the tensors say 10"),
        ("cross_attention_dim", json!(768), "cross_attention_dim is 768"),
        ("layers_per_block", json!(3), "layers_per_block is 3"),
        ("attention_head_dim", json!([5, 10, 21]), "do not divide into 21 heads"),
        ("norm_num_groups", json!(48), "do not divide into 48 groups"),
        ("addition_time_embed_dim", json!(512), "too few for 6 sizes of 512"),
        ("act_fn", json!("gelu"), "act_fn is not silu"),
        ("addition_embed_type", json!("image"), "addition_embed_type is not text_time"),
        ("time_cond_proj_dim", json!(256), "time_cond_proj_dim is set"),
        ("class_embed_type", json!("timestep"), "class_embed_type is set"),
        ("only_cross_attention", json!([false, true, true]), "only_cross_attention is not false"),
        ("resnet_time_scale_shift", json!("scale_shift"), "resnet_time_scale_shift is not default"),
        ("mid_block_scale_factor", json!(2.0), "mid_block_scale_factor is not 1"),
        ("flip_sin_to_cos", json!(false), "flip_sin_to_cos is not true"),
        ("_class_name", json!("UNet2DModel"), "_class_name is not UNet2DConditionModel"),
    ] {
        refused(with(field, value), says);
    }
    // The configuration of another network, in a folder that holds all parts.
    assert!(with("_class_name", json!("AutoencoderKL")).is_ok());
}

#[test]
fn damaged_unets_are_refused() {
    let without =
        |part: &str| original(SDXL).into_iter().filter(|(name, _)| !name.starts_with(part)).collect::<Sample>();
    refused(shape_of(without("input_blocks.8."), None), "levels of the UNet do not fit");
    refused(shape_of(without("output_blocks.4."), None), "levels of the UNet do not fit");
    refused(shape_of(without("input_blocks.3."), None), "does not change the picture's size");
    refused(shape_of(without("input_blocks.4.1."), None), "some blocks of a level");
    refused(shape_of(without("label_emb."), None), "add_embedding.linear_1.weight is missing");
    refused(shape_of(without("middle_block.1."), None), "attn2.to_k.weight is missing");
    let mut wide = original(SDXL);
    for (name, shape) in &mut wide {
        if name == "out.2.weight" {
            shape[0] = 8;
        }
    }
    refused(shape_of(wide, None), "different numbers of input and output channels");
}
