//! Weights: the files that hold them, and their delivery to layers. The crate `must-tensors` decodes their numbers.
//!
//! Always holds: a file's whole structure is checked before any of its tensors is used. Memory use is at most proportional
//! to the file's size. Numbers stay in the mapped file until they are decoded.

mod companion_values;
mod companions;
mod files;
mod gguf;
mod inventory;
mod layout;
mod metadata;
mod quant_state;
mod safetensors;
mod scope;
mod shards;
mod source;

pub use files::ModelFiles;
pub(crate) use inventory::{Expert, Experts, FoundNetwork, Inventory, Vocabulary};
pub(crate) use layout::{Dim, Layout, Network, Part, Rule, Tensors};
pub(crate) use metadata::Metadata;
#[cfg(test)]
pub(crate) use must_tensors::{Dense, F8};
pub(crate) use must_tensors::{Encoding, FileBytes, Ggml, Scale, StoredTensor, unusable};
pub(crate) use scope::{Loading, Place, Scope};
pub(crate) use source::Source;

#[cfg(test)]
mod companion_tests;
#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod mutation_tests;
