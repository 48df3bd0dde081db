//! Submitting without a thread that waits.

use super::Platform;
use crate::error::Result;
use crate::log;
use crate::request::GenerateRequest;
use crate::task::{SubmitOptions, Task};
use crate::thread;
use crate::workers::Begun;
use futures::future::BoxFuture;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

/// A submission whose request was checked, and whose pictures were decoded. What is left is waiting, which takes no thread:
/// for a place in a full queue, for the commit, for a worker.
pub struct Submission {
    platform: Platform,
    begun: Begun,
    /// What to begin with again, when an earlier submission under the same key is taken back.
    again: Option<(GenerateRequest, SubmitOptions)>,
}

impl Platform {
    /// The part of [`Platform::submit_with`] that computes, on this thread. [`Submission::task`] does the rest on any executor:
    ///
    /// ```no_run
    /// # async fn submit(platform: must::Platform, request: must::GenerateRequest) -> must::Result<must::Task> {
    /// let beginning = platform.clone();
    /// let begun = tokio::task::spawn_blocking(move || beginning.begin_submit(&request, &Default::default()));
    /// begun.await.expect("it does not panic")?.task().await
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Platform::submit_with`], but for what is waited for.
    pub fn begin_submit(&self, request: &GenerateRequest, options: &SubmitOptions) -> Result<Submission> {
        let begun = self.on_workers(|workers| workers.begin_submit(request, options))?;
        let again = matches!(begun, Begun::Repeats(_)).then(|| (request.clone(), options.clone()));
        Ok(Submission { platform: self.clone(), begun, again })
    }
}

impl Submission {
    /// The durable task. When this is dropped before it is ready, a task that is made by then goes on, and nobody has its id.
    ///
    /// # Errors
    /// As [`Platform::submit_with`].
    pub async fn task(self) -> Result<Task> {
        let Self { platform, mut begun, again } = self;
        loop {
            begun = match (begun, &again) {
                (Begun::Known(task), _) => return Ok(*task),
                (Begun::New { task, .. }, _) => return task.await,
                (Begun::Repeats(earlier), None) => return earlier.await?.ok_or_else(taken_back),
                (Begun::Repeats(earlier), Some((request, options))) => match earlier.await? {
                    Some(task) => return Ok(task),
                    // Seldom: a worker did not take the first one, and nobody else did.
                    None => platform.on_workers(|workers| workers.begin_submit(request, options))?,
                },
            };
        }
    }

    /// The same; when it is dropped before it is ready, a task that is made by then is cancelled.
    pub fn task_or_cancel(self) -> impl Future<Output = Result<Task>> + Send + 'static {
        let made = match &self.begun {
            Begun::New { made, .. } => Arc::clone(made),
            // Not this submission's task.
            Begun::Known(_) | Begun::Repeats(_) => Arc::default(),
        };
        let platform = self.platform.clone();
        OrCancel { platform, made, task: Some(Box::pin(self.task())) }
    }
}

impl std::fmt::Debug for Submission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Submission").finish_non_exhaustive()
    }
}

/// A submission whose task is wanted for as long as this is there.
struct OrCancel {
    platform: Platform,
    made: Arc<AtomicBool>,
    task: Option<BoxFuture<'static, Result<Task>>>,
}

impl Future for OrCancel {
    type Output = Result<Task>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(task) = &mut self.task else { return Poll::Pending };
        let outcome = ready!(task.as_mut().poll(context));
        self.task = None;
        Poll::Ready(outcome)
    }
}

impl Drop for OrCancel {
    fn drop(&mut self) {
        let Some(task) = self.task.take().filter(|_| self.made.load(Ordering::SeqCst)) else { return };
        let platform = self.platform.clone();
        let cancel = move || {
            if let Some(Ok(task)) = thread::block_on(task, None)
                && let Err(error) = platform.abandon(&task.id)
            {
                tracing::debug!(task = task.id, code = error.code().as_str(), "a task that nobody wants goes on");
            }
        };
        if let Err(error) = log::spawn("must-unwanted", cancel) {
            tracing::warn!(code = error.code().as_str(), "a task that nobody wants cannot be cancelled");
        }
    }
}

fn taken_back() -> crate::Error {
    crate::Error::invalid_state("the first submission under this key was taken back", "Send the submission again.")
}
