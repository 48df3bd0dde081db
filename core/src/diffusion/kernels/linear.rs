//! Linear layers.

use candle_core::Tensor;

use crate::diffusion::weights::Weights;
use crate::error::Result;

/// What happens to the output of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activation {
    /// Nothing.
    None,
    /// GELU in its tanh form.
    Gelu,
    /// `x * sigmoid(x)`.
    Silu,
}

/// A linear layer, `y = x W^T + b`.
#[derive(Debug)]
pub(crate) struct Linear {
    weight: Tensor,       // [out, in]
    bias: Option<Tensor>, // [out]
}

impl Linear {
    /// A layer from its tensors: weight `[out, in]`, bias `[out]`.
    pub(crate) fn new(weight: Tensor, bias: Option<Tensor>) -> Result<Self> {
        Ok(Self { weight, bias })
    }

    /// Reads `name.weight` and, if `bias`, `name.bias`.
    pub(crate) fn load(weights: &Weights, name: &str, inputs: usize, outputs: usize, bias: bool) -> Result<Self> {
        let weight = weights.get(&format!("{name}.weight"), (outputs, inputs))?;
        let bias = if bias { Some(weights.get(&format!("{name}.bias"), outputs)?) } else { None };
        Self::new(weight, bias)
    }

    /// `[rows, in]` to `[rows, out]`.
    pub(crate) fn forward(&self, input: &Tensor, activation: Activation) -> Result<Tensor> {
        let product = input.matmul(&self.weight.t()?)?;
        let sum = match &self.bias {
            Some(bias) => product.broadcast_add(bias)?,
            None => product,
        };
        Ok(match activation {
            Activation::None => sum,
            Activation::Gelu => sum.gelu()?,
            Activation::Silu => sum.silu()?,
        })
    }
}
