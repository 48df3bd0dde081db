//! Every layout of a text encoder maps to the same names, shapes and sizes, whatever prefix its names have.

use std::collections::{BTreeMap, BTreeSet};

use must_tensors::Result;

use super::super::clip::{ClipConfig, clip_config};
use super::super::t5::T5Config;
use super::super::t5_config::t5_config;
use super::samples::*;
use super::{clip, t5, umt5};
use crate::clip::HiddenAct;
use crate::testing::samples::{Folder, Sample, below, source};
use crate::weights::{FoundNetwork, Layout, ModelFiles, Network, Source, StoredTensor, Tensors};

/// Returns the layouts of all text encoders.
fn layouts() -> Vec<&'static Layout> {
    [&super::T5[..], &super::CLIP[..]].concat()
}

/// Returns the layout and the prefix of each network in a file.
fn recognised(source: &Source) -> Vec<(&'static Layout, &str)> {
    let names: BTreeSet<&str> = source.names().collect();
    Layout::recognise(&layouts(), &names)
}

fn shapes(tensors: &Tensors) -> BTreeMap<String, Vec<usize>> {
    tensors.iter().map(|(name, stored)| (name.to_owned(), stored.shape().to_vec())).collect()
}

/// Checks that `sample`, below each prefix, is recognised as `layout` alone and gives the tensors of `canonical`.
#[track_caller]
fn check(layout: &Layout, sample: &Sample, canonical: &Sample, prefixes: &[&str]) {
    for &prefix in prefixes {
        let source = source("file", &[below(prefix, sample)]);
        let found = recognised(&source);
        assert_eq!(found.len(), 1, "{prefix}: {found:?}");
        assert!(std::ptr::eq(found[0].0, layout), "{prefix}: {} instead of {}", found[0].0.name, layout.name);
        assert_eq!(found[0].1, prefix);
        let tensors = layout.apply(&source, prefix, &[]).unwrap();
        assert_eq!(tensors.unknown, Vec::<String>::new(), "{prefix}");
        assert_eq!(shapes(&tensors), canonical.iter().cloned().collect::<BTreeMap<_, _>>(), "{prefix}");
    }
}

#[test]
fn umt5_encoders() {
    let sizes = |make: fn(usize, usize, usize, usize) -> Sample| make(4096, 10_240, 24, 256_384);
    let canonical = umt5_xxl();
    let prefixes = ["", "text_encoders.umt5xxl.transformer.", "text_encoder."];
    check(&umt5::TRANSFORMERS, &canonical, &canonical, &prefixes);
    check(&umt5::ORIGINAL, &sizes(umt5_original), &canonical, &prefixes);
    check(&umt5::LLAMA_CPP, &sizes(umt5_gguf), &canonical, &prefixes);

    let embedding = |name: &str| (name.to_owned(), vec![256_384, 4096]);
    let mut twice = canonical.clone();
    twice.push(embedding("encoder.embed_tokens.weight"));
    twice.push(embedding("decoder.embed_tokens.weight"));
    twice.push(embedding("lm_head.weight"));
    twice.push(("decoder.block.0.layer.0.SelfAttention.q.weight".to_owned(), vec![4096, 4096]));
    check(&umt5::TRANSFORMERS, &twice, &canonical, &prefixes);
    let mut renamed = canonical.clone();
    renamed[0].0 = "encoder.embed_tokens.weight".to_owned();
    check(&umt5::TRANSFORMERS, &renamed, &canonical, &prefixes);
    let mut whole = sizes(umt5_gguf);
    whole.push(("dec.blk.0.attn_q.weight".to_owned(), vec![4096, 4096]));
    whole.push(embedding("output.weight"));
    check(&umt5::LLAMA_CPP, &whole, &canonical, &[""]);
}

#[test]
fn t5_encoders() {
    let canonical = t5_xxl();
    let prefixes = ["", "text_encoders.t5xxl.transformer.", "t5xxl.", "text_encoder_2."];
    check(&t5::TRANSFORMERS, &canonical, &canonical, &prefixes);
    check(&t5::LLAMA_CPP, &t5_gguf(4096, 10_240, 24, 32_128), &canonical, &prefixes);
    let mut twice = canonical.clone();
    twice.push(("encoder.embed_tokens.weight".to_owned(), vec![32_128, 4096]));
    twice.push(("logit_scale".to_owned(), vec![]));
    twice.push(("decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight".to_owned(), vec![32, 64]));
    check(&t5::TRANSFORMERS, &twice, &canonical, &prefixes);
    // The first version of T5 is not gated.
    let first: Sample = canonical.iter().filter(|(name, _)| !name.contains("wi_0")).cloned().collect();
    assert!(recognised(&source("file", &[first])).is_empty());
}

