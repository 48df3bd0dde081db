//! Idempotency keys make submissions safe to repeat: a repeated submission returns the task that the first one made.
//!
//! Owns the table `submission_key`. Invariants: a key is written in the same transaction as its task; one key of one owner belongs
//! to one request; a key is deleted with its task, or after a day. A repeated submission makes a new task in two cases: if the
//! first task was ended because its caller had gone, or if it failed in a way that may not happen again
//! (`ErrorCode::is_retryable`).

use super::trace::TraceParent;
use crate::error::{Error, ErrorCode, Result};
use crate::request::GenerateRequest;
use crate::store::Migration;
use crate::time::Timestamp;
use ring::digest::{Context, SHA256};
use rusqlite::{Connection, OptionalExtension, params};
use serde::Deserialize;
use serde_json::Value;

pub(crate) const MIGRATION: Migration = Migration { name: "submission_keys", sql: include_str!("idempotency.sql") };

/// Largest number of bytes in a key.
const LONGEST_KEY: usize = 255;

/// How long a key is remembered.
const LIFE_MS: i64 = 24 * 3600 * 1000;

/// Options of a submission.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let mut settings = must::Settings::new(folder.path());
/// # settings.paused = true;
/// # let platform = must::Platform::open(settings)?;
/// use must::{GenerateRequest, SubmitOptions};
///
/// // A repeated submission with this key returns the same task. The host chooses the owner.
/// let options = SubmitOptions::default().owner("customer-17").idempotency("customer-17", "order-1234");
/// let task = platform.submit_with(&GenerateRequest::new("tiny-image", "a red circle"), &options)?;
/// assert_eq!(task.owner.as_deref(), Some("customer-17"));
/// # Ok::<(), must::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubmitOptions {
    /// Makes the submission safe to repeat.
    pub idempotency: Option<Idempotency>,
    /// Whether the task must run on this platform even if workers are ready.
    pub local_only: bool,
    /// The trace that the submission belongs to. The spans of the task's run belong to the same trace.
    pub trace_parent: Option<TraceParent>,
    /// The owner of the task, 1 to 200 characters without control characters.
    pub owner: Option<String>,
    /// Id of the task whose clip this one remixes with another prompt.
    pub remix_of: Option<String>,
    /// Largest number of intermediate pictures to make. There may be fewer. They are kept in memory only.
    pub(crate) partial_images: u8,
}

/// A caller's key for one submission. For a day, the same key of the same owner returns the same task. If that task failed for a
/// reason that may have passed (`task_stale`, `remote_failed`, `storage_full` and others), a new task is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The owner of the key. Equal keys of different owners are different keys.
    pub owner: String,
    /// 1 to 255 visible ASCII characters.
    pub key: String,
}

impl SubmitOptions {
    /// Returns the options with this idempotency key.
    #[must_use]
    pub fn idempotency(mut self, owner: impl Into<String>, key: impl Into<String>) -> Self {
        self.idempotency = Some(Idempotency { owner: owner.into(), key: key.into() });
        self
    }

    /// Returns the options with this owner of the task.
    ///
    /// A host that checks requests itself should use the owner of the principal that
    /// [`Access::authorize`](crate::access::Access::authorize) returns. If no request comes over HTTP, any name may be used.
    #[must_use]
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.owner = Some(owner.into());
        self
    }

    /// Reads a JSON object with the optional field `owner`: `{"owner": ".."}`.
    ///
    /// # Errors
    /// `validation_error` that names the field at fault.
    pub fn from_json(text: &str) -> Result<Self> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Given {
            #[serde(default)]
            owner: Option<String>,
        }
        let Given { owner } = crate::json::read(text, "the options are not valid", &[])?;
        Ok(Self { owner, ..Self::default() })
    }

    /// Returns the options with this trace.
    #[must_use]
    pub fn trace_parent(mut self, trace_parent: Option<TraceParent>) -> Self {
        self.trace_parent = trace_parent;
        self
    }

    /// Returns the options for a remix of this task's clip.
    #[must_use]
    pub fn remix_of(mut self, id: impl Into<String>) -> Self {
        self.remix_of = Some(id.into());
        self
    }

    /// Returns the options with this number of intermediate pictures. The task then runs here, because workers send none.
    #[must_use]
    pub(crate) fn partial_images(mut self, count: u8) -> Self {
        self.partial_images = count;
        self
    }

    /// Returns the options for a task that must run on this platform.
    #[must_use]
    pub fn local_only(mut self) -> Self {
        self.local_only = true;
        self
    }
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

    /// Returns the id of the task that a repeated submission gets, if one was made with this key in the last 24 hours.
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
    use crate::{Platform, Settings, Status, TaskQuery};
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
