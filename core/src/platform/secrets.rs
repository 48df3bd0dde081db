//! Lists every kind of secret together: the master keys, peppers and stored secrets of the vault, API keys, the admin key and the API
//! key of the settings, and the key that signs the audit log. The calls to rotate and to revoke take a name of this list. Not every
//! kind can be rotated or revoked by them.

use super::{Parts, Platform};
use crate::access::{ApiKey, KeyStatus};
use crate::audit::Caller;
use crate::error::{Error, Result};
use crate::json::Seconds;
use crate::keyring::SecretText;
use crate::secrets::{PEPPER, SecretState, SecretStatus};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// Names of the keys that are not stored in the vault.
const ADMIN_KEY: &str = "admin_key";
const OWN_KEY: &str = "api_key";
const AUDIT_KEY: &str = "audit_key";

/// The start of an API key's name in the list. The id of the key follows.
const API_KEY: &str = "key:";

/// How to replace a secret.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rotation {
    /// The new value of a secret that comes from outside. `master_key`, `pepper` and `audit_key` get random values.
    #[serde(default)]
    #[schemars(length(min = 1))]
    value: Option<SecretText>,
    /// How long the old value stays valid, if this kind of secret has an overlap: 7 days at most. The default is one day over HTTP,
    /// and 0 otherwise.
    #[serde(default)]
    #[schemars(range(min = 0, max = 604_800))]
    overlap_seconds: Option<Seconds>,
}

impl Rotation {
    /// Replaces the secret of that name. Its old value stays valid for `overlap` unless the rotation gives another time.
    ///
    /// # Errors
    /// As [`Platform::rotate_secret`].
    pub(crate) fn apply(self, platform: &Platform, name: &str, overlap: Duration, caller: &Caller) -> Result<()> {
        let overlap = self.overlap_seconds.map_or(Ok(overlap), |length| length.duration("overlap_seconds"))?;
        platform.rotate_secret(name, self.value.as_ref(), overlap, caller)
    }
}

/// How to revoke a secret.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Revocation {
    /// The name of the secret again. Required for `pepper`, because revoking it ends every API key and session, including the
    /// caller's own.
    #[serde(default)]
    pub(crate) confirm: Option<String>,
}

impl Platform {
    /// Returns the state of every secret, without its value. An API key has the name `key:ID`.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let platform = must::Platform::open(must::Settings::new(folder.path()))?;
    /// let secrets = platform.secret_status()?;
    /// assert!(secrets.iter().any(|secret| secret.name == "master_key"));
    /// for secret in &secrets {
    ///     println!("{}: {:?}, to be replaced by {}", secret.name, secret.state, secret.rotate_by);
    /// }
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// `dependency_unavailable` if the vault is shut or the database cannot be read.
    pub fn secret_status(&self) -> Result<Vec<SecretStatus>> {
        let parts = self.parts()?;
        let mut all = parts.vault.status()?;
        all.extend(parts.own_keys()?);
        all.extend(parts.access.keys()?.iter().map(api_key));
        Ok(all)
    }

