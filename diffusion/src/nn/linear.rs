//! Linear layers.

use std::sync::Arc;

use candle_core::Tensor;

use super::matrix::{Matrix, matrix};
use crate::error::Result;
use crate::weights::Scope;

/// What happens to the output of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activation {
    /// Nothing.
    None,
    /// GELU in its tanh form.
    Gelu,
    /// GELU by the error function.
    GeluErf,
    /// `x * sigmoid(1.702 x)`.
    QuickGelu,
    /// `x * sigmoid(x)`.
    Silu,
}

impl Activation {
    /// The activation as an operation of its own.
    pub(super) fn apply(self, x: Tensor) -> Result<Tensor> {
        Ok(match self {
            Self::None => x,
            Self::Gelu => x.gelu()?,
            Self::GeluErf => x.gelu_erf()?,
            Self::QuickGelu => (&x * candle_nn::ops::sigmoid(&(&x * 1.702)?)?)?,
            Self::Silu => x.silu()?,
        })
    }
}

/// A linear layer, `y = x W^T + b`.
#[derive(Debug, Clone)]
pub(crate) struct Linear {
    matrix: Arc<dyn Matrix>,
    bias: Option<Tensor>, // [out]
}

impl Linear {
    /// Reads `name.weight` `[outputs, inputs]` and, if `bias`, `name.bias`.
    pub(crate) fn load(scope: &Scope<'_>, name: &str, inputs: usize, outputs: usize, bias: bool) -> Result<Self> {
        Self::load_shaped(scope, name, &[outputs, inputs], bias)
    }

    /// Reads a layer that the checkpoint keeps as a convolution whose kernel is as large as its stride, `[outputs, ...]`.
    pub(crate) fn load_shaped(scope: &Scope<'_>, name: &str, shape: &[usize], bias: bool) -> Result<Self> {
        let (&outputs, rest) = shape.split_first().unwrap_or((&0, &[]));
        let stored = scope.stored(&format!("{name}.weight"), shape)?;
        let bias = match bias {
            true => Some(scope.tensor(&format!("{name}.bias"), outputs)?),
            false => None,
        };
        let stored = stored.reshaped(vec![outputs, rest.iter().product()])?;
        Ok(Self { matrix: matrix(&stored, scope.place())?, bias })
    }

    /// `[rows, in]` to `[rows, out]`, in the compute type.
    pub(crate) fn forward(&self, input: &Tensor, activation: Activation) -> Result<Tensor> {
        self.matrix.forward(input, self.bias.as_ref(), activation)
    }

    /// Bytes of weights that it holds.
    pub(crate) fn bytes(&self) -> u64 {
        self.matrix.bytes()
            + self.bias.as_ref().map_or(0, |bias| (bias.elem_count() * bias.dtype().size_in_bytes()) as u64)
    }
}
