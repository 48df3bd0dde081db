//! Faster forms of operations for the CPU.
//!
//! Always holds: each gives the numbers of the plain form within rounding; every output element is computed by one thread in
//! one fixed order, so results do not depend on how many threads there are.

mod attention;
mod conv;
mod gelu;
mod group;
mod heads;
mod linear;
mod norm;
mod panels;
mod simd;

use candle_core::{DType, Tensor};

pub(super) use attention::Attention;
pub(super) use conv::{Causal, Doubled, PackedConv};
pub(super) use gelu::Geglu;
pub(super) use group::{GroupMoments, GroupNorm, Moments};
pub(super) use heads::NormRotateHeads;
pub(super) use linear::{CpuMatrix, Product};
pub(super) use norm::{AddGated, ChannelNorm, LayerNorm, NormRotate};

/// Whether the forms of this folder take a tensor: float32 on the CPU.
pub(super) fn takes(tensor: &Tensor) -> bool {
    tensor.device().is_cpu() && tensor.dtype() == DType::F32
}
