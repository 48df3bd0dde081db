//! `secrets.*`.

use super::{CallerArgument, Entry, Nothing, Shown, call, caller};
use crate::error::Result;
use crate::keyring::SecretText;
use crate::platform::Platform;
use crate::platform::secrets::{Revocation, Rotation};
use crate::secrets::SecretStatus;
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

pub(super) fn calls() -> Vec<Entry> {
    vec![
        call("secrets.status", status)
            .about("Returns the state of every secret, including API keys (`key:ID`), the admin key and the audit key.")
            .also_outside(),
        call("secrets.put", put)
            .about("Stores a secret under a name, encrypted. An existing secret of this name is replaced immediately.")
            .also_outside()
            .fails(
                "`validation_error` if the name is not 1 to 64 of the characters `a-z 0-9 _ -`, if it is `master_key`, `pepper`, \
                 `admin_key`, `api_key` or `audit_key`, if it is the name of an account's tokens, or if the value is empty",
            ),
        call("secrets.put_provider_token", put_provider_token)
            .about("Stores a provider's token together with its scopes and its environment.")
            .also_outside()
            .fails("`validation_error` if a scope is not allowed or the environment is not the platform's own"),
        call("secrets.get", get).about("Returns the value of a secret.").fails(
            "`not_found`; `dependency_unavailable` if the secret was revoked, is past its rotation limit or cannot be decrypted; \
             `validation_error` if it is a provider token for another environment",
        ),
        call("secrets.rotate", rotate)
            .about("Replaces a secret with `value`, or, if it is one of the platform's own secrets, with a new random value.")
            .also_outside()
            .fails(
                "`not_found`; `validation_error` if the overlap is more than 7 days, if `value` is missing or must not be given, and for \
                 API keys, the keys of the settings and the tokens of accounts",
            ),
        call("secrets.revoke", revoke)
            .about(
                "Revokes every version of a secret immediately. Revoking `pepper` also ends every API key and session, and requires the \
                 name again as `confirm`. A new pepper is made in the same change, so that an administrator can sign in with the \
                 admin key.",
            )
            .also_outside()
            .fails(
                "`not_found`; `validation_error` for the master key and the audit key, which can only be rotated, for `admin_key` and \
                 `api_key`, which are settings, and if `confirm` is another name or is missing for `pepper`",
            ),
    ]
}

fn status(platform: &Platform, Nothing {}: Nothing) -> Result<Vec<SecretStatus>> {
    platform.secret_status()
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PutSecret {
    /// Name of the secret.
    name: String,
    /// The secret.
    value: SecretText,
    #[serde(default)]
    caller: Option<CallerArgument>,
}

fn put(platform: &Platform, PutSecret { name, value, caller: by }: PutSecret) -> Result<()> {
    platform.secrets()?.put(&name, &value, &caller(by))
}

/// A token of a provider.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PutProviderToken {
    /// Name of the secret.
    name: String,
    /// The token.
    value: SecretText,
    /// What the token may be used for: `inference`, `model:download`.
    scopes: Vec<String>,
    /// The environment that the token is for: `dev`, `stage` or `prod`. It must be the platform's own.
    environment: String,
    #[serde(default)]
    caller: Option<CallerArgument>,
}

fn put_provider_token(platform: &Platform, asked: PutProviderToken) -> Result<()> {
    let PutProviderToken { name, value, scopes, environment, caller: by } = asked;
    platform.secrets()?.put_provider_token(&name, &value, &scopes, &environment, &caller(by))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OneSecret {
    /// Name of the secret.
    name: String,
}

fn get(platform: &Platform, OneSecret { name }: OneSecret) -> Result<Shown> {
    platform.secrets()?.get(&name).map(Shown)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RotateSecret {
    /// Name of the secret.
    name: String,
    #[serde(flatten)]
    rotation: Rotation,
    #[serde(default)]
    caller: Option<CallerArgument>,
}

fn rotate(platform: &Platform, RotateSecret { name, rotation, caller: by }: RotateSecret) -> Result<()> {
    rotation.apply(platform, &name, Duration::ZERO, &caller(by))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RevokeSecret {
    /// Name of the secret.
    name: String,
    #[serde(flatten)]
    revocation: Revocation,
    #[serde(default)]
    caller: Option<CallerArgument>,
}

fn revoke(platform: &Platform, RevokeSecret { name, revocation, caller: by }: RevokeSecret) -> Result<()> {
    platform.revoke_secret(&name, revocation.confirm.as_deref(), &caller(by))
}