#[test]
fn clip_encoders() {
    let (l, g) = (clip_l(), clip_g());
    let prefixes = ["", "text_encoders.clip_l.transformer.", "conditioner.embedders.0.transformer.", "te1."];
    check(&clip::TRANSFORMERS, &l, &l, &prefixes);
    check(&clip::TRANSFORMERS, &g, &g, &prefixes);
    check(&clip::TRANSFORMERS_5, &clip_text(768, 12), &l, &["", "cond_stage_model.transformer."]);
    check(
        &clip::OPEN_CLIP,
        &clip_open(1280, 32, 1280),
        &g,
        &["", "conditioner.embedders.1.model.", "cond_stage_model.1."],
    );

    // The projection as a layer, the other half of CLIP, and tensors that no network reads.
    let mut open = clip_open(1280, 32, 1280);
    let projection = open.iter_mut().find(|(name, _)| name == "text_projection").unwrap();
    projection.0 = "text_projection.weight".to_owned();
    open.push(("visual.class_embedding".to_owned(), vec![1664]));
    open.push(("visual.transformer.resblocks.0.attn.in_proj_weight".to_owned(), vec![3 * 1664, 1664]));
    open.push(("visual.positional_embedding".to_owned(), vec![257, 1664]));
    check(&clip::OPEN_CLIP, &open, &g, &[""]);
    let mut whole = g.clone();
    whole.push(("text_model.embeddings.position_ids".to_owned(), vec![1, 77]));
    whole.push(("vision_model.embeddings.class_embedding".to_owned(), vec![1664]));
    whole.push(("visual_projection.weight".to_owned(), vec![1280, 1664]));
    whole.push(("logit_scale".to_owned(), vec![]));
    check(&clip::TRANSFORMERS, &whole, &g, &[""]);
}

#[test]
fn both_encoders_of_one_file_are_recognised() {
    for (first, second, of_second) in [
        ("conditioner.embedders.0.transformer.", "conditioner.embedders.1.model.", clip_open(1280, 32, 1280)),
        ("text_encoders.clip_l.transformer.", "text_encoders.clip_g.transformer.", clip_g()),
        ("te1.", "te2.", clip_g()),
    ] {
        let mut sample = below(first, &clip_l());
        sample.extend(below(second, &of_second));
        let folder = Folder::new().with("model.safetensors", sample);
        let inventory = folder.inventory_of(&layouts());
        let mut copies = vec![];
        for found in inventory.copies(&clip::NETWORK) {
            assert_eq!(found.unknown(), Vec::<String>::new());
            let config = clip_config(inventory.files(), found, found.tensors()).unwrap();
            copies.push((config.width, config.layers, config.activation));
        }
        copies.sort_by_key(|(width, ..)| *width);
        assert_eq!(copies, [(768, 12, HiddenAct::QuickGelu), (1280, 32, HiddenAct::Gelu)]);
    }
    let beside = below("text_encoders.t5xxl.transformer.", &t5_xxl());
    let both = source("file", &[beside, below("text_encoders.clip_l.transformer.", &clip_l())]);
    let found = recognised(&both);
    assert_eq!(
        found.iter().map(|(layout, _)| layout.network.name).collect::<Vec<_>>(),
        [t5::NETWORK.name, clip::NETWORK.name]
    );
}