    /// Replaces a secret. A stored secret gets `value`, and its old value stays valid for `overlap`. The master key, the pepper and the
    /// audit key get new random values. For the time `overlap`, the old audit key signs together with the new one.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let platform = must::Platform::open(must::Settings::new(folder.path()))?;
    /// use must::audit::Caller;
    /// use must::secrets::SecretText;
    /// use std::time::Duration;
    ///
    /// let caller = Caller::new("operator", "cli");
    /// platform.secrets()?.put("clip-provider", &SecretText::new("a token"), &caller)?;
    /// platform.rotate_secret("clip-provider", Some(&SecretText::new("the next token")), Duration::ZERO, &caller)?;
    /// assert_eq!(platform.secrets()?.get("clip-provider")?.expose(), "the next token");
    /// // The platform's own keys get random values.
    /// platform.rotate_secret("master_key", None, Duration::ZERO, &caller)?;
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Vault::rotate`](crate::secrets::Vault::rotate) and [`Audit::rotate_key`](crate::audit::Audit::rotate_key);
    /// `validation_error` for the admin key and the API key of the settings (`admin_key`, `api_key`), and for an issued API key: the call
    /// [`Access::rotate_key`](crate::access::Access::rotate_key) rotates it and returns the new key.
    pub fn rotate_secret(
        &self,
        name: &str,
        value: Option<&SecretText>,
        overlap: Duration,
        caller: &Caller,
    ) -> Result<()> {
        match (name, value) {
            (AUDIT_KEY, None) => self.audit()?.rotate_key(overlap, caller).map(drop),
            (AUDIT_KEY, Some(_)) => Err(Error::validation("the audit key is always random, so no value can be given")),
            (ADMIN_KEY | OWN_KEY, _) => Err(key_is_a_setting("replaced")),
            _ if name.starts_with(API_KEY) => Err(Error::validation("this call does not rotate API keys")
                .with_action("Call rotate_key with the id of the key: it returns the new key.")),
            _ => self.secrets()?.rotate(name, value, overlap, caller),
        }
    }

    /// Revokes a secret and everything that was made with it. Revoking the pepper ends every API key and session immediately, and
    /// requires the name again as `confirm`. A new pepper is made in the same change, so that an administrator can sign in with the
    /// admin key.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let platform = must::Platform::open(must::Settings::new(folder.path()))?;
    /// use must::ErrorCode;
    /// use must::audit::Caller;
    ///
    /// let caller = Caller::new("operator", "cli");
    /// let error = platform.revoke_secret("pepper", None, &caller).unwrap_err();
    /// assert_eq!(error.code(), ErrorCode::ValidationError);
    /// println!("{}. {}", error.detail(), error.user_action());
    /// platform.revoke_secret("pepper", Some("pepper"), &caller)?;
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Vault::revoke`](crate::secrets::Vault::revoke) and [`Access::revoke_key`](crate::access::Access::revoke_key);
    /// `validation_error` for the admin key and the API key of the settings, for the audit key, for a `confirm` that is another name, and
    /// for the pepper without `confirm`. In the last case the error says what would end.
    pub fn revoke_secret(&self, name: &str, confirm: Option<&str>, caller: &Caller) -> Result<()> {
        if confirm.is_some_and(|confirm| confirm != name) {
            return Err(Error::validation("confirm is not the name of the secret to revoke")
                .with_action("Give the same name twice, or leave confirm out."));
        }
        match name {
            ADMIN_KEY | OWN_KEY => Err(key_is_a_setting("revoked")),
            AUDIT_KEY => Err(Error::validation("the audit key can be replaced, but not revoked")
                .with_action("Rotate audit_key. Everything that the old key signed can still be verified.")),
            PEPPER => {
                if confirm.is_none() {
                    return Err(self.pepper_needs_confirmation()?);
                }
                self.secrets()?.revoke(name, caller)?;
                self.access()?.end_credentials_of_revoked_peppers(caller)
            }
            _ => match name.strip_prefix(API_KEY) {
                Some(id) => self.access()?.revoke_key(id, caller).map(drop),
                None => self.secrets()?.revoke(name, caller),
            },
        }
    }

    /// Returns the error for revoking the pepper without `confirm`. It says what would end.
    fn pepper_needs_confirmation(&self) -> Result<Error> {
        let (keys, sessions) = self.access()?.usable()?;
        let detail = format!(
            "revoking the pepper ends every API key ({keys}) and every session ({sessions}), including those of administrators"
        );
        Ok(Error::validation(detail).with_action(
            "To do this, make the call again with confirm set to \"pepper\", then sign in with the admin key and issue new API keys.",
        ))
    }
}

impl Parts {
    /// Returns the states of the admin key, the key of the settings and the audit key, which depend on when each key was first seen.
    /// Records the time for new keys.
    pub(super) fn own_keys(&self) -> Result<Vec<SecretStatus>> {
        let mut keys = Vec::new();
        if let Some(fingerprint) = self.access.admin_key_fingerprint()? {
            keys.push(self.vault.external_key_status(ADMIN_KEY, &fingerprint)?);
        }
        if let Some(fingerprint) = self.access.api_key_fingerprint()? {
            keys.push(self.vault.external_key_status(OWN_KEY, &fingerprint)?);
        }
        keys.push(self.vault.external_key_status(AUDIT_KEY, self.audit.verifier()?.as_bytes())?);
        Ok(keys)
    }
}

fn key_is_a_setting(done: &str) -> Error {
    Error::validation(format!("the key is a setting, so it cannot be {done} by a call"))
        .with_action("Change the setting and open the platform again. Sessions that were opened with the old key end.")
}

fn api_key(key: &ApiKey) -> SecretStatus {
    SecretStatus {
        name: format!("{API_KEY}{}", key.id),
        kind: "api_key".to_owned(),
        id: key.id.clone(),
        state: match key.status {
            KeyStatus::Active => SecretState::Valid,
            KeyStatus::Rotated => SecretState::Overlapping,
            KeyStatus::Expired => SecretState::Expired,
            KeyStatus::Revoked => SecretState::Revoked,
        },
        issued_at: key.created_at,
        rotate_by: key.expires_at,
        overlap_until: key.replaced_by.is_some().then_some(key.expires_at),
        revoked_at: key.revoked_at,
    }
}
