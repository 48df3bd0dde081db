//! Access control: [`Access::authorize`], which decides about each request, and the life of API keys and sessions.
//!
//! Owns the tables `access_*`. Invariants: a call gets one principal or exactly one error; its origin is checked first, then
//! the throttle, then the credential; the first credential that is present decides alone; every refusal is an audit event; when a
//! table cannot be read, nobody gets in. Credentials are stored as keyed hashes only. Any thread may call anything here.

mod address;
mod authorize;
mod cookies;
mod facts;
mod keys;
mod links;
mod origin;
mod peppers;
mod refusal;
mod session_kind;
mod sessions;
mod settings_key;
mod store;
mod throttle;
mod token;
mod window;

#[cfg(test)]
mod tests;

use crate::audit::{Audit, Caller, new_correlation_id};
use crate::error::{Error, ErrorCode, Result};
use crate::keyring::SecretText;
use crate::metrics::Metrics;
use crate::secrets::Vault;
pub use crate::settings::AccessSettings;
use crate::store::Store;
use crate::time::Clock;
use address::Proxies;
pub use facts::{Principal, PrincipalKind, RequestFacts, RouteClass};
pub use keys::{ApiKey, IssuedKey, KEY_LIFE, KeyStatus};
pub(crate) use links::Link;
use origin::Origins;
pub(crate) use refusal::Refusal;
pub use session_kind::SessionKind;
use sessions::Activity;
pub use sessions::{ADMIN_IDLE, AdminSessionState, IssuedSession, SESSION_LIFE, SessionState};
use settings_key::SettingsKey;
use std::sync::Arc;
pub(crate) use store::{KEY_NUMBER_MIGRATION, KEY_OWNER_MIGRATION, MIGRATION};
use throttle::Throttle;

/// The largest limit that can be set: the throttle remembers every start within the last 60 seconds.
const MOST_SESSIONS_PER_MINUTE: u32 = 10_000;

/// Access control of one data folder.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let platform = must::Platform::open(must::Settings::new(folder.path()))?;
/// use must::ErrorCode;
/// use must::access::{PrincipalKind, RequestFacts, RouteClass};
/// use must::audit::Caller;
///
/// let access = platform.access()?;
/// let issued = access.issue_key("studio", None, &Caller::new("operator", "cli"))?;
///
/// // The credentials of a request: here one X-API-Key header.
/// let mut facts = RequestFacts::new(RouteClass::Generation);
/// facts.header_keys.push(issued.secret.expose().to_owned());
/// let principal = access.authorize(&facts)?;
/// assert_eq!((principal.kind, principal.name.as_str()), (PrincipalKind::ApiKey, "studio"));
///
/// // Revokes the key on behalf of that request. The audit log then names its caller.
/// access.revoke_key(&issued.key.id, &access.caller(&facts, &principal))?;
/// assert_eq!(access.authorize(&facts).unwrap_err().code(), ErrorCode::InvalidApiKey);
/// # Ok::<(), must::Error>(())
/// ```
pub struct Access {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    audit: Arc<Audit>,
    vault: Arc<Vault>,
    origins: Origins,
    proxies: Proxies,
    admin: Option<SettingsKey>,
    api_key: Option<SettingsKey>,
    metrics: Arc<Metrics>,
    throttle: Throttle,
    activity: Activity,
    cookie_suffix: Option<String>,
    sign_in_required: bool,
}

impl Access {
    /// Assembles access control. An admin key that is too short is not an error here; admin logins report it.
    ///
    /// # Errors
    /// `validation_error` for an invalid origin or proxy, and for a number of sessions outside its bounds.
    pub(crate) fn new(
        store: Arc<Store>,
        clock: Arc<dyn Clock>,
        audit: Arc<Audit>,
        vault: Arc<Vault>,
        metrics: Arc<Metrics>,
        settings: &AccessSettings,
    ) -> Result<Self> {
        Ok(Self {
            origins: Origins::new(&settings.allowed_origins)?,
            proxies: Proxies::new(&settings.trusted_proxies)?,
            admin: settings.admin_key.as_ref().map(SettingsKey::admin).transpose()?.flatten(),
            api_key: settings.api_key.as_ref().map(settings_api_key).transpose()?,
            metrics,
            throttle: Throttle::new(Arc::clone(&store), Arc::clone(&clock)).with_sessions(sessions_limit(settings)?),
            sign_in_required: settings.sign_in_required,
            activity: Activity::default(),
            cookie_suffix: settings.cookie_suffix.clone(),
            store,
            clock,
            audit,
            vault,
        })
    }

