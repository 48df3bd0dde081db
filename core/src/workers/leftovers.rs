//! What a worker may be doing for nothing: submissions that it may have taken and that another place took over since, and tasks that
//! ended here without its knowing. Both are noted in the transaction that makes them so.
//!
//! Owns the tables `worker_abandoned` and `worker_given_up`.

use crate::error::Result;
use crate::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use std::sync::Arc;

/// How long a submission that may have been taken is worth ending: workers remember keys for a day.
const LIFE_MS: i64 = 24 * 3600 * 1000;

/// Most submissions that are kept for one worker; the oldest go first. One that is never ended there only wastes its time.
const MOST: u32 = 64;

/// A submission that a worker may have taken.
#[derive(Debug, Clone)]
pub(super) struct Abandoned {
    pub(super) workspace: String,
    /// The idempotency key of the submission.
    pub(super) key: String,
    pub(super) request: Arc<[u8]>,
}

/// Keeps a submission for as long as its worker is an account.
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
        .execute(params![abandoned.workspace, MOST])?;
    Ok(())
}

/// Lets a submission go.
pub(super) fn forget(connection: &Connection, workspace: &str, key: &str) -> Result<()> {
    connection
        .prepare_cached("DELETE FROM worker_abandoned WHERE workspace = ? AND key = ?")?
        .execute(params![workspace, key])?;
    Ok(())
}

/// Lets all of a workspace go, with its account.
pub(super) fn forget_all(connection: &Connection, workspace: &str) -> Result<()> {
    connection.prepare_cached("DELETE FROM worker_abandoned WHERE workspace = ?")?.execute([workspace])?;
    connection.prepare_cached("DELETE FROM worker_given_up WHERE workspace = ?")?.execute([workspace])?;
    Ok(())
}

/// Lets a task go: its worker knows how it ended.
pub(super) fn heard(connection: &Connection, id: &str) -> Result<()> {
    connection.prepare_cached("DELETE FROM worker_given_up WHERE id = ?")?.execute([id])?;
    Ok(())
}

/// The first submission after `key` that is still worth ending.
pub(super) fn next(
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

/// The first task after `id` that was given up.
pub(super) fn next_given_up(connection: &Connection, workspace: &str, id: &str) -> Result<Option<String>> {
    let mut statement = connection
        .prepare_cached("SELECT id FROM worker_given_up WHERE workspace = ? AND id > ? ORDER BY id LIMIT 1")?;
    Ok(statement.query_row([workspace, id], |row| row.get(0)).optional()?)
}

/// Workspaces that are ready and have something to end: what an end of the platform cut short, or what was noted since.
pub(super) fn left_at(connection: &Connection) -> Result<Vec<String>> {
    let mut statement = connection.prepare_cached(
        "SELECT workspace FROM worker_account
         WHERE status = 'ready' AND workspace IN (SELECT workspace FROM worker_abandoned UNION SELECT workspace FROM worker_given_up)",
    )?;
    Ok(statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}
