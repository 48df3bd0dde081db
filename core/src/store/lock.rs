//! One process a data folder: an advisory lock on a file beside the database.

use super::folder_error;
use crate::error::{Error, ErrorCode, Result};
use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

/// Holds the folder until it is dropped; the system lets go of it when the process dies.
#[derive(Debug)]
pub(super) struct FolderLock {
    file: File,
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Explicit, because a forked child may hold the same open file.
        let _ = self.file.unlock();
    }
}

impl FolderLock {
    pub(super) fn take(folder: &Path) -> Result<Self> {
        let path = folder.join("must.lock");
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| folder_error(folder, &error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                let holder = holder
                    .trim()
                    .parse::<u32>()
                    .map_or_else(|_| "another platform".to_owned(), |pid| format!("process {pid}"));
                return Err(Error::new(
                    ErrorCode::DataDirLocked,
                    format!("{holder} has the data folder {} open", folder.display()),
                ));
            }
            Err(TryLockError::Error(error)) => return Err(folder_error(folder, &error)),
        }
        let mut note = || -> std::io::Result<()> {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        note().map_err(|error| folder_error(folder, &error))?;
        Ok(Self { file })
    }
}
