//! The operations on durable tasks. [`Platform`](crate::Platform) calls these.

use super::file_name;
use super::live_tasks::{LiveTasks, TaskEvents};
use super::model_checkpoints::{ModelCheckpoints, check_catalog};
use super::partials::Partials;
use super::place::Place;
use super::queue::{Entry, Queue};
use super::remix;
use super::residency::{LaneEvent, Loader, Residency};
use super::state::{LaneObserver, Shared};
use super::store::{self, Unfinished};
use super::sweep::{self, Sweeper};
use super::types::{Media, Status, Task, TaskPage, TaskQuery};
use super::{idempotency, runner};
use crate::audit::{Audit, Caller, NewEvent, Outcome};
use crate::catalog::{Catalog, Model, ModelView};
use crate::error::{Error, ErrorCode, Result};
use crate::log;
use crate::media::OutputFormat;
use crate::metrics::LaneStatus;
use crate::metrics::Metrics;
use crate::request::GenerateRequest;
use crate::settings::Settings;
use crate::store::Store;
use crate::time::{Clock, Timestamp};
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The running task service.
pub(crate) struct Tasks {
    pub(super) shared: Arc<Shared>,
    lanes: Mutex<Vec<JoinHandle<()>>>,
    sweeper: Sweeper,
}

impl Tasks {
    /// Restores the tasks that have not ended, and starts the lanes.
    pub(crate) fn start(
        settings: Settings,
        catalog: Catalog,
        store: Arc<Store>,
        audit: Arc<Audit>,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Result<Self> {
        let mut models = Vec::with_capacity(settings.lanes.len());
        for name in &settings.lanes {
            let model = catalog.model(name).ok_or_else(|| {
                Error::validation(format!(
                    "the settings name a lane for the model {name:?}, which is not in the catalog"
                ))
            })?;
            models.push(model.id.clone());
        }
        check_catalog(&catalog)?;
        let checkpoints = Arc::new(ModelCheckpoints::new(settings.models_dir(), settings.device)?);
        let queue = Queue::new(settings.queue_depth, &models);
        let lanes =
            queue.lanes().iter().map(|model| LaneStatus { model: model.clone(), ..LaneStatus::default() }).collect();
        let shared = Arc::new(Shared {
            settings,
            catalog,
            store,
            audit,
            clock,
            metrics,
            checkpoints,
            queue,
            live_tasks: LiveTasks::default(),
            lanes: Mutex::new(lanes),
            observers: RwLock::new(Vec::new()),
        });
        sweep::fail_stale(&shared, shared.clock.now())?;
        shared.restore_tasks()?;
        let mut lanes = Vec::new();
        let running = if shared.settings.paused { 0 } else { shared.queue.lanes().len() };
        for lane in 0..running {
            lanes.push(shared.start_lane(lane)?);
        }
        let sweeper = Sweeper::start(&shared)?;
        Ok(Self { shared, lanes: Mutex::new(lanes), sweeper })
    }

    /// Returns the current time.
    pub(crate) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    pub(crate) fn catalog(&self) -> &Catalog {
        &self.shared.catalog
    }

    pub(crate) fn read_image_files(&self, request: &mut GenerateRequest) -> Result<()> {
        super::image_files::read(&self.shared.catalog, request)
    }

    /// Whether this platform has the files that a model needs.
    pub(crate) fn can_run(&self, model: &str) -> bool {
        let model = self.shared.catalog.model(model);
        model.is_some_and(|model| self.shared.checkpoints.get(model, None).is_ok())
    }

    /// Returns the number of tasks of each status and model.
    pub(crate) fn counts(&self) -> Result<Vec<(String, String, i64)>> {
        self.shared.store.read(store::counts)
    }

    pub(crate) fn models(&self) -> Vec<ModelView> {
        let shared = &self.shared;
        let describe = |model: &Model| match shared.checkpoints.get(model, None) {
            Ok(checkpoint) => model.describe_found(&checkpoint.describe(), &checkpoint.modes()),
            Err(error) => model.describe(Some((error.detail(), error.user_action()))),
        };
        shared.catalog.models().iter().map(describe).collect()
    }

    pub(crate) fn status(&self, id: &str) -> Result<Task> {
        self.look(id, Task::clone)
    }

    /// Calls `look` with the current state of a task, without copying it. `look` must be short.
    pub(crate) fn look<T>(&self, id: &str, look: impl FnOnce(&Task) -> T) -> Result<T> {
        match self.shared.live_tasks.get(id) {
            Some(live) => Ok(live.look(look)),
            None => self.shared.store.read(|connection| store::get(connection, id)).map(|task| look(&task)),
        }
    }

    pub(crate) fn events(&self, id: &str) -> Result<TaskEvents> {
        // A task leaves the live tasks only after its end is durable. A task that is found in neither place in the first round is found
        // in the second.
        for _ in 0..2 {
            if let Some(live) = self.shared.live_tasks.get(id) {
                return Ok(TaskEvents::of_live(&live));
            }
            let task = self.shared.store.read(|connection| store::get(connection, id))?;
            if task.status.is_terminal() {
                return Ok(TaskEvents::of_ended(task));
            }
        }
        Err(Error::closed("the platform is closing"))
    }

    /// Cancels a task. Returns whether it had not ended. `by` is the caller for the audit log.
    pub(crate) fn cancel(&self, id: &str, by: Option<&Caller>) -> Result<bool> {
        let shared = &self.shared;
        let (wanted, now) = (id.to_owned(), shared.clock.now());
        let before = match by.map(|caller| event_on_task(caller, "task_cancel", id)) {
            None => shared.store.write(move |connection| store::cancel(connection, &wanted, now))?,
            Some(event) => shared.audit.record(move |connection| {
                let before = store::cancel(connection, &wanted, now)?;
                let event = with_task_facts(event, &before).with("was_active", !before.status.is_terminal());
                Ok((before, event))
            })?,
        };
        match before.status {
            Status::Pending | Status::Processing if before.place == Place::Sent => {
                if let Some(live) = shared.live_tasks.get(id) {
                    live.request_cancel();
                }
            }
            Status::Pending => {
                shared.queue.remove(id);
                shared.show_end(id);
            }
            // The run was interrupted when the platform was closed, and no lane has taken the task again.
            Status::Processing if shared.queue.remove(id) => {
                shared.fail_cancelled(id)?;
                shared.show_end(id);
            }
            Status::Processing => {
                if let Some(live) = shared.live_tasks.get(id) {
                    live.request_cancel();
                }
            }
            Status::Done | Status::Failed => {}
        }
        Ok(!before.status.is_terminal())
    }

    /// Forgets the idempotency key of a task that will be ended because its caller has gone.
    pub(crate) fn forget_submission(&self, id: &str) -> Result<()> {
        let id = id.to_owned();
        self.shared.store.write(move |connection| idempotency::forget(connection, &id))
    }

    /// Returns the task if it has a result.
    pub(crate) fn finished(&self, id: &str) -> Result<Task> {
        let task = self.status(id)?;
        if let Some(error) = &task.error {
            return Err(Error::new(
                ErrorCode::ResultGone,
                format!("the task failed ({}) and has no result", error.code),
            )
            .with_action("Submit the task again."));
        }
        if task.status != Status::Done {
            return Err(Error::new(
                ErrorCode::ResultNotReady,
                format!("the task is {}, at {} percent", task.status.as_str(), task.progress),
            ));
        }
        Ok(task)
    }

    pub(crate) fn media(&self, id: &str, preview: bool) -> Result<Media> {
        let task = self.finished(id)?;
        let path = if preview { &task.preview_path } else { &task.result_path };
        let path = path.as_ref().ok_or_else(|| Error::internal("a finished task has no files"))?;
        let extension = path.rsplit('.').next().unwrap_or_default();
        let format =
            OutputFormat::from_name(extension).ok_or_else(|| Error::internal("a result has an unknown ending"))?;
        let bytes = std::fs::read(self.shared.settings.data_dir.join(path)).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                Error::new(ErrorCode::ResultGone, "the file of the result is no longer there")
            }
            _ => error.into(),
        })?;
        Ok(Media { bytes, content_type: format.mime(), file_name: file_name::of(&task, preview, extension) })
    }

    pub(crate) fn page(&self, query: &TaskQuery) -> Result<TaskPage> {
        let mut query = query.clone();
        if let Some(name) = &query.model {
            let model = self
                .shared
                .catalog
                .model(name)
                .ok_or_else(|| Error::validation(format!("there is no model {name:?}")))?;
            query.model = Some(model.id.clone());
        }
        let mut page = self.shared.store.read(|connection| store::page(connection, &query))?;
        for task in &mut page.items {
            if let Some(live) = self.shared.live_tasks.get(&task.id) {
                *task = live.snapshot();
            }
        }
        Ok(page)
    }

    /// Returns the intermediate pictures of a task that has not ended, if any are wanted.
    pub(crate) fn partials(&self, id: &str) -> Option<Arc<Partials>> {
        self.shared.live_tasks.get(id).and_then(|live| live.partials().cloned())
    }

    /// Returns, by id, the source of each of these tasks that is a remix.
    pub(crate) fn remix_sources(&self, ids: &[&str]) -> Result<HashMap<String, String>> {
        self.shared.store.read(|connection| remix::sources(connection, ids))
    }

    /// Deletes an ended task and its files. `by` is the caller for the audit log.
    pub(crate) fn delete(&self, id: &str, by: Option<&Caller>) -> Result<()> {
        let wanted = id.to_owned();
        let task = match by.map(|caller| event_on_task(caller, "task_delete", id)) {
            None => self.shared.store.write(move |connection| store::delete(connection, &wanted))?,
            Some(event) => self.shared.audit.record(move |connection| {
                let task = store::delete(connection, &wanted)?;
                let event = with_task_facts(event, &task);
                Ok((task, event))
            })?,
        };
        // The run may not have shown the task's end yet, and it can no longer read it.
        self.shared.live_tasks.end(task);
        self.shared.remove_files(&format!("results/{id}"));
        Ok(())
    }

    pub(crate) fn lanes(&self) -> (Vec<LaneStatus>, usize) {
        (self.shared.lanes.lock().clone(), self.shared.queue.waiting())
    }

    pub(crate) fn observe_lanes(&self, observer: LaneObserver) {
        self.shared.observers.write().push(observer);
    }

    /// Stops the lanes at their next step. A lane that has not stopped by the deadline ends later on its own and can write nothing
    /// more.
    pub(crate) fn close(&self, deadline: Duration) {
        let deadline = Instant::now() + deadline;
        self.shared.queue.close();
        self.sweeper.stop();
        for lane in self.lanes.lock().drain(..) {
            while !lane.is_finished() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(2));
            }
            if lane.is_finished() {
                let _ = lane.join();
            } else {
                tracing::warn!("a lane did not stop before the deadline");
            }
        }
        self.shared.live_tasks.close();
    }
}

