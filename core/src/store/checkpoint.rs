//! Checkpoints: a thread of its own moves the content of the write-ahead log into the database.
//!
//! By default SQLite lets the writer make checkpoints, which delays every write that arrives in the meantime. Here writes continue
//! during a checkpoint. But under constant writes the log would never restart from its beginning and would grow long. The writer
//! therefore finishes the checkpoint of a long log between two commits, once little of it is left to move. If a reader still needs
//! the log, the writer gives up after a moment. <https://sqlite.org/wal.html#ckpt>.

use super::connection::{self, LOCK_TIMEOUT};
use crate::error::Result;
use crate::log;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Number of writes after which a checkpoint is due.
const WRITES: usize = 1000;

/// Growth of the log file in bytes after which a checkpoint is due before [`WRITES`] is reached. Large pictures cause it.
const GROWTH: u64 = 4 << 20;

/// Number of pages above which a log counts as long.
const LONG_LOG: i64 = 8 << 10;

/// Largest number of pages of a long log that the writer moves itself.
const WRITER_PAGES: i64 = 1 << 10;

/// Size in bytes above which the log file is truncated.
const LARGEST_FILE: u64 = 256 << 20;

/// How long the writer waits for readers of a long log. The next checkpoint tries again.
const READER_TIMEOUT: Duration = Duration::from_millis(10);

/// Tells the thread when a checkpoint is due.
pub(super) struct Checkpoints {
    due: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Whether the log is long and nearly all of it was moved.
    long: Arc<AtomicBool>,
    log: PathBuf,
    writes: usize,
    size: u64,
}

impl Checkpoints {
    pub(super) fn start(database: &Path) -> Result<Self> {
        let connection = connection::open(database)?;
        let mut log = database.as_os_str().to_owned();
        log.push("-wal");
        let (due, wanted) = sync_channel(1);
        let long = Arc::new(AtomicBool::new(false));
        let found_long = Arc::clone(&long);
        let thread = log::spawn("must-checkpoint", move || serve(&connection, &wanted, &found_long))?;
        Ok(Self { due: Some(due), thread: Some(thread), long, log: PathBuf::from(log), writes: 0, size: 0 })
    }

    /// Counts writes that this connection committed, and requests a checkpoint if one is due.
    pub(super) fn committed(&mut self, connection: &Connection, writes: usize) {
        self.writes += writes;
        let size = size(&self.log);
        if self.long.swap(false, Ordering::AcqRel) {
            finish(connection, size);
        }
        // The file is smaller if it was truncated.
        self.size = self.size.min(size);
        if self.writes < WRITES && size < self.size.saturating_add(GROWTH) {
            return;
        }
        // If an earlier request for a checkpoint still waits, sending fails and the next commit tries again.
        if self.due.as_ref().is_some_and(|due| due.try_send(()).is_ok()) {
            (self.writes, self.size) = (0, size);
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.due = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(connection: &Connection, due: &Receiver<()>, long: &AtomicBool) {
    while due.recv().is_ok() {
        let Some((pages, moved)) = checkpoint(connection, "PRAGMA wal_checkpoint(PASSIVE)") else { continue };
        // If a reader prevents many pages from being moved, the writer does not try to move the rest.
        if pages > LONG_LOG && pages - moved <= WRITER_PAGES {
            long.store(true, Ordering::Release);
        }
    }
}

/// Moves the rest, so that the next write restarts the log from its beginning.
fn finish(connection: &Connection, size: u64) {
    let how = match size > LARGEST_FILE {
        true => "PRAGMA wal_checkpoint(TRUNCATE)",
        false => "PRAGMA wal_checkpoint(RESTART)",
    };
    if connection.busy_timeout(READER_TIMEOUT).is_ok() {
        checkpoint(connection, how);
        let _ = connection.busy_timeout(LOCK_TIMEOUT);
    }
}

/// Makes a checkpoint. Returns the number of pages in the log and how many of them were moved. A failed checkpoint loses nothing:
/// the next one does its work.
fn checkpoint(connection: &Connection, how: &'static str) -> Option<(i64, i64)> {
    connection
        .query_row(how, [], |row| Ok((row.get(1)?, row.get(2)?)))
        .inspect_err(|error| tracing::warn!(%error, "a checkpoint of the database failed"))
        .ok()
}

fn size(log: &Path) -> u64 {
    std::fs::metadata(log).map_or(0, |data| data.len())
}
