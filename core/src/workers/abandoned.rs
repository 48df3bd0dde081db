//! What a worker may be doing for nothing, and is to end when it is back: submissions that it may or may not have taken before it
//! fell silent, and that another place took over since; and tasks that it took, and that ended here without its knowing. Both are
//! noted in the transaction that makes them so. The same submission again tells the id that it has there.
//!
//! Owns the tables `worker_abandoned` and `worker_given_up`.

use super::address::split_id;
use super::client::Target;
use super::dispatch::submit_to;
use super::follow::cancel_there;
use super::protocol::{Verdict, unexpected};
use super::proxy::delete_there;
use super::service::Shared;
use crate::error::{Error, Result};
use crate::store::Migration;
use crate::time::Timestamp;
use http::{Method, StatusCode};
use rusqlite::{Connection, OptionalExtension as _, params};
use std::sync::Arc;

pub(crate) const MIGRATION: Migration = Migration { name: "given_up_tasks", sql: include_str!("given_up.sql") };

/// How long a submission that may have been taken is worth ending: workers remember keys for a day.
const LIFE_MS: i64 = 24 * 3600 * 1000;

/// Most submissions that are kept for one worker; the oldest go first. One that is never ended there only wastes its time.
const MOST: u32 = 64;

/// A submission that a worker may have taken.
#[derive(Debug, Clone)]
pub(super) struct Left {
    pub(super) workspace: String,
    /// The idempotency key of the submission.
    pub(super) key: String,
    pub(super) request: Arc<[u8]>,
}

/// Keeps a submission for as long as its worker is an account.
pub(super) fn keep(connection: &Connection, left: &Left, now: Timestamp) -> Result<()> {
    connection.prepare_cached("DELETE FROM worker_abandoned WHERE created_at < ?")?.execute([now.0 - LIFE_MS])?;
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO worker_abandoned (workspace, key, request, created_at)
             SELECT ?1, ?2, ?3, ?4 WHERE EXISTS (SELECT 1 FROM worker_account WHERE workspace = ?1)",
        )?
        .execute(params![left.workspace, left.key, &*left.request, now.0])?;
    connection
        .prepare_cached(
            "DELETE FROM worker_abandoned WHERE workspace = ?1 AND key IN (
                 SELECT key FROM worker_abandoned WHERE workspace = ?1 ORDER BY created_at DESC, key LIMIT -1 OFFSET ?2)",
        )?
        .execute(params![left.workspace, MOST])?;
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
fn next(connection: &Connection, workspace: &str, key: &str, now: Timestamp) -> Result<Option<(String, Vec<u8>)>> {
    let mut statement = connection.prepare_cached(
        "SELECT key, request FROM worker_abandoned WHERE workspace = ? AND key > ? AND created_at >= ? ORDER BY key LIMIT 1",
    )?;
    let row = statement.query_row(params![workspace, key, now.0 - LIFE_MS], |row| Ok((row.get(0)?, row.get(1)?)));
    Ok(row.optional()?)
}

/// The first task after `id` that was given up.
fn next_given_up(connection: &Connection, workspace: &str, id: &str) -> Result<Option<String>> {
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

/// Ends, at a worker that is back, what it may be doing for nothing. What cannot be ended now stays for the next time.
pub(super) async fn end_all(shared: &Arc<Shared>, workspace: &str) {
    end_submissions(shared, workspace).await;
    end_given_up(shared, workspace).await;
}

async fn end_submissions(shared: &Arc<Shared>, workspace: &str) {
    let mut after = String::new();
    loop {
        let (place, last) = (workspace.to_owned(), after.clone());
        let found = shared.blocking(move |shared| {
            let now = shared.clock.now();
            let Some(found) = shared.store.read(|connection| next(connection, &place, &last, now))? else {
                return Ok(None);
            };
            Ok(Some((shared.target_of(&place)?, found)))
        });
        let (target, (key, request)) = match found.await {
            Ok(Some(found)) => found,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(workspace, code = error.code().as_str(), "abandoned tasks could not be looked for");
                return;
            }
        };
        let known = match submit_to(shared, &target, &key, &request, None).await {
            Ok(Verdict::Accepted(id)) => match cancel_there(shared, &target, &id).await {
                Ok(()) => {
                    // It may have been faster. One that is only now being stopped leaves a row there, and nothing else.
                    let _ = delete_there(shared, &target, &id).await;
                    Ok(())
                }
                Err(error) => Err(error),
            },
            // It looked for the key, does not have it, and does not want it.
            Ok(Verdict::Refused { sure: true, .. }) => Ok(()),
            Ok(Verdict::Refused { error, .. } | Verdict::Unclear(error)) => Err(error),
            Err(reason) => Err(Error::from(reason)),
        };
        if let Err(error) = known {
            tracing::warn!(workspace, detail = error.detail(), "an abandoned task could not be ended");
            return;
        }
        let (place, ended) = (workspace.to_owned(), key.clone());
        let forgotten =
            shared.blocking(move |shared| shared.store.write(move |connection| forget(connection, &place, &ended)));
        if let Err(error) = forgotten.await {
            tracing::warn!(workspace, code = error.code().as_str(), "an abandoned task could not be forgotten");
            return;
        }
        after = key;
    }
}

async fn end_given_up(shared: &Arc<Shared>, workspace: &str) {
    let mut after = String::new();
    loop {
        let place = workspace.to_owned();
        let found = shared.blocking(move |shared| {
            let Some(id) = shared.store.read(|connection| next_given_up(connection, &place, &after))? else {
                return Ok(None);
            };
            Ok(Some((shared.target_of(&place)?, id)))
        });
        let (target, id) = match found.await {
            Ok(Some(found)) => found,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(
                    workspace,
                    code = error.code().as_str(),
                    "tasks that were given up could not be looked for"
                );
                return;
            }
        };
        match end_there(shared, &target, &id).await {
            Ok(true) => {
                let ended = id.clone();
                let noted =
                    shared.blocking(move |shared| shared.store.write(move |connection| heard(connection, &ended)));
                if let Err(error) = noted.await {
                    tracing::warn!(workspace, code = error.code().as_str(), "the end of a task could not be noted");
                    return;
                }
            }
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(workspace, detail = error.detail(), "a task that was given up could not be ended");
                return;
            }
        }
        after = id;
    }
}

/// Ends a task at its worker and removes what it has of it; false while it is only being stopped there.
async fn end_there(shared: &Arc<Shared>, target: &Target, id: &str) -> Result<bool> {
    let Some((_, remote_id)) = split_id(id)? else { return Ok(true) };
    cancel_there(shared, target, remote_id).await?;
    let ask = shared.client.ask(Method::DELETE, format!("/gallery/{remote_id}"));
    let answer = shared.client.send(target, ask).await.map_err(Error::from)?;
    match answer.status {
        StatusCode::CONFLICT => Ok(false),
        status if status.is_server_error() => {
            Err(unexpected(target, &format!("does not delete a task: status {}", status.as_u16())))
        }
        _ => Ok(true),
    }
}
