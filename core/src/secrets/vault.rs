//! The vault: the master keys while the platform is open, the peppers of credentials, and the stored secrets.
//!
//! Without the right master key the vault stays shut: every call that needs it answers `dependency_unavailable`, and what does
//! not need it (generation by an embedding host) goes on.

use super::seal::{self, Place};
use super::store::{self, Row};
use crate::audit::{Audit, Caller, NewEvent, Outcome};
use crate::error::{Error, ErrorCode, Result};
use crate::keyring::{self, KeyRing, KeySource, random_key};
use crate::store::Store;
use crate::time::Clock;
use crate::time::Timestamp;
use parking_lot::RwLock;
use ring::hmac;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// After how long a secret is to be replaced.
pub const ROTATION_LIMIT: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// Name under which peppers are kept.
pub(crate) const PEPPER: &str = "pepper";

/// What the vault stands on, and what it holds while it is open.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let platform = must::Platform::open(must::Settings::new(folder.path()))?;
/// use must::audit::Caller;
/// use must::secrets::SecretText;
///
/// let (vault, caller) = (platform.secrets()?, Caller::new("operator", "cli"));
/// vault.put("clip-provider", &SecretText::new("a token"), &caller)?;
/// assert_eq!(vault.get("clip-provider")?.expose(), "a token");
/// vault.revoke("clip-provider", &caller)?;
/// assert!(vault.get("clip-provider").is_err());
/// # Ok::<(), must::Error>(())
/// ```
pub struct Vault {
    pub(super) store: Arc<Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) audit: Arc<Audit>,
    pub(super) source: KeySource,
    pub(super) environment: String,
    state: RwLock<Result<Open>>,
}

/// An open vault.
struct Open {
    keys: Arc<KeyRing>,
    peppers: BTreeMap<u32, hmac::Key>,
}

impl Vault {
    /// Opens the vault with the keys of `source`, or leaves it shut and says why at every call.
    pub(crate) fn start(
        store: Arc<Store>,
        clock: Arc<dyn Clock>,
        audit: Arc<Audit>,
        source: KeySource,
        environment: String,
    ) -> Self {
        let shut = Error::new(ErrorCode::DependencyUnavailable, "the vault was not opened");
        let vault = Self { store, clock, audit, source, environment, state: RwLock::new(Err(shut)) };
        if let Err(error) = vault.unlock() {
            tracing::warn!(code = error.code().as_str(), detail = error.detail(), "the vault stays shut");
            *vault.state.write() = Err(error);
        }
        vault
    }

    /// Reads the keys again and opens with them what is there.
    pub(super) fn unlock(&self) -> Result<()> {
        let rows = self.store.read(store::all)?;
        let keys = Arc::new(KeyRing::parse(self.source.read(rows.is_empty())?.expose())?);
        let mut peppers = BTreeMap::new();
        for row in rows.iter().filter(|row| row.kind == PEPPER && row.revoked_at.is_none()) {
            let value = seal::open(&keys, place(&row.id), &row.sealed)?;
            let number = row.id.rsplit(':').next().and_then(|number| number.parse().ok());
            let number = number.ok_or_else(|| Error::new(ErrorCode::StorageCorrupt, "a pepper has no number"))?;
            peppers.insert(number, hmac::Key::new(hmac::HMAC_SHA256, &value));
        }
        *self.state.write() = Ok(Open { keys: Arc::clone(&keys), peppers });
        // Without one nobody could sign in, to make one.
        if !rows.iter().any(|row| row.kind == PEPPER && row.revoked_at.is_none()) {
            self.add_pepper(NewEvent::internal("pepper_create", PEPPER, Outcome::Success))?;
        }
        self.note_keys(&keys)
    }

    /// Makes a new pepper for credentials from now on.
    pub(super) fn add_pepper(&self, event: NewEvent) -> Result<()> {
        self.new_pepper(event, false)
    }

    /// Revokes every pepper and makes a new one in the same change: what was made with the old ones ends, and whoever has the admin
    /// key can sign in again.
    pub(super) fn renew_pepper(&self, event: NewEvent) -> Result<()> {
        self.new_pepper(event, true)
    }

