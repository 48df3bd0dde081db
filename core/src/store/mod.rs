//! The SQLite database of the data folder. One thread writes to it, and a pool of connections reads from it.
//!
//! Owns connections, transactions, migrations and the folder's lock. Knows no table. Invariants: an acknowledged write is on disk
//! (WAL, `synchronous=FULL`); a failed write leaves nothing behind; one process uses the folder; another copy of SQLite that opens
//! the database, in this process or another, destroys nothing.
//!
//! Any thread may call [`Store::read`] and [`Store::write`]. No other closure uses the connection while a closure runs on it.

mod checkpoint;
mod connection;
mod copy;
mod folder_lock;
mod migrate;
mod sqlite_locks;
mod writer;

use crate::error::{Error, ErrorCode, Result};
use crate::thread;
use connection::Readers;
pub(crate) use copy::DatabaseCopy;
use folder_lock::FolderLock;
pub(crate) use migrate::Migration;
use parking_lot::Mutex;
use rusqlite::Connection;
use std::future::Future;
use std::path::{Path, PathBuf};
use writer::Writer;
pub(crate) use writer::{CommitHook, Undo};

#[cfg(test)]
mod tests;

/// The open database of one data folder.
pub(crate) struct Store {
    path: PathBuf,
    writer: Writer,
    readers: Readers,
    lock: Mutex<Option<FolderLock>>,
}

impl Store {
    /// Takes the folder's lock, checks the database, brings its schema up to date. `hook` takes part in every commit.
    ///
    /// # Errors
    /// `data_dir_locked`, `dependency_unavailable` when the folder cannot be written, `storage_full`, `storage_corrupt`.
    pub(crate) fn open(folder: &Path, migrations: &[Migration], hook: Option<Box<dyn CommitHook>>) -> Result<Self> {
        connection::check_library_version()?;
        std::fs::create_dir_all(folder).map_err(|error| folder_error(folder, &error))?;
        let lock = FolderLock::take(folder)?;
        sqlite_locks::install();
        let path = database_path(folder);
        let mut first = connection::open(&path)?;
        // Only after the first connection: SQLite needs an exclusive lock to start a log.
        let shared = sqlite_locks::Shared::take(&path)?;
        connection::check_integrity(&first)?;
        migrate::run(&mut first, migrations)?;
        Ok(Self {
            writer: Writer::start(first, &path, hook, shared)?,
            readers: Readers::new(path.clone()),
            path,
            lock: Mutex::new(Some(lock)),
        })
    }

    /// Runs `work` in a transaction on the writer thread and returns once it is durable. Writes that arrive together share one
    /// commit. A write that fails does not undo the others.
    pub(crate) fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let answer = self.writer.write(work)?;
        thread::block_on(answer, None).and_then(std::result::Result::ok).ok_or_else(connection::closed)?
    }

    /// Like [`Store::write`], without blocking a thread. The write is queued at once and done even if the future is dropped.
    pub(crate) fn write_async<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> impl Future<Output = Result<T>> + Send + 'static {
        let answer = self.writer.write(work);
        async move { answer?.await.map_err(|_| connection::closed())? }
    }

    /// Like [`Store::write`], but neither waits nor reports the outcome. For writes that may be lost in a crash.
    pub(crate) fn write_later(&self, work: impl FnOnce(&Connection) -> Result<()> + Send + 'static) {
        self.writer.write_later(work);
    }

    /// Like [`Store::write`], without waiting. `undo` says how the changes are undone if `work` fails. After the commit the writer thread
    /// calls `done` with the outcome. `done` delays every other write, so it must be short and must not wait for a write itself.
    ///
    /// # Errors
    /// `invalid_state` if the store is closed. `done` is then dropped.
    pub(crate) fn write_then<T: Send + 'static>(
        &self,
        undo: Undo,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
        done: impl FnOnce(Result<T>) + Send + 'static,
    ) -> Result<()> {
        self.writer.write_then(undo, work, done)
    }

    /// Runs `work` on a reading connection. It sees everything that was committed before it began.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.readers.with(work)
    }

    /// Whether a reading connection is idle, so that a read need not wait for one.
    pub(crate) fn has_idle_reader(&self) -> bool {
        self.readers.any_idle()
    }

    /// Closes the idle readers, finishes the queued writes, and releases the folder's lock. A reader in use is closed when its read ends.
    /// Later calls fail with `invalid_state`.
    pub(crate) fn close(&self) {
        self.readers.close();
        self.writer.close();
        *self.lock.lock() = None;
    }
}

/// Returns the path of the database in a data folder.
pub(crate) fn database_path(folder: &Path) -> PathBuf {
    folder.join("must.db")
}

fn folder_error(folder: &Path, error: &std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            Error::new(ErrorCode::StorageFull, format!("no space to open the data folder {}", folder.display()))
        }
        _ => Error::new(
            ErrorCode::DependencyUnavailable,
            format!("the data folder {} cannot be used: {error}", folder.display()),
        )
        .with_action("Give the process a folder that it can read and write."),
    }
}

/// Maps SQLite's failures to error codes.
impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Sqlite;
        let code = match error.sqlite_error_code() {
            Some(Sqlite::DiskFull) => ErrorCode::StorageFull,
            Some(Sqlite::DatabaseCorrupt | Sqlite::NotADatabase) => ErrorCode::StorageCorrupt,
            Some(
                Sqlite::ReadOnly
                | Sqlite::CannotOpen
                | Sqlite::PermissionDenied
                | Sqlite::SystemIoFailure
                | Sqlite::DatabaseBusy
                | Sqlite::DatabaseLocked,
            ) => ErrorCode::DependencyUnavailable,
            _ => ErrorCode::Internal,
        };
        Self::new(code, format!("the database refused: {error}")).with_source(error)
    }
}
