//! Inference: text, images and parameters in, frames out. Knows nothing of tasks, stores or HTTP.
//!
//! A family of models is a folder and a line in `families.rs`; a checkpoint layout is a table; the precision of a file is a
//! kind of matrix; everything else exists once. Always holds: a request is checked before a tensor is made, a pipeline asks
//! its [`Control`] at every step whether to go on, and all randomness is drawn on the CPU, so that one seed gives one result
//! on every device.

mod control;
mod families;
mod family;
mod nn;
mod place;
mod request;
mod sample;
mod standalone;
mod text;
mod vae;
mod vision;
mod wan;
mod weights;

pub(crate) use candle_core::Device;

pub(crate) use control::{Control, Stage};
pub(crate) use families::{embedded, family};
pub(crate) use family::{Checkpoint, Pipeline, Sampling};
pub(crate) use place::Budget;
pub use request::Frames;
pub(crate) use request::{GivenFrame, Request, Start};
pub use standalone::{Standalone, StandaloneNeed, StandaloneRequest, Watch};
pub(crate) use weights::ModelFiles;
