//! Weights: the files that hold them, the encodings of their numbers, and their delivery to layers.
//!
//! Always holds: a file's whole structure is checked before any of its tensors is used. Memory use is at most proportional
//! to the file's size. Numbers stay in the mapped file until they are decoded.

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
pub(crate) use inventory::{Expert, Experts, FoundNetwork, Inventory, Vocabulary};
pub(crate) use layout::{Dim, Layout, Network, Part, Rule, Tensors};
pub(crate) use metadata::Metadata;
pub(crate) use scale::Scale;
pub(crate) use scope::{Loading, Place, Scope};
pub(crate) use source::Source;
pub(crate) use stored::StoredTensor;

#[cfg(test)]
mod companion_tests;
#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod mutation_tests;