impl Shared {
    fn restore_tasks(&self) -> Result<()> {
        for Unfinished { task, epoch, cancel_requested } in self.store.read(store::unfinished)? {
            if cancel_requested {
                self.fail_cancelled(&task.id)?;
                continue;
            }
            // The work of an interrupted run is lost. Its task runs again, and its progress does not fall.
            let entry = Entry { id: task.id.clone(), model: task.model.clone(), epoch };
            self.live_tasks.add(task);
            self.queue.restore(entry);
        }
        Ok(())
    }

    /// Fails a cancelled task whose run was interrupted when the platform was closed.
    fn fail_cancelled(&self, id: &str) -> Result<bool> {
        let (id, now) = (id.to_owned(), self.clock.now());
        let error = Error::new(ErrorCode::Cancelled, "cancelled while it ran");
        self.store.write(move |connection| store::fail(connection, &id, None, &error, now))
    }

    fn start_lane(self: &Arc<Self>, lane: usize) -> Result<JoinHandle<()>> {
        let threads = rayon::ThreadPoolBuilder::new()
            .num_threads(self.settings.threads)
            .spawn_handler(|worker| {
                let name = format!("must-lane{lane}-{}", worker.index());
                log::spawn(&name, move || worker.run()).map(drop).map_err(std::io::Error::other)
            })
            .build()
            .map_err(|error| {
                Error::new(ErrorCode::DependencyUnavailable, format!("cannot start the inference threads: {error}"))
            })?;
        let model = self.queue.lanes().get(lane).cloned().flatten();
        let checkpoints = Arc::clone(&self.checkpoints);
        let load: Loader = Box::new(move |checkpoint, control| checkpoints.load(checkpoint, control));
        let watcher = Arc::downgrade(self);
        let report = Box::new(move |status: &LaneStatus, event: Option<&LaneEvent>| {
            if let Some(shared) = watcher.upgrade() {
                shared.report_lane(lane, status, event);
            }
        });
        let residency = Residency::new(model, load, report);
        let shared = Arc::clone(self);
        log::spawn(&format!("must-lane{lane}"), move || runner::run_lane(&shared, lane, residency, &threads))
    }
}

fn event_on_task(caller: &Caller, action: &str, id: &str) -> NewEvent {
    caller.event(action, format!("task:{id}"), Outcome::Success)
}

/// Adds facts about the task to an event, but no text that its owner wrote.
fn with_task_facts(event: NewEvent, task: &Task) -> NewEvent {
    let event = event.with("model", &task.model).with("status", task.status.as_str());
    match &task.owner {
        Some(owner) => event.with("owner", owner),
        None => event,
    }
}
