//! The operations that inference spends its time in, each with a plain candle form and a faster one for the CPU.
//!
//! Always holds: both forms give the same numbers within rounding; which of them runs depends on the device alone; every
//! output element is computed by one thread in one fixed order, so results do not depend on how many threads there are.

mod attention;
mod conv;
mod linear;
mod norm;
mod panels;
mod simd;

pub(crate) use attention::attention;
pub(crate) use conv::{Conv, Resize};
pub(crate) use linear::{Activation, Linear};
pub(crate) use norm::{Rotation, add_gated, channel_norm, layer_norm, norm_rotate};
