//! Calls that wait for tasks. A task that was made for the answer of one call is ended when no call waits for it any more.
//!
//! Invariants: a task that another call waits for continues. A task with an idempotency key continues for a while after its
//! caller has gone, because the same call may be sent again and then gets its result; after that it is ended, and its key is
//! forgotten. A server that stops ends no such task: the task continues at the next start.

use crate::platform::Platform;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;

/// How many calls wait for each task of a platform.
pub(super) struct Waiting {
    platform: Platform,
    retry_window: Duration,
    tasks: Mutex<HashMap<String, Callers>>,
}

/// The calls that wait for one task.
#[derive(Clone, Copy, Default)]
struct Callers {
    calls: usize,
    /// How many times all calls had left. With it, a timer knows whether another call has come and left since the timer began.
    left: u64,
    ending: bool,
}

/// A call that waits for tasks. Dropping it stops the waiting. A task that has not ended and that no other call waits for is then ended,
/// for a call with an idempotency key only after a while.
pub(super) struct Waiter {
    waiting: Arc<Waiting>,
    runtime: Handle,
    /// How long a task continues after its last call has left. `None` means that it is ended at once.
    patience: Option<Duration>,
    tasks: Vec<String>,
}

impl Waiter {
    /// Makes a waiter for a call; `keyed` means that the call has an idempotency key. Must be called within a runtime.
    pub(super) fn new(waiting: &Arc<Waiting>, keyed: bool) -> Self {
        let patience = keyed.then_some(waiting.retry_window);
        Self { waiting: Arc::clone(waiting), runtime: Handle::current(), patience, tasks: Vec::new() }
    }

    /// Also waits for this task. Returns false when the task is being ended because all earlier callers have left.
    pub(super) fn join(&mut self, id: &str) -> bool {
        let mut tasks = self.waiting.tasks.lock();
        let callers = tasks.entry(id.to_owned()).or_default();
        if callers.ending {
            return false;
        }
        callers.calls += 1;
        self.tasks.push(id.to_owned());
        true
    }

    /// Returns the tasks that this call waits for, in the order in which it joined them.
    pub(super) fn tasks(&self) -> Vec<String> {
        self.tasks.clone()
    }

    /// Stops waiting for a task that has ended.
    pub(super) fn done_with(&mut self, id: &str) {
        if let Some(at) = self.tasks.iter().position(|task| task == id) {
            self.tasks.remove(at);
            let mut tasks = self.waiting.tasks.lock();
            if let Some(callers) = tasks.get_mut(id) {
                callers.calls = callers.calls.saturating_sub(1);
                if callers.calls == 0 {
                    tasks.remove(id);
                }
            }
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        for id in std::mem::take(&mut self.tasks) {
            let left = {
                let mut tasks = self.waiting.tasks.lock();
                let Some(callers) = tasks.get_mut(&id) else { continue };
                callers.calls = callers.calls.saturating_sub(1);
                if callers.calls > 0 {
                    continue;
                }
                callers.left += 1;
                callers.left
            };
            let (waiting, patience) = (Arc::clone(&self.waiting), self.patience);
            self.runtime.spawn(async move {
                if let Some(patience) = patience {
                    tokio::time::sleep(patience).await;
                }
                let _ = tokio::task::spawn_blocking(move || waiting.end_if_left(&id, left)).await;
            });
        }
    }
}

impl Waiting {
    pub(super) fn new(platform: Platform, retry_window: Duration) -> Self {
        Self { platform, retry_window, tasks: Mutex::default() }
    }

    /// Ends a task unless a call has begun to wait for it since.
    fn end_if_left(&self, id: &str, left: u64) {
        match self.tasks.lock().get_mut(id) {
            Some(callers) if callers.calls == 0 && callers.left == left => callers.ending = true,
            _ => return,
        }
        if let Err(error) = self.platform.abandon(id) {
            tracing::debug!(task = id, code = error.code().as_str(), "a task that nobody waits for continues");
        }
        self.tasks.lock().remove(id);
    }
}
