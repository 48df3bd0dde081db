//! Submissions that are safe to repeat: a caller's own key finds the task that its first submission made.
//!
//! Owns the table `submission_key`. What always holds: a key is written in the transaction of its task; one key of one owner
//! stands for one request; it goes with its task, or a day after. The answer to a repetition is what came of the request: not that
//! its task was ended because its caller had gone, nor a failure that may be another time none (`ErrorCode::is_retryable`).

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

/// Most bytes of a key.
const LONGEST_KEY: usize = 255;

/// How long a key is remembered.
const LIFE_MS: i64 = 24 * 3600 * 1000;

/// How a request is submitted.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let mut settings = must::Settings::new(folder.path());
/// # settings.paused = true;
/// # let platform = must::Platform::open(settings)?;
/// use must::{GenerateRequest, SubmitOptions};
///
/// // Repeated under this key, the submission gives the same task; whose it is, the host says.
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
    /// Whether the task has to run here, whatever workers there are.
    pub local_only: bool,
    /// The trace that the submission belongs to: the spans of the task's run name it.
    pub trace_parent: Option<TraceParent>,
    /// Whose task it is to be: 1 to 200 characters without control characters.
    pub owner: Option<String>,
    /// Id of the task whose clip this one makes again of other words.
    pub remix_of: Option<String>,
    /// How many pictures of the way are wanted. There may be fewer; none outlive the process.
    pub(crate) partial_images: u8,
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

    /// The same options for a task of this owner.
    ///
    /// A host that judges requests itself gives the owner of the principal that [`Access::authorize`](crate::access::Access::authorize)
    /// answers with; any other name will do where nobody asks over HTTP.
    #[must_use]
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.owner = Some(owner.into());
        self
    }

    /// Reads a JSON object: `{"owner": ".."}`, which may be left out.
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

    /// The same options in a trace.
    #[must_use]
    pub fn trace_parent(mut self, trace_parent: Option<TraceParent>) -> Self {
        self.trace_parent = trace_parent;
        self
    }

    /// The same options for a remix of this task's clip.
    #[must_use]
    pub fn remix_of(mut self, id: impl Into<String>) -> Self {
        self.remix_of = Some(id.into());
        self
    }

    /// The same options for a task of whose way so many pictures are wanted. It runs here: workers send none.
    #[must_use]
    pub(crate) fn partial_images(mut self, count: u8) -> Self {
        self.partial_images = count;
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
    /// A key of one task owner has nothing to do with the same key of another, whoever's the host says that it is.
    ///
    /// # Errors
    /// `validation_error` for a key that is none.
    pub(super) fn new(idempotency: &Idempotency, task_owner: Option<&str>, request: &GenerateRequest) -> Result<Self> {
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
            key: digest([owner.as_bytes(), key.as_bytes()].into_iter().chain(task_owner.map(str::as_bytes))),
            request: digest(parts.into_iter().chain(images)),
        })
    }

    /// Id of the task that was made under this key within the last 24 hours, and that is the answer to a repetition.
    ///
    /// # Errors
    /// `validation_error` when something else was submitted under it.
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
            .prepare_cached(
                "INSERT OR REPLACE INTO submission_key (key, request, task_id, created_at) VALUES (?, ?, ?, ?)",
            )?
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

    /// A platform in which nothing runs.
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
    fn a_failure_that_may_be_gone_by_now_is_not_the_answer_to_a_repetition() {
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
            assert_eq!(third.id, again.id, "the key is that of the newest");
            let other = platform.submit_with(&request().set("seed", 4), &options()).unwrap_err();
            assert_eq!(other.code(), ErrorCode::ValidationError, "and of one request alone");
            close(&platform);
        }
    }

    #[test]
    fn a_task_that_was_abandoned_is_not_the_answer_and_one_that_was_cancelled_is() {
        let folder = tempfile::tempdir().unwrap();
        let platform = open(folder.path());
        let first = platform.submit_with(&request(), &options()).unwrap();
        assert!(platform.abandon(&first.id).unwrap());
        assert_eq!(platform.status(&first.id).unwrap().error.unwrap().code, "cancelled");
        let second = platform.submit_with(&request(), &options()).unwrap();
        assert_ne!(second.id, first.id);
        assert!(platform.cancel(&second.id).unwrap());
        assert_eq!(platform.submit_with(&request(), &options()).unwrap().id, second.id);
        assert!(!platform.abandon(&second.id).unwrap(), "what has ended is not abandoned any more");
        assert_eq!(platform.submit_with(&request(), &options()).unwrap().id, second.id);
        assert_eq!(platform.abandon("nobody").unwrap_err().code(), ErrorCode::TaskNotFound);
        close(&platform);
    }

    /// The limit was over while the platform was closed: that is nothing that the caller did.
    #[test]
    fn a_task_that_became_stale_while_the_platform_was_closed_is_made_anew_for_its_retry() {
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