#[test]
fn fused_rows_and_the_projection_of_open_clip_are_converted() {
    let tensor = |name: &str, shape: &[usize]| {
        let values = (0..shape.iter().product::<usize>()).map(|value| value as f32).collect();
        (name.to_owned(), StoredTensor::dense_f32(shape.to_vec(), values).unwrap())
    };
    let attention = "transformer.resblocks.0.attn";
    let tensors = vec![
        tensor(&format!("{attention}.in_proj_weight"), &[6, 2]),
        tensor(&format!("{attention}.in_proj_bias"), &[6]),
        tensor("text_projection", &[2, 3]),
    ];
    let tensors = clip::OPEN_CLIP.apply(&Source::from_tensors("file", tensors), "", &[]).unwrap();
    let values = |name: &str| {
        let stored = tensors.get(name).unwrap();
        let mut values = vec![0.0; stored.elements()];
        stored.decode(0, &mut values).unwrap();
        values
    };
    for (at, name) in ["q_proj", "k_proj", "v_proj"].into_iter().enumerate() {
        let name = format!("text_model.encoder.layers.0.self_attn.{name}");
        let first = 4.0 * at as f32;
        assert_eq!(values(&format!("{name}.weight")), [first, first + 1.0, first + 2.0, first + 3.0]);
        assert_eq!(values(&format!("{name}.bias")), [2.0 * at as f32, 2.0 * at as f32 + 1.0]);
    }
    assert_eq!(tensors.shape("text_projection.weight").unwrap(), [3, 2]);
    assert_eq!(values("text_projection.weight"), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
}

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
    let inventory = folder.inventory_of(&layouts());
    let copies = inventory.copies(network);
    read(inventory.files(), copies[0], copies[0].tensors())
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T>, expected: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::ModelUnavailable);
    assert!(error.detail().contains(expected), "{} does not say {expected}", error.detail());
}

fn umt5_of(sample: Sample, config: Option<&str>) -> Result<T5Config> {
    read_one(&umt5::NETWORK, sample, config, t5_config)
}

fn t5_of(sample: Sample, config: Option<&str>) -> Result<T5Config> {
    read_one(&t5::NETWORK, sample, config, t5_config)
}

fn clip_of(sample: Sample, config: Option<&str>) -> Result<ClipConfig> {
    read_one(&clip::NETWORK, sample, config, clip_config)
}

#[test]
fn sizes_of_umt5() {
    let published = T5Config {
        d_model: 4096,
        d_kv: 64,
        d_ff: 10_240,
        num_layers: 24,
        num_heads: 64,
        vocab_size: 256_384,
        buckets: 32,
        max_distance: 128,
        epsilon: 1e-6,
        own_bias: true,
    };
    assert_eq!(umt5_of(umt5_xxl(), None).unwrap(), published);
    assert_eq!(umt5_of(umt5_gguf(4096, 10_240, 24, 256_384), None).unwrap(), published);
    let config = serde_json::json!({
        "model_type": "umt5", "d_ff": 10240, "d_kv": 64, "d_model": 4096, "feed_forward_proj": "gated-gelu",
        "layer_norm_epsilon": 1e-5, "num_heads": 64, "num_layers": 24, "relative_attention_max_distance": 256,
        "relative_attention_num_buckets": 32, "vocab_size": 256384
    });
    let read = |changes: &[(&str, serde_json::Value)]| {
        let mut config = config.clone();
        for (field, value) in changes {
            config[*field] = value.clone();
        }
        umt5_of(umt5_xxl(), Some(&config.to_string()))
    };
    let sound = read(&[]).unwrap();
    assert_eq!((sound.epsilon, sound.max_distance), (1e-5, 256));
    for (field, value, expected) in [
        ("d_model", 768.into(), "d_model is 768, and the tensors say 4096"),
        ("d_kv", 128.into(), "d_kv is 128, and the tensors say 64"),
        ("num_layers", 12.into(), "num_layers is 12"),
        ("vocab_size", 32128.into(), "vocab_size is 32128"),
        ("model_type", "t5".into(), "model_type is not umt5"),
        ("feed_forward_proj", "relu".into(), "feed_forward_proj is not gated-gelu"),
        ("relative_attention_max_distance", 8.into(), "position buckets up to a distance of 8"),
        ("layer_norm_epsilon", (-1.0).into(), "layer_norm_epsilon is not above 0"),
    ] {
        refused(read(&[(field, value)]), expected);
    }
}

