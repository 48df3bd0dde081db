//! The embedding of times, of the pooled prompt and of the sizes that SDXL is told.
//!
//! Always holds: float32 whatever the compute type is.

use candle_core::{Device, Tensor};

use super::shape::UnetShape;
use crate::error::Result;
use crate::nn::{Activation, Linear, sinusoids};
use crate::weights::Scope;

/// Sizes and places in pixels: height and width of the original, top and left of the crop, height and width of the target.
pub(crate) type Told = [f64; 6];

#[derive(Debug)]
pub(super) struct Embedding {
    time: [Linear; 2],
    added: [Linear; 2],
    base: usize,
    sinusoids: usize,
    device: Device,
}

impl Embedding {
    pub(super) fn load(shape: &UnetShape, scope: &Scope<'_>) -> Result<Self> {
        let scope = scope.precise();
        let (base, width) = (shape.base(), shape.embedding);
        let added = shape.pooled + shape.sinusoids * super::shape::TOLD;
        let two = |name: &str, inputs: usize| -> Result<[Linear; 2]> {
            Ok([
                Linear::load(&scope, &format!("{name}.linear_1"), inputs, width, true)?,
                Linear::load(&scope, &format!("{name}.linear_2"), width, width, true)?,
            ])
        };
        Ok(Self {
            time: two("time_embedding", base)?,
            added: two("add_embedding", added)?,
            base,
            sinusoids: shape.sinusoids,
            device: scope.place().device.clone(),
        })
    }

    /// Bytes of weights.
    pub(super) fn bytes(&self) -> u64 {
        self.time.iter().chain(&self.added).map(Linear::bytes).sum()
    }

    /// The times of a walk, `[times, width]`.
    pub(super) fn times(&self, times: &[f64]) -> Result<Tensor> {
        forward(&self.time, &sinusoids(times, self.base, &self.device)?)
    }

    /// What is added to every time for one prompt, `[1, width]`: its pooled state `[pooled]` and the sizes.
    pub(super) fn added(&self, pooled: &Tensor, told: &Told) -> Result<Tensor> {
        let told = sinusoids(told, self.sinusoids, &self.device)?.flatten_all()?;
        let joined = Tensor::cat(&[&pooled.flatten_all()?.to_dtype(told.dtype())?, &told], 0)?;
        forward(&self.added, &joined.unsqueeze(0)?)
    }
}

fn forward([first, second]: &[Linear; 2], input: &Tensor) -> Result<Tensor> {
    second.forward(&first.forward(input, Activation::Silu)?, Activation::None)
}
