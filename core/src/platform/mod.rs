//! The platform: the object through which a host uses MUST.
//!
//! A [`Platform`] is a handle that is cheap to clone and may be used from any thread. It owns its threads, which end at
//! [`Platform::close`] or when the last handle is dropped. In a child made by `fork` every call fails with `invalid_state`.

mod backup;
mod calls;
mod host;
mod open;
mod parts;
mod secrets;
mod submission;
mod tasks;

use crate::access::{self, Access};
use crate::audit::{self, Audit};
use crate::catalog::Catalog;
use crate::error::{Error, Result};
use crate::fork;
use crate::metrics::{Gauges, LaneStatus, Metrics};
use crate::secrets::Vault;
use crate::settings::HttpSettings;
use crate::socket::Listener;
use crate::store::Migration;
use crate::task::{self, LaneObserver, Tasks};
use crate::time::Timestamp;
use crate::workers::{self, Workers};
pub use backup::Backup;
pub(crate) use calls::outside;
pub use host::Host;
use open::forked;
use parts::Parts;
use schemars::JsonSchema;
pub(crate) use secrets::{Revocation, Rotation};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
pub use submission::Submission;

/// A running platform in one data folder.
///
/// ```
/// use must::{GenerateRequest, Platform, Settings, Status};
/// use std::time::Duration;
///
/// # let folder = tempfile::tempdir()?;
/// # let data = folder.path().join("data");
/// let platform = Platform::open(Settings::new(data))?;
/// let request = GenerateRequest::new("tiny-image", "a red circle").set("seed", 7);
/// let task = platform.submit(&request)?;
/// let ended = platform.wait(&task.id, None)?;
/// assert_eq!(ended.status, Status::Done, "{:?}", ended.error);
/// let picture = platform.result(&task.id)?;
/// assert_eq!(picture.content_type, "image/png");
/// platform.close(Duration::from_secs(10))?;
/// # Ok::<(), must::Error>(())
/// ```
#[derive(Clone)]
pub struct Platform {
    /// `None` in the handle of a call over the control socket. When only such calls still have the platform, it takes no more of them
    /// and closes when they have ended.
    share: Option<Arc<Share>>,
    inner: Arc<Inner>,
}

/// Shared by all handles of the host. It is dropped with the last of them.
struct Share;

/// The steps that build the database schema, in order. New steps are only added at the end.
pub(crate) const MIGRATIONS: &[Migration] = &[
    task::MIGRATION,
    audit::MIGRATION,
    crate::secrets::MIGRATION,
    access::MIGRATION,
    task::IDEMPOTENCY_MIGRATION,
    workers::MIGRATION,
    audit::OVERLAP_MIGRATION,
    task::TRACE_MIGRATION,
    access::KEY_NUMBER_MIGRATION,
    workers::GIVEN_UP_MIGRATION,
    access::KEY_OWNER_MIGRATION,
    task::OWNER_MIGRATION,
    task::REMIX_MIGRATION,
    task::PLACE_MIGRATION,
    workers::PLACE_MIGRATION,
];

struct Inner {
    parts: Option<Parts>,
    control: OnceLock<Listener>,
    process: u32,
    closed: AtomicBool,
}

/// The load of the lanes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Load {
    /// Every lane. The shared lane is the last.
    pub lanes: Vec<LaneStatus>,
    /// Number of tasks that wait for a lane.
    pub waiting: usize,
}

impl Platform {
    /// Returns access control: API keys, sessions, and the decision who may make a request.
    ///
    /// # Errors
    /// `invalid_state`.
    pub fn access(&self) -> Result<&Access> {
        Ok(&self.parts()?.access)
    }

    /// Returns the audit log.
    ///
    /// # Errors
    /// `invalid_state`.
    pub fn audit(&self) -> Result<&Audit> {
        Ok(&self.parts()?.audit)
    }

    /// Returns the stored secrets and the master keys.
    ///
    /// # Errors
    /// `invalid_state`.
    pub fn secrets(&self) -> Result<&Vault> {
        Ok(&self.parts()?.vault)
    }

    /// Returns the accounts of workers that tasks may be sent to.
    ///
    /// # Errors
    /// `invalid_state`.
    #[cfg(feature = "workers")]
    pub fn workers(&self) -> Result<&Workers> {
        Ok(&self.parts()?.workers)
    }

