//! Inference for the crate `must`: turns text, images and parameters into frames. It knows nothing of tasks, stores or HTTP.
//!
//! This is an internal part of `must`, in a separate crate so that the two compile independently. Programs use `must`: the public
//! items here serve `must` alone and change without notice.
//!
//! A family of models is a folder and a line in `families.rs`; a checkpoint layout is a table; the precision of a file is a
//! kind of matrix; everything else is shared. Always holds: a request is checked before a tensor is made, a pipeline asks
//! its [`Control`] at every step whether to go on, and all random numbers are drawn on the CPU, so that one seed gives one
//! result on every device.

mod clip;
mod control;
mod device;
mod error;
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
pub use error::{Error, ErrorKind, Result};
pub use families::{embedded, family};
pub use family::{Checkpoint, Family, Honours, Pipeline, Sampling};
pub use place::{Budget, Needs, Stretch};
pub use request::{Frames, GivenFrame, Request, Start};
pub use standalone::{Standalone, StandaloneNeed, StandaloneRequest, Watch};
pub use weights::ModelFiles;
