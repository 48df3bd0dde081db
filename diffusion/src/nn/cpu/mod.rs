//! Faster versions of operations for the CPU.
//!
//! Always holds: each computes the numbers of the plain version up to rounding. One thread computes each output element in a
//! fixed order, so results do not depend on the number of threads.

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

pub(super) use attention::Attention;
pub(super) use conv::{Causal, Doubled, PackedConv};
pub(super) use geglu::Geglu;
pub(super) use group::{GroupMoments, GroupNorm, Moments};
pub(super) use linear::{CpuMatrix, Product};
pub(super) use norm::{AddGated, ChannelNorm, LayerNorm};
pub(super) use rotate::NormRotate;

/// Returns whether this module's versions support a tensor: float32 on the CPU.
pub(super) fn takes(tensor: &Tensor) -> bool {
    tensor.device().is_cpu() && tensor.dtype() == DType::F32
}
