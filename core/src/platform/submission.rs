//! Submitting tasks. There is one implementation, which is asynchronous; the blocking form waits for it.

use super::Platform;
use crate::error::{Error, Result};
use crate::log;
use crate::request::GenerateRequest;
use crate::task::{Prepared, SubmitOptions, Task};
use crate::thread;
use futures::future::{BoxFuture, Either, ready as finished};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use tracing::Span;

/// A submission in progress: a future that returns the task when it is durable, for any executor. The submission begins when the future
/// is first polled. If the future is dropped before it is ready, a task that exists by then continues, but its id is lost; see
/// [`Submission::or_cancel`].
#[must_use = "a submission begins when it is awaited"]
pub struct Submission {
    platform: Platform,
    /// `None` after the outcome was returned.
    task: Option<BoxFuture<'static, Result<Task>>>,
    /// Whether the task may already be durable.
    made: Arc<AtomicBool>,
    cancel_on_drop: bool,
}

impl Platform {
    /// Checks the request against the catalog, makes a durable task and gives it to a worker that is ready for it, or else to a
    /// local lane. Does not wait for the result. If the queue is full, waits for a place for up to the setting `queue_wait`.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let platform = must::Platform::open(must::Settings::new(folder.path()))?;
    /// use must::{ErrorCode, GenerateRequest};
    ///
    /// let request = GenerateRequest::new("tiny-image", "a red circle").set("steps", 1000);
    /// let error = platform.submit(&request).unwrap_err();
    /// assert_eq!((error.code(), error.parameter()), (ErrorCode::ValidationError, Some("steps")));
    /// println!("{}. {}", error.detail(), error.user_action());
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// `validation_error`, `payload_too_large`, `model_unavailable`, `queue_overloaded`, `no_workers`, `storage_full`. After an
    /// error no task exists.
    pub fn submit(&self, request: &GenerateRequest) -> Result<Task> {
        self.submit_with(request, &SubmitOptions::default())
    }

    /// Like [`Platform::submit`], with options. With an idempotency key, a repeated submission returns the task of the first one.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let mut settings = must::Settings::new(folder.path());
    /// # settings.paused = true;
    /// # let platform = must::Platform::open(settings)?;
    /// use must::{GenerateRequest, SubmitOptions};
    ///
    /// let request = GenerateRequest::new("tiny-image", "a red circle");
    /// let options = SubmitOptions::default().idempotency("shop", "order-1234");
    /// let first = platform.submit_with(&request, &options)?;
    /// let again = platform.submit_with(&request, &options)?;
    /// assert_eq!(first.id, again.id);
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Platform::submit`]; `validation_error` if the key is malformed or was already used for a different request, if the owner is
    /// malformed, or if `remix_of` is not a task; `invalid_state` if the first submission with the key is still being sent to a worker
    /// after five minutes.
    pub fn submit_with(&self, request: &GenerateRequest, options: &SubmitOptions) -> Result<Task> {
        let made = AtomicBool::new(false);
        // This thread may block, so it does the slow work itself.
        let submitting = submit(self, &made, || finished(self.prepare(request, options)));
        self.in_log(|| thread::block_on(submitting, None))
            .unwrap_or_else(|| Err(Error::internal("a submission has no deadline")))
    }

    /// Like [`Platform::submit_with`], without blocking. No thread waits for a place in a full queue, for the commit or for a
    /// worker. Threads of the platform decode pictures and look up idempotency keys.
    ///
    /// ```
    /// use must::{GenerateRequest, Platform, SubmitOptions, Task};
    ///
    /// async fn submit(platform: Platform) -> must::Result<Task> {
    ///     let request = GenerateRequest::new("tiny-image", "a red circle");
    ///     platform.submit_async(request, SubmitOptions::default()).await
    /// }
    /// # let folder = tempfile::tempdir()?;
    /// # let mut settings = must::Settings::new(folder.path());
    /// # settings.paused = true;
    /// # let platform = Platform::open(settings)?;
    /// # let task = must::wait_for(submit(platform), None).expect("no time is set")?;
    /// # assert_eq!(task.status, must::Status::Pending);
    /// # Ok::<(), must::Error>(())
    /// ```
    pub fn submit_async(&self, request: GenerateRequest, options: SubmitOptions) -> Submission {
        Submission::new(self, move |platform, made| async move {
            let (again, wanted) = (platform.clone(), Arc::new((request, options)));
            submit(&platform, &made, move || again.clone().prepare_async(Arc::clone(&wanted))).await
        })
    }

