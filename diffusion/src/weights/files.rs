//! The files of a model: a folder on disk, or files embedded in the program.
//!
//! Always holds: names are relative, use forward slashes and never point outside the folder. Oversized configuration files
//! are refused.

use std::path::{Component, Path, PathBuf};

use must_tensors::{FileBytes, Result, unusable};
use serde::de::DeserializeOwned;

/// The limit of text files in bytes. A tokenizer with a large vocabulary has about 20 MB; all other text files are much
/// smaller.
const TEXT_LIMIT: u64 = 64 << 20;

/// The depth of nested folders that [`ModelFiles::list`] searches.
const DEPTH: usize = 3;

/// The number of files and folders after which [`ModelFiles::list`] fails.
const LIST_LIMIT: usize = 10_000;

/// The place of one model's files.
#[derive(Debug, Clone)]
pub enum ModelFiles {
    /// Files embedded in the program, each with its relative name and its content.
    Embedded(&'static [(&'static str, &'static [u8])]),
    /// A directory.
    Folder(PathBuf),
}

impl ModelFiles {
    /// Returns whether the model has this file.
    pub(crate) fn has(&self, name: &str) -> bool {
        match self {
            Self::Embedded(files) => files.iter().any(|(known, _)| *known == name),
            Self::Folder(folder) => stays_inside(name) && folder.join(name).is_file(),
        }
    }

    /// Returns the content of a small file. Fails with `ModelUnavailable` and names the file when it is missing or too
    /// large.
    pub(crate) fn bytes(&self, name: &str) -> Result<Vec<u8>> {
        let file = self.open(name)?;
        if file.length() > TEXT_LIMIT {
            return Err(unusable(format!("{name} is larger than {TEXT_LIMIT} bytes")));
        }
        Ok(file.as_slice().to_vec())
    }

    /// Reads and parses a JSON file.
    pub(crate) fn json<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        serde_json::from_slice(&self.bytes(name)?).map_err(|error| unusable(format!("{name}: {error}")))
    }

    /// Maps a file of any size.
    pub(crate) fn open(&self, name: &str) -> Result<FileBytes> {
        match self {
            Self::Embedded(files) => files
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, bytes)| FileBytes::of_static(bytes))
                .ok_or_else(|| unusable(format!("the model has no file {name}"))),
            Self::Folder(_) if !stays_inside(name) => {
                Err(unusable(format!("{name} is not a file of the model's folder")))
            }
            Self::Folder(folder) => FileBytes::open(&folder.join(name)),
        }
    }

    /// Returns the names of all files, sorted. Searches folders up to three levels deep, follows links, and skips names that
    /// begin with a dot. Fails with `ModelUnavailable` when the folder cannot be read or holds more than 10,000 files and
    /// folders. Logs a warning and continues when a nested folder cannot be read.
    pub fn list(&self) -> Result<Vec<String>> {
        let mut names = match self {
            Self::Embedded(files) => files.iter().map(|(name, _)| (*name).to_owned()).collect(),
            Self::Folder(folder) => {
                let mut names = vec![];
                list_folder(folder, "", DEPTH, &mut LIST_LIMIT.clone(), &mut names)?;
                names
            }
        };
        names.sort_unstable();
        Ok(names)
    }
}

fn list_folder(folder: &Path, prefix: &str, depth: usize, left: &mut usize, names: &mut Vec<String>) -> Result<()> {
    let fault = |error: std::io::Error| unusable(format!("cannot list {}: {error}", folder.display()));
    let entries = match std::fs::read_dir(folder) {
        Err(error) if !prefix.is_empty() => {
            // The root folder of a disk has folders that only the system may read.
            tracing::warn!(folder = %folder.display(), %error, "a folder inside a model's folder cannot be listed");
            return Ok(());
        }
        entries => entries.map_err(fault)?,
    };
    for entry in entries {
        let entry = entry.map_err(fault)?;
        // A file name that is not Unicode cannot belong to a model. Names that begin with a dot belong to other tools.
        let Some(name) = entry.file_name().to_str().filter(|name| !name.starts_with('.')).map(str::to_owned) else {
            continue;
        };
        *left = left
            .checked_sub(1)
            .ok_or_else(|| unusable(format!("{} holds more than {LIST_LIMIT} files", folder.display())))?;
        let path = entry.path();
        // A broken link has no metadata.
        let Ok(kind) = path.metadata() else { continue };
        let name = format!("{prefix}{name}");
        if kind.is_file() {
            names.push(name);
        } else if kind.is_dir() && depth > 0 {
            list_folder(&path, &format!("{name}/"), depth - 1, left, names)?;
        }
    }
    Ok(())
}

/// Returns whether `name` can only point to a file inside the folder that it is joined to.
fn stays_inside(name: &str) -> bool {
    !name.contains(['\\', '\0']) && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embedded_files() {
        let files = ModelFiles::Embedded(&[("b/c.json", b"[1, 2]"), ("a", b"text")]);
        assert!(files.has("a") && !files.has("b"));
        assert_eq!(files.list().unwrap(), ["a", "b/c.json"]);
        assert_eq!(files.json::<Vec<u32>>("b/c.json").unwrap(), [1, 2]);
        assert!(files.json::<Vec<u32>>("a").unwrap_err().detail().starts_with("a: "));
        assert!(files.open("c").unwrap_err().detail().contains("no file c"));
    }

    #[test]
    fn folders_are_listed_three_deep_with_links_followed() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, name).unwrap();
        };
        for name in ["z", "a/b/c/three", "a/b/c/d/four", ".hidden/x", "a/.dot"] {
            put(name);
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(folder.path().join("z"), folder.path().join("link")).unwrap();
            std::os::unix::fs::symlink("nowhere", folder.path().join("broken")).unwrap();
            std::os::unix::fs::symlink(folder.path().join("a/b"), folder.path().join("short")).unwrap();
        }
        let files = ModelFiles::Folder(folder.path().to_owned());
        let expected: &[&str] = if cfg!(unix) {
            &["a/b/c/three", "link", "short/c/d/four", "short/c/three", "z"]
        } else {
            &["a/b/c/three", "z"]
        };
        assert_eq!(files.list().unwrap(), expected);
        assert_eq!(files.bytes("a/b/c/three").unwrap(), b"a/b/c/three");
    }

    #[test]
    fn names_outside_the_folder_and_large_texts_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("in")).unwrap();
        std::fs::write(folder.path().join("secret"), b"x").unwrap();
        let large = std::fs::File::create(folder.path().join("in/large")).unwrap();
        large.set_len(TEXT_LIMIT + 1).unwrap();
        let files = ModelFiles::Folder(folder.path().join("in"));
        for name in ["../secret", "/etc/passwd", "a/../../secret", "a\\b"] {
            assert!(!files.has(name));
            assert!(files.open(name).unwrap_err().detail().contains("not a file of the model's folder"), "{name}");
        }
        assert!(files.bytes("large").unwrap_err().detail().contains("larger than"));
        assert!(files.open("large").is_ok());
        assert!(files.bytes("none").unwrap_err().detail().contains("cannot open"));
    }

    #[test]
    fn folders_with_too_many_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..=LIST_LIMIT {
            std::fs::write(folder.path().join(format!("{number}")), b"").unwrap();
        }
        let files = ModelFiles::Folder(folder.path().to_owned());
        assert!(files.list().unwrap_err().detail().contains("more than 10000 files"));
    }
}
