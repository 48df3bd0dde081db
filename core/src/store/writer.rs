//! The writer thread. It takes the queued writes, runs them in one transaction, and answers after the commit.

use super::checkpoint::Checkpoints;
use super::connection::closed;
use super::sqlite_locks::Shared;
use crate::error::{Error, ErrorCode, Result};
use parking_lot::Mutex;
use rusqlite::Connection;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc;
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// Largest number of writes that share one commit.
const LARGEST_GROUP: usize = 256;

/// Takes part in every commit of the writer thread.
pub(crate) trait CommitHook: Send {
    /// Runs after the writes of a transaction and before its commit, and may write more. An error undoes the transaction.
    fn before_commit(&mut self, connection: &Connection) -> Result<()>;
    /// Runs after the commit succeeded or failed.
    fn after_commit(&mut self, committed: bool);
}

/// How the changes of a write that fails are undone, while the other writes of its transaction are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Undo {
    /// The write has a savepoint.
    Savepoint,
    /// The write executes at most one statement that changes something, and does nothing after it that can fail. SQLite undoes the
    /// changes of a statement that fails. This costs less than a savepoint. If such a write fails after a change, all writes of its
    /// transaction are undone and fail.
    Statement,
}

/// A queued write. It runs once and then gets the outcome of the commit. Both may panic.
trait Job: Send {
    fn undo(&self) -> Undo;
    /// Does the work. Its changes are undone if it returns an error.
    fn run(&mut self, connection: &Connection) -> Result<(), ErrorCode>;
    /// Answers the caller. `commit` is the outcome of the transaction.
    fn finish(self: Box<Self>, commit: &Result<()>);
}

struct Write<T, F, D> {
    undo: Undo,
    work: Option<F>,
    outcome: Option<Result<T>>,
    done: D,
}

impl<T, F, D> Job for Write<T, F, D>
where
    T: Send,
    F: FnOnce(&Connection) -> Result<T> + Send,
    D: FnOnce(Result<T>) + Send,
{
    fn undo(&self) -> Undo {
        self.undo
    }

    fn run(&mut self, connection: &Connection) -> Result<(), ErrorCode> {
        let Some(work) = self.work.take() else { return Err(ErrorCode::Internal) };
        // This stays the outcome if the work panics.
        self.outcome = Some(Err(Error::internal("a write panicked")));
        let outcome = work(connection);
        let verdict = outcome.as_ref().map(drop).map_err(Error::code);
        self.outcome = Some(outcome);
        verdict
    }

    fn finish(self: Box<Self>, commit: &Result<()>) {
        let outcome = match (self.outcome, commit) {
            (Some(Err(error)), _) => Err(error),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (_, Err(error)) => Err(error.clone()),
            (None, Ok(())) => Err(Error::internal("a write was not run")),
        };
        (self.done)(outcome);
    }
}

pub(super) struct Writer {
    inbox: Mutex<Option<mpsc::Sender<Box<dyn Job>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the thread. `shared` prevents exclusive locks of others while the thread runs.
    pub(super) fn start(
        connection: Connection,
        database: &Path,
        mut hook: Option<Box<dyn CommitHook>>,
        shared: Shared,
    ) -> Result<Self> {
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        let checkpoints = Checkpoints::start(database)?;
        let (sender, receiver) = mpsc::channel();
        let work = move || {
            serve(&connection, &receiver, &mut hook, checkpoints);
            // When the last connection closes, it locks the database exclusively and deletes the empty log.
            shared.release();
            drop(connection);
            drop(shared);
        };
        let thread = crate::log::spawn("must-writer", work)?;
        Ok(Self { inbox: Mutex::new(Some(sender)), thread: Mutex::new(Some(thread)) })
    }

    /// Queues a write. The returned channel gets its outcome after the commit.
    pub(super) fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<T>>> {
        let (reply, answer) = oneshot::channel();
        // If nobody waits for the outcome, sending fails, which is fine.
        self.write_then(Undo::Savepoint, work, move |outcome| drop(reply.send(outcome)))?;
        Ok(answer)
    }

    pub(super) fn write_later(&self, work: impl FnOnce(&Connection) -> Result<()> + Send + 'static) {
        // If the platform is closed, the write is dropped.
        let _ = self.write_then(Undo::Savepoint, work, |outcome| {
            if let Err(error) = outcome {
                tracing::warn!(code = error.code().as_str(), detail = error.detail(), "a background write failed");
            }
        });
    }

    pub(super) fn write_then<T: Send + 'static>(
        &self,
        undo: Undo,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
        done: impl FnOnce(Result<T>) + Send + 'static,
    ) -> Result<()> {
        let job = Box::new(Write { undo, work: Some(work), outcome: None, done });
        self.queue(job)
    }

    fn queue(&self, job: Box<dyn Job>) -> Result<()> {
        self.inbox.lock().as_ref().ok_or_else(closed)?.send(job).map_err(|_| closed())
    }

    pub(super) fn close(&self) {
        *self.inbox.lock() = None;
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

fn serve(
    connection: &Connection,
    inbox: &mpsc::Receiver<Box<dyn Job>>,
    hook: &mut Option<Box<dyn CommitHook>>,
    mut checkpoints: Checkpoints,
) {
    while let Ok(first) = inbox.recv() {
        let mut group = vec![first];
        while group.len() < LARGEST_GROUP {
            match inbox.try_recv() {
                Ok(job) => group.push(job),
                Err(_) => break,
            }
        }
        let commit = run_group(connection, &mut group, hook);
        if let Some(hook) = hook {
            hook.after_commit(commit.is_ok());
        }
        let writes = group.len();
        for job in group {
            if catch_unwind(AssertUnwindSafe(|| job.finish(&commit))).is_err() {
                tracing::error!("the callback of a write panicked");
            }
        }
        checkpoints.committed(connection, writes);
    }
    drop(checkpoints);
    // A clean close leaves no write-ahead log behind. If this fails, the next opening reads the log.
    let _ = connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
}

fn run_group(
    connection: &Connection,
    group: &mut [Box<dyn Job>],
    hook: &mut Option<Box<dyn CommitHook>>,
) -> Result<()> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let outcome = (|| -> Result<()> {
        for job in group.iter_mut() {
            let (has_savepoint, changes) = (job.undo() == Undo::Savepoint, connection.total_changes());
            if has_savepoint {
                connection.prepare_cached("SAVEPOINT job")?.execute([])?;
            }
            let ran = catch_unwind(AssertUnwindSafe(|| job.run(connection)));
            if let Err(code) = ran.unwrap_or(Err(ErrorCode::Internal)) {
                if connection.is_autocommit() {
                    // SQLite has rolled back the whole transaction, as it may when the disk is full.
                    return Err(Error::new(code, "the write was rolled back together with one that failed"));
                }
                if has_savepoint {
                    connection.prepare_cached("ROLLBACK TO job")?.execute([])?;
                } else if connection.total_changes() != changes {
                    return Err(Error::internal("a write without a savepoint failed after it had changed something"));
                }
            }
            if has_savepoint {
                connection.prepare_cached("RELEASE job")?.execute([])?;
            }
        }
        if let Some(hook) = hook {
            hook.before_commit(connection)?;
        }
        connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    })();
    if outcome.is_err() && !connection.is_autocommit() {
        let _ = connection.execute_batch("ROLLBACK");
    }
    outcome
}
