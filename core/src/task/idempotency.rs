//! Idempotency keys make submissions safe to repeat: a repeated submission returns the task that the first one made.
//!
//! Owns the table `submission_key`. Invariants: a key is written in the same transaction as its task; one key of one owner belongs
//! to one request; a key is deleted with its task, or after a day. A repeated submission makes a new task in two cases: if the
//! first task was ended because its caller had gone, or if it failed in a way that may not happen again
//! (`ErrorCode::is_retryable`).

use crate::error::{Error, ErrorCode, Result};
use crate::request::GenerateRequest;
use crate::store::Migration;
use crate::time::Timestamp;
use ring::digest::{Context, SHA256};
use rusqlite::{Connection, OptionalExtension, params};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

pub(crate) const MIGRATION: Migration = Migration { name: "submission_keys", sql: include_str!("idempotency.sql") };

/// Largest number of bytes in a key.
const LONGEST_KEY: usize = 255;

/// How long a key is remembered.
const LIFE_MS: i64 = 24 * 3600 * 1000;

/// A caller's key for one submission. For a day, the same key of the same owner returns the same task. If that task failed for a
/// reason that may have passed (`task_stale`, `remote_failed`, `storage_full` and others), a new task is made.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Idempotency {
    /// The owner of the key. Equal keys of different owners are different keys.
    pub owner: String,
    /// 1 to 255 visible ASCII characters.
    pub key: String,
}

/// A key and the request submitted with it, as hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Submission {
    key: Vec<u8>,
    request: Vec<u8>,
}

impl Submission {
    /// Makes the hashes. Equal keys of tasks of different owners are different keys, even if the host gives the same key owner.
    ///
    /// # Errors
    /// `validation_error` if the key is malformed.
    pub(super) fn new(idempotency: &Idempotency, task_owner: Option<&str>, request: &GenerateRequest) -> Result<Self> {
        let Idempotency { owner, key } = idempotency;
        if key.is_empty() || key.len() > LONGEST_KEY || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::validation(format!(
                "an idempotency key must be 1 to {LONGEST_KEY} visible ASCII characters"
            ))
            .with_action("Send a new random id with each submission, and the same id when you repeat it."));
        }
        let mut parameters = Value::Object(request.parameters.clone());
        parameters.sort_all_objects();
        let parameters = parameters.to_string();
        let mode = request.mode.as_deref().unwrap_or_default();
        let images = request.images.iter().flat_map(|(name, bytes)| [name.as_bytes(), bytes]);
        let parts = [request.model.as_bytes(), mode.as_bytes(), parameters.as_bytes()];
        Ok(Self {
            key: digest([owner.as_bytes(), key.as_bytes()].into_iter().chain(task_owner.map(str::as_bytes))),
            request: digest(parts.into_iter().chain(images)),
        })
    }

    /// Returns the id of the task that a repeated submission gets. Returns `None` if no task was made with this key in the last 24
    /// hours, or if it failed in a way that may not happen again.
    ///
    /// # Errors
    /// `validation_error` if the key was used for a different request.
    pub(super) fn find(&self, connection: &Connection, now: Timestamp) -> Result<Option<String>> {
        let mut statement = connection.prepare_cached(
            "SELECT key.request, key.task_id, task.error_code FROM submission_key AS key JOIN task ON task.id = key.task_id
             WHERE key.key = ? AND key.created_at >= ?",
        )?;
        let row =
            statement.query_row(params![self.key, now.0 - LIFE_MS], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        let found: Option<(Vec<u8>, String, Option<String>)> = row.optional()?;
        let Some((request, id, failed)) = found else { return Ok(None) };
        if request != self.request {
            return Err(Error::validation("this idempotency key was used for a different request")
                .with_action("Use a new key for each new request."));
        }
        let may_succeed_now = failed.and_then(|code| ErrorCode::from_name(&code)).is_some_and(ErrorCode::is_retryable);
        Ok(Some(id).filter(|_| !may_succeed_now))
    }

    /// Stores the key of a task, in the transaction that makes the task.
    pub(super) fn keep(&self, connection: &Connection, task: &str, now: Timestamp) -> Result<()> {
        connection.prepare_cached("DELETE FROM submission_key WHERE created_at < ?")?.execute([now.0 - LIFE_MS])?;
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO submission_key (key, request, task_id, created_at) VALUES (?, ?, ?, ?)",
            )?
            .execute(params![self.key, self.request, task, now.0])?;
        Ok(())
    }
}

