//! The facade: everything a host can ask of MUST, and the place where its parts are put together.
//!
//! A [`Platform`] is a handle that is cheap to clone and may be used from any thread. It owns its threads; they end with
//! [`Platform::close`] or when the last handle is dropped. A child made by `fork` gets `invalid_state` from every call.

use crate::error::{Error, Result};
use crate::settings::Settings;
use crate::task::{GenerateRequest, Media, Task, TaskPage, TaskQuery};
use std::sync::Arc;
use std::time::Duration;

/// A running platform in one data folder.
#[derive(Clone)]
pub struct Platform {
    inner: Arc<()>,
}

/// What came of waiting for the next change of a task.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The task as it stands now; changes that came quickly one after another are one.
    Changed(Task),
    /// The task has ended, and its last change has been handed out.
    Ended,
    /// The time ran out first.
    TimedOut,
}

/// The changes of one task, first the present state, last the terminal one.
pub struct TaskEvents(());

impl TaskEvents {
    /// Waits for the next change; `None` waits as long as it takes.
    ///
    /// # Errors
    /// `task_not_found` when the task is deleted meanwhile, `invalid_state` when the platform closes.
    pub fn next(&mut self, timeout: Option<Duration>) -> Result<Event> {
        let _ = timeout;
        Err(Error::internal("not built"))
    }

    /// The same without blocking a thread, on any executor; `None` once the task has ended.
    ///
    /// # Errors
    /// As [`TaskEvents::next`].
    pub async fn changed(&mut self) -> Result<Option<Task>> {
        Err(Error::internal("not built"))
    }
}

impl Platform {
    /// Opens the data folder, brings back what a crash interrupted, and starts the lanes.
    ///
    /// # Errors
    /// `data_dir_locked`, `dependency_unavailable` (cannot be written), `storage_full`, `storage_corrupt`, `validation_error`.
    pub fn open(settings: Settings) -> Result<Self> {
        let _ = settings;
        Err(Error::internal("not built"))
    }

    /// The catalog as callers see it: the array of spec `GET /models`.
    pub fn models(&self) -> Result<Vec<serde_json::Value>> {
        Err(Error::internal("not built"))
    }

    /// Checks the request against the catalog, makes a durable task and hands it to a lane. Does not wait for the result.
    ///
    /// # Errors
    /// `validation_error`, `payload_too_large`, `model_unavailable`, `queue_overloaded`, `storage_full`; no task exists then.
    pub fn submit(&self, request: &GenerateRequest) -> Result<Task> {
        let _ = (request, &self.inner);
        Err(Error::internal("not built"))
    }

    /// The task as it stands.
    ///
    /// # Errors
    /// `task_not_found`.
    pub fn status(&self, id: &str) -> Result<Task> {
        let _ = id;
        Err(Error::internal("not built"))
    }

    /// Waits until the task has ended or the time is over, and returns it as it stands then. A failed task is not an error here.
    pub fn wait(&self, id: &str, timeout: Option<Duration>) -> Result<Task> {
        let _ = (id, timeout);
        Err(Error::internal("not built"))
    }

    /// Follows a task.
    pub fn events(&self, id: &str) -> Result<TaskEvents> {
        let _ = id;
        Err(Error::internal("not built"))
    }

    /// Asks a task to end: true when it was still pending or running, false when it had ended already.
    pub fn cancel(&self, id: &str) -> Result<bool> {
        let _ = id;
        Err(Error::internal("not built"))
    }

    /// The result's bytes.
    ///
    /// # Errors
    /// `task_not_found`, `result_not_ready`, `result_gone`.
    pub fn result(&self, id: &str) -> Result<Media> {
        let _ = id;
        Err(Error::internal("not built"))
    }

    /// The preview's bytes: a JPEG of at most 512 by 512 pixels.
    pub fn preview(&self, id: &str) -> Result<Media> {
        let _ = id;
        Err(Error::internal("not built"))
    }

    /// Tasks of every status.
    pub fn tasks(&self, query: &TaskQuery) -> Result<TaskPage> {
        let _ = query;
        Err(Error::internal("not built"))
    }

    /// Finished tasks with a result.
    pub fn gallery(&self, query: &TaskQuery) -> Result<TaskPage> {
        let _ = query;
        Err(Error::internal("not built"))
    }

    /// Removes an ended task and its files.
    ///
    /// # Errors
    /// `task_not_found`; `invalid_state` while the task runs or waits: cancel it first.
    pub fn delete(&self, id: &str) -> Result<()> {
        let _ = id;
        Err(Error::internal("not built"))
    }

    /// Stops taking work, asks what runs to stop, waits for it up to `deadline`, and closes the data folder. Tasks that are
    /// not finished go on when the folder is opened again. Calling it again does nothing.
    pub fn close(&self, deadline: Duration) -> Result<()> {
        let _ = deadline;
        Err(Error::internal("not built"))
    }
}
