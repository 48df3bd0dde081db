//! Linear layers.

use std::sync::Arc;

use candle_core::Tensor;
use must_tensors::Result;
use must_tensors::cpu::{self, Activation};

use super::matrix::{Matrix, matrix};
use crate::weights::Scope;

/// Applies an activation as a separate operation.
pub(super) fn activated(activation: Activation, x: Tensor) -> Result<Tensor> {
    Ok(match activation {
        Activation::None => x,
        Activation::Gelu => x.gelu()?,
        Activation::GeluErf => x.gelu_erf()?,
        Activation::QuickGelu => (&x * candle_nn::ops::sigmoid(&(&x * 1.702)?)?)?,
        Activation::Silu => x.silu()?,
    })
}

/// Maps `[rows, 2 * width]` to `[rows, width]`: the first half of each row times the exact GELU of the second half.
pub(crate) fn geglu(input: &Tensor) -> Result<Tensor> {
    if cpu::takes(input) {
        return Ok(input.contiguous()?.apply_op1_no_bwd(&cpu::Geglu)?);
    }
    geglu_plain(input)
}

fn geglu_plain(input: &Tensor) -> Result<Tensor> {
    let width = input.dim(1)? / 2;
    Ok((input.narrow(1, 0, width)? * activated(Activation::GeluErf, input.narrow(1, width, width)?.contiguous()?)?)?)
}

/// A linear layer, `y = x W^T + b`.
#[derive(Debug, Clone)]
pub(crate) struct Linear {
    matrix: Arc<dyn Matrix>,
    bias: Option<Tensor>, // [out]
}

impl Linear {
    /// Loads `name.weight` `[outputs, inputs]` and, if `bias`, `name.bias`.
    pub(crate) fn load(scope: &Scope<'_>, name: &str, inputs: usize, outputs: usize, bias: bool) -> Result<Self> {
        Self::load_shaped(scope, name, &[outputs, inputs], bias)
    }

    /// Loads a layer that the checkpoint stores as a convolution whose kernel is as large as its stride, `[outputs, ...]`.
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

    /// Maps `[rows, in]` to `[rows, out]`, in the compute type.
    pub(crate) fn forward(&self, input: &Tensor, activation: Activation) -> Result<Tensor> {
        self.matrix.forward(input, self.bias.as_ref(), activation)
    }

    /// Returns the bytes of the weights.
    pub(crate) fn bytes(&self) -> u64 {
        self.matrix.bytes()
            + self.bias.as_ref().map_or(0, |bias| (bias.elem_count() * bias.dtype().size_in_bytes()) as u64)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn worst(a: &Tensor, b: &Tensor) -> f32 {
        (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
    }

    #[test]
    fn gated_units_take_the_first_half_times_the_activated_second() {
        let rows = Tensor::new(&[[2f32, -3.0, 1.0, -0.5], [0.5, 8.0, 0.0, 30.0]], &Device::Cpu).unwrap();
        // 1 and -0.5 times the cumulative normal distribution at these points.
        let expected = Tensor::new(&[[1.682_689_5f32, 0.462_806_3], [0.0, 240.0]], &Device::Cpu).unwrap();
        assert!(worst(&geglu(&rows).unwrap(), &expected) < 1e-6);
        let rows = Tensor::randn(0f32, 2.0, (37, 46), &Device::Cpu).unwrap();
        assert!(worst(&geglu(&rows).unwrap(), &geglu_plain(&rows).unwrap()) < 1e-5);
        assert!(geglu(&rows.narrow(1, 0, 45).unwrap()).is_err());
    }
}
