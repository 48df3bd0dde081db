//! The tensors of one file, or of the shards that form one.
//!
//! Always holds: the container is recognised by the file's content, never by its name. Quantised tensors include their
//! companions, which are not listed on their own. No two tensors have the same name. Pickles and zip archives are refused,
//! because reading them can run code.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use must_tensors::{FileBytes, Result, StoredTensor, unusable};

use super::files::ModelFiles;
use super::metadata::Metadata;
use super::{companions, gguf, safetensors, shards};

/// The limit of a tensor's axes. Video convolutions have five.
pub(super) const AXES_LIMIT: usize = 8;

/// The limit of a file's tensors. The largest model of these families has some thousand, and ten times that when quantised.
pub(super) const TENSOR_LIMIT: usize = 200_000;

/// The limit of a file's metadata entries. Real files have some hundred, and at most one for each tensor.
pub(super) const ENTRY_LIMIT: usize = 200_000;

/// The limit of a tensor's name in bytes. Real names have about a hundred.
pub(super) const NAME_LIMIT: usize = 1000;

/// The content of a container before companions are joined.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) tensors: BTreeMap<String, StoredTensor>,
    pub(super) metadata: BTreeMap<String, Metadata>,
}

impl Contents {
    /// Adds a tensor of a file. Error messages call the file `origin`.
    pub(super) fn add(&mut self, origin: &str, name: String, stored: StoredTensor) -> Result<()> {
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

/// The tensors of a file, each with its companions.
#[derive(Debug)]
pub(crate) struct Source {
    origin: String,
    tensors: BTreeMap<String, StoredTensor>,
    metadata: BTreeMap<String, Metadata>,
}

impl Source {
    /// Opens a file of the model: safetensors or GGUF. When `name` is one of several shards, their index, or a
    /// `stem.safetensors` that exists only in shards, all shards are opened as one. Fails with `ModelUnavailable`; the error
    /// names the file and what is wrong with it.
    pub(crate) fn open(model: &ModelFiles, name: &str) -> Result<Self> {
        let set = shards::find(model, name)?;
        let files = set.files.into_iter().map(|file| Ok((model.open(&file)?, file))).collect::<Result<Vec<_>>>()?;
        Self::of_files(set.origin, &files, &set.tensors)
    }

    /// Reads files as one. Each comes with its name for error messages. Together they must have the tensors that an index
    /// `promised`.
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

    /// Creates a source of tensors that are in memory.
    #[cfg(test)]
    pub(crate) fn from_tensors(origin: impl Into<String>, tensors: Vec<(String, StoredTensor)>) -> Self {
        Self { origin: origin.into(), tensors: tensors.into_iter().collect(), metadata: BTreeMap::new() }
    }

    /// Returns the name of the file for error messages.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// Returns the names of all tensors, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Returns a tensor, or `None` if none has this name.
    pub(crate) fn get(&self, name: &str) -> Option<&StoredTensor> {
        self.tensors.get(name)
    }

    /// Returns an entry of the file's metadata.
    pub(crate) fn metadata(&self, key: &str) -> Option<&Metadata> {
        self.metadata.get(key)
    }
}

/// Returns whether a file begins like a container of tensors, including the kinds that are refused.
pub(crate) fn holds_tensors(bytes: &[u8]) -> bool {
    gguf::begins(bytes) || safetensors::begins(bytes) || is_pickle(bytes)
}

/// Reads a container. Error messages call it `name`.
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

/// Recognises a zip archive (PyTorch since 1.6) or a bare pickle of protocol 2 to 5 (before that).
fn is_pickle(bytes: &[u8]) -> bool {
    // A safetensors file may begin with these bytes, but then the upper half of its header's size is zero.
    matches!(bytes, [b'P', b'K', 3, 4, ..] | [0x80, 2..=5, ..]) && !matches!(bytes.get(4..8), Some([0, 0, 0, 0]))
}
