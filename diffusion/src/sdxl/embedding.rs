//! The embedding of times, of the pooled prompt and of the size conditions.
//!
//! Always holds: the embedding is computed in float32 for every compute type.

use candle_core::{Device, Tensor};
use must_tensors::Result;

use super::shape::UnetShape;
use crate::nn::{Activation, Linear, sinusoids};
use crate::weights::Scope;

/// SDXL's size conditions in pixels: height and width of the original, top and left of the crop, height and width of the target.
pub(crate) type SizeConditions = [f64; 6];

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
        let added = shape.pooled + shape.sinusoids * super::shape::SIZE_CONDITIONS;
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

    /// Returns the bytes of the weights.
    pub(super) fn bytes(&self) -> u64 {
        self.time.iter().chain(&self.added).map(Linear::bytes).sum()
    }

    /// Embeds times, `[times, width]`.
    pub(super) fn times(&self, times: &[f64]) -> Result<Tensor> {
        forward(&self.time, &sinusoids(times, self.base, &self.device)?)
    }

    /// Embeds a prompt's pooled state `[pooled]` and the size conditions, `[1, width]`. The result is added to every embedded time.
    pub(super) fn added(&self, pooled: &Tensor, sizes: &SizeConditions) -> Result<Tensor> {
        let embedded = sinusoids(sizes, self.sinusoids, &self.device)?.flatten_all()?;
        let joined = Tensor::cat(&[&pooled.flatten_all()?.to_dtype(embedded.dtype())?, &embedded], 0)?;
        forward(&self.added, &joined.unsqueeze(0)?)
    }
}

fn forward([first, second]: &[Linear; 2], input: &Tensor) -> Result<Tensor> {
    second.forward(&first.forward(input, Activation::Silu)?, Activation::None)
}
