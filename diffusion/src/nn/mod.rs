//! What models are made of: layers, each with a plain form of candle's operations and a faster one for the CPU.
//!
//! Always holds: which form runs depends on the device and the type of the numbers alone, and only here is that asked.
//! Layers take and give float32 or the compute type; norms, tables and biases are float32 always.

mod attention;
mod conv;
mod cpu;
#[cfg(feature = "cudnn")]
mod cudnn;
mod embedding;
mod linear;
mod matrix;
mod norm;
mod rotate;
mod sinusoids;

pub(crate) use attention::attention;
pub(crate) use conv::{Conv, Resize};
pub(crate) use embedding::Embedding;
pub(crate) use linear::{Activation, Linear, geglu};
pub(crate) use norm::{
    Rotation, add_gated, channel_norm, group_moments, group_norm, group_norm_by, layer_norm, norm_rotate,
};
pub(crate) use rotate::norm_rotate_heads;
pub(crate) use sinusoids::sinusoids;
