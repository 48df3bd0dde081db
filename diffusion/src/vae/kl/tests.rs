//! Tests of properties that every autoencoder of this kind has, and of the names in published files.

use std::collections::BTreeSet;
use std::sync::Arc;

use candle_core::Tensor;
use must_tensors::{Error, Result};

use super::golden::{frame, load, of, scaling, weights};
use super::layout::{DIFFUSERS, LAYOUTS, ORIGINAL};
use super::work::Direction;
use super::{KlConfig, KlVae, Scaling};
use crate::testing::{golden, values};
use crate::weights::{Inventory, Layout, ModelFiles, Source, StoredTensor, Tensors};

/// Returns the sizes of SDXL's and of FLUX.1's autoencoder.
fn published(latent_channels: usize) -> KlConfig {
    let flux = latent_channels == 16;
    KlConfig {
        latent_channels,
        widths: vec![128, 256, 512, 512],
        blocks: 2,
        groups: 32,
        quant: !flux,
        post_quant: !flux,
        scaling: if flux { Scaling::FLUX } else { Scaling::SDXL },
    }
}

/// Converts a name of diffusers to that of the original repositories, written by hand from
/// <https://github.com/CompVis/latent-diffusion/blob/main/ldm/modules/diffusionmodules/model.py>.
fn original(name: &str) -> String {
    let segments: Vec<&str> = name.split('.').collect();
    let mut list: Vec<String> = match segments.as_slice() {
        ["encoder", "down_blocks", level, "resnets", block, rest @ ..] => {
            [&["encoder", "down", level, "block", block], rest].concat().into_iter().map(str::to_owned).collect()
        }
        ["encoder", "down_blocks", level, "downsamplers", "0", rest @ ..] => {
            [&["encoder", "down", level, "downsample"], rest].concat().into_iter().map(str::to_owned).collect()
        }
        ["decoder", "up_blocks", level, "resnets", block, rest @ ..] => {
            let level = (3 - level.parse::<usize>().unwrap()).to_string();
            [&["decoder", "up", level.as_str(), "block", block], rest].concat().into_iter().map(str::to_owned).collect()
        }
        ["decoder", "up_blocks", level, "upsamplers", "0", rest @ ..] => {
            let level = (3 - level.parse::<usize>().unwrap()).to_string();
            [&["decoder", "up", level.as_str(), "upsample"], rest].concat().into_iter().map(str::to_owned).collect()
        }
        [half, "mid_block", "resnets", index, rest @ ..] => {
            let block = format!("block_{}", index.parse::<usize>().unwrap() + 1);
            [&[*half, "mid", block.as_str()], rest].concat().into_iter().map(str::to_owned).collect()
        }
        [half, "mid_block", "attentions", "0", layer, rest @ ..] => {
            let (layer, rest) = match *layer {
                "group_norm" => ("norm", rest),
                "to_q" => ("q", rest),
                "to_k" => ("k", rest),
                "to_v" => ("v", rest),
                _ => ("proj_out", &rest[1..]),
            };
            [&[*half, "mid", "attn_1", layer], rest].concat().into_iter().map(str::to_owned).collect()
        }
        _ => segments.into_iter().map(str::to_owned).collect(),
    };
    for segment in &mut list {
        match segment.as_str() {
            "conv_shortcut" => "nin_shortcut".clone_into(segment),
            "conv_norm_out" => "norm_out".clone_into(segment),
            _ => {}
        }
    }
    list.join(".")
}

/// Returns the same tensors in the original layout, which stores the matrices of attention as 1x1 convolutions.
fn originals(weights: Vec<(String, StoredTensor)>) -> Vec<(String, StoredTensor)> {
    let turn = |(name, stored): (String, StoredTensor)| {
        let is_matrix = name.contains("attentions") && stored.shape().len() == 2;
        let stored = match is_matrix {
            true => stored.reshaped([stored.shape(), &[1, 1]].concat()).unwrap(),
            false => stored,
        };
        (original(&name), stored)
    };
    weights.into_iter().map(turn).collect()
}

/// Renames attention to the older names of diffusers.
fn older(weights: Vec<(String, StoredTensor)>) -> Vec<(String, StoredTensor)> {
    let names = [("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")];
    let turn = |name: String| names.iter().fold(name, |name, (now, once)| name.replace(now, once));
    weights.into_iter().map(|(name, stored)| (turn(name), stored)).collect()
}

