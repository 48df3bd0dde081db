//! `accounts.*`.

use super::{CallerArgument, Handler, IdAndCaller, Nothing, OnlyCaller, caller};
use crate::audit::Caller;
use crate::error::Result;
use crate::json::{read_secret as read, secret_text as answer};
use crate::keyring::SecretText;
use crate::platform::Platform;
use crate::workers::{Account, AccountChange, NewAccount, Workers};
use serde::Deserialize;

pub(super) const CALLS: &[(&str, Handler)] = &[
    ("accounts.add", add),
    ("accounts.list", list),
    ("accounts.get", get),
    ("accounts.update", update),
    ("accounts.enable", |platform, name, text| on_account(platform, name, text, Workers::enable)),
    ("accounts.disable", |platform, name, text| on_account(platform, name, text, Workers::disable)),
    ("accounts.health", |platform, name, text| on_account(platform, name, text, Workers::health)),
    ("accounts.deploy", |platform, name, text| on_account(platform, name, text, Workers::deploy)),
    ("accounts.deploy_all", deploy_all),
    ("accounts.remove", remove),
];

fn add(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Arguments {
        label: String,
        #[serde(default)]
        workspace: Option<String>,
        #[serde(default)]
        address: Option<String>,
        token_id: SecretText,
        token_secret: SecretText,
        #[serde(default)]
        api_key: Option<SecretText>,
        #[serde(default)]
        caller: Option<CallerArgument>,
    }
    let Arguments { label, workspace, address, token_id, token_secret, api_key, caller: by } = read(name, text)?;
    let new = NewAccount { label, workspace, address, token_id, token_secret, api_key };
    answer(&platform.workers()?.add(new, &caller(by))?)
}

fn list(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    let Nothing {} = read(name, text)?;
    answer(&platform.workers()?.list()?)
}

fn get(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Arguments {
        id: String,
    }
    let Arguments { id } = read(name, text)?;
    answer(&platform.workers()?.get(&id)?)
}

fn update(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Arguments {
        id: String,
        #[serde(default)]
        label: Option<String>,
        #[serde(default)]
        address: Option<String>,
        #[serde(default)]
        token_id: Option<SecretText>,
        #[serde(default)]
        token_secret: Option<SecretText>,
        #[serde(default)]
        api_key: Option<SecretText>,
        #[serde(default)]
        caller: Option<CallerArgument>,
    }
    let Arguments { id, label, address, token_id, token_secret, api_key, caller: by } = read(name, text)?;
    let change = AccountChange { label, address, token: AccountChange::token(token_id, token_secret)?, api_key };
    answer(&platform.workers()?.update(&id, change, &caller(by))?)
}

fn deploy_all(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    let arguments: OnlyCaller = read(name, text)?;
    answer(&platform.workers()?.deploy_all(&caller(arguments.caller))?)
}

fn remove(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    let arguments: IdAndCaller = read(name, text)?;
    answer(&platform.workers()?.remove(&arguments.id, &caller(arguments.caller))?)
}

fn on_account(
    platform: &Platform,
    name: &str,
    text: &str,
    work: impl FnOnce(&Workers, &str, &Caller) -> Result<Account>,
) -> Result<SecretText> {
    let arguments: IdAndCaller = read(name, text)?;
    answer(&work(platform.workers()?, &arguments.id, &caller(arguments.caller))?)
}
