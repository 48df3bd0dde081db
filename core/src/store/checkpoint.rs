//! Moving what is in the write-ahead log into the database, on a thread of its own.
//!
//! Done by the writer, as SQLite does it when it is left alone, a checkpoint would hold up every write that comes meanwhile. Here
//! writes go on. A log that they keep from ever beginning anew grows long; the writer finishes it between two commits, when little
//! of it is left to move, and gives up at once where a reader still needs it. <https://sqlite.org/wal.html#ckpt>.

use super::connection::{self, PATIENCE};
use crate::error::Result;
use crate::log;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Writes after which a checkpoint is due.
const WRITES: usize = 1000;

/// Growth of the log's file after which it is due sooner: large pictures.
const GROWTH: u64 = 4 << 20;

/// Pages of a log that is long.
const LONG: i64 = 8 << 10;

/// Most pages of a long log that the writer moves.
const REST: i64 = 1 << 10;

/// Bytes of a log's file that is given back to the disk.
const LARGEST_FILE: u64 = 256 << 20;

/// How long the writer waits for readers of a log that is long; the next checkpoint tries again.
const MOMENT: Duration = Duration::from_millis(10);

/// Tells the thread when a checkpoint is due.
pub(super) struct Checkpoints {
    due: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Whether the log is long, and nearly all of it is in the database.
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

    /// Hears of writes that were committed by this connection.
    pub(super) fn committed(&mut self, connection: &Connection, writes: usize) {
        self.writes += writes;
        let size = size(&self.log);
        if self.long.swap(false, Ordering::AcqRel) {
            finish(connection, size);
        }
        // It was given back to the disk.
        self.size = self.size.min(size);
        if self.writes < WRITES && size < self.size.saturating_add(GROWTH) {
            return;
        }
        // While one is under way, which does not see the last writes, the next commit asks again.
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
        // While a reader keeps them from being moved, the rest is not the writer's to move.
        if pages > LONG && pages - moved <= REST {
            long.store(true, Ordering::Release);
        }
    }
}

/// Moves the rest, so that the next write begins the log anew.
fn finish(connection: &Connection, size: u64) {
    let how = match size > LARGEST_FILE {
        true => "PRAGMA wal_checkpoint(TRUNCATE)",
        false => "PRAGMA wal_checkpoint(RESTART)",
    };
    if connection.busy_timeout(MOMENT).is_ok() {
        checkpoint(connection, how);
        let _ = connection.busy_timeout(PATIENCE);
    }
}

/// Pages in the log, and how many of them were moved; a checkpoint that cannot be made loses nothing, and the next one does its work.
fn checkpoint(connection: &Connection, how: &'static str) -> Option<(i64, i64)> {
    connection
        .query_row(how, [], |row| Ok((row.get(1)?, row.get(2)?)))
        .inspect_err(|error| tracing::warn!(%error, "a checkpoint of the database was not made"))
        .ok()
}

fn size(log: &Path) -> u64 {
    std::fs::metadata(log).map_or(0, |data| data.len())
}
