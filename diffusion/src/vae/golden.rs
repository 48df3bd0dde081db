//! Compares the autoencoders with the reference library, whose inputs and outputs are in `tests/golden`.

use candle_core::{DType, Tensor};
use serde::Deserialize;

use super::{Autoencoder, Tiling, Vae, VaeConfig};
use crate::control::Unwatched;
use crate::weights::{FileBytes, Loading, Scope, Source, Tensors};

/// Embeds `config.json` and the weights of an autoencoder. The path is relative to the root of the repository.
macro_rules! folder {
    ($name:literal) => {
        (
            include_str!(concat!("../../../", $name, "/config.json")),
            include_bytes!(concat!("../../../", $name, "/diffusion_pytorch_model.safetensors")).as_slice(),
        )
    };
}

pub(super) type Folder = (&'static str, &'static [u8]);

pub(super) const TINY: Folder = folder!("diffusion/models/tiny/vae");
const SYNTHETIC: Folder = folder!("tests/golden/synthetic/vae");
const WAN_2_1: Folder = folder!("tests/golden/wan/shared/vae_2.1");
pub(super) const WAN_2_2: Folder = folder!("tests/golden/wan/shared/vae_2.2");

#[derive(Deserialize)]
struct ConfigFields {
    base_dim: usize,
    decoder_base_dim: Option<usize>,
    z_dim: usize,
    dim_mult: Vec<usize>,
    num_res_blocks: usize,
    temperal_downsample: Vec<bool>,
    is_residual: bool,
    patch_size: Option<usize>,
    latents_mean: Vec<f64>,
    latents_std: Vec<f64>,
}

pub(super) fn config(json: &str) -> VaeConfig {
    let file: ConfigFields = serde_json::from_str(json).unwrap();
    VaeConfig {
        base_dim: file.base_dim,
        decoder_base_dim: file.decoder_base_dim.unwrap_or(file.base_dim),
        z_dim: file.z_dim,
        dim_mult: file.dim_mult,
        num_res_blocks: file.num_res_blocks,
        temperal_downsample: file.temperal_downsample,
        is_residual: file.is_residual,
        patch_size: file.patch_size.unwrap_or(1),
        latents_mean: file.latents_mean,
        latents_std: file.latents_std,
    }
}

fn tensors(bytes: &'static [u8]) -> Tensors {
    let file = (FileBytes::of_static(bytes), "test".to_owned());
    let source = Source::of_files("test".to_owned(), &[file], &[]).unwrap();
    let tensors = source.names().map(|name| (name.to_owned(), source.get(name).unwrap().clone()));
    Tensors::new("test", tensors.collect::<Vec<_>>())
}

pub(super) fn load((json, bytes): Folder) -> Vae {
    let (mut control, tensors) = (Unwatched, tensors(bytes));
    let loading = Loading::new(&mut control, 0);
    Vae::load(&config(json), &Scope::root(&tensors, &crate::testing::place(), &loading)).unwrap()
}

/// Converts bytes `[frames, h, w, 3]` to a clip from -1 to 1.
fn clip(bytes: &Tensor) -> Tensor {
    let values = bytes.to_dtype(DType::F32).unwrap().permute((3, 0, 1, 2)).unwrap().contiguous().unwrap();
    ((values / 255.0).unwrap() * 2.0).unwrap().affine(1.0, -1.0).unwrap()
}

pub(super) fn encode(vae: &Vae, clip: &Tensor, tiling: Option<Tiling>) -> Tensor {
    vae.encode(clip, tiling, &mut |_, _| Ok(())).unwrap()
}

pub(super) fn decode(vae: &Vae, latents: &Tensor, tiling: Option<Tiling>) -> Tensor {
    let mut parts = vec![];
    vae.decode(latents, tiling, &mut |_, _| Ok(()), &mut |frames| {
        parts.push(frames);
        Ok(())
    })
    .unwrap();
    Tensor::cat(&parts, 1).unwrap()
}

pub(super) fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// Returns the largest difference, relative to the largest value of the reference.
fn difference(ours: &Tensor, reference: &Tensor) -> f32 {
    assert_eq!(ours.dims(), reference.dims());
    let (ours, reference) = (values(ours), values(reference));
    let scale = reference.iter().fold(0f32, |most, value| most.max(value.abs()));
    let worst = ours.iter().zip(&reference).map(|(a, b)| if a.is_finite() { (a - b).abs() } else { f32::INFINITY });
    worst.fold(0f32, f32::max) / scale.max(1e-30)
}

fn check(name: &str, ours: &Tensor, reference: &Tensor) {
    let difference = difference(ours, reference);
    assert!(difference <= 1e-5, "{name}: {difference:e}");
}

#[test]
fn embedded_autoencoder_agrees_with_the_reference() {
    let data = include_bytes!("../../../tests/golden/parts.safetensors");
    let golden = candle_core::safetensors::load_buffer(data, crate::testing::device()).unwrap();
    let vae = load(TINY);
    check("encode", &encode(&vae, &clip(&golden["vae.clip"]), None), &golden["vae.latents"]);
    check("decode", &decode(&vae, &golden["vae.input"], None), &golden["vae.output"]);
}

#[test]
fn other_sizes_agree_with_the_reference() {
    let data = include_bytes!("../../../tests/golden/synthetic/parts.safetensors");
    let golden = candle_core::safetensors::load_buffer(data, crate::testing::device()).unwrap();
    let vae = load(SYNTHETIC);
    check("encode", &encode(&vae, &golden["vae.clip"], None), &golden["vae.latents"]);
    check("decode", &decode(&vae, &golden["vae.input"], None), &golden["vae.output"]);
}

#[test]
fn both_generations_agree_with_the_reference() {
    let data = include_bytes!("../../../tests/golden/wan/shared/golden.safetensors");
    let golden = candle_core::safetensors::load_buffer(data, crate::testing::device()).unwrap();
    for (name, folder) in [("vae_2.1", WAN_2_1), ("vae_2.2", WAN_2_2)] {
        let vae = load(folder);
        for kind in ["clip", "picture"] {
            let of = |part: &str| &golden[&format!("{name}.{kind}.{part}")];
            check(&format!("{name} {kind} encode"), &encode(&vae, &clip(of("frames")), None), of("latents"));
            check(&format!("{name} {kind} decode"), &decode(&vae, of("input"), None), of("output"));
        }
    }
}
