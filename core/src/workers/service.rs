//! The workers of one platform: what they stand on, and the background that goes on while it is open.

use super::account::{Account, AccountStatus};
use super::address::Addresses;
use super::cache::MediaCache;
use super::client::{Target, WorkerClient};
use super::store;
use super::{abandoned, dispatch, follow, health};
use crate::audit::Audit;
use crate::error::{Error, ErrorCode, Result};
use crate::keyring::SecretText;
use crate::metrics::Metrics;
use crate::pace::Pace;
use crate::runtime::OwnRuntime;
use crate::secrets::{OF_ACCOUNTS, Vault};
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
use tracing::Dispatch;
use tracing::instrument::WithSubscriber as _;

/// Threads that wait for workers.
const THREADS: usize = 2;

/// Threads for what the background writes.
const BLOCKING_THREADS: usize = 16;

/// Worker accounts: who they are, how they stand, and what may be done with them.
pub struct Workers {
    pub(super) shared: Arc<Shared>,
    runtime: Mutex<Option<OwnRuntime>>,
    deployments: Mutex<Vec<JoinHandle<()>>>,
}

/// What the background works on.
pub(super) struct Shared {
    pub(super) settings: WorkerSettings,
    pub(super) addresses: Addresses,
    pub(super) client: WorkerClient,
    pub(super) tasks: Arc<Tasks>,
    pub(super) store: Arc<Store>,
    pub(super) audit: Arc<Audit>,
    pub(super) vault: Arc<Vault>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) media: MediaCache,
    pub(super) closing: AtomicBool,
    /// How many accounts there are: a platform without any pays nothing for them.
    known: AtomicUsize,
    log: Option<Dispatch>,
}

/// The parts of the platform that workers stand on.
pub(crate) struct Parts {
    pub(crate) tasks: Arc<Tasks>,
    pub(crate) store: Arc<Store>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Arc<Metrics>,
    /// How fast a request to a worker has to go out.
    pub(crate) pace: Pace,
}

