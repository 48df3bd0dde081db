//! Tests of access, each with its own store, audit log and clock.

mod addresses;
mod closed;
mod cookies;
mod keys;
mod links;
mod owners;
mod peppers;
mod sessions;
mod table;
mod windows;

use super::*;
use crate::audit::{self, AuditEvent, AuditQuery, Signing};
use crate::keyring::KeySource;
use crate::secrets::{self};
use crate::time::ManualClock;
use crate::time::Timestamp;
use std::path::Path;
use std::time::Duration;

const ADMIN_KEY: &str = "sixteen letters!";
/// The master key and the audit key.
const KEYS: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const START: Timestamp = Timestamp(1_800_000_000_000);

struct Rig {
    access: Arc<Access>,
    store: Arc<Store>,
    audit: Arc<Audit>,
    clock: Arc<ManualClock>,
    folder: Arc<tempfile::TempDir>,
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.close();
    }
}

fn settings(admin_key: &str) -> AccessSettings {
    AccessSettings {
        api_key: None,
        admin_key: Some(SecretText::new(admin_key)),
        allowed_origins: vec!["https://studio.example".to_owned()],
        trusted_proxies: vec!["10.0.0.0/8".to_owned(), "fd00::1".to_owned()],
        ..AccessSettings::default()
    }
}

impl Rig {
    fn new() -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let clock = Arc::new(ManualClock::new(START));
        Self::open(folder.clone(), folder.path(), clock, &settings(ADMIN_KEY))
    }

    fn open(folder: Arc<tempfile::TempDir>, path: &Path, clock: Arc<ManualClock>, settings: &AccessSettings) -> Self {
        let keys = KeySource::Text(SecretText::new(KEYS));
        let signing = Signing::new(keys.clone(), path.join("anchors"), None);
        let migrations = [
            audit::MIGRATION,
            secrets::MIGRATION,
            MIGRATION,
            audit::OVERLAP_MIGRATION,
            KEY_NUMBER_MIGRATION,
            KEY_OWNER_MIGRATION,
        ];
        let store = Store::open(path, &migrations, Some(signing.hook())).unwrap();
        let store = Arc::new(store);
        let time: Arc<dyn Clock> = clock.clone();
        let audit = Arc::new(Audit::start(store.clone(), time.clone(), signing).unwrap());
        let vault = Arc::new(Vault::start(store.clone(), time.clone(), audit.clone(), keys, "dev".to_owned()));
        let access = Access::new(
            store.clone(),
            time,
            audit.clone(),
            vault.clone(),
            Arc::new(crate::metrics::Metrics::new().unwrap()),
            settings,
        )
        .unwrap();
        Self { access: Arc::new(access), store, audit, clock, folder }
    }

    /// Closes the platform and opens its folder again.
    fn reopen(&self, settings: &AccessSettings) -> Self {
        self.close();
        Self::open(self.folder.clone(), self.folder.path(), self.clock.clone(), settings)
    }

    fn close(&self) {
        self.audit.close();
        self.store.close();
    }

    fn sql(&self, sql: &'static str) {
        self.store.write(move |connection| Ok(connection.execute_batch(sql)?)).unwrap();
    }

    fn code(&self, facts: &RequestFacts) -> ErrorCode {
        self.access.authorize(facts).unwrap_err().code()
    }

    /// Events, newest first.
    fn events(&self, action: &str) -> Vec<AuditEvent> {
        let query = AuditQuery { action: Some(action.to_owned()), ..AuditQuery::default() };
        self.audit.list(&query, &host()).unwrap().logs
    }

    fn key(&self, name: &str) -> IssuedKey {
        self.access.issue_key(name, None, &host()).unwrap()
    }
}

fn host() -> Caller {
    Caller::new("operator", "cli")
}

fn days(days: u64) -> Duration {
    Duration::from_secs(days * 24 * 3600)
}

fn from(route: RouteClass, peer: &str) -> RequestFacts {
    RequestFacts { peer: Some(peer.parse().unwrap()), ..RequestFacts::new(route) }
}

fn with_key(key: &SecretText) -> RequestFacts {
    RequestFacts { header_keys: vec![key.expose().to_owned()], ..RequestFacts::new(RouteClass::Generation) }
}

fn with_session(token: &SecretText) -> RequestFacts {
    RequestFacts {
        cookies: vec![format!("a=b; gg_session={}", token.expose())],
        ..RequestFacts::new(RouteClass::Generation)
    }
}

fn with_admin_session(token: &SecretText) -> RequestFacts {
    RequestFacts {
        cookies: vec![format!("gg_admin_session={}", token.expose())],
        ..from(RouteClass::Admin, "192.0.2.1")
    }
}

fn admin_login() -> RequestFacts {
    RequestFacts { admin_header_keys: vec![ADMIN_KEY.to_owned()], ..from(RouteClass::AdminLogin, "192.0.2.1") }
}
