//! The log's part of a backup: copies the anchors and verifies the copied database against them.

use super::anchor::ANCHOR_FILE;
use super::log::Audit;
use super::verify::Verdict;
use crate::error::Result;
use crate::store::DatabaseCopy;
use std::path::Path;

impl Audit {
    /// Copies the anchors into the folder of a backup. Call this before the database is copied, so that no anchor covers an event
    /// that the copy lacks.
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

    /// Returns the path of the audit key file, if the keys come from a file.
    pub(crate) fn key_file(&self) -> Option<&Path> {
        self.shared().signing.key_file()
    }
}
