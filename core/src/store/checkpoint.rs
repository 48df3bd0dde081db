//! Moving what is in the write-ahead log into the database, on a thread of its own.
//!
//! Done by the writer, as SQLite does it when it is left alone, a checkpoint would hold up every write that comes meanwhile. Here
//! writes go on; only a log that has grown long is finished with writes held back, when little of it is left to move.
//! <https://sqlite.org/wal.html#ckpt>.

use super::connection;
use crate::error::Result;
use crate::thread;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Writes after which a checkpoint is due.
const WRITES: usize = 1000;

/// How long a long log may hold writes back until its readers are gone; the next checkpoint tries again.
const PATIENCE: Duration = Duration::from_millis(10);

/// Growth of the log's file after which it is due sooner: large pictures.
const GROWTH: u64 = 4 << 20;

/// Pages of a log that is long.
const LONG: i64 = 16 << 10;

/// Bytes of a log's file that is given back to the disk.
const LARGEST_FILE: u64 = 256 << 20;

/// Tells the thread when a checkpoint is due.
pub(super) struct Checkpoints {
    due: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    log: PathBuf,
    writes: usize,
    size: u64,
}

impl Checkpoints {
    pub(super) fn start(database: &Path) -> Result<Self> {
        let connection = connection::open(database)?;
        // Finishing a log holds writers back while it waits for readers: not for long, then.
        connection.busy_timeout(PATIENCE)?;
        let mut log = database.as_os_str().to_owned();
        log.push("-wal");
        let log = PathBuf::from(log);
        let (due, wanted) = sync_channel(1);
        let file = log.clone();
        let thread = thread::spawn("must-checkpoint", move || serve(&connection, &wanted, &file))?;
        Ok(Self { due: Some(due), thread: Some(thread), log, writes: 0, size: 0 })
    }

    /// Hears of writes that were committed.
    pub(super) fn committed(&mut self, writes: usize) {
        self.writes += writes;
        let size = size(&self.log);
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

fn serve(connection: &Connection, due: &Receiver<()>, log: &Path) {
    while due.recv().is_ok() {
        let pages = checkpoint(connection, "PRAGMA wal_checkpoint(PASSIVE)");
        if size(log) > LARGEST_FILE {
            checkpoint(connection, "PRAGMA wal_checkpoint(TRUNCATE)");
        } else if pages > LONG {
            checkpoint(connection, "PRAGMA wal_checkpoint(RESTART)");
        }
    }
}

/// Pages in the log; a checkpoint that cannot be made loses nothing, and the next one does its work.
fn checkpoint(connection: &Connection, how: &'static str) -> i64 {
    match connection.query_row(how, [], |row| row.get::<_, i64>(1)) {
        Ok(pages) => pages,
        Err(error) => {
            tracing::warn!(%error, "a checkpoint of the database was not made");
            0
        }
    }
}

fn size(log: &Path) -> u64 {
    std::fs::metadata(log).map_or(0, |data| data.len())
}
