//! Housekeeping: fails tasks that have been processing for too long, and removes files that belong to no task.

use super::state::Shared;
use super::store;
use crate::audit::{NewEvent, Outcome};
use crate::error::Result;
use crate::log;
use crate::request::MediaType;
use crate::time::Timestamp;
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Longest time between two checks for stale tasks. The actual time is a tenth of the shorter limit, if that is less than this.
const CHECK_INTERVAL: Duration = Duration::from_secs(10);

pub(super) struct Sweeper {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Sweeper {
    pub(super) fn start(shared: &Arc<Shared>) -> Result<Self> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let (shared, stopped) = (Arc::clone(shared), Arc::clone(&stop));
        let every = CHECK_INTERVAL
            .min(shared.settings.image_stale.min(shared.settings.video_stale) / 10)
            .max(Duration::from_millis(10));
        let thread = log::spawn("must-sweeper", move || {
            remove_orphans(&shared);
            let since = shared.clock.now();
            let (flag, wake) = &*stopped;
            let mut flag = flag.lock();
            while !*flag {
                wake.wait_for(&mut flag, every);
                if !*flag && let Err(error) = fail_stale(&shared, since) {
                    tracing::error!(code = error.code().as_str(), "the check for stale tasks failed");
                }
            }
        })?;
        Ok(Self { stop, thread: Mutex::new(Some(thread)) })
    }

    pub(super) fn stop(&self) {
        *self.stop.0.lock() = true;
        self.stop.1.notify_all();
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }
}

/// Fails tasks that have been processing for longer than the limit of their kind, and stops their runs. A task on a worker is only
/// failed if its worker has reported on it after `since`.
pub(super) fn fail_stale(shared: &Shared, since: Timestamp) -> Result<()> {
    let now = shared.clock.now();
    for (media_type, limit) in
        [(MediaType::Image, shared.settings.image_stale), (MediaType::Video, shared.settings.video_stale)]
    {
        let audit = shared.audit.in_transaction();
        let failed = shared.store.write(move |connection| {
            let stale = store::fail_stale(connection, media_type, limit, since, now)?;
            for (id, ran) in &stale {
                let event = NewEvent::internal("task_stale", &format!("task:{id}"), Outcome::Failure);
                let event = event.with("type", media_type.as_str()).with("ran_s", ran.as_secs());
                audit.append(connection, event.with("limit_s", limit.as_secs()))?;
            }
            Ok(stale)
        })?;
        for (id, ran) in failed {
            tracing::warn!(
                task = id,
                kind = media_type.as_str(),
                ran_s = ran.as_secs(),
                limit_s = limit.as_secs(),
                "a stale task was failed"
            );
            if let Some(live) = shared.live_tasks.get(&id) {
                live.fence();
            }
            shared.show_end(&id);
        }
    }
    Ok(())
}

/// Removes result folders of deleted tasks, of runs that lost their lease, and of runs that a crash interrupted. Folders of tasks that
/// have not ended are left until a later start.
fn remove_orphans(shared: &Shared) {
    let Ok(entries) = std::fs::read_dir(shared.settings.data_dir.join("results")) else { return };
    for entry in entries.flatten() {
        let id = entry.file_name().to_string_lossy().into_owned();
        // A pending or running task of this process manages its own files.
        if shared.live_tasks.get(&id).is_some() {
            continue;
        }
        let Ok(known) = shared.store.read(|connection| store::result_of(connection, &id)) else { return };
        match known {
            None => shared.remove_files(&format!("results/{id}")),
            Some(result) => remove_other_epochs(shared, &id, result.as_deref()),
        }
    }
}

fn remove_other_epochs(shared: &Shared, id: &str, result: Option<&str>) {
    if shared.live_tasks.get(id).is_some() {
        return;
    }
    let kept = result.and_then(|path| path.split('/').nth(2));
    let Ok(epochs) = std::fs::read_dir(shared.settings.data_dir.join("results").join(id)) else { return };
    for epoch in epochs.flatten() {
        let name = epoch.file_name().to_string_lossy().into_owned();
        if kept != Some(&name) {
            shared.remove_files(&format!("results/{id}/{name}"));
        }
    }
}
