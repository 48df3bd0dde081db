//! The sizes of Wan's networks, read from the shapes of their tensors and, where shapes do not determine them, from
//! `config.json`.
//!
//! Always holds: no tensor is read. `config.json` is optional, and must agree with the tensors when it exists. A field that
//! changes the computation is either honoured or refused by name. The returned sizes cannot make a later module divide by
//! zero or allocate absurd amounts of memory.

mod image;
#[cfg(test)]
mod tests;
mod transformer;
mod vae;

pub(super) use self::image::image_config;
pub(crate) use self::transformer::TransformerShape;
use crate::parts::{ConfigJson, LARGEST, axis, text_of};
