//! The layers of models. Most have a plain version in candle's operations and a faster one for the CPU.
//!
//! Always holds: the device, the number type and the crate's features decide which version runs, and only this module chooses
//! it. Layers accept and return float32 or the compute type. The gains and shifts of norms are float32, and so are the biases of
//! linear layers.

mod attention;
mod conv;
#[cfg(feature = "cudnn")]
mod cudnn;
mod embedding;
mod linear;
mod matrix;
mod norm;
mod rotate;
mod sinusoids;

pub(crate) use attention::attention;
pub(crate) use conv::Conv;
pub(crate) use embedding::Embedding;
pub(crate) use linear::{Linear, geglu};
pub(crate) use must_tensors::cpu::{Activation, Resize};
pub(crate) use norm::{add_gated, channel_norm, group_moments, group_norm, group_norm_by, layer_norm};
pub(crate) use rotate::{Rotation, norm_rotate};
pub(crate) use sinusoids::sinusoids;
