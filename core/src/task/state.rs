//! The state that the threads of the task service share, with the operations that several of them need.

use super::live_tasks::LiveTasks;
use super::model_checkpoints::ModelCheckpoints;
use super::queue::Queue;
use super::residency::LaneEvent;
use super::store::{self, Lease};
use crate::audit::Audit;
use crate::catalog::Catalog;
use crate::error::{Error, ErrorCode};
use crate::log;
use crate::metrics::{LaneStatus, Metrics};
use crate::settings::Settings;
use crate::store::Store;
use crate::time::Clock;
use parking_lot::{Mutex, RwLock};
use rusqlite::Connection;
use std::sync::Arc;
use std::time::Duration;

/// Called for every change of a lane's pipelines, on the lane's thread. Must not block.
pub type LaneObserver = Box<dyn Fn(&LaneEvent) + Send + Sync>;

/// The shared state.
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) catalog: Catalog,
    pub(super) store: Arc<Store>,
    pub(super) audit: Arc<Audit>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) live_tasks: LiveTasks,
    pub(super) queue: Arc<Queue>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) checkpoints: Arc<ModelCheckpoints>,
    pub(super) lanes: Mutex<Vec<LaneStatus>>,
    pub(super) observers: RwLock<Vec<LaneObserver>>,
}

impl Shared {
    /// Stores the status of a lane. Logs the event, if there is one, and passes it to the observers.
    pub(super) fn report_lane(&self, lane: usize, status: &LaneStatus, event: Option<&LaneEvent>) {
        if let Some(slot) = self.lanes.lock().get_mut(lane) {
            slot.clone_from(status);
        }
        if let Some(event) = event {
            log_lane(lane, event);
            self.observers.read().iter().for_each(|observer| observer(event));
        }
    }

    /// Publishes the end of a task, which is already durable, to its waiters.
    pub(super) fn show_end(&self, id: &str) {
        match self.store.read(|connection| store::get(connection, id)) {
            Ok(task) if task.status.is_terminal() => self.live_tasks.end(task),
            Ok(_) => {}
            // The call that deleted it shows its end.
            Err(error) if error.code() == ErrorCode::TaskNotFound => {}
            Err(error) => tracing::error!(task = id, code = error.code().as_str(), "the end of a task cannot be read"),
        }
    }

    /// Retries to write the end of a task until storage accepts it or the queue is closed.
    pub(super) fn end_later(self: &Arc<Self>, id: String, lease: Lease, error: Error) {
        let shared = Arc::clone(self);
        let retry = move || {
            while !shared.queue.is_closed() {
                std::thread::sleep(Duration::from_millis(500));
                let (wanted, error, now) = (id.clone(), error.clone(), shared.clock.now());
                let ended = move |connection: &Connection| store::fail(connection, &wanted, Some(lease), &error, now);
                if shared.store.write(ended).is_ok() {
                    shared.show_end(&id);
                    return;
                }
            }
        };
        if let Err(error) = log::spawn("must-end-later", retry) {
            tracing::error!(code = error.code().as_str(), "cannot retry the end of a task");
        }
    }

    /// Removes files under the data folder that no row names any more. If this fails, the next start removes them.
    pub(super) fn remove_files(&self, relative: &str) {
        let path = self.settings.data_dir.join(relative);
        if let Err(error) = std::fs::remove_dir_all(&path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(path = relative, %error, "files could not be removed");
        }
    }
}

/// Logs a change of a lane's pipelines.
fn log_lane(lane: usize, event: &LaneEvent) {
    match event {
        LaneEvent::Hit { model } => tracing::debug!(lane, model, event = "hit", "a task found its pipeline loaded"),
        LaneEvent::Miss { model } => {
            tracing::debug!(lane, model, event = "miss", "a task did not find its pipeline loaded");
        }
        LaneEvent::Loaded { model, took, memory_bytes } => {
            let took_s = took.as_secs_f64();
            tracing::debug!(lane, model, event = "loaded", took_s, memory_bytes, "a pipeline was loaded");
        }
        LaneEvent::Evicted { model, memory_bytes } => {
            tracing::debug!(lane, model, event = "evicted", memory_bytes, "a pipeline was unloaded");
        }
    }
}
