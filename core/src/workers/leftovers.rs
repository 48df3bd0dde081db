//! Records of work at workers that nobody needs any more: submissions that a worker may have received and that now run elsewhere,
//! and tasks that were failed here without the worker's knowledge. A record is written in the same transaction as the change that
//! causes it.
//!
//! Owns the tables `worker_abandoned` and `worker_given_up`.

use crate::error::Result;
use crate::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use std::sync::Arc;

/// How long the record of a submission is kept. Workers remember keys for a day.
const LIFE_MS: i64 = 24 * 3600 * 1000;

/// Largest number of submissions that are recorded for one worker. The oldest are deleted first. One that is never cancelled there only
/// wastes the worker's time.
const MOST_PER_WORKER: u32 = 64;

/// A submission that a worker may have received.
#[derive(Debug, Clone)]
pub(super) struct Abandoned {
    pub(super) workspace: String,
    /// The idempotency key of the submission.
    pub(super) key: String,
    pub(super) request: Arc<[u8]>,
}

/// Records a submission. Does nothing if its workspace is no longer registered.
pub(super) fn keep(connection: &Connection, abandoned: &Abandoned, now: Timestamp) -> Result<()> {
    connection.prepare_cached("DELETE FROM worker_abandoned WHERE created_at < ?")?.execute([now.0 - LIFE_MS])?;
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO worker_abandoned (workspace, key, request, created_at)
             SELECT ?1, ?2, ?3, ?4 WHERE EXISTS (SELECT 1 FROM worker_account WHERE workspace = ?1)",
        )?
        .execute(params![abandoned.workspace, abandoned.key, &*abandoned.request, now.0])?;
    connection
        .prepare_cached(
            "DELETE FROM worker_abandoned WHERE workspace = ?1 AND key IN (
                 SELECT key FROM worker_abandoned WHERE workspace = ?1 ORDER BY created_at DESC, key LIMIT -1 OFFSET ?2)",
        )?
        .execute(params![abandoned.workspace, MOST_PER_WORKER])?;
    Ok(())
}

/// Deletes the record of a submission.
pub(super) fn forget(connection: &Connection, workspace: &str, key: &str) -> Result<()> {
    connection
        .prepare_cached("DELETE FROM worker_abandoned WHERE workspace = ? AND key = ?")?
        .execute(params![workspace, key])?;
    Ok(())
}

/// Deletes all records of a workspace, together with its account.
pub(super) fn forget_all(connection: &Connection, workspace: &str) -> Result<()> {
    connection.prepare_cached("DELETE FROM worker_abandoned WHERE workspace = ?")?.execute([workspace])?;
    connection.prepare_cached("DELETE FROM worker_given_up WHERE workspace = ?")?.execute([workspace])?;
    Ok(())
}

/// Deletes the record of a task whose worker knows that it has ended.
pub(super) fn forget_given_up(connection: &Connection, id: &str) -> Result<()> {
    connection.prepare_cached("DELETE FROM worker_given_up WHERE id = ?")?.execute([id])?;
    Ok(())
}

/// Returns the first recorded submission after `key`.
pub(super) fn next_abandoned(
    connection: &Connection,
    workspace: &str,
    key: &str,
    now: Timestamp,
) -> Result<Option<(String, Vec<u8>)>> {
    let mut statement = connection.prepare_cached(
        "SELECT key, request FROM worker_abandoned WHERE workspace = ? AND key > ? AND created_at >= ? ORDER BY key LIMIT 1",
    )?;
    let row = statement.query_row(params![workspace, key, now.0 - LIFE_MS], |row| Ok((row.get(0)?, row.get(1)?)));
    Ok(row.optional()?)
}

/// Returns the first recorded task after `id`.
pub(super) fn next_given_up(connection: &Connection, workspace: &str, id: &str) -> Result<Option<String>> {
    let mut statement = connection
        .prepare_cached("SELECT id FROM worker_given_up WHERE workspace = ? AND id > ? ORDER BY id LIMIT 1")?;
    Ok(statement.query_row([workspace, id], |row| row.get(0)).optional()?)
}

/// Returns the workspaces that are ready and have records.
pub(super) fn with_leftovers(connection: &Connection) -> Result<Vec<String>> {
    let mut statement = connection.prepare_cached(
        "SELECT workspace FROM worker_account
         WHERE status = 'ready' AND workspace IN (SELECT workspace FROM worker_abandoned UNION SELECT workspace FROM worker_given_up)",
    )?;
    Ok(statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}
