//! Opens connections, all with the same options, and keeps a pool of connections for readers.

use crate::error::{Error, ErrorCode, Result};
use parking_lot::{Condvar, Mutex};
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// SQLite before 3.51.3 can lose commits in WAL mode with several connections: <https://sqlite.org/wal.html#walresetbug>.
const OLDEST_SQLITE: i32 = 3_051_003;

/// How long a connection waits for the lock of another one.
pub(super) const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// Largest number of reading connections that are open at once. Further readers wait until one is free.
const MOST_READERS: usize = 8;

pub(super) fn check_library_version() -> Result<()> {
    let found = rusqlite::version_number();
    if found < OLDEST_SQLITE {
        return Err(Error::new(
            ErrorCode::DependencyUnavailable,
            format!("SQLite {} is too old to be safe; 3.51.3 or newer is needed", rusqlite::version()),
        )
        .with_action("Link MUST with its bundled SQLite."));
    }
    Ok(())
}

pub(super) fn open(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(LOCK_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

fn open_reader(path: &Path) -> Result<Connection> {
    let connection = open(path)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

pub(super) fn check_integrity(connection: &Connection) -> Result<()> {
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" {
        Ok(())
    } else {
        Err(Error::new(ErrorCode::StorageCorrupt, format!("the database failed its check: {verdict}")))
    }
}

/// A pool of reading connections, which are opened when they are needed.
pub(super) struct Readers {
    path: PathBuf,
    state: Mutex<ReadersState>,
    freed: Condvar,
}

struct ReadersState {
    idle: Vec<Connection>,
    open: usize,
    closed: bool,
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            state: Mutex::new(ReadersState { idle: Vec::new(), open: 0, closed: false }),
            freed: Condvar::new(),
        }
    }

    pub(super) fn with<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let checkout = Checkout { readers: self, connection: Some(self.take()?) };
        match &checkout.connection {
            Some(connection) => work(connection),
            None => Err(Error::internal("a reading connection is missing")),
        }
    }

    pub(super) fn any_idle(&self) -> bool {
        !self.state.lock().idle.is_empty()
    }

    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.open -= state.idle.len();
        state.idle.clear();
        self.freed.notify_all();
    }

    fn take(&self) -> Result<Connection> {
        let mut state = self.state.lock();
        loop {
            if state.closed {
                return Err(closed());
            }
            if let Some(connection) = state.idle.pop() {
                return Ok(connection);
            }
            if state.open < MOST_READERS {
                state.open += 1;
                drop(state);
                return open_reader(&self.path).inspect_err(|_| {
                    self.state.lock().open -= 1;
                    self.freed.notify_one();
                });
            }
            self.freed.wait(&mut state);
        }
    }
}

/// A connection in use. It returns to the pool on drop, also when the reader panics.
struct Checkout<'a> {
    readers: &'a Readers,
    connection: Option<Connection>,
}

impl Drop for Checkout<'_> {
    fn drop(&mut self) {
        let mut state = self.readers.state.lock();
        match self.connection.take() {
            Some(connection) if !state.closed => state.idle.push(connection),
            _ => state.open -= 1,
        }
        self.readers.freed.notify_one();
    }
}

pub(super) fn closed() -> Error {
    Error::closed("the platform is closed")
}
