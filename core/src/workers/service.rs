//! The workers of one platform, and their background work while the platform is open.

use super::account::{Account, AccountStatus};
use super::address::Addresses;
use super::cache::MediaCache;
use super::client::WorkerClient;
use super::state::Shared;
use super::store;
use super::{abandoned, dispatch, follow, health, leftovers};
use crate::audit::Audit;
use crate::error::{Error, Result};
use crate::metrics::Metrics;
use crate::pace::Pace;
use crate::runtime::OwnRuntime;
use crate::secrets::Vault;
use crate::settings::WorkerSettings;
use crate::store::Store;
use crate::task::Tasks;
use crate::time::Clock;
use crate::{log, thread};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Number of threads that wait for workers.
const THREADS: usize = 2;

/// Largest number of threads for writes of the background work.
const BLOCKING_THREADS: usize = 16;

/// The worker accounts and the calls on them.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let platform = must::Platform::open(must::Settings::new(folder.path()))?;
/// use must::audit::Caller;
/// use must::secrets::SecretText;
/// use must::workers::{AccountChange, AccountStatus, NewAccount};
///
/// let (workers, caller) = (platform.workers()?, Caller::new("operator", "cli"));
/// let (id, token) = (SecretText::new("ak-1"), SecretText::new("as-1"));
/// let account = workers.add(NewAccount::new("team-a", id, token).address("https://team-a.example.com"), &caller)?;
/// assert_eq!(account.status, AccountStatus::Pending, "it gets tasks after a check has found it ready");
///
/// let change = AccountChange { label: Some("Team A".to_owned()), ..AccountChange::default() };
/// assert_eq!(workers.update("team-a", change, &caller)?.label, "Team A");
/// workers.remove("team-a", &caller)?;
/// assert!(workers.list()?.is_empty());
/// # Ok::<(), must::Error>(())
/// ```
pub struct Workers {
    pub(super) shared: Arc<Shared>,
    runtime: Mutex<Option<OwnRuntime>>,
    deployments: Mutex<Vec<JoinHandle<()>>>,
}

/// The parts of the platform that workers need.
pub(crate) struct Parts {
    pub(crate) tasks: Arc<Tasks>,
    pub(crate) store: Arc<Store>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Arc<Metrics>,
    /// How fast a request to a worker must be sent.
    pub(crate) pace: Pace,
}

impl Workers {
    /// Starts, and resumes the work that was interrupted when the platform was closed.
    ///
    /// # Errors
    /// `validation_error` for invalid settings.
    pub(crate) fn start(settings: WorkerSettings, parts: Parts, paused: bool) -> Result<Self> {
        let addresses = Addresses::new(&settings.networks)?;
        let client = WorkerClient::new(&settings, parts.pace, addresses.clone())?;
        let Parts { tasks, store, audit, vault, clock, metrics, .. } = parts;
        let shared = Arc::new(Shared {
            settings,
            addresses,
            client,
            tasks,
            store,
            audit,
            vault,
            clock,
            metrics,
            media: MediaCache::default(),
            closing: AtomicBool::new(false),
            known: AtomicUsize::new(0),
            log: log::inherited(),
        });
        let workers = Self { shared, runtime: Mutex::new(None), deployments: Mutex::new(Vec::new()) };
        workers.shared.count()?;
        let follow = workers.shared.tasks.restore_remote()?;
        let now = workers.shared.clock.now();
        let checks = workers.shared.store.write(move |connection| {
            store::end_deployments(connection, now)?;
            store::interrupted(connection)
        })?;
        if paused {
            workers.shared.end_checks(checks)?;
        } else if workers.shared.known() > 0 || !follow.is_empty() || workers.shared.tasks.any_on_their_way()? {
            workers.resume(follow, checks)?;
        }
        Ok(workers)
    }

