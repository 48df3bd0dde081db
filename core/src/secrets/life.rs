//! Storing, reading, rotating and revoking secrets, and reporting the state of each.

use super::seal;
use super::store::{self, Row};
use super::vault::{PEPPER, ROTATION_LIMIT, Vault, new_row, place};
use crate::audit::{Caller, Outcome};
use crate::error::{Error, ErrorCode, Result};
use crate::keyring::SecretText;
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use std::time::Duration;

/// Name of the master key in the list of secrets.
const MASTER_KEY: &str = "master_key";

/// Kinds of stored secrets.
const STORED: &str = "stored";
const PROVIDER_TOKEN: &str = "provider_token";

/// Prefix of the names of stored secrets that hold the tokens of an account.
pub(crate) const ACCOUNT_PREFIX: &str = "account-";

/// The scopes that a provider token may have.
const ALLOWED_SCOPES: [&str; 2] = ["inference", "model:download"];

/// The state of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecretState {
    /// In use.
    Valid,
    /// Replaced, but still accepted until its overlap ends.
    Overlapping,
    /// Past its rotation limit, or replaced and past its overlap.
    Expired,
    /// Revoked.
    Revoked,
}

/// Facts about a secret, without its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct SecretStatus {
    /// Name to rotate or revoke it by.
    pub name: String,
    /// `master_key`, `pepper`, `provider_token`, `stored`, `api_key`, `admin_key` or `audit_key`.
    pub kind: String,
    /// Tells secrets of the same name apart.
    pub id: String,
    /// The state of the secret.
    pub state: SecretState,
    /// When it was made. For a key that is kept elsewhere, when it was first seen.
    pub issued_at: Timestamp,
    /// When it must be replaced at the latest. After that it is `expired`, except a pepper, which stays in use.
    pub rotate_by: Timestamp,
    /// Until when it is accepted after it was replaced.
    pub overlap_until: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl Row {
    fn state(&self, now: Timestamp) -> SecretState {
        match self.superseded_at {
            _ if self.revoked_at.is_some() => SecretState::Revoked,
            Some(until) if now >= until => SecretState::Expired,
            Some(_) => SecretState::Overlapping,
            None if self.kind != PEPPER && now >= self.expires_at => SecretState::Expired,
            None => SecretState::Valid,
        }
    }
}

impl Vault {
    /// Encrypts a secret and stores it under a name. A secret that already has the name is replaced at once.
    ///
    /// # Errors
    /// `validation_error` if the name is not 1 to 64 of `a-z 0-9 _ -`, if it is `master_key`, `pepper`, `admin_key`, `api_key` or
    /// `audit_key`, if it belongs to an account's tokens, or if the value is empty; `dependency_unavailable` while the vault is shut.
    pub fn put(&self, name: &str, value: &SecretText, caller: &Caller) -> Result<()> {
        self.store_value(
            name,
            STORED,
            value,
            (String::new(), String::new()),
            Duration::ZERO,
            caller.event("secret_put", name, Outcome::Success),
        )
    }

