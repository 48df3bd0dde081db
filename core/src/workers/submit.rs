//! A draft becomes a task: at a worker that is ready for it, else here.

use super::dispatch::{HandedOut, hand_out};
use super::service::Workers;
use crate::error::{Error, ErrorCode, Result};
use crate::task::{Draft, Task};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::oneshot;

impl Workers {
    /// Hands a draft to a worker that is ready for it; without one, to a lane here. `made` is true while its task may be durable.
    ///
    /// # Errors
    /// As [`Platform::submit`](crate::Platform::submit); no task exists then.
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
            let handed_out = self.hand_out(draft).await?;
            made.store(matches!(handed_out, HandedOut::To(_)), Ordering::SeqCst);
            draft = match handed_out {
                HandedOut::To(task) => return Ok(task),
                HandedOut::Before(draft, earlier) => match shared.tasks.made_before(&earlier).await? {
                    Some(task) => return Ok(task),
                    // That one was taken back: this one takes its place.
                    None => draft,
                },
                HandedOut::Nowhere(draft) if draft.can_run_here() => {
                    shared.metrics.dispatched("local");
                    return shared.tasks.submit(draft, made).await;
                }
                HandedOut::Nowhere(_) => {
                    shared.metrics.dispatched("no_workers");
                    let detail = "no worker is ready for the model, and it cannot run here";
                    return Err(Error::new(ErrorCode::NoWorkers, detail));
                }
            };
        }
    }

    /// In the background: once the row is there, the task goes its way whether its caller waits or not.
    async fn hand_out(&self, draft: Draft) -> Result<HandedOut> {
        let (background, (done, outcome)) = (Arc::clone(&self.shared), oneshot::channel());
        self.spawn(async move {
            // A caller that is gone needs no answer.
            let _ = done.send(hand_out(&background, draft).await);
        })?;
        outcome.await.unwrap_or_else(|_| Err(self.shared.ended()))
    }
}