    /// Resumes interrupted work: tasks at workers, tasks on their way to workers, checks, and cancellations at workers.
    fn resume(&self, follow: Vec<String>, checks: Vec<(Account, i64)>) -> Result<()> {
        for id in follow {
            self.spawn(follow::follow(Arc::clone(&self.shared), id))?;
        }
        for (account, epoch) in checks {
            self.spawn(health::check_again(Arc::clone(&self.shared), account, epoch))?;
        }
        for workspace in self.shared.store.read(leftovers::with_leftovers)? {
            let shared = Arc::clone(&self.shared);
            self.spawn(async move { abandoned::cancel_all(&shared, &workspace).await })?;
        }
        self.spawn(dispatch::resume(Arc::clone(&self.shared)))
    }

    /// Runs `work` in the background. The first call starts the background threads.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) -> Result<()> {
        let mut runtime = self.runtime.lock();
        // Checked under the lock. Closing removes the runtime under the same lock, so none can be started after that.
        self.shared.open()?;
        let running = match &mut *runtime {
            Some(running) => running,
            none => {
                let running = none.insert(OwnRuntime::start("must-workers", THREADS, BLOCKING_THREADS)?);
                running.get()?.spawn(self.shared.logged(health::recheck(Arc::clone(&self.shared))));
                running
            }
        };
        running.get()?.spawn(self.shared.logged(work));
        Ok(())
    }

    /// Runs `work` in the background and waits for it on this thread.
    pub(super) fn wait<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Result<T> {
        let (done, outcome) = tokio::sync::oneshot::channel();
        self.spawn(async move {
            // If the caller is gone, sending fails, which is fine.
            let _ = done.send(work.await);
        })?;
        let outcome = thread::block_on(outcome, None);
        outcome.and_then(std::result::Result::ok).ok_or_else(|| self.shared.ended())
    }

    /// Runs a deployment on its own thread.
    pub(super) fn spawn_deployment(&self, work: impl FnOnce() + Send + 'static) -> Result<()> {
        self.shared.open()?;
        let mut deployments = self.deployments.lock();
        deployments.retain(|deployment| !deployment.is_finished());
        deployments.push(log::spawn("must-deploy", work)?);
        Ok(())
    }

    /// Stops the background work. Running deploy commands are stopped too.
    pub(crate) fn close(&self, deadline: Duration) {
        self.shared.closing.store(true, Ordering::SeqCst);
        *self.runtime.lock() = None;
        let until = std::time::Instant::now() + deadline;
        for deployment in self.deployments.lock().drain(..) {
            while !deployment.is_finished() && std::time::Instant::now() < until {
                std::thread::sleep(Duration::from_millis(5));
            }
            if deployment.is_finished() {
                let _ = deployment.join();
            }
        }
    }

    /// Returns the number of accounts in each state.
    ///
    /// # Errors
    /// `dependency_unavailable` if the database cannot be read.
    pub fn counts(&self) -> Result<BTreeMap<&'static str, usize>> {
        let mut counts: BTreeMap<_, _> = AccountStatus::ALL.iter().map(|status| (status.as_str(), 0)).collect();
        for (status, count) in self.shared.store.read(store::counts)? {
            counts.insert(status.as_str(), count);
        }
        Ok(counts)
    }
}

impl std::fmt::Debug for Workers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workers").finish_non_exhaustive()
    }
}

impl Shared {
    /// Marks interrupted checks as failed. Used if the platform is paused and nothing runs in the background.
    fn end_checks(&self, checks: Vec<(Account, i64)>) -> Result<()> {
        let (now, audit) = (self.clock.now(), self.audit.in_transaction());
        self.store.write(move |connection| {
            for (account, epoch) in checks {
                let cut = Error::invalid_state(
                    "the check was interrupted because the platform was closed",
                    "Check the account's health again.",
                );
                health::end_in(connection, &audit, &account.id, epoch, &Err(cut), now)?;
            }
            Ok(())
        })
    }
}
