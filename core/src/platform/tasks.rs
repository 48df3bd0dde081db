//! The calls on tasks. A call is made here or at the worker that has the task.

use super::Platform;
use crate::audit::Caller;
use crate::catalog::ModelView;
use crate::error::{ErrorCode, Result};
use crate::media::{Frames, decode};
use crate::request::GenerateRequest;
use crate::task::Event;
use crate::task::{Media, Partials, Status, Task, TaskEvents, TaskPage, TaskQuery, Tasks, not_found};
use crate::workers::Workers;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

impl Platform {
    /// Returns the catalog as callers see it: every model with its rules and whether it can run here. For a model that cannot run,
    /// the entry says which files are missing and where they belong.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let platform = must::Platform::open(must::Settings::new(folder.path()))?;
    /// let models = platform.models()?;
    /// let tiny = models.iter().find(|model| model.is_named("tiny-image")).expect("it is in the library");
    /// assert!(tiny.available);
    /// assert_eq!(tiny.modes, ["txt2img", "img2img"]);
    /// for (name, rules) in tiny.parameters_schema.iter() {
    ///     println!("{name}: {}", rules.label);
    /// }
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// `invalid_state`.
    pub fn models(&self) -> Result<Vec<ModelView>> {
        self.on_tasks(|tasks| Ok(tasks.models()))
    }

    /// Reads the files that a request names. The text of an image parameter that is not a data URI is taken as the path of a file
    /// and replaced by the file's bytes. [`Platform::submit`] itself reads no files.
    ///
    /// Use this only for requests of the host's own code: the author of a request chooses which files are read.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let mut settings = must::Settings::new(folder.path());
    /// # settings.paused = true;
    /// # let platform = must::Platform::open(settings)?;
    /// use must::GenerateRequest;
    ///
    /// # let path = folder.path().join("sketch.png");
    /// # std::fs::write(&path, b"a picture")?;
    /// # let path = path.display().to_string();
    /// let mut request = GenerateRequest::new("tiny-image", "a red circle").mode("img2img").set("reference_image", path);
    /// platform.read_image_files(&mut request)?;
    /// assert!(request.images.contains_key("reference_image"));
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// `validation_error` and `payload_too_large` as [`read_image_file`](crate::media::read_image_file), with the parameter's name.
    pub fn read_image_files(&self, request: &mut GenerateRequest) -> Result<()> {
        self.on_tasks(|tasks| tasks.read_image_files(request))
    }

    /// Returns the task as it is now.
    ///
    /// # Errors
    /// `task_not_found`; `proxy_target_invalid` if the id has the form `WORKSPACE::ID` and no account has this workspace. Other calls on a
    /// task fail with these codes too.
    pub fn status(&self, id: &str) -> Result<Task> {
        self.look(id, Task::clone)
    }

    /// Calls `look` with the task as it is now, without copying it. `look` must be short.
    pub(crate) fn look<T>(&self, id: &str, look: impl FnOnce(&Task) -> T) -> Result<T> {
        let parts = self.parts()?;
        parts.log.scope(|| match parts.workers.is_elsewhere(id)? {
            true => parts.workers.look(id, look),
            false => parts.tasks.look(id, look),
        })
    }