    /// Returns the number of worker accounts in each state.
    pub(crate) fn account_counts(&self) -> Result<BTreeMap<&'static str, usize>> {
        self.parts()?.workers.counts()
    }

    /// Returns the load of the lanes, and the pipelines that they have loaded.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let platform = must::Platform::open(must::Settings::new(folder.path()))?;
    /// let load = platform.load()?;
    /// println!("{} tasks wait for {} lanes", load.waiting, load.lanes.len());
    /// assert!(load.lanes.iter().all(|lane| lane.loaded.is_empty()), "nothing was generated yet");
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// `invalid_state`.
    pub fn load(&self) -> Result<Load> {
        let (lanes, waiting) = self.on_tasks(|tasks| Ok(tasks.lanes()))?;
        Ok(Load { lanes, waiting })
    }

    /// The content type of [`Platform::metrics`].
    pub const METRICS_CONTENT_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";

    /// Returns the platform's metrics in the text format of Prometheus.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let platform = must::Platform::open(must::Settings::new(folder.path()))?;
    /// assert!(platform.metrics()?.contains("# TYPE must_audit_events gauge"));
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// `invalid_state`; `dependency_unavailable` when the database cannot be read.
    pub fn metrics(&self) -> Result<String> {
        let parts = self.parts()?;
        let (lanes, waiting) = parts.tasks.lanes();
        let gauges = Gauges {
            tasks: &parts.tasks.counts()?,
            lanes: &lanes,
            waiting,
            audit_events: parts.audit.size()?,
            accounts: &parts.workers.counts()?,
        };
        parts.metrics.text(&gauges)
    }

    /// Calls `observer` at every load, hit, miss and eviction of a pipeline from now on. It is called on a lane's thread and must not
    /// block. Each call of this method adds an observer, and none can be removed. The same events are logged at the level debug.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let platform = must::Platform::open(must::Settings::new(folder.path()))?;
    /// use must::{GenerateRequest, LaneEvent};
    /// use std::sync::mpsc;
    ///
    /// let (send, events) = mpsc::channel();
    /// platform.observe_lanes(Box::new(move |event: &LaneEvent| drop(send.send(event.clone()))))?;
    /// let task = platform.submit(&GenerateRequest::new("tiny-image", "a red circle").set("steps", 4))?;
    /// platform.wait(&task.id, None)?;
    /// assert!(events.try_iter().any(|event| matches!(event, LaneEvent::Loaded { .. })));
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// `invalid_state`.
    pub fn observe_lanes(&self, observer: LaneObserver) -> Result<()> {
        self.on_tasks(|tasks| {
            tasks.observe_lanes(observer);
            Ok(())
        })
    }

    /// Whether the platform was opened with the setting `paused`, so that no task runs.
    pub(crate) fn is_paused(&self) -> Result<bool> {
        Ok(self.parts()?.paused)
    }

    /// Makes a call on the tasks. Its log records go to the platform's log.
    fn on_tasks<T>(&self, call: impl FnOnce(&Tasks) -> Result<T>) -> Result<T> {
        let parts = self.parts()?;
        parts.log.scope(|| call(&parts.tasks))
    }

    /// Runs `work`. Its log records go to the platform's log.
    pub(crate) fn logged<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.parts()?.log.scope(work)
    }

    /// Runs `work`. Its log records go to the platform's log, even after the platform was closed.
    fn in_log<T>(&self, work: impl FnOnce() -> T) -> T {
        match &self.inner.parts {
            Some(parts) => parts.log.scope(work),
            None => work(),
        }
    }

    /// Whether a row can be read now without waiting. Calls that must not block check this first.
    pub(crate) fn has_idle_reader(&self) -> bool {
        self.parts().is_ok_and(|parts| parts.store.has_idle_reader())
    }

    /// Returns the settings of the HTTP service.
    pub(crate) fn http_settings(&self) -> Result<&HttpSettings> {
        Ok(&self.parts()?.http)
    }

    /// Returns the catalog that requests are checked against.
    pub(crate) fn catalog(&self) -> Result<&Catalog> {
        Ok(self.parts()?.tasks.catalog())
    }

    /// Returns the current time of the platform's clock.
    pub(crate) fn now(&self) -> Result<Timestamp> {
        Ok(self.parts()?.tasks.now())
    }

    /// Returns the metrics, in which HTTP requests are counted.
    pub(crate) fn counters(&self) -> Result<Arc<Metrics>> {
        Ok(Arc::clone(&self.parts()?.metrics))
    }

    fn parts(&self) -> Result<&Parts> {
        if self.inner.process != fork::process_id() {
            return Err(forked());
        }
        if self.inner.closed.load(Ordering::SeqCst) {
            return Err(Error::closed("the platform is closed"));
        }
        self.inner.parts.as_ref().ok_or_else(|| Error::internal("the platform has no parts"))
    }
}

impl std::fmt::Debug for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Platform").finish_non_exhaustive()
    }
}