#[test]
fn sizes_of_t5() {
    let published = t5_of(t5_xxl(), None).unwrap();
    assert_eq!(published, T5Config { vocab_size: 32_128, own_bias: false, ..umt5_of(umt5_xxl(), None).unwrap() });
    assert_eq!(t5_of(t5_gguf(4096, 10_240, 24, 32_128), None).unwrap(), published);
    let config = |kind: &str| {
        format!(
            r#"{{"model_type": "{kind}", "d_ff": 10240, "d_kv": 64, "d_model": 4096, "feed_forward_proj": "gated-gelu",
            "num_heads": 64, "num_layers": 24, "vocab_size": 32128}}"#
        )
    };
    assert_eq!(t5_of(t5_xxl(), Some(&config("t5"))).unwrap(), published);
    refused(t5_of(t5_xxl(), Some(&config("umt5"))), "model_type is not t5");
    refused(t5_of(t5_xxl(), Some(&config("t5").replace("32128", "32100"))), "vocab_size is 32100");
    // The configuration of another encoder in the same folder is ignored.
    assert_eq!(t5_of(t5_xxl(), Some(r#"{"model_type": "clip_text_model"}"#)).unwrap(), published);
}

#[test]
fn sizes_of_clip() {
    let l = ClipConfig {
        width: 768,
        layers: 12,
        heads: 12,
        ffn: 3072,
        projection: None,
        activation: HiddenAct::QuickGelu,
        vocab_size: 49_408,
        positions: 77,
        epsilon: 1e-5,
        end: None,
    };
    let g = ClipConfig {
        width: 1280,
        layers: 32,
        heads: 20,
        ffn: 5120,
        projection: Some(1280),
        activation: HiddenAct::Gelu,
        ..l.clone()
    };
    assert_eq!(clip_of(clip_l(), None).unwrap(), l);
    assert_eq!(clip_of(clip_g(), None).unwrap(), g);
    assert_eq!(clip_of(clip_open(1280, 32, 1280), None).unwrap(), g);
    // L with OpenAI's own names and a projection.
    let own = ClipConfig { projection: Some(768), ..l.clone() };
    assert_eq!(clip_of(clip_open(768, 12, 768), None).unwrap(), own);
    assert_eq!(clip_of(clip_open(128, 2, 64), None).unwrap().activation, HiddenAct::Gelu);
    refused(clip_of(clip_text(100, 1), None), "the heads of a text encoder of width 100 cannot be determined");

    // The configuration that SDXL is published with.
    let config = serde_json::json!({
        "architectures": ["CLIPTextModelWithProjection"], "bos_token_id": 0, "eos_token_id": 2, "hidden_act": "gelu",
        "hidden_size": 1280, "intermediate_size": 5120, "layer_norm_eps": 1e-05, "max_position_embeddings": 77,
        "model_type": "clip_text_model", "num_attention_heads": 20, "num_hidden_layers": 32, "pad_token_id": 1,
        "projection_dim": 1280, "vocab_size": 49408
    });
    let read = |changes: &[(&str, serde_json::Value)]| {
        let mut config = config.clone();
        for (field, value) in changes {
            config[*field] = value.clone();
        }
        clip_of(clip_g(), Some(&config.to_string()))
    };
    assert_eq!(read(&[]).unwrap(), g);
    let changed =
        [("eos_token_id", 49_407.into()), ("num_attention_heads", 10.into()), ("hidden_act", "quick_gelu".into())];
    let expected = ClipConfig { end: Some(49_407), heads: 10, activation: HiddenAct::QuickGelu, ..g.clone() };
    assert_eq!(read(&changed).unwrap(), expected);
    for (field, value, expected) in [
        ("hidden_size", 768.into(), "hidden_size is 768, and the tensors say 1280"),
        ("num_hidden_layers", 12.into(), "num_hidden_layers is 12, and the tensors say 32"),
        ("projection_dim", 768.into(), "projection_dim is 768, and the tensors say 1280"),
        ("max_position_embeddings", 248.into(), "max_position_embeddings is 248"),
        ("num_attention_heads", 0.into(), "does not divide into num_attention_heads"),
        ("num_attention_heads", 33.into(), "does not divide into num_attention_heads"),
        ("layer_norm_eps", 0.0.into(), "layer_norm_eps is not above 0"),
        ("hidden_act", "relu".into(), "`gelu` or `quick_gelu`"),
    ] {
        refused(read(&[(field, value)]), expected);
    }
    // L has no projection, even if its config.json gives a size for one.
    let of_l =
        r#"{"model_type": "clip_text_model", "num_attention_heads": 12, "projection_dim": 768, "eos_token_id": 2}"#;
    assert_eq!(clip_of(clip_l(), Some(of_l)).unwrap(), l);
}
