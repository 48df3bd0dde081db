//! Linear layers: on the CPU with weights packed once at loading and the activation done while results are in registers.
#![expect(clippy::indexing_slicing, reason = "sizes are checked before the loops")]

use candle_core::{CpuStorage, CustomOp1, Layout, Shape, Tensor};
use rayon::prelude::*;

use super::panels::{Panels, Rows, multiply};
use super::simd::{gelu, silu, vectorized};
use crate::diffusion::weights::Weights;
use crate::error::Result;

/// Multiply-adds below which splitting the work costs more than it saves.
const SPLIT: usize = 1 << 20;

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
pub(crate) enum Linear {
    /// Weight `[out, in]`, bias `[out]`.
    Plain(Tensor, Option<Tensor>),
    /// Packed for the CPU; the bias is empty where there is none.
    Packed(Panels, Vec<f32>),
}

impl Linear {
    /// A layer from its tensors: weight `[out, in]`, bias `[out]`.
    pub(crate) fn new(weight: Tensor, bias: Option<Tensor>) -> Result<Self> {
        if !weight.device().is_cpu() {
            return Ok(Self::Plain(weight, bias));
        }
        let (outputs, inputs) = weight.dims2()?;
        let mut panels = Panels::default();
        panels.pack_columns(&weight.flatten_all()?.to_vec1::<f32>()?, inputs, outputs, inputs);
        let bias = match bias {
            Some(bias) => bias.to_vec1::<f32>()?,
            None => vec![],
        };
        Ok(Self::Packed(panels, bias))
    }

    /// Reads `name.weight` and, if `bias`, `name.bias`.
    pub(crate) fn load(weights: &Weights, name: &str, inputs: usize, outputs: usize, bias: bool) -> Result<Self> {
        Self::load_joint(weights, &[name], inputs, outputs, bias)
    }

    /// Several layers of one input as one layer, outputs side by side in the order of `names`.
    pub(crate) fn load_joint(
        weights: &Weights,
        names: &[&str],
        inputs: usize,
        outputs: usize,
        bias: bool,
    ) -> Result<Self> {
        let parts = names
            .iter()
            .map(|name| weights.get(&format!("{name}.weight"), (outputs, inputs)))
            .collect::<Result<Vec<_>>>()?;
        let biases = match bias {
            true => Some(
                names.iter().map(|name| weights.get(&format!("{name}.bias"), outputs)).collect::<Result<Vec<_>>>()?,
            ),
            false => None,
        };
        Self::new(Tensor::cat(&parts, 0)?, biases.map(|parts| Tensor::cat(&parts, 0)).transpose()?)
    }

    /// `[rows, in]` to `[rows, out]`.
    pub(crate) fn forward(&self, input: &Tensor, activation: Activation) -> Result<Tensor> {
        match self {
            Self::Packed(panels, bias) => {
                Ok(input.contiguous()?.apply_op1_no_bwd(&Fused { panels, bias, activation })?)
            }
            Self::Plain(weight, bias) => {
                let product = input.matmul(&weight.t()?)?;
                let sum = match bias {
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
    }
}

struct Fused<'a> {
    panels: &'a Panels,
    bias: &'a [f32],
    activation: Activation,
}

impl CustomOp1 for Fused<'_> {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let (rows, inputs) = layout.shape().dims2()?;
        let (depth, width) = (self.panels.depth(), self.panels.width());
        let Some((start, end)) = layout.contiguous_offsets() else { candle_core::bail!("linear: not contiguous") };
        if inputs != depth {
            candle_core::bail!("linear: {inputs} inputs for a layer of {depth}");
        }
        let data = &storage.as_slice::<f32>()?[start..end];
        let mut out = vec![0f32; rows * width];
        let pieces = if rows * depth * width < SPLIT { 1 } else { rayon::current_num_threads() };
        let share = rows.div_ceil(pieces).next_multiple_of(6);
        out.par_chunks_mut((share * width).max(1)).zip(data.par_chunks((share * depth).max(1))).for_each(
            |(out, data)| {
                let view = Rows { data, stride: depth, count: data.len() / depth };
                vectorized(
                    #[inline(always)]
                    || match self.activation {
                        Activation::None => multiply(
                            view,
                            self.panels,
                            self.bias,
                            out,
                            width,
                            #[inline(always)]
                            |value, _, _| value,
                        ),
                        Activation::Gelu => multiply(
                            view,
                            self.panels,
                            self.bias,
                            out,
                            width,
                            #[inline(always)]
                            |value, _, _| gelu(value),
                        ),
                        Activation::Silu => multiply(
                            view,
                            self.panels,
                            self.bias,
                            out,
                            width,
                            #[inline(always)]
                            |value, _, _| silu(value),
                        ),
                    },
                );
            },
        );
        Ok((CpuStorage::F32(out), Shape::from((rows, width))))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn packed_equals_plain() {
        for (rows, inputs, outputs) in [(1, 3, 5), (80, 36, 64), (131, 64, 200)] {
            let weight = Tensor::randn(0f32, 0.2, (outputs, inputs), &Device::Cpu).unwrap();
            let bias = Tensor::randn(0f32, 1.0, outputs, &Device::Cpu).unwrap();
            let input = Tensor::randn(0f32, 1.0, (rows, inputs), &Device::Cpu).unwrap();
            let plain = Linear::Plain(weight.clone(), Some(bias.clone()));
            let packed = Linear::new(weight, Some(bias)).unwrap();
            for activation in [Activation::None, Activation::Gelu, Activation::Silu] {
                let (a, b) = (plain.forward(&input, activation).unwrap(), packed.forward(&input, activation).unwrap());
                let worst = (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
                assert!(worst < 1e-5, "{activation:?} {worst}");
            }
        }
    }
}
