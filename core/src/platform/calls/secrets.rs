//! `secrets.*`.

use super::{CallerArgument, Handler, Nothing, caller, seconds};
use crate::error::Result;
use crate::json::{read_secret as read, secret_text as answer};
use crate::keyring::SecretText;
use crate::platform::Platform;
use serde::Deserialize;
use std::time::Duration;

pub(super) const CALLS: &[(&str, Handler)] = &[
    ("secrets.status", status),
    ("secrets.put", put),
    ("secrets.put_provider_token", put_provider_token),
    ("secrets.get", get),
    ("secrets.rotate", rotate),
    ("secrets.revoke", revoke),
];

fn status(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    let Nothing {} = read(name, text)?;
    answer(&platform.secret_status()?)
}

fn put(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Arguments {
        name: String,
        value: SecretText,
        #[serde(default)]
        caller: Option<CallerArgument>,
    }
    let arguments: Arguments = read(name, text)?;
    answer(&platform.secrets()?.put(&arguments.name, &arguments.value, &caller(arguments.caller))?)
}

fn put_provider_token(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Arguments {
        name: String,
        value: SecretText,
        scopes: Vec<String>,
        environment: String,
        #[serde(default)]
        caller: Option<CallerArgument>,
    }
    let Arguments { name, value, scopes, environment, caller: by } = read(name, text)?;
    answer(&platform.secrets()?.put_provider_token(&name, &value, &scopes, &environment, &caller(by))?)
}

fn get(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Arguments {
        name: String,
    }
    let Arguments { name } = read(name, text)?;
    answer(&platform.secrets()?.get(&name)?.expose())
}

fn rotate(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Arguments {
        name: String,
        #[serde(default)]
        value: Option<SecretText>,
        #[serde(default)]
        overlap: Option<f64>,
        #[serde(default)]
        caller: Option<CallerArgument>,
    }
    let arguments: Arguments = read(name, text)?;
    let overlap = arguments.overlap.map_or(Ok(Duration::ZERO), |value| seconds("overlap", value))?;
    let by = caller(arguments.caller);
    answer(&platform.rotate_secret(&arguments.name, arguments.value.as_ref(), overlap, &by)?)
}

fn revoke(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Arguments {
        name: String,
        #[serde(default)]
        confirm: Option<String>,
        #[serde(default)]
        caller: Option<CallerArgument>,
    }
    let Arguments { name, confirm, caller: by } = read(name, text)?;
    answer(&platform.revoke_secret(&name, confirm.as_deref(), &caller(by))?)
}
