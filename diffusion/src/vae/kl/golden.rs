//! Compares the autoencoder with the reference library, whose inputs and outputs are in `tests/golden/kl`.

use candle_core::Tensor;

use super::{KlConfig, KlVae, Scaling};
use crate::testing::{Golden, Silent, check, golden};
use crate::weights::{FileBytes, Loading, Scope, Source, StoredTensor, Tensors};

/// Returns the tensors of a small autoencoder with the names of diffusers: `sdxl` or `flux`.
pub(super) fn weights(name: &str) -> Vec<(String, StoredTensor)> {
    ["body", name]
        .into_iter()
        .flat_map(|file| {
            let path = crate::testing::folder().join(format!("kl/{file}.safetensors"));
            let file = (FileBytes::open(&path).unwrap(), "test".to_owned());
            let source = Source::of_files("test".to_owned(), &[file], &[]).unwrap();
            let names: Vec<String> = source.names().map(str::to_owned).collect();
            names.into_iter().map(move |name| (name.clone(), source.get(&name).unwrap().clone())).collect::<Vec<_>>()
        })
        .collect()
}

pub(super) fn scaling(name: &str) -> Scaling {
    if name == "flux" { Scaling::FLUX } else { Scaling::SDXL }
}

pub(super) fn load(name: &str) -> KlVae {
    let tensors = Tensors::new("test", weights(name));
    let config = KlConfig::of_tensors(&tensors, scaling(name)).unwrap();
    of(&tensors, &config)
}

pub(super) fn of(tensors: &Tensors, config: &KlConfig) -> KlVae {
    let mut control = Silent;
    let loading = Loading::new(&mut control, 0);
    KlVae::load(config, &Scope::root(tensors, &crate::testing::place(), &loading)).unwrap()
}

/// Returns the golden tensor `[c, h, w]` as a picture of one frame.
pub(super) fn frame(golden: &Golden, name: &str) -> Tensor {
    golden[name].unsqueeze(1).unwrap().to_device(crate::testing::device()).unwrap()
}

#[test]
fn both_kinds_agree_with_the_reference() {
    let golden = golden("kl/golden.safetensors");
    let mut quiet = |_, _| Ok(());
    for name in ["sdxl", "flux"] {
        let vae = load(name);
        for case in ["wide", "square"] {
            let of = |what: &str| frame(&golden, &format!("{name}.{case}.{what}"));
            let posterior = vae.posterior(&of("picture"), &mut quiet).unwrap();
            check(&format!("{name} {case} mean"), &posterior.mean, &of("mean"), 1e-5);
            check(&format!("{name} {case} deviation"), &posterior.deviation, &of("deviation"), 1e-5);
            let latents = vae.encode(&of("picture"), &mut quiet).unwrap();
            check(&format!("{name} {case} latents"), &latents, &of("latents"), 1e-5);
            let output = vae.decode(&of("input"), &mut quiet).unwrap();
            check(&format!("{name} {case} output"), &output, &of("output"), 1e-5);
        }
    }
}
