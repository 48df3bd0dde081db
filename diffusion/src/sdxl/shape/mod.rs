//! The sizes of SDXL's UNet, from the shapes of its tensors and, where shapes do not determine them, from `config.json`.
//!
//! Always holds: no tensor is read; `config.json` is optional, and must agree with the tensors when it exists; a
//! field that changes the computation is either honoured or refused by name; no returned size is zero or absurdly large, so
//! later modules can divide by sizes and allocate for them.

mod config;
#[cfg(test)]
mod tests;
mod unet;

pub(crate) use self::unet::{Level, SIZE_CONDITIONS, UnetShape, up_name};
