//! Weights: the files they come in, how their numbers are kept, and how they are handed out.
//!
//! Always holds: a file's whole structure is checked before any tensor of it is used, with memory in proportion to the
//! file's size at most; numbers stay in the file, mapped, until they are decoded.

mod blocks;
mod bytes;
mod companion_values;
mod companions;
mod dense;
mod encoding;
mod files;
mod float8;
mod fourbit;
mod ggml;
mod gguf;
mod inventory;
mod layout;
mod metadata;
mod quant_state;
mod safetensors;
mod scale;
mod scope;
mod shards;
mod source;
mod stored;

pub(crate) use bytes::FileBytes;
pub(crate) use encoding::Encoding;
#[cfg(test)]
pub(crate) use encoding::{Dense, F8};
pub use files::ModelFiles;
pub(crate) use files::unusable;
pub(crate) use ggml::Ggml;
pub(crate) use inventory::{Expert, Experts, Found, Inventory, Vocabulary};
pub(crate) use layout::{Dim, Layout, Network, Part, Rule, Tensors};
pub(crate) use metadata::Metadata;
pub(crate) use scale::Scale;
pub(crate) use scope::{Loading, Place, Scope};
pub(crate) use source::Source;
pub(crate) use stored::Stored;

#[cfg(test)]
mod companion_tests;
#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod mutation_tests;