/// Returns the tensors of a file below `prefix`, and checks that it is recognised as one layout only.
fn read(weights: Vec<(String, StoredTensor)>, prefix: &str, layout: &Layout) -> Tensors {
    let below = weights.into_iter().map(|(name, stored)| (format!("{prefix}{name}"), stored));
    let source = Source::from_tensors("file", below.collect());
    let layouts: Vec<&'static Layout> = [crate::wan::layouts::LAYOUTS, LAYOUTS].concat();
    let names: BTreeSet<&str> = source.names().collect();
    let found = Layout::recognise(&layouts, &names);
    assert_eq!(found.len(), 1, "{prefix}");
    assert!(std::ptr::eq(found[0].0, layout) && found[0].1 == prefix, "{} below {}", found[0].0.name, found[0].1);
    let tensors = layout.apply(&source, prefix, &[]).unwrap();
    assert_eq!(tensors.unknown, Vec::<String>::new());
    tensors
}

#[test]
fn every_layout_gives_the_same_bits() {
    let golden = golden("kl/golden.safetensors");
    let mut quiet = |_, _| Ok(());
    for name in ["sdxl", "flux"] {
        let expected = values(&load(name).decode(&frame(&golden, &format!("{name}.wide.input")), &mut quiet).unwrap());
        let weights = || weights(name);
        for tensors in [
            read(weights(), "", &DIFFUSERS),
            read(older(weights()), "vae.", &DIFFUSERS),
            read(originals(weights()), "", &ORIGINAL),
            read(originals(weights()), "first_stage_model.", &ORIGINAL),
            read(originals(weights()), "vae.", &ORIGINAL),
        ] {
            let config = KlConfig::of_tensors(&tensors, scaling(name)).unwrap();
            let picture = of(&tensors, &config).decode(&frame(&golden, &format!("{name}.wide.input")), &mut quiet);
            assert!(values(&picture.unwrap()) == expected, "{name}");
        }
    }
}

#[test]
fn sizes_come_from_tensors_and_scales_from_config_json() {
    for (name, channels) in [("sdxl", 4), ("flux", 16)] {
        let folder = tempfile::tempdir().unwrap();
        let source = Arc::new(Source::from_tensors("vae/model.safetensors", weights(name)));
        let json = std::fs::read_to_string(crate::testing::folder().join(format!("kl/{name}.json"))).unwrap();
        std::fs::create_dir(folder.path().join("vae")).unwrap();
        let read = |json: Option<&str>| -> Result<KlConfig> {
            let path = folder.path().join("vae/config.json");
            match json {
                Some(json) => std::fs::write(&path, json).unwrap(),
                None => std::fs::remove_file(&path).unwrap(),
            }
            let files = ModelFiles::Folder(folder.path().to_owned());
            let sources = vec![(vec!["vae/model.safetensors".to_owned()], source.clone())];
            let inventory = Inventory::with_sources(&files, sources, LAYOUTS).unwrap();
            let found = inventory.copies(&super::layout::NETWORK)[0];
            KlConfig::read(&files, found, found.tensors(), Scaling { factor: 0.5, shift: 0.25 })
        };
        let config = read(Some(&json)).unwrap();
        let expected = KlConfig { widths: vec![32, 32, 64, 64], blocks: 1, ..published(channels) };
        assert_eq!(config, expected);
        let of_tensors = read(None).unwrap();
        assert_eq!(of_tensors, KlConfig { scaling: Scaling { factor: 0.5, shift: 0.25 }, ..expected });
        for (from, to, complaint) in [
            ("\"latent_channels\": ", "\"latent_channels\": 1", "latent_channels is 1"),
            ("\"act_fn\": \"silu\"", "\"act_fn\": \"relu\"", "act_fn is not silu"),
            ("\"mid_block_add_attention\": true", "\"mid_block_add_attention\": false", "mid_block_add_attention"),
            ("\"latents_mean\": null", "\"latents_mean\": [1.0]", "Playground v2.5"),
            ("\"norm_num_groups\": 32", "\"norm_num_groups\": 5", "do not divide"),
            ("\"AutoencoderKL\"", "\"AutoencoderTiny\"", "_class_name is not AutoencoderKL"),
            ("\"scaling_factor\": 0", "\"scaling_factor\": 1e9,\"x\": 0", "scaling_factor is absurd"),
        ] {
            assert!(json.contains(from), "{from}");
            let error = read(Some(&json.replacen(from, to, 1))).unwrap_err();
            assert!(error.detail().contains(complaint), "{} does not say {complaint}", error.detail());
        }
    }
}

