//! Image and video generation, with the whole platform around it, inside your own process.
pub mod diffusion;
pub mod error;
pub mod media;

pub use error::{Error, ErrorCode, Result};
