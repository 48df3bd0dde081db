//! The sizes of Wan's networks, from the shapes of their tensors and, for what shapes do not tell, from `config.json`.
//!
//! Always holds: no tensor is read; a `config.json` is not needed, and where there is one it has to agree with the
//! tensors; a field of it that changes the computation is either honoured or refused by name; sizes that are handed out
//! cannot make a later module divide by zero or ask for absurd amounts.

mod image;
#[cfg(test)]
mod tests;
mod transformer;
mod vae;

pub(super) use self::image::image_config;
pub(crate) use self::transformer::TransformerShape;
use crate::parts::{Described, LARGEST, axis, text_of};
