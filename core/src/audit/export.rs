//! Exports the log as files for other tools, in the C2SP tlog-tiles layout.
//!
//! `checkpoint`; `tile/L/N` and `tile/L/N.p/W`: up to 256 hashes of level 8·L; `tile/entries/N`: up to 256 events, each
//! after its length in two bytes. <https://c2sp.org/tlog-tiles>

use super::event::{Caller, Outcome};
use super::log::Audit;
use super::query::newest;
use super::store::{self, StoredNodes};
use super::tree::Nodes as _;
use crate::error::{Error, ErrorCode, Result};
use rusqlite::Connection;
use schemars::JsonSchema;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Hashes, or events, in a full tile.
const TILE: u64 = 256;

/// A copy of the log that can be verified without the platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Exported {
    /// The folder of the copy.
    #[schemars(extend("format" = "path"))]
    pub folder: PathBuf,
    /// How many events were ever written.
    pub size: u64,
    /// Number of the first event in the copy.
    pub min_index: u64,
    /// How many files it has.
    pub files: u64,
    /// The key that verifies its signatures.
    pub verifier: String,
}

impl Audit {
    /// Writes the log into an empty or new folder. The export is an event, too; it is written first and is part of the copy.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let platform = must::Platform::open(must::Settings::new(folder.path()))?;
    /// use must::audit::Caller;
    ///
    /// # let copy = folder.path().join("exported");
    /// let exported = platform.audit()?.export(&copy, &Caller::new("operator", "cli"))?;
    /// assert!(exported.folder.join("checkpoint").is_file());
    /// assert_eq!(exported.verifier, platform.audit()?.verifier()?);
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// `validation_error` when the folder is not empty; `storage_full` or `dependency_unavailable` when it cannot be written; those of
    /// [`Audit::append`].
    pub fn export(&self, folder: &Path, caller: &Caller) -> Result<Exported> {
        let occupied = std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
        if occupied {
            return Err(Error::validation(format!("the folder {} is not empty", folder.display())));
        }
        self.append(caller.event("audit_export", "audit", Outcome::Success))?;
        let verifier = self.verifier()?;
        self.shared().store.read(|connection| {
            let transaction = connection.unchecked_transaction()?;
            let (checkpoint, size) = newest(&transaction)?;
            let min_index = store::log(&transaction)?.map_or(0, |log| log.min_index);
            let mut writer = Writer { folder, files: 0 };
            writer.entries(&transaction, min_index, size)?;
            writer.tiles(&transaction, min_index, size)?;
            writer.file("checkpoint", checkpoint.as_bytes())?;
            writer.file("verifier", format!("{verifier}\n").as_bytes())?;
            Ok(Exported { folder: folder.to_owned(), size, min_index, files: writer.files, verifier: verifier.clone() })
        })
    }
}

struct Writer<'a> {
    folder: &'a Path,
    files: u64,
}

impl Writer<'_> {
    fn file(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.folder.join(name);
        let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        made.and_then(|()| std::fs::write(&path, bytes)).map_err(|error| {
            let code = match error.kind() {
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => ErrorCode::StorageFull,
                _ => ErrorCode::DependencyUnavailable,
            };
            Error::new(code, format!("{} cannot be written: {error}", path.display()))
        })?;
        self.files += 1;
        Ok(())
    }

    /// Writes the bundles of events.
    fn entries(&mut self, connection: &Connection, min_index: u64, size: u64) -> Result<()> {
        for tile in min_index / TILE..size.div_ceil(TILE) {
            let width = (size - tile * TILE).min(TILE);
            let mut bundle = Vec::new();
            for row in store::rows(connection, tile * TILE, width as u32)? {
                let length = u16::try_from(row.leaf.len()).map_err(|_| Error::internal("a leaf is too long"))?;
                bundle.extend_from_slice(&length.to_be_bytes());
                bundle.extend_from_slice(&row.leaf);
            }
            self.file(&tile_path("entries", tile, width), &bundle)?;
        }
        Ok(())
    }

    /// Writes the tiles of hashes, level by level; level L holds the nodes of level 8·L of the tree.
    fn tiles(&mut self, connection: &Connection, min_index: u64, size: u64) -> Result<()> {
        let nodes = StoredNodes(connection);
        for level in 0..8 {
            let count = size >> (8 * level);
            if count == 0 {
                break;
            }
            let first = if level == 0 { min_index / TILE } else { 0 };
            for tile in first..count.div_ceil(TILE) {
                let width = (count - tile * TILE).min(TILE);
                let mut hashes = Vec::new();
                for index in tile * TILE..tile * TILE + width {
                    hashes.extend_from_slice(&nodes.node(8 * level, index)?);
                }
                self.file(&tile_path(&level.to_string(), tile, width), &hashes)?;
            }
        }
        Ok(())
    }
}

/// Returns `tile/L/N[.p/W]`, with N in groups of three digits, all but the last with an `x` before them.
fn tile_path(level: &str, index: u64, width: u64) -> String {
    let mut path = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    let partial = if width < TILE { format!(".p/{width}") } else { String::new() };
    format!("tile/{level}/{path}{partial}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_follow_the_specification() {
        assert_eq!(tile_path("0", 1_234_067, 256), "tile/0/x001/x234/067");
        assert_eq!(tile_path("entries", 0, 17), "tile/entries/000.p/17");
    }
}
