//! The facade: everything a host can ask of MUST, and the place where its parts are put together.
//!
//! A [`Platform`] is a handle that is cheap to clone and may be used from any thread. It owns its threads; they end with
//! [`Platform::close`] or when the last handle is dropped. A child made by `fork` gets `invalid_state` from every call.

mod backup;
mod calls;
mod secrets;
mod submission;
mod tasks;

use crate::access::{self, Access};
use crate::audit::{self, AnchorCallback, Audit, Caller, Signing};
use crate::catalog::Catalog;
use crate::error::{Error, Result};
use crate::fork;
use crate::keyring::{KeyCallback, KeySource, SecretText};
use crate::log::{Log, LogRecord};
use crate::metrics::LaneStatus;
use crate::metrics::{Gauges, Metrics};
use crate::pace::Pace;
use crate::runtime::BlockingThreads;
use crate::secrets::Vault;
use crate::settings::HttpSettings;
use crate::settings::Settings;
use crate::socket::{Callee, Listener};
use crate::store::{Migration, Store};
use crate::task::{self, LaneObserver, Tasks};
use crate::time::{Clock, SystemClock, Timestamp};
use crate::workers::{self, Workers};
pub(crate) use calls::outside;
pub(crate) use secrets::{Revocation, Rotation};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;
pub use submission::Submission;

pub use backup::Backup;

/// How long the last handle waits for running work when it is dropped without [`Platform::close`].
const DROP_DEADLINE: Duration = Duration::from_secs(10);

/// How long closing waits for calls over the control socket.
const CONTROL_DEADLINE: Duration = Duration::from_secs(10);

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
    /// Absent from the handle of a call over the control socket: a platform that is left with such calls alone takes no more of them,
    /// and closes when they have ended.
    share: Option<Arc<Share>>,
    inner: Arc<Inner>,
}

/// What every handle of a host has a part in.
struct Share;

/// What a host lends to a platform besides settings: a clock, keys, a place for anchors.
///
/// ```
/// use must::access::KeyStatus;
/// use must::audit::Caller;
/// use must::time::ManualClock;
/// use must::{Host, Platform, Settings};
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// # let folder = tempfile::tempdir()?;
/// # let data = folder.path().join("data");
/// // With a clock of its own a test sees a key expire without waiting for it.
/// let clock = Arc::new(ManualClock::at(1_800_000_000_000)?);
/// let mut host = Host::default();
/// host.clock = clock.clone();
/// let platform = Platform::open_with(Settings::new(data), host)?;
/// let access = platform.access()?;
/// access.issue_key("studio", Some(Duration::from_secs(60)), &Caller::new("host", "test"))?;
/// clock.advance(Duration::from_secs(61));
/// assert_eq!(access.keys()?[0].status, KeyStatus::Expired);
/// # Ok::<(), must::Error>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Host {
    /// What time it is: for everything that expires, is counted in a window or is written down.
    pub clock: Arc<dyn Clock>,
    /// The master keys, from the host's own key store, instead of a file or a setting.
    pub master_keys: Option<KeyCallback>,
    /// The keys that sign the audit log, likewise.
    pub audit_keys: Option<KeyCallback>,
    /// Takes the audit log's checkpoints, besides the anchor file.
    pub anchor: Option<AnchorCallback>,
}

impl Default for Host {
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock::default()), master_keys: None, audit_keys: None, anchor: None }
    }
}

/// Steps of the schema. Only ever added at the end.
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

/// A handle that does not keep the platform open.
#[derive(Clone)]
pub(crate) struct WeakPlatform {
    share: Weak<Share>,
    inner: Weak<Inner>,
}

impl Callee for WeakPlatform {
    type Present = Platform;

    /// The platform for one call, when a host still has it open. It is the call's for as long as it takes, and no host's.
    fn present(&self) -> Option<Platform> {
        let _host = self.share.upgrade()?;
        self.inner.upgrade().map(|inner| Platform { share: None, inner })
    }

    fn call(platform: &Platform, name: &str, arguments: &str) -> Result<SecretText> {
        outside::call(platform, name, arguments)
    }
}

/// Everything that a platform is put together from.
struct Parts {
    log: Log,
    tasks: Arc<Tasks>,
    workers: Workers,
    access: Access,
    vault: Arc<Vault>,
    audit: Arc<Audit>,
    store: Arc<Store>,
    metrics: Arc<Metrics>,
    submitters: BlockingThreads,
    http: HttpSettings,
    data_dir: PathBuf,
    paused: bool,
}