    /// Stores a provider's token. Its scopes may be model download and inference only, and it must be for the environment that
    /// this platform runs in.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let platform = must::Platform::open(must::Settings::new(folder.path()))?;
    /// use must::audit::Caller;
    /// use must::secrets::SecretText;
    ///
    /// let (vault, caller, token) = (platform.secrets()?, Caller::new("operator", "cli"), SecretText::new("a token"));
    /// vault.put_provider_token("hub", &token, &["model:download".to_owned()], "dev", &caller)?;
    /// // A token with any other scope is refused.
    /// assert!(vault.put_provider_token("hub", &token, &["admin".to_owned()], "dev", &caller).is_err());
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Vault::put`]; `validation_error` for any other scope or environment.
    pub fn put_provider_token(
        &self,
        name: &str,
        value: &SecretText,
        scopes: &[String],
        environment: &str,
        caller: &Caller,
    ) -> Result<()> {
        self.check_token(scopes.iter().map(String::as_str), environment)?;
        let event = caller.event("provider_token_put", name, Outcome::Success);
        let usage = (scopes.join(" "), environment.to_owned());
        self.store_value(name, PROVIDER_TOKEN, value, usage, Duration::ZERO, event)
    }

    /// Returns the current value of a stored secret.
    ///
    /// # Errors
    /// `not_found`; `dependency_unavailable` if it was revoked, is past its rotation limit or cannot be decrypted;
    /// `validation_error` for a provider token that is not for this environment.
    pub fn get(&self, name: &str) -> Result<SecretText> {
        let row = self.newest(name)?;
        let row = row.ok_or_else(|| Error::new(ErrorCode::NotFound, format!("there is no secret {name}")))?;
        if row.state(self.clock.now()) != SecretState::Valid {
            return Err(Error::new(ErrorCode::DependencyUnavailable, format!("the secret {name} is no longer valid"))
                .with_action("Rotate the secret."));
        }
        if row.kind == PROVIDER_TOKEN {
            self.check_token(row.scopes.split_whitespace(), &row.environment)?;
        }
        self.open_row(&row)
    }

    /// Returns the value of a stored secret, even past its rotation limit. It is used to make the secret that replaces it.
    /// Returns `None` if the secret was revoked or does not exist.
    ///
    /// # Errors
    /// `dependency_unavailable` while the vault is shut, or if the secret cannot be decrypted.
    pub(crate) fn recall(&self, name: &str) -> Result<Option<SecretText>> {
        match self.newest(name)? {
            Some(row) if row.revoked_at.is_none() => self.open_row(&row).map(Some),
            _ => Ok(None),
        }
    }

    fn newest(&self, name: &str) -> Result<Option<Row>> {
        let rows = self.store.read(|connection| store::named(connection, name))?;
        Ok(rows.into_iter().rfind(|row| row.kind != PEPPER))
    }

    fn open_row(&self, row: &Row) -> Result<SecretText> {
        let keys = self.keys()?;
        let value = seal::open(&keys, place(&row.id), &row.sealed)?;
        let text = std::str::from_utf8(&value).map_err(|_| Error::internal("a stored secret is not text"))?;
        Ok(SecretText::new(text))
    }

    /// Replaces a secret. A stored secret gets the new `value`, and the old value stays accepted for `overlap`. The master key and
    /// the pepper get new random values; for them `value` must be `None`. With a new master key everything is encrypted again. A
    /// new pepper is used for new credentials.
    ///
    /// # Errors
    /// `validation_error` if the overlap is more than 7 days, if `value` is missing or must not be given, if the secret holds the tokens
    /// of an account, or if the master keys are not in a file and there is no newer one; `not_found`; `dependency_unavailable` while the
    /// vault is shut or if the key file cannot be written.
    pub fn rotate(&self, name: &str, value: Option<&SecretText>, overlap: Duration, caller: &Caller) -> Result<()> {
        if overlap > crate::keyring::LONGEST_OVERLAP {
            return Err(Error::validation("an overlap must be at most 7 days"));
        }
        match (name, value) {
            (MASTER_KEY, None) => self.rotate_master(caller),
            (PEPPER, None) => self.add_pepper(caller.event("pepper_rotate", PEPPER, Outcome::Success)),
            (MASTER_KEY | PEPPER, Some(_)) => {
                Err(Error::validation(format!("{name} gets a random value, so give no value")))
            }
            (_, None) => Err(Error::validation(format!("give the new value of {name}"))),
            (_, Some(value)) => {
                let rows = self.store.read(|connection| store::named(connection, name))?;
                let Some(row) = rows.last() else {
                    return Err(Error::new(ErrorCode::NotFound, format!("there is no secret {name}")));
                };
                let event = caller.event("secret_rotate", name, Outcome::Success);
                let usage = (row.scopes.clone(), row.environment.clone());
                self.store_value(name, &row.kind, value, usage, overlap, event)
            }
        }
    }

    /// Revokes every secret of a name at once. Revoking the pepper ends every API key and session. It also makes a new pepper, so
    /// that the holder of the admin key can sign in again.
    ///
    /// # Errors
    /// `not_found`; `validation_error` for the master key, which cannot be revoked, only replaced.
    pub fn revoke(&self, name: &str, caller: &Caller) -> Result<()> {
        if name == MASTER_KEY {
            return Err(Error::validation("the master key cannot be revoked, only replaced")
                .with_action("Rotate master_key, then remove the old version from its file."));
        }
        let now = self.clock.now();
        let event = caller.event("secret_revoke", name, Outcome::Success);
        if name == PEPPER {
            return self.renew_pepper(event);
        }
        let wanted = name.to_owned();
        self.audit.record(move |connection| match store::revoke(connection, &wanted, now)? {
            0 => Err(Error::new(ErrorCode::NotFound, format!("there is no secret {wanted} to revoke"))),
            count => Ok(((), event.with("count", count))),
        })
    }

    /// Returns the state of every stored secret and every master key, without any value.
    ///
    /// # Errors
    /// `dependency_unavailable` while the vault is shut or the database cannot be read.
    pub fn status(&self) -> Result<Vec<SecretStatus>> {
        let now = self.clock.now();
        let keys = self.keys()?;
        let (newest, _) = keys.current()?;
        let mut all = Vec::new();
        for (version, key) in keys.iter() {
            let id = format!("{MASTER_KEY}:{version}");
            let issued_at = self.note_key(&id, key.as_slice())?;
            let state = if version == newest { external_key_state(issued_at, now) } else { SecretState::Overlapping };
            all.push(external_status(MASTER_KEY, MASTER_KEY, id, issued_at, state));
        }
        let rows = self.store.read(store::all)?;
        all.extend(rows.into_iter().map(|row| SecretStatus {
            state: row.state(now),
            name: row.name,
            kind: row.kind,
            id: row.id,
            issued_at: row.issued_at,
            rotate_by: row.expires_at,
            overlap_until: row.superseded_at,
            revoked_at: row.revoked_at,
        }));
        Ok(all)
    }

    /// Returns the state of a key that is kept elsewhere, judged by when it was first seen. `fingerprint` tells keys of the same
    /// name apart and must not help anyone to guess the key.
    pub(crate) fn external_key_status(&self, name: &str, fingerprint: &[u8]) -> Result<SecretStatus> {
        let issued_at = self.first_seen(name, fingerprint)?;
        let state = external_key_state(issued_at, self.clock.now());
        Ok(external_status(name, name, name.to_owned(), issued_at, state))
    }

    fn store_value(
        &self,
        name: &str,
        kind: &str,
        value: &SecretText,
        (scopes, environment): (String, String),
        overlap: Duration,
        event: crate::audit::NewEvent,
    ) -> Result<()> {
        check_name(name)?;
        if name.starts_with(ACCOUNT_PREFIX) {
            return Err(Error::validation(format!("{name} holds the tokens of an account"))
                .with_action("Give the account itself new tokens."));
        }
        if value.expose().is_empty() {
            return Err(Error::validation("the value of a secret must not be empty"));
        }
        let keys = self.keys()?;
        let now = self.clock.now();
        let id = format!("{name}:{}", uuid::Uuid::now_v7());
        let sealed = seal::seal(&keys, place(&id), value.expose().as_bytes())?;
        let row = Row { scopes, environment, ..new_row(id, name, kind, sealed, now) };
        let until = now.after(overlap);
        self.audit.record(move |connection| {
            store::supersede(connection, &row.name, until)?;
            store::insert(connection, &row)?;
            Ok(((), event.with("id", &row.id)))
        })
    }

    fn check_token<'a>(&self, scopes: impl Iterator<Item = &'a str>, environment: &str) -> Result<()> {
        let refused = |detail: String| {
            Err(Error::validation(detail).with_action(
                "Make a token for model download and inference only, in the environment of this platform.",
            ))
        };
        for scope in scopes {
            if !ALLOWED_SCOPES.contains(&scope) {
                return refused("the provider token has a scope beyond model download and inference".to_owned());
            }
        }
        if environment != self.environment {
            return refused(format!(
                "the provider token is not for the environment {} of this platform",
                self.environment
            ));
        }
        Ok(())
    }
}

/// An encrypted secret that is not stored yet. It is stored in the same transaction as another change.
pub(crate) struct Sealed(Row);

impl Sealed {
    /// Stores the secret within a transaction and replaces the one that had its name.
    pub(crate) fn keep(&self, connection: &rusqlite::Connection, now: Timestamp) -> Result<()> {
        store::supersede(connection, &self.0.name, now)?;
        store::insert(connection, &self.0)
    }
}

impl Vault {
    /// Encrypts a value for a stored secret. The change that stores it also writes the audit event.
    ///
    /// # Errors
    /// `dependency_unavailable` while the vault is shut.
    pub(crate) fn seal_stored(&self, name: &str, value: &SecretText) -> Result<Sealed> {
        check_name(name)?;
        let id = format!("{name}:{}", uuid::Uuid::now_v7());
        let keys = self.keys()?;
        let sealed = seal::seal(&keys, place(&id), value.expose().as_bytes())?;
        Ok(Sealed(new_row(id, name, STORED, sealed, self.clock.now())))
    }
}

/// Revokes every secret of a name within the caller's transaction.
pub(crate) fn revoke_in(connection: &rusqlite::Connection, name: &str, now: Timestamp) -> Result<()> {
    store::revoke(connection, name, now).map(drop)
}

fn external_key_state(issued_at: Timestamp, now: Timestamp) -> SecretState {
    if now >= limit_after(issued_at) { SecretState::Expired } else { SecretState::Valid }
}

fn limit_after(issued_at: Timestamp) -> Timestamp {
    issued_at.after(ROTATION_LIMIT)
}

fn external_status(name: &str, kind: &str, id: String, issued_at: Timestamp, state: SecretState) -> SecretStatus {
    SecretStatus {
        name: name.to_owned(),
        kind: kind.to_owned(),
        id,
        state,
        issued_at,
        rotate_by: limit_after(issued_at),
        overlap_until: None,
        revoked_at: None,
    }
}

fn check_name(name: &str) -> Result<()> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    let reserved = [MASTER_KEY, PEPPER, "admin_key", "api_key", "audit_key"].contains(&name);
    if (1..=64).contains(&name.len()) && name.chars().all(allowed) && !reserved {
        Ok(())
    } else {
        Err(Error::validation("the name of a secret must be 1 to 64 of a-z, 0-9, _ and -, and not a reserved name"))
    }
}
