//! The rows of tasks that are sent to workers.
//!
//! A task on its way to a worker ([`Place::Sending`]) has an id of this platform that no caller knows. When a worker has accepted
//! it ([`Place::Sent`]), its id becomes `workspace::id`, with the worker's own id. Invariants: lanes take only tasks that are
//! here; a report from a worker only moves a task forward; a task that cannot be sent leaves no row. A worker may already have a
//! task that is still on its way to it. Code that moves such a task elsewhere must record this in the same transaction (the
//! `leave` arguments).

use super::idempotency::Submission;
use super::live_tasks::Live;
use super::place::{Place, TaskId};
use super::queue::{Entry, Reservation};
use super::service::Tasks;
use super::store;
use super::submit::Draft;
use super::trace::{self, TraceParent};
use super::types::{Status, Task};
use crate::error::{Error, ErrorCode, Result};
use crate::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, named_params, params};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Shortest time between two writes of progress to the database.
const PROGRESS_WRITES: Duration = Duration::from_secs(1);

/// The state of a task on its worker.
#[derive(Debug, Clone)]
pub(crate) struct RemoteState {
    pub(crate) status: Status,
    pub(crate) progress: u8,
    pub(crate) stage: String,
    pub(crate) stage_detail: String,
    /// `Some` exactly when the task failed.
    pub(crate) error: Option<Error>,
}

/// A task on its way to a worker, with its pictures.
#[derive(Debug, Clone)]
pub(crate) struct Sending {
    pub(crate) task: Task,
    pub(crate) inputs: Vec<(String, Vec<u8>)>,
    pub(crate) trace: Option<TraceParent>,
}

/// The outcome of sending a draft to a worker.
pub(crate) enum SendOutcome<T> {
    /// The task is stored and on its way to the chosen worker.
    Sending(Sending, T),
    /// No worker was chosen, and nothing was stored.
    NoWorker(Draft),
    /// Nothing was stored, because the same submission was made before.
    AlreadySubmitted(Draft, Submission),
}