/// The parts that log.
struct Started {
    tasks: Arc<Tasks>,
    workers: Workers,
    access: Access,
    vault: Arc<Vault>,
    audit: Arc<Audit>,
    store: Arc<Store>,
    metrics: Arc<Metrics>,
    submitters: BlockingThreads,
}

impl Parts {
    fn start(settings: Settings, host: Host) -> Result<Started> {
        let catalog = match &settings.catalog {
            None => Catalog::built_in()?,
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| {
                    Error::validation(format!("the catalog {} cannot be read: {error}", path.display()))
                })?;
                Catalog::from_json(&text)?
            }
        };
        let audit_keys = host.audit_keys.map_or_else(|| settings.audit_keys(), KeySource::Host);
        let signing = Signing::new(audit_keys, settings.audit_anchors(), host.anchor);
        let store = Arc::new(Store::open(&settings.data_dir, MIGRATIONS, Some(signing.hook()))?);
        tracing::debug!(version = env!("CARGO_PKG_VERSION"), data_dir = %settings.data_dir.display(), "the data folder is open");
        let clock = host.clock;
        let submitters = BlockingThreads::start("must-submit", submitters())?;
        let metrics = Arc::new(Metrics::new()?);
        let audit = Arc::new(Audit::start(Arc::clone(&store), Arc::clone(&clock), signing)?);
        let rest = || {
            let master_keys = host.master_keys.map_or_else(|| settings.master_keys(), KeySource::Host);
            let environment = settings.environment.as_str().to_owned();
            let vault =
                Vault::start(Arc::clone(&store), Arc::clone(&clock), Arc::clone(&audit), master_keys, environment);
            let vault = Arc::new(vault);
            let access = Access::new(
                Arc::clone(&store),
                Arc::clone(&clock),
                Arc::clone(&audit),
                Arc::clone(&vault),
                Arc::clone(&metrics),
                &settings.access(),
            )?;
            let (of_workers, paused, pace) = (settings.workers.clone(), settings.paused, Pace::of(&settings.http));
            let tasks = Tasks::start(
                settings,
                catalog,
                Arc::clone(&store),
                Arc::clone(&audit),
                Arc::clone(&clock),
                Arc::clone(&metrics),
            )?;
            let tasks = Arc::new(tasks);
            let stands_on = workers::Parts {
                tasks: Arc::clone(&tasks),
                store: Arc::clone(&store),
                audit: Arc::clone(&audit),
                vault: Arc::clone(&vault),
                clock,
                metrics: Arc::clone(&metrics),
                pace,
            };
            match Workers::start(of_workers, stands_on, paused) {
                Ok(workers) => Ok((tasks, workers, access, vault)),
                Err(error) => {
                    tasks.close(DROP_DEADLINE);
                    Err(error)
                }
            }
        };
        match rest() {
            Ok((tasks, workers, access, vault)) => {
                Ok(Started { tasks, workers, access, vault, audit, store, metrics, submitters })
            }
            Err(error) => {
                audit.close();
                Err(error)
            }
        }
    }

    /// Stops all threads in the order in which they depend on each other, then closes the data folder.
    fn close(&self, deadline: Duration) {
        self.log.scope(|| {
            self.workers.close(deadline);
            self.tasks.close(deadline);
            self.submitters.end();
            self.audit.close();
            self.store.close();
        });
        self.log.close();
    }
}

/// How many threads check submissions and decode their pictures: that is work for the processors.
fn submitters() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 16)
}

/// How the lanes stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Load {
    /// Every lane; the shared one is the last.
    pub lanes: Vec<LaneStatus>,
    /// Tasks that wait for a lane.
    pub waiting: usize,
}

impl Platform {
    /// Opens the data folder, brings back what a crash interrupted, and starts the lanes. Relative paths of the settings are seen
    /// from the folder that the process works in now, and stay where they are when it goes elsewhere.
    ///
    /// # Errors
    /// `data_dir_locked` when another process or platform has the folder, `dependency_unavailable` when it cannot be
    /// written, `storage_full`, `storage_corrupt`, `validation_error` for a catalog or a setting that makes no sense.
    pub fn open(settings: Settings) -> Result<Self> {
        Self::open_with(settings, Host::default())
    }

    /// Like [`Platform::open`], with what the host lends.
    ///
    /// # Errors
    /// As [`Platform::open`].
    pub fn open_with(settings: Settings, host: Host) -> Result<Self> {
        refuse_forked_child()?;
        Self::start(settings, host, Log::of_host())
    }

