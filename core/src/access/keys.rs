//! The life of API keys: issued, rotated with an overlap, revoked, and ended by age.
//!
//! A key lives 90 days at most, judged when it is used. Revoking one ends the sessions that were made with it, in the same
//! transaction; the next call already sees it.

use super::facts::{Principal, PrincipalKind};
use super::refusal::Refusal;
use super::store::{self, KeyRow};
use super::token::{self, Token, TokenKind};
use super::{Access, fail_closed, set_key};
use crate::audit::{Caller, Outcome};
use crate::error::{Error, ErrorCode, Result};
use crate::keyring::SecretText;
use crate::keyring::{LONGEST_OVERLAP, OVERLAP};
use crate::time::{Timestamp, millis};
use schemars::JsonSchema;
use serde::Serialize;
use std::time::Duration;

/// The longest life of an API key, and the one it gets when nothing else is asked for.
pub const KEY_LIFE: Duration = Duration::from_secs(90 * 24 * 3600);

/// Most characters of a name.
const LONGEST_NAME: usize = 64;

/// Whether a key can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyStatus {
    /// It can be used.
    Active,
    /// It was replaced, and can still be used until it ends.
    Rotated,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
}

/// An API key without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct ApiKey {
    /// The public part of the key: what stands between its second-last and its last underscore.
    pub id: String,
    /// What it was called when it was issued.
    pub name: String,
    /// Whether it can be used.
    pub status: KeyStatus,
    /// When it was issued.
    pub created_at: Timestamp,
    /// From when on it cannot be used.
    pub expires_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// Id of the key that replaced it.
    pub replaced_by: Option<String>,
    /// Whose tasks are made with it while the setting `sign_in_required` is on: `key:` and the id of the first key of those that
    /// replaced each other. A key that is replaced hands this on.
    pub owner: String,
}

/// A new key. The secret is shown this once and cannot be had again.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct IssuedKey {
    /// What may be known of it.
    pub key: ApiKey,
    /// What a caller sends as `X-API-Key`.
    pub secret: SecretText,
}

impl Access {
    /// Issues an API key that is valid for `valid_for`, 90 days when not said.
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

    /// Every API key, newest first; secrets are not among what is known.
    ///
    /// # Errors
    /// `dependency_unavailable` when the keys cannot be read.
    pub fn keys(&self) -> Result<Vec<ApiKey>> {
        let now = self.clock.now();
        let rows = self.store.read(store::keys).map_err(fail_closed)?;
        Ok(rows.iter().map(|row| shown(row, now)).collect())
    }

    /// Replaces a key by a new one with the same name and as long a life. The old one goes on for `overlap`, 24 hours when
    /// not said, but not beyond its own end.
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
            return Err(Error::validation("a rotated API key goes on for at most 7 days"));
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
            // Judged again: nothing else is written between this and the change.
            rotatable(connection, &id, now)?;
            store::insert_key(connection, &row)?;
            store::replace_key(connection, &id, &row.id, until)?;
            Ok(((), event))
        };
        self.audit.record(work).map_err(fail_closed)?;
        Ok(IssuedKey { key, secret })
    }

    /// Ends a key and every session that was made with it, from the next call on; how many sessions these were. Revoking it
    /// again changes nothing.
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

    /// Who an API key is from: one read by its id and one HMAC.
    pub(super) fn judge_key(&self, presented: &str) -> Result<Principal, Refusal> {
        let invalid = |why: &str| Error::new(ErrorCode::InvalidApiKey, format!("the API key {why}"));
        if self.own.as_ref().is_some_and(|own| own.is(presented)) {
            let principal = Principal::new(PrincipalKind::ApiKey, set_key::ID, set_key::ID);
            return Ok(self.with_owner(principal, Some(set_key::ID)));
        }
        let id = token::parse(presented, TokenKind::ApiKey).ok_or_else(|| invalid("is not valid"))?;
        let Some(key) = self.store.read(|connection| store::key(connection, id))? else {
            // As much work as for a key that exists, so that the time does not tell which ids do.
            std::hint::black_box(self.vault.mac(presented.as_bytes())?);
            return Err(invalid("is not valid").into());
        };
        if !self.vault.verify_mac(key.pepper, presented.as_bytes(), &key.mac)? {
            return Err(invalid("is not valid").into());
        }
        if key.revoked_at.is_some() {
            return Err(Refusal::of(invalid("was revoked"), format!("key:{}", key.id)));
        }
        if self.clock.now().0 >= key.expires_at {
            return Err(Refusal::of(invalid("has expired"), format!("key:{}", key.id)));
        }
        Ok(self.with_owner(Principal::new(PrincipalKind::ApiKey, key.id, key.name), Some(&key.owner)))
    }

    /// `owner` is that of the key which the new one replaces.
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

/// Whether a key can be used.
pub(super) fn is_good(row: &KeyRow, now: Timestamp) -> bool {
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
