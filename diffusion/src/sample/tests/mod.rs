//! Functions that the tests of samplers share.

mod brownian;
mod config;
mod discrete;
mod flow;
mod guidance;

use std::collections::HashMap;

use candle_core::{Device, Tensor};

/// Reads the numbers that `tools/golden/discrete_samplers.py` writes.
fn discrete_tensors() -> HashMap<String, Tensor> {
    let bytes = include_bytes!("../../../../tests/golden/samplers/discrete.safetensors");
    candle_core::safetensors::load_buffer(bytes, &Device::Cpu).unwrap()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// Returns the largest difference, relative to the largest value of the reference.
fn difference(ours: &Tensor, reference: &Tensor) -> f32 {
    let (ours, reference) = (values(ours), values(reference));
    assert_eq!(ours.len(), reference.len());
    let scale = reference.iter().fold(0f32, |most, value| most.max(value.abs()));
    let worst = ours.iter().zip(&reference).map(|(a, b)| (a - b).abs()).fold(0f32, |most, value| {
        assert!(value.is_finite());
        most.max(value)
    });
    worst / scale
}
