//! Computing with numbers for the crate `must`: tensors in files and their encodings, layers of models on the CPU, noise, the scaling of
//! pictures and the blending of their tiles. It also has the error type of inference and of pictures.
//!
//! This is an internal part of `must-diffusion`, in a separate crate because its loops need all of the compiler's optimisation, and the
//! rest of inference does not. Programs should use `must`: the public items here exist for `must-diffusion` only, and change without
//! notice.
//!
//! Always holds: the loops over latents, clips and weights are here. They are compiled with this crate's optimisation, because a
//! function with such a loop is not generic over types of the caller, and a short one is marked `#[inline(never)]`: the compiler
//! copies generic and short functions into the crate that calls them.

mod bicubic;
mod canvas;
pub mod cpu;
mod error;
mod noise;
mod rotary;
mod stored;

pub use bicubic::bicubic;
pub use canvas::{CanvasNumber, append_levels};
pub use error::{Error, ErrorKind, Result, unusable};
pub use noise::{BrownianTree, Noise};
pub use rotary::rotary;
pub use stored::{Absmax, Dense, Encoding, F8, FP4, FileBytes, Ggml, NF4, Scale, StoredTensor, elements_of};
