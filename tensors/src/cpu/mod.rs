//! Faster versions of operations for the CPU.
//!
//! Always holds: each computes the numbers of the plain version (in `nn` of `must-diffusion`) up to rounding. One thread computes each
//! output element in a fixed order, so results do not depend on the number of threads.

mod attention;
mod conv;
mod geglu;
mod group;
mod linear;
mod norm;
mod panels;
mod rotate;
mod simd;

use candle_core::{DType, Tensor};

pub use attention::Attention;
pub use conv::{Causal, ConvShape, Doubled, PackedConv, Resize};
pub use geglu::Geglu;
pub use group::{GroupMoments, GroupNorm, Moments};
pub use linear::{Activation, CpuMatrix, Product};
pub use norm::{AddGated, ChannelNorm, LayerNorm};
pub use rotate::NormRotate;

/// Returns whether this module's versions support a tensor: float32 on the CPU.
pub fn takes(tensor: &Tensor) -> bool {
    tensor.device().is_cpu() && tensor.dtype() == DType::F32
}
