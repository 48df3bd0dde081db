//! The tasks that have not ended, in memory: their current state, and the flags that stop them.
//!
//! Invariants: a task is a live task from before its caller gets its id until after its end is durable. Its status here is never
//! ahead of the database. Its progress is: it changes here first and is written to the database from time to time.

use super::partials::Partials;
use super::types::{Status, Task};
use crate::error::{Error, Result};
use crate::thread::block_on;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// The result of waiting for the next change of a task.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "lives for one match")]
pub enum Event {
    /// The task changed; this is its current state. Several quick changes may be reported as one.
    Changed(Task),
    /// The task has ended and its last change was already returned.
    Ended,
    /// The timeout ended before the task changed.
    TimedOut,
}

/// One task that has not ended.
pub(super) struct Live {
    state: watch::Sender<Task>,
    cancel: AtomicBool,
    fenced: AtomicBool,
    partials: Option<Arc<Partials>>,
}

impl Live {
    pub(super) fn new(task: Task) -> Arc<Self> {
        Self::with_partials(task, None)
    }

    /// Makes the entry of a task whose intermediate pictures are kept in `partials`.
    pub(super) fn with_partials(task: Task, partials: Option<Arc<Partials>>) -> Arc<Self> {
        Arc::new(Self {
            state: watch::Sender::new(task),
            cancel: AtomicBool::new(false),
            fenced: AtomicBool::new(false),
            partials,
        })
    }

    /// Returns a copy of the current state.
    pub(super) fn snapshot(&self) -> Task {
        self.look(Task::clone)
    }

    /// Calls `look` with the current state, which cannot change during the call.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Task) -> T) -> T {
        look(&self.state.borrow())
    }

    /// Changes the state and wakes all waiters. A change after the task's end is ignored.
    pub(super) fn update(&self, change: impl FnOnce(&mut Task)) {
        self.state.send_if_modified(|task| {
            if task.status.is_terminal() {
                return false;
            }
            let progress = task.progress;
            change(task);
            task.progress = task.progress.max(progress);
            true
        });
    }

    /// Returns the intermediate pictures, if any are wanted.
    pub(super) const fn partials(&self) -> Option<&Arc<Partials>> {
        self.partials.as_ref()
    }

    /// Adds an intermediate picture and wakes all waiters, because the state may not change before the next step.
    pub(super) fn add_partial(&self, picture: Vec<u8>) {
        if let Some(partials) = &self.partials {
            partials.add(picture);
        }
        self.state.send_modify(|_| ());
    }

    /// Asks the run to stop.
    pub(super) fn request_cancel(&self) {
        self.cancel.store(true, Ordering::SeqCst);
    }

    pub(super) fn cancel_requested(&self) -> bool {
        self.cancel.load(Ordering::SeqCst)
    }

    /// Tells the run that it no longer holds the lease.
    pub(super) fn fence(&self) {
        self.fenced.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_fenced(&self) -> bool {
        self.fenced.load(Ordering::SeqCst)
    }
}

/// Number of maps that the live tasks are spread over. A map that grows delays only its own tasks, and only for a moment.
const SHARDS: usize = 64;

/// Live tasks by id.
type Shard = RwLock<HashMap<String, Arc<Live>>>;

/// Every live task.
#[derive(Default)]
pub(super) struct LiveTasks {
    hasher: RandomState,
    shards: Shards,
}

struct Shards([Shard; SHARDS]);

impl Default for Shards {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Shard::default()))
    }
}

impl LiveTasks {
    pub(super) fn add(&self, task: Task) -> Arc<Live> {
        let (id, live) = (task.id.clone(), Live::new(task));
        self.insert(id, Arc::clone(&live));
        live
    }

    pub(super) fn insert(&self, id: String, live: Arc<Live>) {
        self.shard(&id).write().insert(id, live);
    }

    fn shard(&self, id: &str) -> &Shard {
        let [first, ..] = &self.shards.0;
        // The index is always in range; `first` only satisfies the type.
        self.shards.0.get(self.hasher.hash_one(id) as usize % SHARDS).unwrap_or(first)
    }