    /// Waits until the task has ended or the timeout is over, and returns the task as it is then. A failed task is not an error here.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let mut settings = must::Settings::new(folder.path());
    /// # settings.paused = true;
    /// # let platform = must::Platform::open(settings)?;
    /// use must::{GenerateRequest, Status};
    /// use std::time::Duration;
    ///
    /// let task = platform.submit(&GenerateRequest::new("tiny-image", "a red circle"))?;
    /// // This platform is paused, so the task does not end within the timeout.
    /// let now = platform.wait(&task.id, Some(Duration::from_millis(10)))?;
    /// assert_eq!(now.status, Status::Pending);
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// `task_not_found`; `invalid_state` if the platform closes in the meantime.
    pub fn wait(&self, id: &str, timeout: Option<Duration>) -> Result<Task> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut events = self.events(id)?;
        loop {
            match events.next(deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())))? {
                Event::Changed(task) if task.status.is_terminal() => return Ok(task),
                Event::Changed(_) => {}
                Event::Ended | Event::TimedOut => return self.status(id),
            }
        }
    }

    /// Returns the stream of a task's changes.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let platform = must::Platform::open(must::Settings::new(folder.path()))?;
    /// use must::{Event, GenerateRequest, Status};
    ///
    /// let task = platform.submit(&GenerateRequest::new("tiny-image", "a red circle").set("steps", 4))?;
    /// let mut events = platform.events(&task.id)?;
    /// while let Event::Changed(now) = events.next(None)? {
    ///     println!("{:3}% {} {}", now.progress, now.stage, now.stage_detail);
    /// }
    /// assert_eq!(platform.status(&task.id)?.status, Status::Done);
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// `task_not_found`.
    pub fn events(&self, id: &str) -> Result<TaskEvents> {
        self.on_task(id, |tasks| tasks.events(id), |workers| workers.events(id))
    }

    /// Cancels a task. Returns true if it was still pending or running, false if it had already ended. A running task stops
    /// within one step and becomes `failed` with the code `cancelled`.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let mut settings = must::Settings::new(folder.path());
    /// # settings.paused = true;
    /// # let platform = must::Platform::open(settings)?;
    /// use must::GenerateRequest;
    ///
    /// let task = platform.submit(&GenerateRequest::new("tiny-video", "a red circle moving left"))?;
    /// assert!(platform.cancel(&task.id)?);
    /// let ended = platform.wait(&task.id, None)?;
    /// assert_eq!(ended.error.expect("it failed").code, "cancelled");
    /// assert!(!platform.cancel(&task.id)?, "it had ended already");
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// `task_not_found`.
    pub fn cancel(&self, id: &str) -> Result<bool> {
        self.cancel_by(id, None)
    }

    /// Like [`Platform::cancel`], for a caller who is not the task's owner. Writes `task_cancel` to the audit log.
    ///
    /// # Errors
    /// As [`Platform::cancel`]; `dependency_unavailable` if the audit log cannot be written.
    pub fn cancel_as(&self, id: &str, caller: &Caller) -> Result<bool> {
        self.cancel_by(id, Some(caller))
    }

    fn cancel_by(&self, id: &str, by: Option<&Caller>) -> Result<bool> {
        self.on_task(id, |tasks| tasks.cancel(id, by), |workers| workers.cancel(id, by))
    }

    /// Cancels a task whose caller has gone, and forgets its idempotency key. A caller who repeats the submission with that key
    /// then gets a new task instead of the cancelled one. Returns false and keeps the key if the task had already ended.
    ///
    /// # Errors
    /// `task_not_found`.
    pub fn abandon(&self, id: &str) -> Result<bool> {
        // The key is forgotten first, so that a repetition that arrives in between makes a new task.
        self.on_tasks(|tasks| tasks.forget_submission(id))?;
        self.cancel(id)
    }

    /// Returns the bytes of the result.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let mut settings = must::Settings::new(folder.path());
    /// # settings.paused = true;
    /// # let platform = must::Platform::open(settings)?;
    /// use must::{ErrorCode, GenerateRequest};
    ///
    /// let task = platform.submit(&GenerateRequest::new("tiny-image", "a red circle"))?;
    /// let error = platform.result(&task.id).unwrap_err();
    /// assert_eq!(error.code(), ErrorCode::ResultNotReady);
    /// assert!(error.code().is_retryable());
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// `task_not_found`; `result_not_ready` while the task is pending or running; `result_gone` if it failed or its file is lost;
    /// `remote_failed` if the worker that has the result does not send it.
    pub fn result(&self, id: &str) -> Result<Media> {
        self.on_task(id, |tasks| tasks.media(id, false), |workers| workers.media(id, false))
    }

    /// Decodes the result's file into frames of RGB pixels. A picture gives one frame, and an MP4 clip gives all its frames.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let platform = must::Platform::open(must::Settings::new(folder.path()))?;
    /// use must::GenerateRequest;
    ///
    /// let request = GenerateRequest::new("tiny-video", "a red circle moving left").set("steps", 4).set("num_frames", 5);
    /// let task = platform.submit(&request)?;
    /// platform.wait(&task.id, None)?;
    /// let frames = platform.frames(&task.id)?;
    /// assert_eq!((frames.width, frames.height, frames.count()), (64, 64, 5));
    /// assert_eq!(frames.rgb.len(), 5 * 64 * 64 * 3);
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Platform::result`] and [`decode`]: `validation_error` for a WebM clip.
    pub fn frames(&self, id: &str) -> Result<Frames> {
        let media = self.result(id)?;
        self.logged(|| decode(&media.bytes))
    }

    /// Returns the bytes of the preview, a JPEG of at most 512 by 512 pixels.
    ///
    /// # Errors
    /// As [`Platform::result`].
    pub fn preview(&self, id: &str) -> Result<Media> {
        self.on_task(id, |tasks| tasks.media(id, true), |workers| workers.media(id, true))
    }

    /// Returns a page of tasks of every status, or of one status if the query names it.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let platform = must::Platform::open(must::Settings::new(folder.path()))?;
    /// use must::{Status, TaskQuery};
    ///
    /// let failed = TaskQuery { status: Some(Status::Failed), per_page: 50, ..TaskQuery::default() };
    /// let page = platform.tasks(&failed)?;
    /// assert_eq!((page.items.len(), page.has_more), (0, false));
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// `validation_error` if `per_page` is more than 100 or the model is unknown; `task_not_found` if `after` is not a task of the
    /// query's owner.
    pub fn tasks(&self, query: &TaskQuery) -> Result<TaskPage> {
        self.on_tasks(|tasks| tasks.page(query))
    }

    /// Returns a page of finished tasks with a result, newest first unless the query says otherwise.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let platform = must::Platform::open(must::Settings::new(folder.path()))?;
    /// use must::{MediaType, TaskQuery};
    ///
    /// let clips = TaskQuery { media_type: Some(MediaType::Video), ..TaskQuery::default() };
    /// assert_eq!(platform.gallery(&clips)?.total, 0);
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Platform::tasks`].
    pub fn gallery(&self, query: &TaskQuery) -> Result<TaskPage> {
        self.on_tasks(|tasks| tasks.page(&TaskQuery { status: Some(Status::Done), ..query.clone() }))
    }

    /// Returns the intermediate pictures of a task that has not ended, if any are wanted. They stay readable for as long as the caller
    /// holds them.
    pub(crate) fn partials(&self, id: &str) -> Result<Option<Arc<Partials>>> {
        self.on_tasks(|tasks| Ok(tasks.partials(id)))
    }

    /// Returns the source of each of these tasks that is a remix, by the task's id.
    pub(crate) fn remix_sources(&self, ids: &[&str]) -> Result<HashMap<String, String>> {
        self.on_tasks(|tasks| tasks.remix_sources(ids))
    }

    /// Deletes an ended task and its files. If the setting `sign_in_required` is on, the audit log names the host as the caller.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let mut settings = must::Settings::new(folder.path());
    /// # settings.paused = true;
    /// # let platform = must::Platform::open(settings)?;
    /// use must::{ErrorCode, GenerateRequest};
    ///
    /// let task = platform.submit(&GenerateRequest::new("tiny-image", "a red circle"))?;
    /// assert_eq!(platform.delete(&task.id).unwrap_err().code(), ErrorCode::InvalidState);
    /// platform.cancel(&task.id)?;
    /// platform.delete(&task.id)?;
    /// assert_eq!(platform.status(&task.id).unwrap_err().code(), ErrorCode::TaskNotFound);
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// `task_not_found`; `invalid_state` while the task is pending or running: cancel it first; `remote_failed` if the worker that has the
    /// result does not delete it.
    pub fn delete(&self, id: &str) -> Result<()> {
        match self.access()?.sign_in_required() {
            true => self.delete_as(id, &Caller::new("host", "host")),
            false => self.delete_by(id, None),
        }
    }

    /// Like [`Platform::delete`], for a named caller. Writes `task_delete` to the audit log.
    ///
    /// # Errors
    /// As [`Platform::delete`]; `dependency_unavailable` if the audit log cannot be written.
    pub fn delete_as(&self, id: &str, caller: &Caller) -> Result<()> {
        self.delete_by(id, Some(caller))
    }

    fn delete_by(&self, id: &str, by: Option<&Caller>) -> Result<()> {
        let outcome = self.on_task(id, |tasks| tasks.delete(id, by), |workers| workers.delete(id, by));
        match outcome {
            Err(error) if error.code() == ErrorCode::ProxyTargetInvalid => {
                self.on_workers(|workers| workers.delete_orphan(id, by))
            }
            outcome => outcome,
        }
    }

    /// Checks that a task belongs to `owner`. If not, fails exactly as for a task that does not exist. `None` may see every task.
    pub(crate) fn admit(&self, id: &str, owner: Option<&str>) -> Result<()> {
        let Some(owner) = owner else { return Ok(()) };
        // The row is here, also if the id names a workspace.
        match self.on_tasks(|tasks| tasks.look(id, |task| task.owner.as_deref() == Some(owner))) {
            Ok(true) => Ok(()),
            Err(error) if error.code() != ErrorCode::TaskNotFound => Err(error),
            // An id that names an unknown workspace fails with a different error, whether or not such a task exists.
            Ok(false) | Err(_) => self.on_workers(|workers| workers.is_elsewhere(id)).and(Err(not_found(id))),
        }
    }

    /// Makes a call on one task: `here` for a local task, `elsewhere` for one at a worker.
    fn on_task<T>(
        &self,
        id: &str,
        here: impl FnOnce(&Tasks) -> Result<T>,
        elsewhere: impl FnOnce(&Workers) -> Result<T>,
    ) -> Result<T> {
        let parts = self.parts()?;
        parts.log.scope(|| if parts.workers.is_elsewhere(id)? { elsewhere(&parts.workers) } else { here(&parts.tasks) })
    }

    pub(super) fn on_workers<T>(&self, call: impl FnOnce(&Workers) -> Result<T>) -> Result<T> {
        let parts = self.parts()?;
        parts.log.scope(|| call(&parts.workers))
    }
}