/// Forgets the key of a task that will be ended because its caller has gone. The key of a task that has already ended is kept.
pub(super) fn forget(connection: &Connection, task: &str) -> Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM submission_key
             WHERE task_id IN (SELECT id FROM task WHERE id = ? AND status IN ('pending', 'processing'))",
        )?
        .execute([task])?;
    Ok(())
}

/// Returns the SHA-256 of several parts. Each part is preceded by its length.
fn digest<'a>(parts: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    context.finish().as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;
    use crate::task::store as tasks;
    use crate::{Platform, Settings, Status, SubmitOptions, TaskQuery};
    use std::time::Duration;

    fn options() -> SubmitOptions {
        SubmitOptions::default().idempotency("somebody", "once")
    }

    fn request() -> GenerateRequest {
        GenerateRequest::new("tiny-image", "a circle").set("seed", 3)
    }

    /// Opens a platform that runs no tasks.
    fn open(folder: &std::path::Path) -> Platform {
        let mut settings = Settings::new(folder);
        settings.paused = true;
        Platform::open(settings).unwrap()
    }

    fn close(platform: &Platform) {
        platform.close(Duration::from_secs(10)).unwrap();
    }

    /// Ends a task as its run would have, while the platform is closed.
    fn end(folder: &std::path::Path, id: &str, code: ErrorCode) {
        let store = Store::open(folder, crate::platform::MIGRATIONS, None).unwrap();
        let id = id.to_owned();
        assert!(
            store
                .write(move |connection| {
                    tasks::fail(connection, &id, None, &Error::new(code, "as it happens"), Timestamp::now())
                })
                .unwrap()
        );
        store.close();
    }

    #[test]
    fn a_repeated_submission_after_a_retryable_failure_makes_a_new_task() {
        for &code in ErrorCode::ALL {
            let folder = tempfile::tempdir().unwrap();
            let platform = open(folder.path());
            let first = platform.submit_with(&request(), &options()).unwrap();
            close(&platform);
            end(folder.path(), &first.id, code);
            let platform = open(folder.path());
            let again = platform.submit_with(&request(), &options()).unwrap();
            assert_eq!(again.id != first.id, code.is_retryable(), "{code}");
            let third = platform.submit_with(&request(), &options()).unwrap();
            assert_eq!(third.id, again.id, "the key belongs to the newest task");
            let other = platform.submit_with(&request().set("seed", 4), &options()).unwrap_err();
            assert_eq!(other.code(), ErrorCode::ValidationError, "the key belongs to one request only");
            close(&platform);
        }
    }

    #[test]
    fn a_repeated_submission_returns_a_cancelled_task_but_not_an_abandoned_one() {
        let folder = tempfile::tempdir().unwrap();
        let platform = open(folder.path());
        let first = platform.submit_with(&request(), &options()).unwrap();
        assert!(platform.abandon(&first.id).unwrap());
        assert_eq!(platform.status(&first.id).unwrap().error.unwrap().code, "cancelled");
        let second = platform.submit_with(&request(), &options()).unwrap();
        assert_ne!(second.id, first.id);
        assert!(platform.cancel(&second.id).unwrap());
        assert_eq!(platform.submit_with(&request(), &options()).unwrap().id, second.id);
        assert!(!platform.abandon(&second.id).unwrap(), "an ended task cannot be abandoned");
        assert_eq!(platform.submit_with(&request(), &options()).unwrap().id, second.id);
        assert_eq!(platform.abandon("nobody").unwrap_err().code(), ErrorCode::TaskNotFound);
        close(&platform);
    }

    /// The time limit passed while the platform was closed, which is not the caller's fault.
    #[test]
    fn a_retry_after_a_task_became_stale_while_the_platform_was_closed_makes_a_new_task() {
        let folder = tempfile::tempdir().unwrap();
        let platform = open(folder.path());
        let first = platform.submit_with(&request(), &options()).unwrap();
        close(&platform);
        let store = Store::open(folder.path(), crate::platform::MIGRATIONS, None).unwrap();
        let id = first.id.clone();
        store
            .write(move |connection| {
                tasks::claim(connection, &id, 0, Timestamp::now())?;
                Ok(connection.execute("UPDATE task SET started_at = 1", [])?)
            })
            .unwrap();
        store.close();
        let platform = open(folder.path());
        assert_eq!(platform.status(&first.id).unwrap().error.unwrap().code, "task_stale");
        let second = platform.submit_with(&request(), &options()).unwrap();
        assert_eq!((second.id == first.id, second.status), (false, Status::Pending));
        assert_eq!(platform.tasks(&TaskQuery::default()).unwrap().total, 2);
        close(&platform);
    }
}
