//! Every kind of secret in one view: the master keys, peppers and stored secrets of the vault, API keys, the admin key and the
//! key that signs the audit log; and rotation and revocation by the name that the view gives.

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

/// Names of the keys that are kept elsewhere than in the vault.
const ADMIN_KEY: &str = "admin_key";
const OWN_KEY: &str = "api_key";
const AUDIT_KEY: &str = "audit_key";

/// What the name of an API key begins with in the view; its id follows.
const API_KEY: &str = "key:";

/// How a secret is replaced.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rotation {
    /// The new value, for a secret that comes from outside; `master_key`, `pepper` and `audit_key` are drawn at random.
    #[serde(default)]
    #[schemars(length(min = 1))]
    value: Option<SecretText>,
    /// How long the old value stays good, where its kind has an overlap: 7 days at most. When left out, a day over HTTP, and otherwise
    /// not at all.
    #[serde(default)]
    #[schemars(range(min = 0, max = 604_800))]
    overlap_seconds: Option<Seconds>,
}

impl Rotation {
    /// Replaces the secret of that name, whose old value stays good for `overlap` where nothing else is asked for.
    ///
    /// # Errors
    /// As [`Platform::rotate_secret`].
    pub(crate) fn apply(self, platform: &Platform, name: &str, overlap: Duration, caller: &Caller) -> Result<()> {
        let overlap = self.overlap_seconds.map_or(Ok(overlap), |length| length.duration("overlap_seconds"))?;
        platform.rotate_secret(name, self.value.as_ref(), overlap, caller)
    }
}

/// How a secret is revoked.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Revocation {
    /// The secret's name again. Needed for `pepper`, which ends every API key and session with it, the caller's own too.
    #[serde(default)]
    pub(crate) confirm: Option<String>,
}

impl Platform {
    /// How every secret stands, without its value. An API key has the name `key:ID`.
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
    /// `dependency_unavailable` while the vault is shut or the database cannot be read.
    pub fn secret_status(&self) -> Result<Vec<SecretStatus>> {
        let parts = self.parts()?;
        let mut all = parts.vault.status()?;
        all.extend(parts.own_keys()?);
        all.extend(parts.access.keys()?.iter().map(api_key));
        Ok(all)
    }

    /// Replaces a secret: a stored one by `value`, the old one staying good for `overlap`; the master key, the pepper and the audit
    /// key by new random ones. The old audit key signs too for `overlap`.
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
    /// // The platform's own keys are drawn at random.
    /// platform.rotate_secret("master_key", None, Duration::ZERO, &caller)?;
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Vault::rotate`](crate::secrets::Vault::rotate) and [`Audit::rotate_key`](crate::audit::Audit::rotate_key);
    /// `validation_error` for the admin key, which is a setting, and for an API key, whose rotation hands out the new one.
    pub fn rotate_secret(
        &self,
        name: &str,
        value: Option<&SecretText>,
        overlap: Duration,
        caller: &Caller,
    ) -> Result<()> {
        match (name, value) {
            (AUDIT_KEY, None) => self.audit()?.rotate_key(overlap, caller).map(drop),
            (AUDIT_KEY, Some(_)) => Err(Error::validation("the audit key is drawn at random: give no value")),
            (ADMIN_KEY | OWN_KEY, _) => Err(key_is_a_setting("replaced")),
            _ if name.starts_with(API_KEY) => Err(Error::validation("an API key is rotated by a call of its own")
                .with_action("Call rotate_key with its id: it answers with the new key.")),
            _ => self.secrets()?.rotate(name, value, overlap, caller),
        }
    }

    /// Revokes a secret, and what was made with it. Revoking the pepper ends every API key and session at once and takes `confirm`,
    /// which is the name again; a new pepper is made in the same change, so that whoever has the admin key can sign in.
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
    /// `validation_error` for the admin key and the audit key, and for the pepper without `confirm`: it says what would end.
    pub fn revoke_secret(&self, name: &str, confirm: Option<&str>, caller: &Caller) -> Result<()> {
        if confirm.is_some_and(|confirm| confirm != name) {
            return Err(Error::validation("confirm is not the name of the secret that is to be revoked")
                .with_action("Give the same name twice, or leave confirm out."));
        }
        match name {
            ADMIN_KEY | OWN_KEY => Err(key_is_a_setting("revoked")),
            AUDIT_KEY => Err(Error::validation("the audit key is replaced, not revoked")
                .with_action("Rotate audit_key: what the old key signed stays verifiable.")),
            PEPPER => {
                if confirm.is_none() {
                    return Err(self.what_ends_with_the_pepper()?);
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

    fn what_ends_with_the_pepper(&self) -> Result<Error> {
        let (keys, sessions) = self.access()?.usable()?;
        let detail = format!(
            "revoking the pepper ends every API key ({keys}) and every session ({sessions}), those of administrators too"
        );
        Ok(Error::validation(detail).with_action(
            "If that is wanted, make the call again with confirm set to \"pepper\"; then sign in with the admin key and issue new API keys.",
        ))
    }
}

impl Parts {
    /// How the admin key and the audit key stand, by when they were first seen; notes those that are new.
    pub(super) fn own_keys(&self) -> Result<Vec<SecretStatus>> {
        let mut keys = Vec::new();
        if let Some(fingerprint) = self.access.admin_key_fingerprint()? {
            keys.push(self.vault.seen_elsewhere(ADMIN_KEY, &fingerprint)?);
        }
        if let Some(fingerprint) = self.access.api_key_fingerprint()? {
            keys.push(self.vault.seen_elsewhere(OWN_KEY, &fingerprint)?);
        }
        keys.push(self.vault.seen_elsewhere(AUDIT_KEY, self.audit.verifier()?.as_bytes())?);
        Ok(keys)
    }
}

fn key_is_a_setting(done: &str) -> Error {
    Error::validation(format!("the key is a setting and not {done} by a call"))
        .with_action("Give the platform another key and open it again: sessions made with the old one end.")
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