    fn new_pepper(&self, event: NewEvent, alone: bool) -> Result<()> {
        let keys = self.keys()?;
        let value = random_key()?;
        let now = self.clock.now();
        let sealing = Arc::clone(&keys);
        let pepper = hmac::Key::new(hmac::HMAC_SHA256, value.as_slice());
        let number = self.audit.record(move |connection| {
            let mut event = event;
            if alone {
                event = event.with("count", store::revoke(connection, PEPPER, now)?);
            }
            let number = store::named(connection, PEPPER)?.len() as u32 + 1;
            let id = format!("{PEPPER}:{number}");
            let sealed = seal::seal(&sealing, place(&id), value.as_slice())?;
            store::insert(connection, &new_row(id, PEPPER, PEPPER, sealed, now))?;
            Ok((number, event.with("number", number)))
        })?;
        if let Ok(open) = &mut *self.state.write() {
            if alone {
                open.peppers.clear();
            }
            open.peppers.insert(number, pepper);
        }
        Ok(())
    }

    /// Numbers of the peppers that are good.
    ///
    /// # Errors
    /// `dependency_unavailable` while the vault is shut.
    pub(crate) fn peppers(&self) -> Result<Vec<u32>> {
        self.with(|open| Ok(open.peppers.keys().copied().collect()))
    }

    /// Takes note of when each master key was first seen.
    fn note_keys(&self, keys: &KeyRing) -> Result<()> {
        for (version, key) in keys.iter() {
            self.note_key(&format!("master_key:{version}"), key.as_slice())?;
        }
        Ok(())
    }

    /// Takes note of when a key of 32 random bytes was first seen.
    pub(super) fn note_key(&self, name: &str, key: &[u8]) -> Result<Timestamp> {
        // A PRF of a random key: tells keys apart and says nothing about them. Needs no pepper, for all may be revoked.
        self.first_seen(name, &tag(&hmac::Key::new(hmac::HMAC_SHA256, key), b"must key fingerprint"))
    }

    /// Takes note of when a key that is kept elsewhere was first seen.
    pub(super) fn first_seen(&self, name: &str, fingerprint: &[u8]) -> Result<Timestamp> {
        if let Some(seen) = self.store.read(|connection| store::first_seen(connection, name, fingerprint))? {
            return Ok(seen);
        }
        let (name, fingerprint, now) = (name.to_owned(), fingerprint.to_owned(), self.clock.now());
        self.store.write(move |connection| store::seen(connection, &name, &fingerprint, now))
    }

    fn with<T>(&self, work: impl FnOnce(&Open) -> Result<T>) -> Result<T> {
        match &*self.state.read() {
            Ok(open) => work(open),
            Err(error) => Err(error.clone()),
        }
    }

    /// The master keys.
    pub(super) fn keys(&self) -> Result<Arc<KeyRing>> {
        self.with(|open| Ok(Arc::clone(&open.keys)))
    }

    /// A MAC of a credential under the newest pepper, and the pepper's number.
    ///
    /// # Errors
    /// `dependency_unavailable` while the vault is shut.
    pub(crate) fn mac(&self, credential: &[u8]) -> Result<(u32, [u8; 32])> {
        self.with(|open| {
            let (number, pepper) = open.peppers.last_key_value().ok_or_else(no_pepper)?;
            Ok((*number, tag(pepper, credential)))
        })
    }

    /// A MAC of a credential under the oldest pepper that is good, which stays the same when peppers are added; none without one.
    ///
    /// # Errors
    /// `dependency_unavailable` while the vault is shut.
    pub(crate) fn lasting_mac(&self, credential: &[u8]) -> Result<Option<[u8; 32]>> {
        self.with(|open| Ok(open.peppers.first_key_value().map(|(_, pepper)| tag(pepper, credential))))
    }

