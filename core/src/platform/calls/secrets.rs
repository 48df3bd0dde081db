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
            .about("How every secret stands, with API keys (`key:ID`), the admin key and the audit key among them.")
            .outside_too(),
        call("secrets.put", put)
            .about("Keeps a secret under a name, sealed; one that has the name already is replaced at once.")
            .outside_too()
            .fails(
                "`validation_error` for a name that is not 1 to 64 of `a-z 0-9 _ -` or that holds an account's tokens, and for a \
                 value that is empty",
            ),
        call("secrets.put_provider_token", put_provider_token)
            .about("Keeps a provider's token with what it may be used for and the environment that it is for.")
            .outside_too()
            .fails("`validation_error` for a wider scope or another environment than the platform's own"),
        call("secrets.get", get).about("The secret itself.").fails(
            "`not_found`; `dependency_unavailable` when it was revoked, is past its rotation limit, does not open or, for a provider \
             token, is not for this environment",
        ),
        call("secrets.rotate", rotate)
            .about("Puts `value`, or for a secret of the platform's own a new one, in a secret's place.")
            .outside_too()
            .fails("`validation_error`, `not_found`"),
        call("secrets.revoke", revoke)
            .about(
                "Ends a secret at once, every version of it. Revoking `pepper` ends every API key and session, and takes its name again \
                 as `confirm`; a new pepper is made in the same change, so that an administrator can sign in with the admin key.",
            )
            .outside_too()
            .fails("`not_found`; `validation_error` for the master key, which is rotated"),
    ]
}

fn status(platform: &Platform, Nothing {}: Nothing) -> Result<Vec<SecretStatus>> {
    platform.secret_status()
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PutSecret {
    /// What it is stored under.
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
    /// What it is stored under.
    name: String,
    /// The token.
    value: SecretText,
    /// What it may be used for: `inference`, `model:download`.
    scopes: Vec<String>,
    /// What it is for: `dev`, `stage` or `prod`, which must be the platform's own.
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
    /// What it is stored under.
    name: String,
}

fn get(platform: &Platform, OneSecret { name }: OneSecret) -> Result<Shown> {
    platform.secrets()?.get(&name).map(Shown)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RotateSecret {
    /// What it is stored under.
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
    /// What it is stored under.
    name: String,
    #[serde(flatten)]
    revocation: Revocation,
    #[serde(default)]
    caller: Option<CallerArgument>,
}

fn revoke(platform: &Platform, RevokeSecret { name, revocation, caller: by }: RevokeSecret) -> Result<()> {
    platform.revoke_secret(&name, revocation.confirm.as_deref(), &caller(by))
}
