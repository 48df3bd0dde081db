//! The log's part of a backup: its anchors beside the copied database, and whether the two agree.

use super::anchor::ANCHOR_FILE;
use super::log::Audit;
use super::verify::Verdict;
use crate::error::Result;
use crate::store::DatabaseCopy;
use std::path::Path;

impl Audit {
    /// Copies the anchors into the folder of a backup. Before the database is copied: so no anchor is of an event that the copy
    /// has not.
    ///
    /// # Errors
    /// `storage_full`, `dependency_unavailable`.
    pub(crate) fn copy_anchors(&self, folder: &Path) -> Result<()> {
        let copied = std::fs::copy(self.shared().signing.anchors.path(), folder.join(ANCHOR_FILE));
        match copied {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Verifies the log of a backup against the anchors in its folder.
    ///
    /// # Errors
    /// As [`Audit::verify`].
    pub(crate) fn verify_copy(&self, copy: &DatabaseCopy, folder: &Path) -> Result<Verdict> {
        self.verify_in(copy.connection(), &folder.join(ANCHOR_FILE))
    }

    /// The file of the keys that sign the log, where they are in one.
    pub(crate) fn key_file(&self) -> Option<&Path> {
        self.shared().signing.key_file()
    }
}