/// Peak signal-to-noise ratio in decibels, by the range of the reference.
fn psnr(ours: &Tensor, reference: &Tensor) -> f64 {
    assert_eq!(ours.dims(), reference.dims());
    let (ours, reference) = (values(ours), values(reference));
    let (low, high) =
        reference.iter().fold((f32::MAX, f32::MIN), |(low, high), &value| (low.min(value), high.max(value)));
    let error: f64 = ours.iter().zip(&reference).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    10.0 * (f64::from(high - low).powi(2) * ours.len() as f64 / error).log10()
}

/// Returns a shaded background with stripes that get finer to the right, `[3, 1, height, width]`.
fn scene(height: usize, width: usize) -> Tensor {
    let number = |index: usize| {
        let (x, y) = ((index % width) as f32 / width as f32, (index / width % height) as f32 / height as f32);
        let colour = (index / (width * height)) as f32;
        0.5 * (x * x * 40.0 + colour).sin() * y + 0.8 * (y - 0.5) * (1.0 - 0.5 * colour)
    };
    let numbers: Vec<f32> = (0..3 * height * width).map(number).collect();
    Tensor::from_vec(numbers, (3, 1, height, width), crate::testing::device()).unwrap()
}

/// Returns how much more the two adjacent columns at `at` differ than other adjacent columns. Takes the mean over rows.
fn seam(difference: &Tensor, axis: usize, at: usize) -> f32 {
    let step = |at: usize| -> f32 {
        let (here, there) = (difference.narrow(axis, at, 1).unwrap(), difference.narrow(axis, at - 1, 1).unwrap());
        (here - there).unwrap().abs().unwrap().mean_all().unwrap().to_scalar().unwrap()
    };
    let around: f32 = (1..5).map(|away| step(at - away) + step(at + away)).sum::<f32>() / 8.0;
    step(at) / around.max(1e-9)
}

#[test]
fn large_pictures_show_no_seams() {
    const HEIGHT: usize = 512;
    const WIDTH: usize = 640;
    let mut quiet = |_, _| Ok(());
    for name in ["sdxl", "flux"] {
        let vae = load(name);
        let picture = scene(HEIGHT, WIDTH);
        let latents = vae.encode(&picture, &mut quiet).unwrap();
        let whole = vae.decode(&latents, &mut quiet).unwrap();
        // A sample of a quarter represents the whole less well, and the strips of these small pictures are narrow.
        for (share, bound) in [(2, 28.0), (4, 22.0)] {
            let room = vae.config.decode_bytes((HEIGHT, WIDTH)) / share;
            let cut = vae.config.cut(Direction::Decode, (HEIGHT, WIDTH), room).unwrap();
            let tiled = vae.decode_within(&latents, room, &mut quiet).unwrap();
            let apart = psnr(&tiled, &whole);
            println!("{name} decode in {cut:?}: {apart:.1} dB");
            assert!(apart > bound, "{name} decode in {cut:?}: {apart:.1} dB");
            let difference = (&tiled - &whole).unwrap();
            for (axis, length, count) in [(2, HEIGHT, cut.tiles.0), (3, WIDTH, cut.tiles.1)] {
                for border in (1..count).map(|index| index * (length / cut.factor) / count * cut.factor) {
                    let seam = seam(&difference, axis, border);
                    assert!(seam < 2.0, "{name} {cut:?}: {seam} at {border}");
                }
            }
            let room = vae.config.encode_bytes((HEIGHT, WIDTH)) / share;
            let cut = vae.config.cut(Direction::Encode, (HEIGHT, WIDTH), room).unwrap();
            let posterior = vae.posterior_within(&picture, room, &mut quiet).unwrap();
            let apart = psnr(&vae.config.scaled(&posterior.mean).unwrap(), &latents);
            println!("{name} encode in {cut:?}: {apart:.1} dB");
            assert!(apart > bound, "{name} encode in {cut:?}: {apart:.1} dB");
        }
    }
}

