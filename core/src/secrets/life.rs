//! The life of stored secrets: put, get, rotate, revoke, and how each stands.

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

/// Name of the master key among the secrets.
const MASTER_KEY: &str = "master_key";

/// Kinds of stored secrets.
const STORED: &str = "stored";
const PROVIDER_TOKEN: &str = "provider_token";

/// How the name of a stored secret begins that holds the tokens of an account.
pub(crate) const OF_ACCOUNTS: &str = "account-";

/// What a provider token may be good for.
const ALLOWED_SCOPES: [&str; 2] = ["inference", "model:download"];

/// How a secret stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecretState {
    /// In use.
    Valid,
    /// Replaced, and still good for a while.
    Overlapping,
    /// Past its rotation limit, or its overlap is over.
    Expired,
    /// Revoked.
    Revoked,
}

/// What is to be known about a secret without seeing it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct SecretStatus {
    /// Name to rotate or revoke it by.
    pub name: String,
    /// `master_key`, `pepper`, `provider_token`, `stored`, `api_key`, `admin_key` or `audit_key`.
    pub kind: String,
    /// Which one of its name.
    pub id: String,
    /// How it stands.
    pub state: SecretState,
    /// When it was made, or first seen.
    pub issued_at: Timestamp,
    /// When it is to be replaced.
    pub rotate_by: Timestamp,
    /// Until when it is good although it was replaced.
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
    /// Keeps a secret under a name, sealed. One that has the name already is replaced at once.
    ///
    /// # Errors
    /// `validation_error` for a name that is not 1 to 64 of `a-z 0-9 _ -`, or that holds an account's tokens, and for a value that is
    /// empty; `dependency_unavailable` while the vault is shut.
    pub fn put(&self, name: &str, value: &SecretText, caller: &Caller) -> Result<()> {
        self.keep(
            name,
            STORED,
            value,
            (String::new(), String::new()),
            Duration::ZERO,
            caller.event("secret_put", name, Outcome::Success),
        )
    }

    /// Keeps a provider's token. It must be good for model download and inference at most, and for the environment that this
    /// platform runs in.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let platform = must::Platform::open(must::Settings::new(folder.path()))?;
    /// use must::audit::Caller;
    /// use must::secrets::SecretText;
    ///
    /// let (vault, caller, token) = (platform.secrets()?, Caller::new("operator", "cli"), SecretText::new("a token"));
    /// vault.put_provider_token("hub", &token, &["model:download".to_owned()], "dev", &caller)?;
    /// // A token that could do more is refused.
    /// assert!(vault.put_provider_token("hub", &token, &["admin".to_owned()], "dev", &caller).is_err());
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// `validation_error` for a wider scope or another environment; as [`Vault::put`].
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
        let facts = (scopes.join(" "), environment.to_owned());
        self.keep(name, PROVIDER_TOKEN, value, facts, Duration::ZERO, event)
    }

    /// The present value of a stored secret.
    ///
    /// # Errors
    /// `not_found`; `dependency_unavailable` when it was revoked, is past its rotation limit, does not open, or, for a provider
    /// token, is not for this environment.
    pub fn get(&self, name: &str) -> Result<SecretText> {
        let row = self.newest(name)?;
        let row = row.ok_or_else(|| Error::new(ErrorCode::NotFound, format!("there is no secret {name}")))?;
        if row.state(self.clock.now()) != SecretState::Valid {
            return Err(Error::new(ErrorCode::DependencyUnavailable, format!("the secret {name} is no longer good"))
                .with_action("Rotate the secret."));
        }
        if row.kind == PROVIDER_TOKEN {
            self.check_token(row.scopes.split_whitespace(), &row.environment)?;
        }
        self.open_row(&row)
    }

    /// The value of a stored secret, even past its rotation limit, for what takes its place; none when it was revoked.
    ///
    /// # Errors
    /// `dependency_unavailable` while the vault is shut, or when it does not open.
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

    /// Replaces a secret: a stored one by `value`, the old one staying good for `overlap`; the master key and the pepper by new
    /// random ones (`value` must be none). A new master key seals everything anew; a new pepper serves new credentials.
    ///
    /// # Errors
    /// `validation_error`, `not_found`; `dependency_unavailable` while the vault is shut.
    pub fn rotate(&self, name: &str, value: Option<&SecretText>, overlap: Duration, caller: &Caller) -> Result<()> {
        if overlap > crate::keyring::LONGEST_OVERLAP {
            return Err(Error::validation("an overlap is 7 days at most"));
        }
        match (name, value) {
            (MASTER_KEY, None) => self.rotate_master(caller),
            (PEPPER, None) => self.add_pepper(caller.event("pepper_rotate", PEPPER, Outcome::Success)),
            (MASTER_KEY | PEPPER, Some(_)) => {
                Err(Error::validation(format!("{name} is drawn at random: give no value")))
            }
            (_, None) => Err(Error::validation(format!("give the new value of {name}"))),
            (_, Some(value)) => {
                let rows = self.store.read(|connection| store::named(connection, name))?;
                let Some(row) = rows.last() else {
                    return Err(Error::new(ErrorCode::NotFound, format!("there is no secret {name}")));
                };
                let event = caller.event("secret_rotate", name, Outcome::Success);
                let facts = (row.scopes.clone(), row.environment.clone());
                self.keep(name, &row.kind, value, facts, overlap, event)
            }
        }
    }

    /// Revokes every secret of a name at once. Revoking the pepper ends every API key and session, and makes a new pepper, so that
    /// whoever has the admin key can sign in again.
    ///
    /// # Errors
    /// `not_found`; `validation_error` for the master key, which is replaced, not revoked.
    pub fn revoke(&self, name: &str, caller: &Caller) -> Result<()> {
        if name == MASTER_KEY {
            return Err(Error::validation("the master key is replaced, not revoked")
                .with_action("Rotate master_key, then take the old version out of its file."));
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

    /// How every stored secret and every master key stands; no value.
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
            let state = if version == newest { seen_state(issued_at, now) } else { SecretState::Overlapping };
            all.push(seen_status(MASTER_KEY, MASTER_KEY, id, issued_at, state));
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

    /// How a key that is kept elsewhere stands, by when it was first seen. `fingerprint` tells keys of the name apart and must not
    /// help to guess the key.
    pub(crate) fn seen_elsewhere(&self, name: &str, fingerprint: &[u8]) -> Result<SecretStatus> {
        let issued_at = self.first_seen(name, fingerprint)?;
        let state = seen_state(issued_at, self.clock.now());
        Ok(seen_status(name, name, name.to_owned(), issued_at, state))
    }

    fn keep(
        &self,
        name: &str,
        kind: &str,
        value: &SecretText,
        (scopes, environment): (String, String),
        overlap: Duration,
        event: crate::audit::NewEvent,
    ) -> Result<()> {
        check_name(name)?;
        if name.starts_with(OF_ACCOUNTS) {
            return Err(Error::validation(format!("{name} holds the tokens of an account"))
                .with_action("Give the account itself new tokens."));
        }
        if value.expose().is_empty() {
            return Err(Error::validation("the value of a secret is not empty"));
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
                "Make a token for model download and inference alone, in the environment of this platform.",
            ))
        };
        for scope in scopes {
            if !ALLOWED_SCOPES.contains(&scope) {
                return refused("the provider token has a scope beyond model download and inference".to_owned());
            }
        }
        if environment != self.environment {
            return refused(format!("the provider token is not for {}, where this platform runs", self.environment));
        }
        Ok(())
    }
}