    /// Whether a browser origin is on the allow list. For the headers of an answer and for preflights, which are not throttled.
    ///
    /// ```
    /// use must::{Platform, Settings};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let mut settings = Settings::new(folder.path());
    /// settings.frontend_origins = vec!["https://studio.example".to_owned()];
    /// let platform = Platform::open(settings)?;
    /// assert!(platform.access()?.allows_origin("https://studio.example"));
    /// assert!(!platform.access()?.allows_origin("https://studio.example.evil"));
    /// # Ok::<(), must::Error>(())
    /// ```
    #[must_use]
    pub fn allows_origin(&self, origin: &str) -> bool {
        self.origins.allow(Some(origin))
    }

    /// Returns the origins of browser pages that may call, beside the platform's own.
    pub(crate) fn origins(&self) -> &[String] {
        self.origins.all()
    }

    /// Whether a generation session needs an API key and each result belongs to the caller who made it.
    #[must_use]
    pub const fn sign_in_required(&self) -> bool {
        self.sign_in_required
    }

    /// Returns the principal with the owner of its tasks, if `sign_in_required` is on. The owner is the API key that the caller presented
    /// or that started the session; its id stays the same when the key is replaced. Without a key, the owner is the session.
    fn with_owner(&self, principal: Principal, key: Option<&str>) -> Principal {
        if !self.sign_in_required {
            return principal;
        }
        let owner = key.map_or_else(|| format!("session:{}", principal.id), |key| format!("key:{key}"));
        Principal { owner: Some(owner), ..principal }
    }

    /// Whether the peer is a proxy that the host trusts, so that its forwarding headers are believed.
    pub(crate) fn trusts(&self, peer: Option<std::net::IpAddr>) -> bool {
        peer.is_some_and(|peer| self.proxies.trusts(peer.to_canonical()))
    }

    /// Returns a fingerprint that tells the operator's own API key from other keys; `None` without such a key, or without a pepper.
    pub(crate) fn api_key_fingerprint(&self) -> Result<Option<[u8; 32]>> {
        self.api_key.as_ref().map_or(Ok(None), |key| key.fingerprint(&self.vault))
    }

    /// Returns a fingerprint of the admin key; `None` without a key that is long enough, or without a pepper.
    pub(crate) fn admin_key_fingerprint(&self) -> Result<Option<[u8; 32]>> {
        self.admin.as_ref().map_or(Ok(None), |key| key.fingerprint(&self.vault))
    }

    /// Returns the caller for administrative calls that are made on behalf of a request.
    #[must_use]
    pub fn caller(&self, facts: &RequestFacts, principal: &Principal) -> Caller {
        Caller { actor: principal.actor(), source: self.source(facts), correlation_id: correlation_id(facts) }
    }

    /// Returns the address that a request comes from, in the form that audit events use; `host` when the host gives no peer.
    fn source(&self, facts: &RequestFacts) -> String {
        self.proxies.client(facts.peer, &facts.forwarded_for).map_or_else(|| "host".to_owned(), |ip| ip.to_string())
    }
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").finish_non_exhaustive()
    }
}

/// Checks the operator's own API key. A key that nobody could present is an error when the platform opens.
fn settings_api_key(key: &SecretText) -> Result<SettingsKey> {
    SettingsKey::api(key)?.ok_or_else(|| {
        Error::validation("the API key in the settings is too short")
            .with_action("Set one of at least 16 characters, such as the output of `openssl rand -hex 32`.")
    })
}

/// # Errors
/// `validation_error` for a number outside its bounds.
fn sessions_limit(settings: &AccessSettings) -> Result<usize> {
    let limit = settings.sessions_per_minute;
    match usize::try_from(limit) {
        Ok(count) if (1..=MOST_SESSIONS_PER_MINUTE).contains(&limit) => Ok(count),
        _ => Err(Error::validation(format!(
            "sessions_per_minute must be from 1 to {MOST_SESSIONS_PER_MINUTE}, and is {limit}"
        ))
        .with_action("Set how many sessions one address may start in 60 seconds; 10 when left out.")),
    }
}

/// Returns the request's own correlation id, or a new one if that is missing or cannot be noted.
fn correlation_id(facts: &RequestFacts) -> String {
    match &facts.correlation_id {
        Some(id) if !id.is_empty() && id.len() <= 128 && id.bytes().all(|byte| byte.is_ascii_graphic()) => id.clone(),
        _ => new_correlation_id(),
    }
}

/// Turns every kind of storage failure into `dependency_unavailable`: the caller only learns that access cannot be decided now.
fn fail_closed(error: Error) -> Error {
    match error.code() {
        ErrorCode::Internal | ErrorCode::StorageFull | ErrorCode::StorageCorrupt => {
            Error::new(ErrorCode::DependencyUnavailable, format!("access cannot be decided: {}", error.detail()))
        }
        _ => error,
    }
}
