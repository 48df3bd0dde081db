//! Inference for the crate `must`: turns text, images and parameters into frames. It has no tasks, storage or HTTP.
//!
//! This is an internal part of `must`, in a separate crate so that the two compile independently. Programs should use `must`: the
//! public items here exist for `must` and its benchmarks only, and change without notice.
//!
//! Each family of models has a folder and a line in `families.rs`. Each layout of checkpoints is a table of tensor names. Each
//! encoding of weights is a variant of `must_tensors::Encoding`. Families share everything else. Always holds: a request is checked
//! before a tensor is made, a pipeline asks its [`Control`] at every step whether to go on, and all random numbers are drawn on
//! the CPU, so that a seed gives the same noise on every device.

mod clip;
mod control;
mod device;
mod families;
mod family;
mod flux;
mod nn;
mod parts;
mod pixels;
mod place;
mod request;
mod sample;
mod sdxl;
mod standalone;
#[cfg(test)]
mod testing;
mod text;
mod vae;
mod vision;
mod wan;
mod weights;

pub use control::{Control, Stage};
pub use device::Device;
pub use families::{embedded, family};
pub use family::{Checkpoint, Family, Pipeline, Sampling, Supported};
pub use must_tensors::{Error, ErrorKind, Result};
pub use place::{Budget, Needs, Stretch};
pub use request::{Frames, GivenFrame, Request, Start};
pub use standalone::{Standalone, StandaloneNeed, StandaloneRequest, Watch};
pub use weights::ModelFiles;