/// A stored secret that is to be kept together with something else.
pub(crate) struct Sealed(Row);

impl Sealed {
    /// Keeps it in a transaction, in place of the one that had the name.
    pub(crate) fn keep(&self, connection: &rusqlite::Connection, now: Timestamp) -> Result<()> {
        store::supersede(connection, &self.0.name, now)?;
        store::insert(connection, &self.0)
    }
}

impl Vault {
    /// Seals a value for a stored secret; the change that it is kept with writes the event.
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

/// Revokes every secret of a name in a transaction of somebody else's.
pub(crate) fn revoke_in(connection: &rusqlite::Connection, name: &str, now: Timestamp) -> Result<()> {
    store::revoke(connection, name, now).map(drop)
}

fn seen_state(issued_at: Timestamp, now: Timestamp) -> SecretState {
    if now >= limit_after(issued_at) { SecretState::Expired } else { SecretState::Valid }
}

fn limit_after(issued_at: Timestamp) -> Timestamp {
    issued_at.after(ROTATION_LIMIT)
}

fn seen_status(name: &str, kind: &str, id: String, issued_at: Timestamp, state: SecretState) -> SecretStatus {
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
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    let reserved = [MASTER_KEY, PEPPER, "admin_key", "api_key", "audit_key"].contains(&name);
    if (1..=64).contains(&name.len()) && name.chars().all(good) && !reserved {
        Ok(())
    } else {
        Err(Error::validation("the name of a secret is 1 to 64 of a-z, 0-9, _ and -, and none of the platform's own"))
    }
}
