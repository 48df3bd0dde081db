//! The engine room: one SQLite database in the data folder, one thread that writes it, connections beside it that read.
//!
//! Owns connections, transactions, migrations and the folder's lock; knows no table. What always holds: a write that was
//! acknowledged is on disk (WAL, `synchronous=FULL`); a write that failed left nothing behind; one process has the folder; another
//! SQLite that opens the database, in this process or another, takes nothing away.
//! Any thread may call [`Store::read`] and [`Store::write`]; closures run with a connection of their own for as long as they last.

mod checkpoint;
mod connection;
mod copy;
mod lock;
mod locks;
mod migrate;
mod writer;

use crate::error::{Error, ErrorCode, Result};
use connection::Readers;
pub(crate) use copy::DatabaseCopy;
use lock::FolderLock;
pub(crate) use migrate::Migration;
use parking_lot::Mutex;
use rusqlite::Connection;
use std::future::Future;
use std::path::{Path, PathBuf};
use tokio::sync::oneshot;
pub(crate) use writer::CommitHook;
use writer::Writer;

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
        locks::install();
        let path = database_path(folder);
        let mut first = connection::open(&path)?;
        // Not before: to begin a log, SQLite needs the database alone.
        let shared = locks::Shared::take(&path)?;
        connection::check_integrity(&first)?;
        migrate::run(&mut first, migrations)?;
        Ok(Self {
            writer: Writer::start(first, &path, hook, shared)?,
            readers: Readers::new(path.clone()),
            path,
            lock: Mutex::new(Some(lock)),
        })
    }

    /// Runs `work` in a transaction on the writer thread and returns once it is durable. Writes that arrive together share
    /// one commit; each has a savepoint of its own, so that one that fails takes nothing else with it.
    pub(crate) fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.writer.write(work)
    }

    /// Like [`Store::write`], without blocking a thread. The write is handed in at once, and is done even when nobody waits for it.
    pub(crate) fn write_async<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> impl Future<Output = Result<T>> + Send + 'static {
        let (reply, answer) = oneshot::channel();
        let handed_in = self.writer.write_then(work, move |outcome| drop(reply.send(outcome)));
        async move {
            handed_in?;
            answer.await.map_err(|_| connection::closed())?
        }
    }

    /// Like [`Store::write`], without waiting for it or hearing how it went: for what may be lost in a crash.
    pub(crate) fn write_later(&self, work: impl FnOnce(&Connection) -> Result<()> + Send + 'static) {
        self.writer.write_later(work);
    }

    /// Like [`Store::write`], without waiting: `done` hears how it went, after the commit, on the writer thread. It holds up every
    /// other write, so it must be short, and never writes and waits itself.
    ///
    /// # Errors
    /// `invalid_state` when the store is closed; `done` is dropped then.
    pub(crate) fn write_then<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
        done: impl FnOnce(Result<T>) + Send + 'static,
    ) -> Result<()> {
        self.writer.write_then(work, done)
    }

    /// Runs `work` on a reading connection: it sees what was committed before it began.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.readers.with(work)
    }

    /// Whether a connection stands idle, so that reading a row now waits for nobody.
    pub(crate) fn has_idle_reader(&self) -> bool {
        self.readers.any_idle()
    }

    /// Finishes what was handed in, then closes every connection. Later calls get `invalid_state`.
    pub(crate) fn close(&self) {
        self.readers.close();
        self.writer.close();
        *self.lock.lock() = None;
    }
}

/// Where the database of a data folder is.
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

/// How SQLite's failures read to callers.
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
