//! The sizes of SDXL's UNet, from the shapes of its tensors and, for what shapes do not tell, from `config.json`.
//!
//! Always holds: no tensor is read; a `config.json` is not needed, and where there is one it has to agree with the tensors; a
//! field of it that changes the computation is either honoured or refused by name; sizes that are handed out cannot make a
//! later module divide by zero or ask for absurd amounts.

mod config;
#[cfg(test)]
mod tests;
mod unet;

pub(crate) use self::unet::{Level, TOLD, UnetShape, up_name};
