//! API keys: issuing, rotating with an overlap, revoking and expiring.
//!
//! A key lives 90 days at most, which is checked at each use. Revoking one ends the sessions that were started with it, in the same
//! transaction; the next call already fails.

use super::facts::{Principal, PrincipalKind};
use super::refusal::Refusal;
use super::store::{self, KeyRow};
use super::token::{self, Token, TokenKind};
use super::{Access, fail_closed, settings_key};
use crate::audit::{Caller, Outcome};
use crate::error::{Error, ErrorCode, Result};
use crate::keyring::SecretText;
use crate::keyring::{LONGEST_OVERLAP, OVERLAP};
use crate::time::{Timestamp, millis};
use schemars::JsonSchema;
use serde::Serialize;
use std::time::Duration;

/// The longest life of an API key, and its default.
pub const KEY_LIFE: Duration = Duration::from_secs(90 * 24 * 3600);

/// Largest number of characters of a name.
const LONGEST_NAME: usize = 64;

/// Whether a key can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyStatus {
    /// The key is valid.
    Active,
    /// The key was replaced, and is valid until it expires.
    Rotated,
    /// The key has expired.
    Expired,
    /// The key was revoked.
    Revoked,
}

/// An API key without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct ApiKey {
    /// The public part of the key: the text between its second-last and its last underscore.
    pub id: String,
    /// The name that the key was issued with.
    pub name: String,
    /// Whether it can be used.
    pub status: KeyStatus,
    /// When the key was issued.
    pub created_at: Timestamp,
    /// When the key expires.
    pub expires_at: Timestamp,
    /// When the key was revoked.
    pub revoked_at: Option<Timestamp>,
    /// Id of the key that replaced this one.
    pub replaced_by: Option<String>,
    /// The owner of the tasks that are made with this key while the setting `sign_in_required` is on: `key:` and the id of the first
    /// key in its chain of replacements. A key that replaces another keeps its owner.
    pub owner: String,
}

/// A new key. The secret is shown only once and cannot be read again.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct IssuedKey {
    /// The public data of the key.
    pub key: ApiKey,
    /// The text that a caller sends as `X-API-Key`.
    pub secret: SecretText,
}

impl Access {
    /// Issues an API key that is valid for `valid_for`; the default is 90 days.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let platform = must::Platform::open(must::Settings::new(folder.path()))?;
    /// use must::audit::Caller;
    /// use std::time::Duration;
    ///
    /// let month = Duration::from_secs(30 * 24 * 3600);
    /// let issued = platform.access()?.issue_key("studio", Some(month), &Caller::new("operator", "cli"))?;
    /// println!("{}: keep it, it is not shown again", issued.secret.expose());
    /// assert_eq!(platform.access()?.keys()?, [issued.key]);
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// `validation_error` for a name that is not 1 to 64 characters without control characters, or a life of 0 or more than
    /// 90 days; `dependency_unavailable` when it cannot be stored or audited.
    pub fn issue_key(&self, name: &str, valid_for: Option<Duration>, caller: &Caller) -> Result<IssuedKey> {
        check_name(name)?;
        let life = valid_for.unwrap_or(KEY_LIFE);
        if life < Duration::from_millis(1) || life > KEY_LIFE {
            return Err(Error::validation("an API key is valid for more than 0 and at most 90 days"));
        }
        let now = self.clock.now();
        let (row, secret) = self.new_key(name, now, millis(life), None)?;
        let event = caller.event("api_key_issue", format!("key:{}", row.id), Outcome::Success);
        let event = event.with("name", name).with("expires_at", Timestamp(row.expires_at));
        let key = shown(&row, now);
        let work = move |connection: &rusqlite::Connection| Ok((store::insert_key(connection, &row)?, event));
        self.audit.record(work).map_err(fail_closed)?;
        Ok(IssuedKey { key, secret })
    }

    /// Lists all API keys, newest first, without their secrets.
    ///
    /// # Errors
    /// `dependency_unavailable` when the keys cannot be read.
    pub fn keys(&self) -> Result<Vec<ApiKey>> {
        let now = self.clock.now();
        let rows = self.store.read(store::keys).map_err(fail_closed)?;
        Ok(rows.iter().map(|row| shown(row, now)).collect())
    }

    /// Replaces a key by a new one with the same name and the same length of life. The old one stays valid for `overlap`, 24 hours
    /// by default, but not beyond its own end.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let platform = must::Platform::open(must::Settings::new(folder.path()))?;
    /// use must::access::KeyStatus;
    /// use must::audit::Caller;
    /// use std::time::Duration;
    ///
    /// let (access, caller) = (platform.access()?, Caller::new("operator", "cli"));
    /// let old = access.issue_key("studio", None, &caller)?.key;
    /// let new = access.rotate_key(&old.id, Some(Duration::from_secs(3600)), &caller)?.key;
    /// let old = access.keys()?.into_iter().find(|key| key.id == old.id).expect("it is still known");
    /// assert_eq!((old.status, old.replaced_by), (KeyStatus::Rotated, Some(new.id)));
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// `validation_error` for an overlap of more than 7 days; `not_found`; `invalid_state` for a key that was revoked, has
    /// expired or was rotated already; `dependency_unavailable`.
    pub fn rotate_key(&self, id: &str, overlap: Option<Duration>, caller: &Caller) -> Result<IssuedKey> {
        let overlap = overlap.unwrap_or(OVERLAP);
        if overlap > LONGEST_OVERLAP {
            return Err(Error::validation("a replaced API key stays valid for at most 7 days"));
        }
        let now = self.clock.now();
        let old = self.store.read(|connection| rotatable(connection, id, now)).map_err(fail_closed)?;
        let (row, secret) = self.new_key(&old.name, now, old.expires_at - old.created_at, Some(old.owner))?;
        let key = shown(&row, now);
        let event = caller.event("api_key_rotate", format!("key:{id}"), Outcome::Success).with("name", &row.name);
        let until = now.after(overlap).0.min(old.expires_at);
        let event = event.with("replaced_by", &row.id).with("valid_until", Timestamp(until));
        let id = id.to_owned();
        let work = move |connection: &rusqlite::Connection| {
            // Checked again: nothing else can be written between this check and the change.
            rotatable(connection, &id, now)?;
            store::insert_key(connection, &row)?;
            store::replace_key(connection, &id, &row.id, until)?;
            Ok(((), event))
        };
        self.audit.record(work).map_err(fail_closed)?;
        Ok(IssuedKey { key, secret })
    }