    /// Whether a MAC is of this credential, in constant time. A pepper that was revoked verifies nothing.
    ///
    /// # Errors
    /// `dependency_unavailable` while the vault is shut.
    pub(crate) fn verify_mac(&self, pepper: u32, credential: &[u8], mac: &[u8]) -> Result<bool> {
        self.with(|open| Ok(open.peppers.get(&pepper).is_some_and(|key| is_tag(key, credential, mac))))
    }

    /// The file of the master keys, where they are in one.
    pub(crate) fn key_file(&self) -> Option<&Path> {
        self.source.file()
    }

    /// Whether the vault is open.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> Result<()> {
        self.with(|_| Ok(()))
    }

    /// Seals every stored value that is not yet under the newest master key, a few at a time. An interruption loses nothing: what is
    /// left is sealed under its old key, and the next run goes on. Answers how many values were sealed anew.
    pub(super) fn reseal(&self) -> Result<u64> {
        let keys = self.keys()?;
        let (newest, _) = keys.current()?;
        let (mut after, mut count) = (String::new(), 0);
        loop {
            let batch = self.store.read(|connection| store::sealed_after(connection, &after, 100))?;
            let Some((last, _)) = batch.last() else { return Ok(count) };
            after.clone_from(last);
            let mut anew = Vec::new();
            for (id, old) in batch {
                if seal::version(&old)? != newest {
                    let value = seal::open(&keys, place(&id), &old)?;
                    let new = seal::seal(&keys, place(&id), &value)?;
                    anew.push((id, old, new));
                }
            }
            if !anew.is_empty() {
                count += self.store.write(move |connection| {
                    let mut changed = 0;
                    for (id, old, new) in &anew {
                        changed += u64::from(store::reseal(connection, id, old, new)?);
                    }
                    Ok(changed)
                })?;
            }
        }
    }

    /// Brings in a new master key, where the keys are in a file that has none yet, and seals everything under the newest.
    pub(super) fn rotate_master(&self, caller: &Caller) -> Result<()> {
        let before = self.keys()?.newest()?;
        self.audit.check()?;
        let mut added = Ok(());
        if let KeySource::File(path) = &self.source
            && KeyRing::parse(self.source.read(false)?.expose())?.newest()? <= before
        {
            added = keyring::add_version(path);
        }
        self.unlock()?;
        let newest = self.keys()?.newest()?;
        let resealed = self.reseal()?;
        // A newer key may have been put in place before this platform was opened: sealing anew was all there was to do.
        if newest <= before && resealed == 0 {
            added?;
            return Err(Error::validation("there is no newer master key").with_action(
                "Put a new key with a higher version in place beside the old ones, open the platform again where the keys are a setting, then rotate.",
            ));
        }
        let event = caller.event("master_key_rotate", format!("master_key:{newest}"), Outcome::Success);
        self.audit.append(event.with("resealed", resealed)).map(drop)
    }
}

/// Where a stored secret lies.
pub(super) fn place(id: &str) -> Place<'_> {
    Place { table: "secret", row: id, column: "sealed" }
}

pub(super) fn new_row(id: String, name: &str, kind: &str, sealed: Vec<u8>, now: Timestamp) -> Row {
    let limit = i64::try_from(ROTATION_LIMIT.as_millis()).unwrap_or(i64::MAX);
    Row {
        id,
        name: name.to_owned(),
        kind: kind.to_owned(),
        sealed,
        scopes: String::new(),
        environment: String::new(),
        issued_at: now,
        expires_at: Timestamp(now.0.saturating_add(limit)),
        superseded_at: None,
        revoked_at: None,
    }
}

pub(super) fn tag(key: &hmac::Key, text: &[u8]) -> [u8; 32] {
    let mut mac = [0; 32];
    mac.copy_from_slice(hmac::sign(key, text).as_ref());
    mac
}

/// Whether a MAC is of this text, in constant time.
pub(super) fn is_tag(key: &hmac::Key, text: &[u8], mac: &[u8]) -> bool {
    hmac::verify(key, text, mac).is_ok()
}

fn no_pepper() -> Error {
    Error::new(ErrorCode::DependencyUnavailable, "every pepper was revoked")
        .with_action("Open the platform again: it makes a new pepper then.")
}