    /// Like [`Platform::submit_async`], for a request that is slow to make. `make` is called once, on a thread of the platform,
    /// and may read files. If it fails, the submission fails with its error.
    pub fn make_and_submit(
        &self,
        make: impl FnOnce(&Self) -> Result<(GenerateRequest, SubmitOptions)> + Send + 'static,
    ) -> Submission {
        Submission::new(self, move |platform, made| async move {
            let making = platform.on_thread(move |platform| {
                let (request, options) = make(platform)?;
                let prepared = platform.prepare(&request, &options)?;
                Ok((Arc::new((request, options)), prepared))
            });
            let (wanted, prepared) = making.await?;
            let (again, mut first) = (platform.clone(), Some(prepared));
            let prepare = move || match first.take() {
                Some(prepared) => Either::Left(finished(Ok(prepared))),
                None => Either::Right(again.clone().prepare_async(Arc::clone(&wanted))),
            };
            submit(&platform, &made, prepare).await
        })
    }

    /// Checks a request and decodes its pictures on the current thread.
    fn prepare(&self, request: &GenerateRequest, options: &SubmitOptions) -> Result<Prepared> {
        self.on_tasks(|tasks| tasks.prepare(request, options))
    }

    /// Like [`Platform::prepare`], but does slow work on a thread of the platform.
    async fn prepare_async(self, wanted: Arc<(GenerateRequest, SubmitOptions)>) -> Result<Prepared> {
        if self.on_tasks(|tasks| Ok(tasks.is_quick_to_prepare(&wanted.0, &wanted.1)))? {
            return self.prepare(&wanted.0, &wanted.1);
        }
        self.on_thread(move |platform| platform.prepare(&wanted.0, &wanted.1)).await
    }

    /// Does `work` on one of the platform's threads for submissions.
    async fn on_thread<T: Send + 'static>(&self, work: impl FnOnce(&Self) -> Result<T> + Send + 'static) -> Result<T> {
        let (platform, span) = (self.clone(), Span::current());
        let working = self.parts()?.submitters.run(move || span.in_scope(|| platform.logged(|| work(&platform))));
        working.await
    }
}

/// Returns the durable task. `prepare` is called again if an earlier submission with the same key was undone because neither a
/// worker nor a local lane took its task.
async fn submit<F: Future<Output = Result<Prepared>>>(
    platform: &Platform,
    made: &AtomicBool,
    mut prepare: impl FnMut() -> F,
) -> Result<Task> {
    let draft = loop {
        match prepare().await? {
            Prepared::Known(task) => return Ok(task),
            Prepared::New(draft) => break draft,
            Prepared::Sending(earlier) => {
                if let Some(task) = platform.parts()?.tasks.earlier_task(&earlier).await? {
                    return Ok(task);
                }
            }
        }
    };
    // `prepare` owns the original request and its pictures. They are freed here, before the draft waits for its place.
    drop(prepare);
    platform.parts()?.workers.submit(draft, made).await
}

impl Submission {
    fn new<F: Future<Output = Result<Task>> + Send + 'static>(
        platform: &Platform,
        submit: impl FnOnce(Platform, Arc<AtomicBool>) -> F,
    ) -> Self {
        let made = Arc::new(AtomicBool::new(false));
        let task = Box::pin(submit(platform.clone(), Arc::clone(&made)));
        Self { platform: platform.clone(), task: Some(task), made, cancel_on_drop: false }
    }

    /// Returns the same submission, with one change: if it is dropped before it is ready, a task that exists by then is cancelled.
    pub fn or_cancel(mut self) -> Self {
        self.cancel_on_drop = true;
        self
    }
}

impl Future for Submission {
    type Output = Result<Task>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { platform, task, .. } = &mut *self;
        let Some(submitting) = task else { return Poll::Pending };
        let outcome = ready!(platform.in_log(|| submitting.as_mut().poll(context)));
        *task = None;
        Poll::Ready(outcome)
    }
}

impl Drop for Submission {
    fn drop(&mut self) {
        if !self.cancel_on_drop || !self.made.load(Ordering::SeqCst) {
            return;
        }
        let Some(task) = self.task.take() else { return };
        let platform = self.platform.clone();
        let cancel = move || {
            if let Some(Ok(task)) = thread::block_on(task, None)
                && let Err(error) = platform.abandon(&task.id)
            {
                tracing::debug!(
                    task = task.id,
                    code = error.code().as_str(),
                    "the task of a dropped submission was not cancelled"
                );
            }
        };
        if let Err(error) = log::spawn("must-cancel", cancel) {
            tracing::warn!(code = error.code().as_str(), "the task of a dropped submission cannot be cancelled");
        }
    }
}

impl std::fmt::Debug for Submission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Submission").finish_non_exhaustive()
    }
}
