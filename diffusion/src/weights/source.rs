//! The tensors of one file, or of the shards that make one.
//!
//! Always holds: a file's container follows from its content, never from its name; the companions of quantised tensors are
//! joined to them and not listed; two tensors never have one name. Pickle and zip archives are refused, since reading them
//! can run code.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::bytes::FileBytes;
use super::files::{ModelFiles, unusable};
use super::metadata::Metadata;
use super::stored::Stored;
use super::{companions, gguf, safetensors, shards};
use crate::error::Result;

/// Axes of a tensor. Video convolutions have five.
pub(super) const AXES_LIMIT: usize = 8;

/// Tensors of a file. The largest model of the families here has some thousand, quantised ten times that.
pub(super) const TENSOR_LIMIT: usize = 200_000;

/// Entries of a file's metadata. Real files have some hundred, and one a tensor at most.
pub(super) const ENTRY_LIMIT: usize = 200_000;

/// Bytes of a tensor's name. Real ones have about a hundred.
pub(super) const NAME_LIMIT: usize = 1000;

/// What a container holds, before companions are joined.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) tensors: BTreeMap<String, Stored>,
    pub(super) metadata: BTreeMap<String, Metadata>,
}

impl Contents {
    /// Adds a tensor of a file, which messages call `origin`.
    pub(super) fn add(&mut self, origin: &str, name: String, stored: Stored) -> Result<()> {
        let full = self.tensors.len() >= TENSOR_LIMIT;
        match self.tensors.entry(name) {
            Entry::Occupied(known) => Err(unusable(format!("{origin}: tensor {} is there twice", known.key()))),
            Entry::Vacant(_) if full => Err(unusable(format!("{origin}: there are more than {TENSOR_LIMIT} tensors"))),
            Entry::Vacant(free) => {
                free.insert(stored);
                Ok(())
            }
        }
    }
}

/// The logical tensors of a file.
#[derive(Debug)]
pub(crate) struct Source {
    origin: String,
    tensors: BTreeMap<String, Stored>,
    metadata: BTreeMap<String, Metadata>,
}

impl Source {
    /// Opens a file of the model: safetensors or GGUF. Where `name` is one of several shards, their index, or
    /// `stem.safetensors` that exists only in shards, all of them are opened as one. Fails with `model_unavailable`, which
    /// names the file and what is wrong with it.
    pub(crate) fn open(model: &ModelFiles, name: &str) -> Result<Self> {
        let set = shards::find(model, name)?;
        let files = set.files.into_iter().map(|file| Ok((model.open(&file)?, file))).collect::<Result<Vec<_>>>()?;
        Self::of_files(set.origin, &files, &set.tensors)
    }

    /// Reads files, each with what messages call it, as one. They must have the tensors that an index `promised`.
    pub(crate) fn of_files(origin: String, files: &[(FileBytes, String)], promised: &[String]) -> Result<Self> {
        let mut all = Contents::default();
        for (file, name) in files {
            let contents = read(file, name)?;
            for (tensor, stored) in contents.tensors {
                all.add(&origin, tensor, stored)?;
            }
            for (key, value) in contents.metadata {
                all.metadata.entry(key).or_insert(value);
            }
        }
        if let Some(lost) = promised.iter().find(|tensor| !all.tensors.contains_key(*tensor)) {
            return Err(unusable(format!("{origin} lists {lost}, which no shard holds")));
        }
        let tensors = companions::join(all.tensors, &all.metadata, &origin)?;
        Ok(Self { origin, tensors, metadata: all.metadata })
    }

    /// Tensors that are there already.
    #[cfg(test)]
    pub(crate) fn from_tensors(origin: impl Into<String>, tensors: Vec<(String, Stored)>) -> Self {
        Self { origin: origin.into(), tensors: tensors.into_iter().collect(), metadata: BTreeMap::new() }
    }

    /// What messages call the file.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// The names of all tensors, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// A tensor, or `None` if there is none of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&Stored> {
        self.tensors.get(name)
    }

    /// An entry of the file's metadata.
    pub(crate) fn metadata(&self, key: &str) -> Option<&Metadata> {
        self.metadata.get(key)
    }
}

/// Whether a file begins like one that holds tensors, of a kind that is read or of one that is refused.
pub(crate) fn holds_tensors(bytes: &[u8]) -> bool {
    gguf::begins(bytes) || safetensors::begins(bytes) || is_pickle(bytes)
}

/// Reads a container, which messages call `name`.
fn read(file: &FileBytes, name: &str) -> Result<Contents> {
    let bytes = file.as_slice();
    if gguf::begins(bytes) {
        gguf::read(file, name)
    } else if is_pickle(bytes) {
        let refusal = unusable(format!("{name} is a pickle, which can run code when it is read, and is refused"));
        Err(refusal.with_action("Get the same model as safetensors or GGUF and put that file in its place."))
    } else {
        safetensors::read(file, name)
    }
}

/// A zip archive (PyTorch since 1.6) or a bare pickle of protocol 2 to 5 (before that).
fn is_pickle(bytes: &[u8]) -> bool {
    // A safetensors file may begin with these bytes, but then the upper half of its header's size is zero.
    matches!(bytes, [b'P', b'K', 3, 4, ..] | [0x80, 2..=5, ..]) && !matches!(bytes.get(4..8), Some([0, 0, 0, 0]))
}
