//! The calls on tasks: made here, or at the worker that has the task.

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
    /// The catalog as callers see it: every model with its rules, whether it can run here and, when it cannot, what to put where.
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

    /// Reads the files that a request names: text of an image parameter that is not a data URI is the path of a file, whose bytes
    /// take its place. [`Platform::submit`] itself reads no files.
    ///
    /// Only for requests of the host's own code. One that came from somebody else would choose which files are read.
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

    /// The task as it stands.
    ///
    /// # Errors
    /// `task_not_found`.
    pub fn status(&self, id: &str) -> Result<Task> {
        self.look(id, Task::clone)
    }

    /// Looks at a task as it stands, without a copy of it. `look` must be short.
    pub(crate) fn look<T>(&self, id: &str, look: impl FnOnce(&Task) -> T) -> Result<T> {
        let parts = self.parts()?;
        parts.log.scope(|| match parts.workers.is_elsewhere(id)? {
            true => parts.workers.look(id, look),
            false => parts.tasks.look(id, look),
        })
    }

    /// Waits until the task has ended or the time is over, and returns it as it stands then. A failed task is not an error here.
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
    /// // This platform is paused: the task does not end in time, and goes on later.
    /// let now = platform.wait(&task.id, Some(Duration::from_millis(10)))?;
    /// assert_eq!(now.status, Status::Pending);
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// `task_not_found`; `invalid_state` when the platform closes meanwhile.
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

    /// Follows a task.
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

    /// Asks a task to end: true when it was still pending or running, false when it had ended already. A running one stops
    /// within one step and ends `failed` with `cancelled`.
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

    /// [`Platform::cancel`] on behalf of somebody who is not the task's owner: `task_cancel` in the audit log.
    ///
    /// # Errors
    /// As [`Platform::cancel`]; `dependency_unavailable` when the audit log cannot be kept.
    pub fn cancel_as(&self, id: &str, caller: &Caller) -> Result<bool> {
        self.cancel_by(id, Some(caller))
    }

    fn cancel_by(&self, id: &str, by: Option<&Caller>) -> Result<bool> {
        self.on_task(id, |tasks| tasks.cancel(id, by), |workers| workers.cancel(id, by))
    }

    /// Asks a task to end because its caller has gone: like [`Platform::cancel`], and its idempotency key is forgotten, so that the
    /// caller who comes back with it gets a new task instead of one that ended `cancelled`.
    ///
    /// # Errors
    /// `task_not_found`.
    pub fn abandon(&self, id: &str) -> Result<bool> {
        // First, so that a repetition that comes in between makes a new task.
        self.on_tasks(|tasks| tasks.forget_submission(id))?;
        self.cancel(id)
    }

    /// The result's bytes.
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
    /// `task_not_found`; `result_not_ready` while the task runs or waits; `result_gone` when it failed or its file is lost.
    pub fn result(&self, id: &str) -> Result<Media> {
        self.on_task(id, |tasks| tasks.media(id, false), |workers| workers.media(id, false))
    }

    /// The frames of the result as RGB pixels: one of a picture, all of an MP4 clip, decoded from its file.
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

    /// The preview's bytes: a JPEG of at most 512 by 512 pixels.
    ///
    /// # Errors
    /// As [`Platform::result`].
    pub fn preview(&self, id: &str) -> Result<Media> {
        self.on_task(id, |tasks| tasks.media(id, true), |workers| workers.media(id, true))
    }

    /// Tasks of every status.
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
    /// `validation_error` for a page larger than 100 or an unknown model.
    pub fn tasks(&self, query: &TaskQuery) -> Result<TaskPage> {
        self.on_tasks(|tasks| tasks.page(query))
    }

    /// Finished tasks with a result, newest first unless asked otherwise.
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

    /// The pictures of a task's way, while it has not ended: whoever holds them keeps them.
    pub(crate) fn partials(&self, id: &str) -> Result<Option<Arc<Partials>>> {
        self.on_tasks(|tasks| Ok(tasks.partials(id)))
    }

    /// What each of these tasks is a remix of, by id, as far as it is one.
    pub(crate) fn remix_sources(&self, ids: &[&str]) -> Result<HashMap<String, String>> {
        self.on_tasks(|tasks| tasks.remix_sources(ids))
    }

    /// Removes an ended task and its files. While the setting `sign_in_required` is on, that is an audit event of the host's.
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
    /// `task_not_found`; `invalid_state` while the task runs or waits: cancel it first.
    pub fn delete(&self, id: &str) -> Result<()> {
        match self.access()?.sign_in_required() {
            true => self.delete_as(id, &Caller::new("host", "host")),
            false => self.delete_by(id, None),
        }
    }

    /// [`Platform::delete`] on somebody's behalf: `task_delete` in the audit log.
    ///
    /// # Errors
    /// As [`Platform::delete`]; `dependency_unavailable` when the audit log cannot be kept.
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

    /// Fails exactly as for a task that does not exist when the task is not the owner's. Without an owner all may be seen.
    pub(crate) fn admit(&self, id: &str, owner: Option<&str>) -> Result<()> {
        let Some(owner) = owner else { return Ok(()) };
        // Whatever workspace it names: the row is here.
        match self.on_tasks(|tasks| tasks.look(id, |task| task.owner.as_deref() == Some(owner))) {
            Ok(true) => Ok(()),
            Err(error) if error.code() != ErrorCode::TaskNotFound => Err(error),
            // An id of a workspace that is none of ours fails otherwise, whether there is such a task or not.
            Ok(false) | Err(_) => self.on_workers(|workers| workers.is_elsewhere(id)).and(Err(not_found(id))),
        }
    }

    /// Makes a call on one task, which is here or at a worker.
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
