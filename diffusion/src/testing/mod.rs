//! Code that the tests of all families share: reads golden data, compares with it, and writes small models in every
//! container.

pub(crate) mod encodings;
pub(crate) mod files;
pub(crate) mod samples;
pub(crate) mod table;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use candle_core::{DType, Device, Tensor};

use crate::request::Frames;
use crate::weights::Place;

pub(crate) use crate::control::Unwatched as Silent;

pub(crate) type Golden = HashMap<String, Tensor>;

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden")
}

/// Returns the device that the tests compute on: the CPU, or the first NVIDIA GPU with `MUST_TEST_DEVICE=cuda`.
pub(crate) fn device() -> &'static Device {
    // Tensors of two handles of the same GPU cannot be used together, so all tests share one handle.
    static DEVICE: OnceLock<Device> = OnceLock::new();
    DEVICE.get_or_init(|| match std::env::var("MUST_TEST_DEVICE").as_deref() {
        Ok("cuda") => Device::new_cuda(0).unwrap(),
        Ok("cpu") | Err(_) => Device::Cpu,
        Ok(other) => panic!("MUST_TEST_DEVICE is cpu or cuda, not {other}"),
    })
}

/// Returns the place of models under test: the tests' device, computing in float32.
pub(crate) fn place() -> Place {
    place_in(DType::F32)
}

/// Returns the place of models that compute in this type on the tests' device.
pub(crate) fn place_in(compute: DType) -> Place {
    Place::new(device(), compute)
}

pub(crate) fn golden(name: &str) -> Golden {
    candle_core::safetensors::load(folder().join(name), device()).unwrap()
}

pub(crate) fn json<T: serde::de::DeserializeOwned>(name: &str) -> T {
    serde_json::from_slice(&std::fs::read(folder().join(name)).unwrap()).unwrap()
}

pub(crate) fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// Returns the largest difference, relative to the largest value of the reference.
pub(crate) fn difference(ours: &Tensor, reference: &Tensor) -> f32 {
    assert_eq!(ours.dims(), reference.dims());
    let (ours, reference) = (values(ours), values(reference));
    let scale = reference.iter().fold(0f32, |most, value| most.max(value.abs()));
    let worst = ours.iter().zip(&reference).map(|(a, b)| if a.is_finite() { (a - b).abs() } else { f32::INFINITY });
    worst.fold(0f32, f32::max) / scale.max(1e-30)
}

pub(crate) fn check(name: &str, ours: &Tensor, reference: &Tensor, limit: f32) {
    let difference = difference(ours, reference);
    println!("{name}: relative difference {difference:.2e} (limit {limit:.0e})");
    assert!(difference <= limit, "{name}: {difference:e} is more than {limit:e}");
}

/// Returns the frame in a golden tensor `[height, width, 3]` of bytes.
pub(crate) fn frame(tensor: &Tensor) -> Frames {
    let (height, width, _) = tensor.dims3().unwrap();
    Frames { width: width as u32, height: height as u32, rgb: tensor.flatten_all().unwrap().to_vec1().unwrap() }
}

/// Copies the files of a golden variant of a family to `place`, under the names that the reference library gave them.
pub(crate) fn assemble(family: &str, variant: &str, place: &Path) {
    #[derive(serde::Deserialize)]
    struct Parts {
        files: HashMap<String, String>,
    }
    let parts: Parts = json(&format!("{family}/{variant}/parts.json"));
    for (name, from) in parts.files {
        let to = place.join(name);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(folder().join(family).join(from), to).unwrap();
    }
}

/// A [`Control`](crate::Control) that asks for a preview after each step and stores it.
#[derive(Default)]
pub(crate) struct Viewer(pub(crate) Vec<Frames>);

impl crate::Control for Viewer {
    fn progress(&mut self, _: crate::Stage, _: usize, _: usize) -> crate::Result<()> {
        Ok(())
    }

    fn wants_preview(&mut self, _: usize, _: usize) -> bool {
        true
    }

    fn preview(&mut self, picture: Frames) {
        self.0.push(picture);
    }
}

/// Checks that a picture model makes a preview after every step except the last, that the previews approach the result, and
/// that they change no bit of it.
pub(crate) fn check_previews(model: &mut dyn crate::Pipeline, request: &crate::Request) {
    let plain = model.generate(request, &mut Silent).unwrap();
    let mut viewer = Viewer::default();
    assert!(model.generate(request, &mut viewer).unwrap() == plain, "another picture");
    assert_eq!(viewer.0.len() + 1, request.steps as usize);
    let apart = |shown: &Frames| -> u64 {
        assert_eq!((shown.width, shown.height), (plain.width, plain.height));
        shown.rgb.iter().zip(&plain.rgb).map(|(a, b)| u64::from(a.abs_diff(*b))).sum()
    };
    let (first, last) = (apart(&viewer.0[0]), apart(viewer.0.last().unwrap()));
    assert!(last < first, "{last} {first}");
}
