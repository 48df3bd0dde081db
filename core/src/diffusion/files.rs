//! A model's folder, wherever it is: a directory on disk or files carried inside the program.
//!
//! Always holds: names are relative, with forward slashes, as diffusers writes them; configuration files are small and are
//! refused when they are not.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::de::DeserializeOwned;

use crate::error::{Error, ErrorCode, Result};

/// A tokenizer of a large vocabulary is about 20 MB; nothing else that is read as text comes near.
const TEXT_LIMIT: u64 = 64 << 20;

/// Where the files of one model are.
#[derive(Debug, Clone)]
pub enum ModelFiles {
    /// Files inside the program: relative name and content.
    Embedded(&'static [(&'static str, &'static [u8])]),
    /// A directory.
    Folder(PathBuf),
}

/// The bytes of one file, read in pieces.
#[derive(Debug, Clone)]
pub(crate) enum Blob {
    Static(&'static [u8]),
    Disk(Arc<Mutex<File>>, u64),
}

impl Blob {
    /// Length in bytes.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Static(bytes) => bytes.len() as u64,
            Self::Disk(_, length) => *length,
        }
    }

    /// `length` bytes from `offset`; a short file gives an error.
    pub(crate) fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>> {
        use std::io::{Seek, SeekFrom};
        match self {
            Self::Static(bytes) => usize::try_from(offset)
                .ok()
                .and_then(|start| bytes.get(start..start.checked_add(length)?))
                .map(<[u8]>::to_vec)
                .ok_or_else(|| unusable("a weight file ends too early")),
            Self::Disk(file, size) => {
                if offset.checked_add(length as u64).is_none_or(|end| end > *size) {
                    return Err(unusable("a weight file ends too early"));
                }
                let mut buffer = vec![0; length];
                let mut file = file.lock();
                file.seek(SeekFrom::Start(offset))?;
                file.read_exact(&mut buffer)?;
                Ok(buffer)
            }
        }
    }
}

impl ModelFiles {
    /// Whether the model has this file.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        match self {
            Self::Embedded(files) => files.iter().any(|(known, _)| *known == name),
            Self::Folder(folder) => folder.join(name).is_file(),
        }
    }

    /// The content of a small file. A missing or oversized one is a `model_unavailable` error that names it.
    pub fn bytes(&self, name: &str) -> Result<Vec<u8>> {
        let blob = self.open(name)?;
        if blob.len() > TEXT_LIMIT {
            return Err(unusable(format!("{name} is larger than {TEXT_LIMIT} bytes")));
        }
        blob.read(0, usize::try_from(blob.len()).map_err(|_| unusable(format!("{name} is too large")))?)
    }

    /// A JSON file, parsed.
    pub fn json<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        serde_json::from_slice(&self.bytes(name)?).map_err(|error| unusable(format!("{name}: {error}")))
    }

    pub(crate) fn open(&self, name: &str) -> Result<Blob> {
        match self {
            Self::Embedded(files) => files
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, bytes)| Blob::Static(bytes))
                .ok_or_else(|| unusable(format!("the model has no file {name}"))),
            Self::Folder(folder) => {
                let path = folder.join(name);
                let file =
                    File::open(&path).map_err(|error| unusable(format!("cannot open {}: {error}", path.display())))?;
                let length = file.metadata()?.len();
                Ok(Blob::Disk(Arc::new(Mutex::new(file)), length))
            }
        }
    }
}

/// The error of a model whose files cannot be used.
pub(crate) fn unusable(detail: impl Into<String>) -> Error {
    Error::new(ErrorCode::ModelUnavailable, detail)
        .with_action("Install the model's files again, as safetensors in a diffusers folder, or choose another model.")
}
