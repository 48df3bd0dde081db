//! Submissions that are safe to repeat: a caller's own key finds the task that its first submission made.
//!
//! Owns the table `submission_key`. What always holds: a key is written in the transaction of its task; one key of one owner
//! stands for one request; it goes with its task, or a day after. The answer to a repetition is what came of the request: not that
//! its task was ended because its caller had gone, nor a failure that may be another time none (`ErrorCode::is_retryable`).

use super::trace::TraceParent;
use super::types::{GenerateRequest, Timestamp};
use crate::error::{Error, ErrorCode, Result};
use crate::store::Migration;
use ring::digest::{Context, SHA256};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

pub(crate) const MIGRATION: Migration = Migration { name: "submission_keys", sql: include_str!("repeat.sql") };

/// Most bytes of a key.
const LONGEST_KEY: usize = 255;

/// How long a key is remembered.
const LIFE_MS: i64 = 24 * 3600 * 1000;

/// How a request is submitted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubmitOptions {
    /// Makes the submission safe to repeat.
    pub idempotency: Option<Idempotency>,
    /// Whether the task has to run here, whatever workers there are.
    pub local_only: bool,
    /// The trace that the submission belongs to: the spans of the task's run name it.
    pub trace_parent: Option<TraceParent>,
}

/// A caller's own name for one submission. For a day, the same key of the same owner gives the same task again, unless that failed for
/// a reason that may be gone by then (`task_stale`, `remote_failed`, `storage_full`...): then it makes a new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// Whose key it is: keys of different owners have nothing to do with each other.
    pub owner: String,
    /// 1 to 255 visible ASCII characters.
    pub key: String,
}

impl SubmitOptions {
    /// The same options with a key.
    #[must_use]
    pub fn idempotency(mut self, owner: impl Into<String>, key: impl Into<String>) -> Self {
        self.idempotency = Some(Idempotency { owner: owner.into(), key: key.into() });
        self
    }

    /// The same options in a trace.
    #[must_use]
    pub fn trace_parent(mut self, trace_parent: Option<TraceParent>) -> Self {
        self.trace_parent = trace_parent;
        self
    }

    /// The same options for a task that has to run here.
    #[must_use]
    pub fn local_only(mut self) -> Self {
        self.local_only = true;
        self
    }
}

/// A key with what was submitted under it, as the table knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Submission {
    key: Vec<u8>,
    request: Vec<u8>,
}

impl Submission {
    /// # Errors
    /// `validation_error` for a key that is none.
    pub(super) fn new(idempotency: &Idempotency, request: &GenerateRequest) -> Result<Self> {
        let Idempotency { owner, key } = idempotency;
        if key.is_empty() || key.len() > LONGEST_KEY || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::validation(format!(
                "an idempotency key must be 1 to {LONGEST_KEY} visible ASCII characters"
            ))
            .with_action("Send a new random id with each submission, and the same one when it is sent again."));
        }
        let mut parameters = Value::Object(request.parameters.clone());
        parameters.sort_all_objects();
        let parameters = parameters.to_string();
        let mode = request.mode.as_deref().unwrap_or_default();
        let images = request.images.iter().flat_map(|(name, bytes)| [name.as_bytes(), bytes]);
        let parts = [request.model.as_bytes(), mode.as_bytes(), parameters.as_bytes()];
        Ok(Self {
            key: digest([owner.as_bytes(), key.as_bytes()].into_iter()),
            request: digest(parts.into_iter().chain(images)),
        })
    }

    /// Id of the task that was made under this key before, and that is the answer to a repetition.
    ///
    /// # Errors
    /// `validation_error` when something else was submitted under it.
    pub(super) fn find(&self, connection: &Connection) -> Result<Option<String>> {
        let mut statement = connection.prepare_cached(
            "SELECT key.request, key.task_id, task.error_code FROM submission_key AS key JOIN task ON task.id = key.task_id
             WHERE key.key = ?",
        )?;
        let row = statement.query_row([&self.key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        let found: Option<(Vec<u8>, String, Option<String>)> = row.optional()?;
        let Some((request, id, failed)) = found else { return Ok(None) };
        if request != self.request {
            return Err(Error::validation("another request was submitted under this idempotency key")
                .with_action("Take a new key for each new request."));
        }
        let may_succeed_now = failed.and_then(|code| ErrorCode::from_name(&code)).is_some_and(ErrorCode::is_retryable);
        Ok(Some(id).filter(|_| !may_succeed_now))
    }

    /// Remembers the task, in the transaction that makes it.
    pub(super) fn keep(&self, connection: &Connection, task: &str, now: Timestamp) -> Result<()> {
        connection.prepare_cached("DELETE FROM submission_key WHERE created_at < ?")?.execute([now.0 - LIFE_MS])?;
        connection
            .prepare_cached("INSERT OR REPLACE INTO submission_key (key, request, task_id, created_at) VALUES (?, ?, ?, ?)")?
            .execute(params![self.key, self.request, task, now.0])?;
        Ok(())
    }
}

/// Forgets the key of a task that is to be ended because its caller has gone. What ended by itself goes on to be the answer.
pub(super) fn forget(connection: &Connection, task: &str) -> Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM submission_key
             WHERE task_id IN (SELECT id FROM task WHERE id = ? AND status IN ('pending', 'processing'))",
        )?
        .execute([task])?;
    Ok(())
}

/// SHA-256 of parts that cannot run into each other.
fn digest<'a>(parts: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    context.finish().as_ref().to_vec()
}