/// Fails the accepted tasks of a removed workspace, within the caller's transaction. Returns their ids. A task that is on its way
/// there is handled when the worker accepts it.
pub(crate) fn fail_all_at(
    connection: &Connection,
    workspace: &str,
    error: &Error,
    now: Timestamp,
) -> Result<Vec<String>> {
    let mut statement = connection.prepare_cached(
        "SELECT id FROM task WHERE workspace = ? AND status IN ('pending', 'processing') AND place = 'sent'",
    )?;
    let ids = statement.query_map([workspace], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
    for id in &ids {
        store::fail(connection, id, None, error, now)?;
    }
    Ok(ids)
}

/// Counts the tasks of a workspace that have not ended.
pub(crate) fn remote_count(connection: &Connection, workspace: &str) -> Result<u64> {
    let mut statement = connection
        .prepare_cached("SELECT count(*) FROM task WHERE workspace = ? AND status IN ('pending', 'processing')")?;
    let count: u32 = statement.query_row([workspace], |row| row.get(0))?;
    Ok(u64::from(count))
}

impl Draft {
    fn set_place(&mut self, workspace: Option<String>, place: Place, stage: &str) {
        (self.task.workspace, self.task.place) = (workspace, place);
        stage.clone_into(&mut self.task.stage);
    }

    /// Returns the catalog id of its model.
    pub(crate) fn model(&self) -> &str {
        &self.task.model
    }

    /// Whether it must run here even if workers are ready.
    pub(crate) const fn is_local_only(&self) -> bool {
        self.local_only
    }

    /// Whether intermediate pictures were asked for.
    pub(crate) const fn wants_partials(&self) -> bool {
        self.partials.is_some()
    }

    /// Whether this platform can run it.
    pub(crate) const fn can_run_here(&self) -> bool {
        self.missing.is_none()
    }
}

impl Tasks {
    /// Stores a draft as a task on its way to the workspace that `choose` returns, in the transaction that `choose` runs in.
    pub(crate) fn send_off<T: Send + 'static>(
        &self,
        mut draft: Draft,
        choose: impl FnOnce(&Connection) -> Result<Option<(String, T)>> + Send + 'static,
    ) -> impl Future<Output = Result<SendOutcome<T>>> + Send + 'static {
        let now = self.shared.clock.now();
        self.shared.store.write_async(move |connection| {
            let Some((workspace, chosen)) = choose(connection)? else { return Ok(SendOutcome::NoWorker(draft)) };
            draft.set_place(Some(workspace), Place::Sending, "dispatching");
            let Draft { task, inputs, submission, trace, remix_of, .. } = &draft;
            let (key, source) = (submission.as_ref(), remix_of.as_deref());
            let known = store::insert_once(connection, task, inputs, key, trace.as_ref(), source, now)?;
            match (known, submission.clone()) {
                (None, _) => {
                    let Draft { task, inputs, trace, .. } = draft;
                    Ok(SendOutcome::Sending(Sending { task, inputs, trace }, chosen))
                }
                (Some(_), Some(earlier)) => {
                    draft.set_place(None, Place::Here, "queued");
                    Ok(SendOutcome::AlreadySubmitted(draft, earlier))
                }
                (Some(_), None) => Err(Error::internal("a submission without a key was found as a repetition")),
            }
        })
    }

    /// Changes the workspace that a task is on its way to. Returns `None` if `choose` returns none or if the task was
    /// cancelled. The task then stays where it was.
    pub(crate) fn send_elsewhere<T: Send + 'static>(
        &self,
        id: &str,
        leave: impl FnOnce(&Connection) -> Result<()> + Send + 'static,
        choose: impl FnOnce(&Connection) -> Result<Option<(String, T)>> + Send + 'static,
    ) -> Result<Option<T>> {
        let (id, now) = (id.to_owned(), self.shared.clock.now());
        self.shared.store.write(move |connection| {
            let Some((workspace, chosen)) = choose(connection)? else { return Ok(None) };
            let moved = connection
                .prepare_cached("UPDATE task SET workspace = ?2, updated_at = ?3 WHERE id = ?1 AND place = 'sending'")?
                .execute(params![id, workspace, now.0])?;
            if moved != 1 {
                return Ok(None);
            }
            leave(connection)?;
            Ok(Some(chosen))
        })
    }

    /// Records that a worker has accepted a task, which gets the id that it has there. `also` runs in the same transaction. Returns
    /// `None` if the task was cancelled on its way.
    ///
    /// # Errors
    /// `remote_failed` if the worker returned an id that another task of its workspace has.
    pub(crate) fn accepted(
        &self,
        sending: &Task,
        workspace: &str,
        remote_id: &str,
        also: impl FnOnce(&Connection) -> Result<()> + Send + 'static,
    ) -> Result<Option<Task>> {
        let (old, workspace) = (sending.id.clone(), workspace.to_owned());
        let new = TaskId { workspace: Some(&workspace), id: remote_id }.to_string();
        let now = self.shared.clock.now();
        let task = self.shared.store.write(move |connection| {
            let mut known = connection.prepare_cached("SELECT 1 FROM task WHERE id = ?")?;
            if known.exists([&new])? {
                return Err(Error::new(
                    ErrorCode::RemoteFailed,
                    format!("the worker {workspace} gave two tasks the same id"),
                ));
            }
            store::forget_inputs(connection, &old, true)?;
            let renamed = connection
                .prepare_cached(
                    "UPDATE task SET id = ?2, place = 'sent', stage = 'queued', updated_at = ?3 WHERE id = ?1 AND place = 'sending'",
                )?
                .execute(params![old, new, now.0])?;
            if renamed != 1 {
                return Ok(None);
            }
            also(connection)?;
            store::get(connection, &new).map(Some)
        })?;
        if let Some(task) = &task {
            let live = self.shared.live_tasks.add(task.clone());
            // A caller may have cancelled the task before it was among the live tasks. If this read fails, the task stays accepted.
            let id = task.id.clone();
            if self.shared.store.read(move |connection| store::cancel_requested(connection, &id)).unwrap_or(false) {
                live.request_cancel();
            }
        }
        Ok(task)
    }

    /// Reserves a place in the queue for a task that is on its way. Waiting uses no thread.
    ///
    /// # Errors
    /// `queue_overloaded`.
    pub(crate) async fn reserve_for(&self, id: &str) -> Result<Reservation> {
        let shared = &self.shared;
        let model = shared.store.read(|connection| store::get(connection, id))?.model;
        shared.queue.reserve(&model, 0, shared.settings.queue_wait).await
    }

    /// Puts a task that was on its way to a worker into the queue of this platform, because no worker took it. Returns `None` if the task
    /// was cancelled.
    pub(crate) fn take_back(
        &self,
        id: &str,
        place: Reservation,
        leave: impl FnOnce(&Connection) -> Result<()> + Send + 'static,
    ) -> Result<Option<Task>> {
        let shared = &self.shared;
        let (wanted, now) = (id.to_owned(), shared.clock.now());
        let task = shared.store.write(move |connection| {
            let taken = connection
                .prepare_cached(
                    "UPDATE task SET workspace = NULL, place = 'here', stage = 'queued', updated_at = ?2 WHERE id = ?1 AND place = 'sending'",
                )?
                .execute(params![wanted, now.0])?;
            leave(connection)?;
            if taken == 1 { store::get(connection, &wanted).map(Some) } else { Ok(None) }
        })?;
        if let Some(task) = &task {
            shared.live_tasks.add(task.clone());
            place.enqueue(Entry { id: task.id.clone(), model: task.model.clone(), epoch: 0 });
        }
        Ok(task)
    }

    /// Deletes a task that was on its way, even if it was cancelled. No caller knows its id.
    pub(crate) fn forget(
        &self,
        id: &str,
        leave: impl FnOnce(&Connection) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let id = id.to_owned();
        self.shared.store.write(move |connection| {
            connection.prepare_cached("DELETE FROM task WHERE id = ? AND workspace IS NOT NULL")?.execute([id])?;
            leave(connection)
        })
    }

    /// Whether tasks are still on their way since the platform was last closed.
    pub(crate) fn any_on_their_way(&self) -> Result<bool> {
        self.shared.store.read(|connection| {
            Ok(connection.prepare_cached("SELECT 1 FROM task WHERE place = 'sending'")?.exists([])?)
        })
    }

    /// Returns the tasks that are still on their way since the platform was last closed.
    pub(crate) fn on_their_way(&self) -> Result<Vec<Sending>> {
        self.shared.store.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT * FROM task WHERE place = 'sending' ORDER BY seq")?;
            let tasks = statement.query_map([], store::read)?.collect::<rusqlite::Result<Vec<_>>>()?;
            tasks
                .into_iter()
                .map(|task| {
                    let (inputs, trace) = (store::inputs(connection, &task.id)?, trace::get(connection, &task.id)?);
                    Ok(Sending { task, inputs, trace })
                })
                .collect()
        })
    }

    /// Adds unfinished tasks on workers to the live tasks again. Returns their ids.
    pub(crate) fn restore_remote(&self) -> Result<Vec<String>> {
        let rows = self.shared.store.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT * FROM task WHERE status IN ('pending', 'processing') AND place = 'sent' ORDER BY seq",
            )?;
            let rows =
                statement.query_map([], |row| Ok((store::read(row)?, row.get::<_, bool>("cancel_requested")?)))?;
            Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?)
        })?;
        let back = |(task, cancelled): (Task, bool)| {
            let id = task.id.clone();
            let live = self.shared.live_tasks.add(task);
            if cancelled {
                live.request_cancel();
            }
            id
        };
        Ok(rows.into_iter().map(back).collect())
    }

    /// Returns the state needed to follow a task on a worker, or `None` if it has ended.
    pub(crate) fn follow(&self, id: &str) -> Option<Followed> {
        self.shared.live_tasks.get(id).map(|live| Followed { live, written: None })
    }

    /// Stores and publishes the state of a task that its worker reported. Returns whether the task has not ended.
    pub(crate) fn update_remote(&self, id: &str, followed: &mut Followed, state: RemoteState) -> Result<bool> {
        let shared = &self.shared;
        let before = followed.live.snapshot();
        let now = shared.clock.now();
        match state.status {
            Status::Pending | Status::Processing => {
                let begins = before.status == Status::Pending && state.status == Status::Processing;
                let due = followed.written.is_none_or(|written| written.elapsed() >= PROGRESS_WRITES);
                if begins || (due && before.status == Status::Processing) {
                    followed.written = Some(Instant::now());
                    let (id, state) = (id.to_owned(), state.clone());
                    let still = shared.store.write(move |connection| progress(connection, &id, &state, now))?;
                    if !still {
                        shared.show_end(&before.id);
                        return Ok(false);
                    }
                }
                followed.live.update(|task| {
                    if begins {
                        task.status = Status::Processing;
                        task.started_at = Some(now);
                    }
                    task.progress = state.progress;
                    task.stage = state.stage;
                    task.stage_detail = state.stage_detail;
                    task.updated_at = now;
                });
                Ok(true)
            }
            Status::Done => {
                let wanted = id.to_owned();
                shared.store.write(move |connection| done(connection, &wanted, now))?;
                shared.show_end(id);
                Ok(false)
            }
            Status::Failed => {
                let error = state.error.unwrap_or_else(|| Error::new(ErrorCode::RemoteFailed, "the worker failed"));
                self.remote_failed(id, &error)?;
                Ok(false)
            }
        }
    }

    /// Fails a task on a worker, whatever the worker does.
    pub(crate) fn remote_failed(&self, id: &str, error: &Error) -> Result<()> {
        let (wanted, cause, now) = (id.to_owned(), error.clone(), self.shared.clock.now());
        self.shared.store.write(move |connection| store::fail(connection, &wanted, None, &cause, now))?;
        tracing::warn!(task = id, code = error.code().as_str(), detail = error.detail(), "a task failed on its worker");
        self.shared.show_end(id);
        Ok(())
    }

    /// Publishes the end of tasks that were ended in the caller's transaction.
    pub(crate) fn show_ends(&self, ids: &[String]) {
        ids.iter().for_each(|id| self.shared.show_end(id));
    }

    /// Returns how long a task's worker may be silent before the task is failed.
    pub(crate) fn silence_limit(&self, id: &str) -> Duration {
        let settings = &self.shared.settings;
        match self.shared.live_tasks.get(id).map(|live| live.snapshot().media_type) {
            Some(crate::request::MediaType::Video) => settings.video_stale,
            _ => settings.image_stale,
        }
    }
}

