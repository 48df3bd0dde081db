//! Turns a draft into a task, at a worker that is ready for it or else here.

use super::dispatch::{self, Dispatched};
use super::service::Workers;
use crate::error::{Error, ErrorCode, Result};
use crate::task::{Draft, Task};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::oneshot;

impl Workers {
    /// Sends a draft to a worker that is ready for it. Without one, a local lane gets it. `made` is true while its task may be
    /// durable.
    ///
    /// # Errors
    /// As [`Platform::submit`](crate::Platform::submit). After an error no task exists.
    pub(crate) async fn submit(&self, mut draft: Draft, made: &AtomicBool) -> Result<Task> {
        let shared = &self.shared;
        if draft.is_local_only() || shared.known() == 0 {
            return shared.tasks.submit(draft, made).await;
        }
        if draft.wants_partials() {
            return match draft.can_run_here() {
                true => shared.tasks.submit(draft, made).await,
                false => Err(Error::validation(
                    "the model cannot run on this platform itself, and workers send no partial pictures",
                )
                .with_action("Leave partial_images out, or choose a model that can run here.")
                .with_parameter("partial_images")),
            };
        }
        loop {
            made.store(true, Ordering::SeqCst);
            let dispatched = self.dispatch(draft).await?;
            made.store(matches!(dispatched, Dispatched::Task(_)), Ordering::SeqCst);
            draft = match dispatched {
                Dispatched::Task(task) => return Ok(task),
                Dispatched::AlreadySubmitted(draft, earlier) => match shared.tasks.earlier_task(&earlier).await? {
                    Some(task) => return Ok(task),
                    // The earlier submission was undone, so this one is tried again.
                    None => draft,
                },
                Dispatched::NoWorker(draft) if draft.can_run_here() => {
                    shared.metrics.dispatched("local");
                    return shared.tasks.submit(draft, made).await;
                }
                Dispatched::NoWorker(_) => {
                    shared.metrics.dispatched("no_workers");
                    let detail = "no worker is ready for the model, and it cannot run here";
                    return Err(Error::new(ErrorCode::NoWorkers, detail));
                }
            };
        }
    }

    /// Dispatches in the background, so that the task continues even if the caller stops waiting.
    async fn dispatch(&self, draft: Draft) -> Result<Dispatched> {
        let (background, (done, outcome)) = (Arc::clone(&self.shared), oneshot::channel());
        self.spawn(async move {
            // If the caller is gone, sending fails, which is fine.
            let _ = done.send(dispatch::dispatch(&background, draft).await);
        })?;
        outcome.await.unwrap_or_else(|_| Err(self.shared.ended()))
    }
}