    /// Like [`Platform::open`], and what the platform logs from then on goes to `function` instead of a `tracing` subscriber of
    /// the host: records at least as important as the setting `log_level`.
    ///
    /// The function is called on a thread of its own, one record at a time and in order, from before this returns until after
    /// [`Platform::close`]. It may call the platform. Nothing waits for it but the next record; when it falls more than a
    /// thousand records behind, records are dropped, and one that says how many comes in their place. Closing gives it a
    /// second to take what is left. A panic in it is caught, and the next record comes. It is dropped when the platform has
    /// been closed; when this fails, before this returns.
    ///
    /// ```
    /// use must::{LogLevel, Platform, Settings};
    /// use std::sync::mpsc;
    /// use std::time::Duration;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let data = folder.path().join("data");
    /// let (send, records) = mpsc::channel();
    /// let mut settings = Settings::new(data);
    /// settings.log_level = LogLevel::Debug;
    /// let platform = Platform::open_with_log(settings, move |record| drop(send.send(record.message.clone())))?;
    /// platform.close(Duration::from_secs(10))?;
    /// assert!(records.iter().any(|message| message == "the data folder is open"));
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Platform::open`].
    pub fn open_with_log(settings: Settings, function: impl FnMut(&LogRecord) + Send + 'static) -> Result<Self> {
        Self::open_with_host_and_log(settings, Host::default(), function)
    }

    /// [`Platform::open_with`] and [`Platform::open_with_log`] in one.
    ///
    /// # Errors
    /// As [`Platform::open`].
    pub fn open_with_host_and_log(
        settings: Settings,
        host: Host,
        function: impl FnMut(&LogRecord) + Send + 'static,
    ) -> Result<Self> {
        refuse_forked_child()?;
        let log = Log::start(settings.log_level, function)?;
        Self::start(settings, host, log)
    }

    fn start(settings: Settings, host: Host, log: Log) -> Result<Self> {
        let settings = settings.tidied().and_then(Settings::with_fixed_paths).inspect_err(|_| log.end())?;
        let (http, data_dir, paused) = (settings.http.clone(), settings.data_dir.clone(), settings.paused);
        let control = settings.control_socket.then(|| settings.data_dir.clone());
        let started = log.scope(|| Parts::start(settings, host));
        let Started { tasks, workers, access, vault, audit, store, metrics, submitters } =
            started.inspect_err(|_| log.end())?;
        FIRST_PROCESS.get_or_init(std::process::id);
        let parts =
            Parts { log, tasks, workers, access, vault, audit, store, metrics, submitters, http, data_dir, paused };
        // While the vault is shut nothing can be noted, and every call that needs it says so.
        parts.log.scope(|| {
            drop(parts.own_keys());
            drop(parts.access.end_credentials_of_revoked_peppers(&Caller::new("system", "internal")));
        });
        let inner = Inner {
            parts: Some(parts),
            control: OnceLock::new(),
            process: fork::process_id(),
            closed: AtomicBool::new(false),
        };
        let platform = Self { share: Some(Arc::new(Share)), inner: Arc::new(inner) };
        if let Some(data_dir) = control {
            platform.logged(|| {
                platform.listen(&data_dir);
                Ok(())
            })?;
        }
        Ok(platform)
    }

    /// Listens at the control socket. A platform without one works, and says so.
    fn listen(&self, data_dir: &Path) {
        let share = self.share.as_ref().map(Arc::downgrade).unwrap_or_default();
        let weak = WeakPlatform { share, inner: Arc::downgrade(&self.inner) };
        match Listener::start(data_dir, weak) {
            Ok(listener) => drop(self.inner.control.set(listener)),
            Err(error) => tracing::warn!(
                %error,
                "the data folder has no control socket, and the program must reaches this platform by its URL alone"
            ),
        }
    }

    /// Who may do what: the one question, API keys and sessions.
    ///
    /// # Errors
    /// `invalid_state`.
    pub fn access(&self) -> Result<&Access> {
        Ok(&self.parts()?.access)
    }

    /// The audit log.
    ///
    /// # Errors
    /// `invalid_state`.
    pub fn audit(&self) -> Result<&Audit> {
        Ok(&self.parts()?.audit)
    }

    /// The stored secrets and the master keys.
    ///
    /// # Errors
    /// `invalid_state`.
    pub fn secrets(&self) -> Result<&Vault> {
        Ok(&self.parts()?.vault)
    }

    /// The accounts of workers that tasks may be sent to.
    ///
    /// # Errors
    /// `invalid_state`.
    #[cfg(feature = "workers")]
    pub fn workers(&self) -> Result<&Workers> {
        Ok(&self.parts()?.workers)
    }

    /// How many accounts of workers there are, by state.
    pub(crate) fn account_counts(&self) -> Result<BTreeMap<&'static str, usize>> {
        self.parts()?.workers.counts()
    }

    /// How the lanes and their pipelines stand.
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

    /// What the platform counts and measures, in the text format of Prometheus.
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

    /// Hears of every load, hit, miss and eviction of a pipeline from now on. Called on a lane's thread; must not block.
    /// The same is logged at the level debug.
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

    /// Stops taking work, asks what runs to stop, waits for it up to `deadline`, and closes the data folder. Tasks that are
    /// not finished go on when the folder is opened again. Calling it again does nothing.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let platform = must::Platform::open(must::Settings::new(folder.path()))?;
    /// use must::ErrorCode;
    /// use std::time::Duration;
    ///
    /// platform.close(Duration::from_secs(10))?;
    /// assert_eq!(platform.models().unwrap_err().code(), ErrorCode::InvalidState);
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// `invalid_state` in a forked child.
    pub fn close(&self, deadline: Duration) -> Result<()> {
        if self.inner.process != fork::process_id() {
            return Err(forked());
        }
        if let Some(parts) = &self.inner.parts {
            self.inner.stop_listening(deadline);
            self.inner.closed.store(true, Ordering::SeqCst);
            parts.close(deadline);
        }
        Ok(())
    }

    /// Whether tasks stay where they are.
    pub(crate) fn is_paused(&self) -> Result<bool> {
        Ok(self.parts()?.paused)
    }

    /// Makes a call on the tasks, and what it logs goes where the platform's logs go.
    fn on_tasks<T>(&self, call: impl FnOnce(&Tasks) -> Result<T>) -> Result<T> {
        let parts = self.parts()?;
        parts.log.scope(|| call(&parts.tasks))
    }

    /// Does `work`, and what it logs goes where the platform's logs go.
    pub(crate) fn logged<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.parts()?.log.scope(work)
    }

    /// Does `work`, and what it logs goes where the platform's logs go, also after its end.
    fn in_log<T>(&self, work: impl FnOnce() -> T) -> T {
        match &self.inner.parts {
            Some(parts) => parts.log.scope(work),
            None => work(),
        }
    }

    /// Whether reading a row now waits for nobody: calls that may not block ask this first.
    pub(crate) fn has_idle_reader(&self) -> bool {
        self.parts().is_ok_and(|parts| parts.store.has_idle_reader())
    }

    /// Settings of the HTTP service.
    pub(crate) fn http_settings(&self) -> Result<&HttpSettings> {
        Ok(&self.parts()?.http)
    }

    /// The catalog that requests are checked against.
    pub(crate) fn catalog(&self) -> Result<&Catalog> {
        Ok(self.parts()?.tasks.catalog())
    }

    /// What time it is.
    pub(crate) fn now(&self) -> Result<Timestamp> {
        Ok(self.parts()?.tasks.now())
    }

    /// Where HTTP requests are counted.
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

/// The process that opened the first platform: a child forked from it has copies of inference pools without their threads,
/// and would wait for them for ever.
static FIRST_PROCESS: OnceLock<u32> = OnceLock::new();

fn refuse_forked_child() -> Result<()> {
    match FIRST_PROCESS.get() {
        Some(first) if *first != fork::process_id() => Err(forked()),
        _ => Ok(()),
    }
}

fn forked() -> Error {
    Error::invalid_state(
        "this process was forked from one that had a platform open",
        "Start processes by spawn instead of fork, or open the first platform after the fork.",
    )
}

impl std::fmt::Debug for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Platform").finish_non_exhaustive()
    }
}

impl Inner {
    fn stop_listening(&self, deadline: Duration) {
        if let Some(listener) = self.control.get() {
            listener.stop(deadline.min(CONTROL_DEADLINE));
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let Some(parts) = self.parts.take() else { return };
        if self.process == fork::process_id() {
            self.stop_listening(DROP_DEADLINE);
            parts.close(DROP_DEADLINE);
        } else {
            // A forked child has none of the threads, and closing the parent's database would break its locks.
            std::mem::forget(parts);
        }
    }
}
