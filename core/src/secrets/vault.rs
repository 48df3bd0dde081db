//! The vault holds the master keys and the peppers for credentials while the platform is open, and gives access to stored secrets.
//!
//! Without the right master key the vault stays shut: every call that needs it fails with `dependency_unavailable`. Calls that do
//! not need it, such as generation by an embedding host, still work.

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

/// The age at which a secret must be replaced.
pub const ROTATION_LIMIT: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// Name of all peppers in the table of secrets.
pub(crate) const PEPPER: &str = "pepper";

/// The store of secrets.
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
    /// Opens the vault with the keys of `source`. If this fails, the vault stays shut and every call returns the reason.
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

    /// Reads the master keys again and decrypts the peppers with them.
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
        // Without a pepper nobody could sign in, so nobody could rotate it to make one.
        if !rows.iter().any(|row| row.kind == PEPPER && row.revoked_at.is_none()) {
            self.add_pepper(NewEvent::internal("pepper_create", PEPPER, Outcome::Success))?;
        }
        self.note_keys(&keys)
    }

    /// Makes a new pepper, which is used for new credentials.
    pub(super) fn add_pepper(&self, event: NewEvent) -> Result<()> {
        self.new_pepper(event, false)
    }

    /// Revokes every pepper and makes a new one in the same transaction. Credentials made with the old peppers become invalid. The
    /// holder of the admin key can sign in again.
    pub(super) fn renew_pepper(&self, event: NewEvent) -> Result<()> {
        self.new_pepper(event, true)
    }

    fn new_pepper(&self, event: NewEvent, revoke_others: bool) -> Result<()> {
        let keys = self.keys()?;
        let value = random_key()?;
        let now = self.clock.now();
        let sealing = Arc::clone(&keys);
        let pepper = hmac::Key::new(hmac::HMAC_SHA256, value.as_slice());
        let number = self.audit.record(move |connection| {
            let mut event = event;
            if revoke_others {
                event = event.with("count", store::revoke(connection, PEPPER, now)?);
            }
            let number = store::named(connection, PEPPER)?.len() as u32 + 1;
            let id = format!("{PEPPER}:{number}");
            let sealed = seal::seal(&sealing, place(&id), value.as_slice())?;
            store::insert(connection, &new_row(id, PEPPER, PEPPER, sealed, now))?;
            Ok((number, event.with("number", number)))
        })?;
        if let Ok(open) = &mut *self.state.write() {
            if revoke_others {
                open.peppers.clear();
            }
            open.peppers.insert(number, pepper);
        }
        Ok(())
    }

    /// Returns the numbers of the peppers that were not revoked.
    ///
    /// # Errors
    /// `dependency_unavailable` while the vault is shut.
    pub(crate) fn peppers(&self) -> Result<Vec<u32>> {
        self.with(|open| Ok(open.peppers.keys().copied().collect()))
    }

    /// Records when each master key was first seen.
    fn note_keys(&self, keys: &KeyRing) -> Result<()> {
        for (version, key) in keys.iter() {
            self.note_key(&format!("master_key:{version}"), key.as_slice())?;
        }
        Ok(())
    }

    /// Records when a key of 32 random bytes was first seen, and returns that time.
    pub(super) fn note_key(&self, name: &str, key: &[u8]) -> Result<Timestamp> {
        // An HMAC with the key itself tells keys apart and reveals nothing about them. No pepper is used: all may be revoked.
        self.first_seen(name, &tag(&hmac::Key::new(hmac::HMAC_SHA256, key), b"must key fingerprint"))
    }

    /// Records when a key that is kept elsewhere was first seen, and returns that time.
    pub(super) fn first_seen(&self, name: &str, fingerprint: &[u8]) -> Result<Timestamp> {
        if let Some(seen) = self.store.read(|connection| store::first_seen(connection, name, fingerprint))? {
            return Ok(seen);
        }
        let (name, fingerprint, now) = (name.to_owned(), fingerprint.to_owned(), self.clock.now());
        self.store.write(move |connection| store::record_seen(connection, &name, &fingerprint, now))
    }

    fn with<T>(&self, work: impl FnOnce(&Open) -> Result<T>) -> Result<T> {
        match &*self.state.read() {
            Ok(open) => work(open),
            Err(error) => Err(error.clone()),
        }
    }

    /// Returns the master keys.
    pub(super) fn keys(&self) -> Result<Arc<KeyRing>> {
        self.with(|open| Ok(Arc::clone(&open.keys)))
    }

    /// Returns the number of the newest pepper and the MAC of a credential under it.
    ///
    /// # Errors
    /// `dependency_unavailable` while the vault is shut.
    pub(crate) fn mac(&self, credential: &[u8]) -> Result<(u32, [u8; 32])> {
        self.with(|open| {
            let (number, pepper) = open.peppers.last_key_value().ok_or_else(no_pepper)?;
            Ok((*number, tag(pepper, credential)))
        })
    }

    /// Returns the MAC of a credential under the oldest pepper that was not revoked. It stays the same when peppers are added.
    /// Returns `None` if there is no pepper.
    ///
    /// # Errors
    /// `dependency_unavailable` while the vault is shut.
    pub(crate) fn lasting_mac(&self, credential: &[u8]) -> Result<Option<[u8; 32]>> {
        self.with(|open| Ok(open.peppers.first_key_value().map(|(_, pepper)| tag(pepper, credential))))
    }

    /// Checks in constant time whether a MAC belongs to this credential. A revoked pepper verifies nothing.
    ///
    /// # Errors
    /// `dependency_unavailable` while the vault is shut.
    pub(crate) fn verify_mac(&self, pepper: u32, credential: &[u8], mac: &[u8]) -> Result<bool> {
        self.with(|open| Ok(open.peppers.get(&pepper).is_some_and(|key| is_tag(key, credential, mac))))
    }

    /// Returns the file of the master keys, if they are in a file.
    pub(crate) fn key_file(&self) -> Option<&Path> {
        self.source.file()
    }

    /// Checks that the vault is open.
    ///
    /// # Errors
    /// The reason why it is shut.
    pub fn check(&self) -> Result<()> {
        self.with(|_| Ok(()))
    }

    /// Encrypts again, a few at a time, every stored value that is not yet under the newest master key. An interruption loses
    /// nothing: the remaining values are still under their old key, and the next run continues. Returns how many values it changed.
    pub(super) fn reseal(&self) -> Result<u64> {
        let keys = self.keys()?;
        let (newest, _) = keys.current()?;
        let (mut after, mut count) = (String::new(), 0);
        loop {
            let batch = self.store.read(|connection| store::sealed_after(connection, &after, 100))?;
            let Some((last, _)) = batch.last() else { return Ok(count) };
            after.clone_from(last);
            let mut resealed = Vec::new();
            for (id, old) in batch {
                if seal::version(&old)? != newest {
                    let value = seal::open(&keys, place(&id), &old)?;
                    let new = seal::seal(&keys, place(&id), &value)?;
                    resealed.push((id, old, new));
                }
            }
            if !resealed.is_empty() {
                count += self.store.write(move |connection| {
                    let mut changed = 0;
                    for (id, old, new) in &resealed {
                        changed += u64::from(store::reseal(connection, id, old, new)?);
                    }
                    Ok(changed)
                })?;
            }
        }
    }

    /// Encrypts everything under the newest master key. If the keys are in a file and it has no newer key yet, a new one is added
    /// to the file first.
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
        // A newer key may already have been there when this platform was opened. Then encrypting again was all there was to do.
        if newest <= before && resealed == 0 {
            added?;
            return Err(Error::validation("there is no newer master key").with_action(
                "Add a new key with a higher version beside the old ones. If the keys are a setting, open the platform again. Then rotate.",
            ));
        }
        let event = caller.event("master_key_rotate", format!("master_key:{newest}"), Outcome::Success);
        self.audit.append(event.with("resealed", resealed)).map(drop)
    }
}

/// Returns the place of a stored secret in the database.
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

/// Checks in constant time whether a MAC belongs to this text.
pub(super) fn is_tag(key: &hmac::Key, text: &[u8], mac: &[u8]) -> bool {
    hmac::verify(key, text, mac).is_ok()
}

fn no_pepper() -> Error {
    Error::new(ErrorCode::DependencyUnavailable, "every pepper was revoked")
        .with_action("Open the platform again. It then makes a new pepper.")
}
