//! The state that calls and background work share, and the lookup of an account's worker and tokens.

use super::account::Account;
use super::address::{Addresses, invalid_target};
use super::cache::MediaCache;
use super::client::{Target, WorkerClient};
use super::store;
use crate::audit::Audit;
use crate::error::{Error, ErrorCode, Result};
use crate::keyring::SecretText;
use crate::metrics::Metrics;
use crate::runtime::{self, Work};
use crate::secrets::{ACCOUNT_PREFIX, Vault};
use crate::settings::WorkerSettings;
use crate::store::Store;
use crate::task::Tasks;
use crate::time::Clock;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::task::JoinHandle;
use tracing::Dispatch;
use tracing::instrument::WithSubscriber as _;

/// The shared state.
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
    /// Number of accounts. A platform without accounts does no work for them.
    pub(super) known: AtomicUsize,
    pub(super) log: Option<Dispatch>,
}

impl Shared {
    pub(super) fn open(&self) -> Result<()> {
        match self.closing.load(Ordering::SeqCst) {
            true => Err(Error::closed("the platform is closing")),
            false => Ok(()),
        }
    }

    /// Returns the error for background work that ended without an answer.
    pub(super) fn ended(&self) -> Error {
        match self.open() {
            Err(_) => Error::closed("the platform was closed in the meantime"),
            Ok(()) => Error::internal("the background work of workers panicked"),
        }
    }

    /// Returns `work` with the platform's log attached.
    pub(super) fn logged<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        work.with_subscriber(self.log.clone().unwrap_or_else(|| tracing::dispatcher::get_default(Clone::clone)))
    }

    /// Runs blocking `work` on a thread for blocking calls.
    pub(super) async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let shared = Arc::clone(self);
        let (work, answer) = runtime::separate(move || work(&shared));
        answer.of(self.start(work)).await
    }

    fn start(&self, work: Work) -> JoinHandle<Result<()>> {
        let log = self.log.clone();
        tokio::task::spawn_blocking(move || match &log {
            Some(log) => tracing::dispatcher::with_default(log, work),
            None => work(),
        })
    }

    pub(super) fn known(&self) -> usize {
        self.known.load(Ordering::SeqCst)
    }

    /// Counts the accounts again.
    pub(super) fn count(&self) -> Result<()> {
        let all: usize = self.store.read(store::counts)?.iter().map(|(_, count)| count).sum();
        self.known.store(all, Ordering::SeqCst);
        Ok(())
    }

    /// Returns the address and the API key of an account's worker.
    pub(super) fn target(&self, account: &Account) -> Result<Target> {
        let own = self.tokens(account)?.api_key;
        let api_key = own.or_else(|| self.settings.api_key.clone());
        Ok(Target { workspace: account.workspace.clone(), address: account.address.clone(), api_key })
    }

    /// Returns the target of a registered workspace.
    ///
    /// # Errors
    /// `proxy_target_invalid` if the workspace is not registered.
    pub(super) fn target_of(&self, workspace: &str) -> Result<Target> {
        let account = self.store.read(|connection| store::find(connection, workspace))?;
        let account = account.filter(|account| account.workspace == workspace);
        self.target(&account.ok_or_else(invalid_target)?)
    }

    /// Returns an account's tokens.
    ///
    /// # Errors
    /// `dependency_unavailable`, also if the tokens are past their rotation limit.
    pub(super) fn tokens(&self, account: &Account) -> Result<Tokens> {
        let text = self.vault.get(&secret_name(&account.id)).map_err(|error| {
            let detail = format!("the tokens of the account {} cannot be used: {}", account.workspace, error.detail());
            Error::new(ErrorCode::DependencyUnavailable, detail).with_action("Give the account new tokens.")
        })?;
        read_tokens(account, &text)
    }

    /// Returns an account's tokens, even past their rotation limit, in order to replace some of them. Returns `None` if they were
    /// revoked.
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

/// Returns the name of the stored secret that holds an account's tokens.
pub(super) fn secret_name(id: &str) -> String {
    format!("{ACCOUNT_PREFIX}{id}")
}

/// The credentials of a workspace.
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
    /// Returns the JSON text that is stored in the secret.
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