/// A task on a worker that is being followed.
pub(crate) struct Followed {
    live: Arc<Live>,
    written: Option<Instant>,
}

impl Followed {
    /// Whether a caller cancelled the task.
    pub(crate) fn cancel_requested(&self) -> bool {
        self.live.cancel_requested()
    }

    /// Returns the error for a task that its worker no longer has or does not report on.
    pub(crate) fn lost(&self, detail: &str) -> Error {
        match self.cancel_requested() {
            true => Error::new(ErrorCode::Cancelled, "cancelled at its worker"),
            false => Error::new(ErrorCode::RemoteFailed, detail),
        }
    }

    /// Whether the task has ended here.
    pub(crate) fn has_ended(&self) -> bool {
        self.live.is_fenced() || self.live.snapshot().status.is_terminal()
    }

    /// Publishes that the worker does not answer.
    pub(crate) fn show_silence(&self) {
        self.live.update(|task| "the worker does not answer".clone_into(&mut task.stage_detail));
    }
}

fn progress(connection: &Connection, id: &str, state: &RemoteState, now: Timestamp) -> Result<bool> {
    let mut statement = connection.prepare_cached(
        "UPDATE task SET status = CASE WHEN :running THEN 'processing' ELSE status END,
             started_at = CASE WHEN :running THEN coalesce(started_at, :now) ELSE started_at END,
             progress = max(progress, :progress), stage = :stage, stage_detail = :detail, updated_at = :now
         WHERE id = :id AND status IN ('pending', 'processing')",
    )?;
    let changed = statement.execute(named_params! {
        ":running": state.status == Status::Processing, ":now": now.0, ":progress": state.progress, ":stage": state.stage,
        ":detail": state.stage_detail, ":id": id,
    })?;
    Ok(changed == 1)
}

/// Marks a task whose result is on its worker as done.
fn done(connection: &Connection, id: &str, now: Timestamp) -> Result<bool> {
    let mut statement = connection.prepare_cached(
        "UPDATE task SET status = 'done', progress = 100, stage = 'done', stage_detail = '', result_path = :result,
             preview_path = :preview, started_at = coalesce(started_at, :now), updated_at = :now, finished_at = :now
         WHERE id = :id AND status IN ('pending', 'processing') RETURNING 1",
    )?;
    let rest = TaskId::parse(id).id;
    let found: Option<i64> = statement
        .query_row(
            named_params! {
                ":id": id, ":now": now.0, ":result": format!("remote:/results/{rest}"),
                ":preview": format!("remote:/preview/{rest}"),
            },
            |row| row.get(0),
        )
        .optional()?;
    Ok(found.is_some())
}