    pub(super) fn get(&self, id: &str) -> Option<Arc<Live>> {
        self.shard(id).read().get(id).cloned()
    }

    /// Publishes the end of a task, which must be durable, and removes the task.
    pub(super) fn end(&self, task: Task) {
        if let Some(live) = self.shard(&task.id).write().remove(&task.id) {
            live.state.send_replace(task);
        }
    }

    /// Removes every task although it has not ended. Waiters get the error that the platform is closed.
    pub(super) fn close(&self) {
        self.shards.0.iter().for_each(|shard| shard.write().clear());
    }
}

/// The changes of one task. The first is its current state and the last is its end.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let mut settings = must::Settings::new(folder.path());
/// # settings.paused = true;
/// # let platform = must::Platform::open(settings)?;
/// use must::{Event, GenerateRequest};
/// use std::time::Duration;
///
/// let task = platform.submit(&GenerateRequest::new("tiny-image", "a red circle"))?;
/// let mut events = platform.events(&task.id)?;
/// assert!(matches!(events.next(None)?, Event::Changed(now) if now.progress == 0));
/// // This platform is paused, so the task does not change.
/// assert_eq!(events.next(Some(Duration::from_millis(10)))?, Event::TimedOut);
/// # Ok::<(), must::Error>(())
/// ```
pub struct TaskEvents {
    state: watch::Receiver<Task>,
    fresh: bool,
    ended: bool,
}

impl TaskEvents {
    pub(super) fn of_live(live: &Live) -> Self {
        Self { state: live.state.subscribe(), fresh: true, ended: false }
    }

    pub(super) fn of_ended(task: Task) -> Self {
        Self { state: watch::channel(task).1, fresh: true, ended: false }
    }

    /// Waits for the next change. Without a timeout it waits as long as necessary.
    ///
    /// # Errors
    /// `invalid_state` if the platform closes before the task ends.
    pub fn next(&mut self, timeout: Option<Duration>) -> Result<Event> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        match block_on(self.changed(), deadline) {
            Some(Ok(Some(task))) => Ok(Event::Changed(task)),
            Some(Ok(None)) => Ok(Event::Ended),
            Some(Err(error)) => Err(error),
            None => Ok(Event::TimedOut),
        }
    }

    /// Like [`TaskEvents::next`], without blocking a thread, on any executor. Returns `None` after it has returned the task's end. The
    /// future may be dropped; a later call loses no change.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let mut settings = must::Settings::new(folder.path());
    /// # settings.paused = true;
    /// # let platform = must::Platform::open(settings)?;
    /// use must::{GenerateRequest, Platform};
    ///
    /// async fn follow(platform: &Platform, id: &str) -> must::Result<()> {
    ///     let mut events = platform.events(id)?;
    ///     while let Some(now) = events.changed().await? {
    ///         println!("{:3}% {}", now.progress, now.stage);
    ///     }
    ///     Ok(())
    /// }
    /// # let task = platform.submit(&GenerateRequest::new("tiny-image", "a red circle"))?;
    /// # platform.cancel(&task.id)?;
    /// # must::wait_for(follow(&platform, &task.id), None).expect("no time is set")?;
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`TaskEvents::next`].
    pub async fn changed(&mut self) -> Result<Option<Task>> {
        if self.ended {
            return Ok(None);
        }
        if !self.fresh && self.state.changed().await.is_err() && !self.state.borrow().status.is_terminal() {
            return Err(Error::invalid_state(
                "the platform was closed before the task ended",
                "Open the data folder again. The task then continues.",
            ));
        }
        self.fresh = false;
        let task = self.state.borrow_and_update().clone();
        self.ended = task.status.is_terminal();
        Ok(Some(task))
    }
}

impl std::fmt::Debug for TaskEvents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaskEvents").field("ended", &self.ended).finish_non_exhaustive()
    }
}

/// Changes the live state of a task that a lane has claimed.
pub(super) fn show_claimed(task: &mut Task, started: crate::time::Timestamp) {
    task.status = Status::Processing;
    task.stage = "starting".to_owned();
    task.stage_detail.clear();
    task.started_at = Some(started);
    task.updated_at = started;
}