#[test]
fn memory_stays_that_of_the_largest_whole_picture() {
    for config in [published(4), published(16)] {
        let room = config.room();
        // The three largest tensors: the input of the first block at full size, its normalised form, and the result.
        assert_eq!(room, ((256 + 256 + 128) * 4) << 20);
        for size in [(1024, 1024), (832, 1216), (512, 2048)] {
            assert_eq!(config.cut(Direction::Decode, size, room), None, "{size:?}");
            assert!(config.decode_bytes(size) <= room);
        }
        for size in [(1280, 1280), (1024, 1032), (1536, 1536), (2048, 2048), (1024, 4096)] {
            let cut = config.cut(Direction::Decode, size, room).unwrap();
            assert!(config.decode_bytes(size) <= room, "{size:?} {cut:?}");
            assert!(config.encode_bytes(size) <= room, "{size:?}");
        }
        // As many layers as fit into memory process the whole picture.
        let places = Direction::Decode.plan(&config).iter().filter(|stage| stage.name.contains("upsamplers")).count();
        assert_eq!(places, 3);
        assert_eq!(config.cut(Direction::Decode, (1280, 1280), room).unwrap().factor, 2);
        assert_eq!(config.cut(Direction::Decode, (2048, 2048), room).unwrap().factor, 4);
        assert_eq!(config.cut(Direction::Encode, (1280, 1280), room), None);
    }
}

/// Decodes zeros, stops before layer `stop`, and returns the reported progress and the result.
fn reported(vae: &KlVae, room: u64, stop: usize) -> (Vec<(usize, usize)>, Result<Tensor>) {
    let mut reported = vec![];
    let mut tell = |done, total| {
        reported.push((done, total));
        if done == stop { Err(Error::invalid_request("enough")) } else { Ok(()) }
    };
    let latents = Tensor::zeros((4, 1, 16, 16), candle_core::DType::F32, crate::testing::device()).unwrap();
    let result = vae.decode_within(&latents, room, &mut tell);
    (reported, result)
}

#[test]
fn a_run_can_be_ended_before_every_layer() {
    let vae = load("sdxl");
    let layers = Direction::Decode.plan(&vae.config).len();
    for room in [u64::MAX, vae.config.decode_bytes((128, 128)) / 3] {
        let cut = vae.config.cut(Direction::Decode, (128, 128), room);
        let (all, result) = reported(&vae, room, usize::MAX);
        result.unwrap();
        let total = cut.map_or(layers, |cut| cut.at + (layers - cut.at) * (1 + cut.tiles.0 * cut.tiles.1));
        assert_eq!(all, (0..total).map(|done| (done, total)).collect::<Vec<_>>());
        for stop in [0, 5, total - 1] {
            let (some, result) = reported(&vae, room, stop);
            assert_eq!(result.unwrap_err().detail(), "enough");
            assert_eq!(some.len(), stop + 1);
        }
    }
    let mut quiet = |_, _| Ok(());
    let error = vae.encode(&scene(60, 64), &mut quiet).unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::InvalidRequest);
    let latents = Tensor::zeros((16, 1, 4, 4), candle_core::DType::F32, crate::testing::device()).unwrap();
    assert!(vae.decode(&latents, &mut quiet).is_err());
}

#[test]
fn impossible_configurations_are_refused() {
    published(4).check().unwrap();
    published(16).check().unwrap();
    type Change = fn(&mut KlConfig);
    let cases: [(&str, Change); 6] = [
        ("no levels", |config| config.widths.clear()),
        ("a width is", |config| config.widths[1] = usize::MAX),
        ("a width is", |config| config.latent_channels = 0),
        ("no blocks", |config| config.blocks = 1 << 40),
        ("groups", |config| config.groups = 48),
        ("scaling_factor", |config| config.scaling.factor = 0.0),
    ];
    for (expected, spoil) in cases {
        let mut config = published(4);
        spoil(&mut config);
        let error = config.check().unwrap_err();
        assert!(error.detail().contains(expected), "{} does not say {expected}", error.detail());
    }
}