impl Workers {
    /// Takes up what an end of the platform cut short.
    ///
    /// # Errors
    /// `validation_error` for settings that make no sense.
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
        let follow = workers.shared.tasks.bring_back_remote()?;
        let now = workers.shared.clock.now();
        let checks = workers.shared.store.write(move |connection| {
            store::end_deployments(connection, now)?;
            store::interrupted(connection)
        })?;
        if paused {
            workers.shared.end_checks(checks)?;
        } else if workers.shared.known() > 0 || !follow.is_empty() || workers.shared.tasks.any_on_their_way()? {
            workers.go_on(follow, checks)?;
        }
        Ok(workers)
    }

    /// Takes up what an end of the platform cut short: tasks at workers, tasks on their way, checks, what is to be ended.
    fn go_on(&self, follow: Vec<String>, checks: Vec<(Account, i64)>) -> Result<()> {
        for id in follow {
            self.spawn(follow::follow(Arc::clone(&self.shared), id))?;
        }
        for (account, epoch) in checks {
            self.spawn(health::check_again(Arc::clone(&self.shared), account, epoch))?;
        }
        for workspace in self.shared.store.read(abandoned::left_at)? {
            let shared = Arc::clone(&self.shared);
            self.spawn(async move { abandoned::end_all(&shared, &workspace).await })?;
        }
        self.spawn(dispatch::take_up(Arc::clone(&self.shared)))
    }

    /// Runs `work` in the background; the first one starts its threads.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) -> Result<()> {
        let mut runtime = self.runtime.lock();
        // Under the lock: closing takes the runtime away under it, and no other comes after.
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
            // A caller that is gone needs no answer.
            let _ = done.send(work.await);
        })?;
        let outcome = thread::block_on(outcome, None);
        outcome.and_then(std::result::Result::ok).ok_or_else(|| self.shared.ended())
    }

    /// Runs a deployment on a thread of its own.
    pub(super) fn spawn_deployment(&self, work: impl FnOnce() + Send + 'static) -> Result<()> {
        self.shared.open()?;
        let mut deployments = self.deployments.lock();
        deployments.retain(|deployment| !deployment.is_finished());
        deployments.push(log::spawn("must-deploy", work)?);
        Ok(())
    }

    /// Ends the background. Deployments are ended with their commands.
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

    /// How many accounts there are of each state.
    ///
    /// # Errors
    /// `dependency_unavailable` when the database cannot be read.
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
    pub(super) fn open(&self) -> Result<()> {
        match self.closing.load(Ordering::SeqCst) {
            true => Err(Error::closed("the platform is closing")),
            false => Ok(()),
        }
    }

    /// Why what went on in the background gave no answer.
    pub(super) fn ended(&self) -> Error {
        match self.open() {
            Err(_) => Error::closed("the platform was closed meanwhile"),
            Ok(()) => Error::internal("a worker's background panicked"),
        }
    }

    /// `work`, logging to where the platform does.
    pub(super) fn logged<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        work.with_subscriber(self.log.clone().unwrap_or_else(|| tracing::dispatcher::get_default(Clone::clone)))
    }

    /// Does what blocks on a thread for that.
    pub(super) async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let shared = Arc::clone(self);
        let log = self.log.clone();
        tokio::task::spawn_blocking(move || match &log {
            Some(log) => tracing::dispatcher::with_default(log, || work(&shared)),
            None => work(&shared),
        })
        .await
        .unwrap_or_else(|_| Err(Error::internal("a worker's background panicked")))
    }

    pub(super) fn known(&self) -> usize {
        self.known.load(Ordering::SeqCst)
    }

    /// Checks that were cut short have failed, where nothing goes on in the background.
    fn end_checks(&self, checks: Vec<(Account, i64)>) -> Result<()> {
        let (now, audit) = (self.clock.now(), self.audit.in_transaction());
        self.store.write(move |connection| {
            for (account, epoch) in checks {
                let cut = Error::invalid_state(
                    "the check was cut short by the end of the platform",
                    "Ask for the account's health once more.",
                );
                health::end_in(connection, &audit, &account.id, epoch, &Err(cut), now)?;
            }
            Ok(())
        })
    }

    /// Counts the accounts anew.
    pub(super) fn count(&self) -> Result<()> {
        let all: usize = self.store.read(store::counts)?.iter().map(|(_, count)| count).sum();
        self.known.store(all, Ordering::SeqCst);
        Ok(())
    }

    /// Where an account's worker is, and what opens its door.
    pub(super) fn target(&self, account: &Account) -> Result<Target> {
        let own = self.tokens(account)?.api_key;
        let api_key = own.or_else(|| self.settings.api_key.clone());
        Ok(Target { workspace: account.workspace.clone(), address: account.address.clone(), api_key })
    }

    /// The target of a registered workspace.
    ///
    /// # Errors
    /// `proxy_target_invalid` for one that is not registered.
    pub(super) fn target_of(&self, workspace: &str) -> Result<Target> {
        let account = self.store.read(|connection| store::find(connection, workspace))?;
        let account = account.filter(|account| account.workspace == workspace);
        self.target(&account.ok_or_else(super::address::invalid_target)?)
    }

    /// An account's tokens.
    ///
    /// # Errors
    /// `dependency_unavailable` also when they are past their rotation limit.
    pub(super) fn tokens(&self, account: &Account) -> Result<Tokens> {
        let text = self.vault.get(&secret_name(&account.id)).map_err(|error| {
            let detail = format!("the tokens of the account {} cannot be used: {}", account.workspace, error.detail());
            Error::new(ErrorCode::DependencyUnavailable, detail).with_action("Give the account new tokens.")
        })?;
        read_tokens(account, &text)
    }

    /// An account's tokens, even past their rotation limit, for others to take their place; none when they were revoked.
    pub(super) fn last_tokens(&self, account: &Account) -> Result<Option<Tokens>> {
        let text = self.vault.recall(&secret_name(&account.id))?;
        text.map(|text| read_tokens(account, &text)).transpose()
    }
}

fn read_tokens(account: &Account, text: &SecretText) -> Result<Tokens> {
    let stored: StoredTokens = serde_json::from_str(text.expose()).map_err(|_| {
        let detail = format!("the tokens of the account {} cannot be read", account.workspace);
        Error::new(ErrorCode::DependencyUnavailable, detail).with_action("Give the account new tokens.")
    })?;
    Ok(Tokens { token_id: stored.token_id, token_secret: stored.token_secret, api_key: stored.api_key })
}

/// Name of the stored secret that holds an account's tokens.
pub(super) fn secret_name(id: &str) -> String {
    format!("{OF_ACCOUNTS}{id}")
}

/// What opens a workspace.
#[derive(Debug, Clone)]
pub(super) struct Tokens {
    pub(super) token_id: SecretText,
    pub(super) token_secret: SecretText,
    pub(super) api_key: Option<SecretText>,
}

#[derive(serde::Deserialize)]
struct StoredTokens {
    token_id: SecretText,
    token_secret: SecretText,
    api_key: Option<SecretText>,
}

impl Tokens {
    /// As they are sealed.
    pub(super) fn to_text(&self) -> SecretText {
        let shown = |text: &SecretText| serde_json::Value::String(text.expose().to_owned());
        SecretText::new(
            serde_json::json!({
                "token_id": shown(&self.token_id),
                "token_secret": shown(&self.token_secret),
                "api_key": self.api_key.as_ref().map(shown),
            })
            .to_string(),
        )
    }
}