    /// Revokes a key and ends every session that was started with it, from the next call on. Returns how many sessions were
    /// ended. Revoking a key again changes nothing.
    ///
    /// # Errors
    /// `not_found`, `dependency_unavailable`.
    pub fn revoke_key(&self, id: &str, caller: &Caller) -> Result<usize> {
        let now = self.clock.now();
        let event = caller.event("api_key_revoke", format!("key:{}", token::shown_id(id)), Outcome::Success);
        let id = id.to_owned();
        let work = move |connection: &rusqlite::Connection| {
            let key = store::key(connection, &id)?.ok_or_else(|| no_key(&id))?;
            let ended = store::revoke_key(connection, &id, now.0)?;
            Ok((ended, event.with("name", key.name).with("sessions", ended)))
        };
        self.audit.record(work).map_err(fail_closed)
    }

    /// Returns the principal of an API key, with one read by its id and one HMAC.
    pub(super) fn authenticate_key(&self, presented: &str) -> Result<Principal, Refusal> {
        let invalid = |why: &str| Error::new(ErrorCode::InvalidApiKey, format!("the API key {why}"));
        if self.api_key.as_ref().is_some_and(|key| key.matches(presented)) {
            let principal = Principal::new(PrincipalKind::ApiKey, settings_key::ID, settings_key::ID);
            return Ok(self.with_owner(principal, Some(settings_key::ID)));
        }
        let id = token::parse(presented, TokenKind::ApiKey).ok_or_else(|| invalid("is not valid"))?;
        let Some(key) = self.store.read(|connection| store::key(connection, id))? else {
            // Takes as long as for a key that exists, so that the time does not tell which ids exist.
            std::hint::black_box(self.vault.mac(presented.as_bytes())?);
            return Err(invalid("is not valid").into());
        };
        if !self.vault.verify_mac(key.pepper, presented.as_bytes(), &key.mac)? {
            return Err(invalid("is not valid").into());
        }
        if key.revoked_at.is_some() {
            return Err(Refusal::by(invalid("was revoked"), format!("key:{}", key.id)));
        }
        if self.clock.now().0 >= key.expires_at {
            return Err(Refusal::by(invalid("has expired"), format!("key:{}", key.id)));
        }
        Ok(self.with_owner(Principal::new(PrincipalKind::ApiKey, key.id, key.name), Some(&key.owner)))
    }

    /// Makes a key and its row. `owner` is the owner of the key that the new one replaces.
    fn new_key(&self, name: &str, now: Timestamp, life: i64, owner: Option<String>) -> Result<(KeyRow, SecretText)> {
        let token = Token::new(TokenKind::ApiKey)?;
        let (pepper, mac) = self.vault.mac(token.text.expose().as_bytes())?;
        let row = KeyRow {
            owner: owner.unwrap_or_else(|| token.id.clone()),
            id: token.id,
            name: name.to_owned(),
            mac,
            pepper,
            created_at: now.0,
            expires_at: now.0.saturating_add(life),
            replaced_by: None,
            revoked_at: None,
        };
        Ok((row, token.text))
    }
}

fn rotatable(connection: &rusqlite::Connection, id: &str, now: Timestamp) -> Result<KeyRow> {
    let key = store::key(connection, id)?.ok_or_else(|| no_key(id))?;
    let why = match shown(&key, now).status {
        KeyStatus::Active => return Ok(key),
        KeyStatus::Rotated => "was rotated already",
        KeyStatus::Expired => "has expired",
        KeyStatus::Revoked => "was revoked",
    };
    Err(Error::invalid_state(format!("the API key {id} {why}"), "Rotate the key that replaced it, or issue a new one."))
}

fn shown(row: &KeyRow, now: Timestamp) -> ApiKey {
    ApiKey {
        id: row.id.clone(),
        name: row.name.clone(),
        status: if row.revoked_at.is_some() {
            KeyStatus::Revoked
        } else if now.0 >= row.expires_at {
            KeyStatus::Expired
        } else if row.replaced_by.is_some() {
            KeyStatus::Rotated
        } else {
            KeyStatus::Active
        },
        created_at: Timestamp(row.created_at),
        expires_at: Timestamp(row.expires_at),
        revoked_at: row.revoked_at.map(Timestamp),
        replaced_by: row.replaced_by.clone(),
        owner: format!("key:{}", row.owner),
    }
}

/// Whether a key is valid now.
pub(super) fn is_valid(row: &KeyRow, now: Timestamp) -> bool {
    row.revoked_at.is_none() && now.0 < row.expires_at
}

fn check_name(name: &str) -> Result<()> {
    if name.trim().is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(Error::validation("a name is 1 to 64 characters, not blank, and without control characters"));
    }
    Ok(())
}

fn no_key(id: &str) -> Error {
    Error::new(ErrorCode::NotFound, format!("there is no API key {:?}", token::shown_id(id)))
        .with_action("Take an id from the list of API keys.")
}
