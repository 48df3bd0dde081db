//! An advisory lock on a file beside the database. It lets only one process use a data folder.

use super::folder_error;
use crate::error::{Error, ErrorCode, Result};
use crate::fork::{self, Mark};
use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

/// Locks the folder until it is dropped. The system releases the lock when the process dies, even if children of it live on.
#[derive(Debug)]
pub(super) struct FolderLock {
    /// The first field, so that it is dropped before the file is closed.
    _mark: Mark,
    file: File,
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Explicit, because a child that was made without `fork`'s handlers may have the same open file.
        let _ = self.file.unlock();
    }
}

impl FolderLock {
    pub(super) fn take(folder: &Path) -> Result<Self> {
        let path = folder.join("must.lock");
        let opened = fork::without_fork(|| {
            let file = File::options().read(true).write(true).create(true).truncate(false).open(&path)?;
            Ok((fork::mark(&file), file))
        });
        let (mark, file) = opened.map_err(|error: std::io::Error| folder_error(folder, &error))?;
        let mut lock = Self { _mark: mark, file };
        let file = &mut lock.file;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                return Err(Error::new(
                    ErrorCode::DataDirLocked,
                    format!("{} has the data folder {} open", described(&holder), folder.display()),
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
        Ok(lock)
    }
}

/// Describes the process that holds the folder, from the note that it wrote.
fn described(note: &str) -> String {
    match note.trim().parse::<u32>() {
        Err(_) => "another platform".to_owned(),
        Ok(pid) if is_gone(pid) => {
            format!("a process that is not visible from here (it wrote that it is process {pid})")
        }
        Ok(pid) => format!("process {pid}"),
    }
}

/// Whether no process with this id is visible. A process in another container is not.
fn is_gone(pid: u32) -> bool {
    #[cfg(unix)]
    {
        use nix::errno::Errno;
        let pid = i32::try_from(pid).map(nix::unistd::Pid::from_raw);
        pid.is_ok_and(|pid| nix::sys::signal::kill(pid, None) == Err(Errno::ESRCH))
    }
    #[cfg(not(unix))]
    {
        let _ = pid;
        false
    }
}
