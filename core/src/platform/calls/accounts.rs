//! `accounts.*`.

use super::{CallerArgument, Entry, IdAndCaller, Nothing, OnlyCaller, Waits, call, caller};
use crate::audit::Caller;
use crate::error::Result;
use crate::keyring::SecretText;
use crate::platform::Platform;
use crate::workers::{Account, AccountChange, NewAccount, Workers};
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) fn calls() -> Vec<Entry> {
    vec![
        call("accounts.add", add)
            .about("Registers an account, which is `pending` until it is checked.")
            .outside_too()
            .fails(
                "`validation_error`, also for a workspace that is registered, and for an address that is not public and in none \
                 of the networks of the settings",
            ),
        call("accounts.list", list).about("Every account, in the order in which they were registered.").outside_too(),
        call("accounts.get", get).about("One account.").outside_too().fails("`not_found`"),
        call("accounts.update", update)
            .about("Changes an account; a ready one is checked again when its address, token or key changed.")
            .outside_too()
            .waits(Waits::ForCheck)
            .fails("`not_found`; `validation_error`, also for half a token"),
        call("accounts.enable", |platform, one| on_account(platform, one, Workers::enable))
            .about("Checks a disabled account and takes it back in; it is `ready` or `failed` then.")
            .outside_too()
            .waits(Waits::ForCheck)
            .fails("`not_found`; `invalid_state` for an account that is not disabled"),
        call("accounts.disable", |platform, one| on_account(platform, one, Workers::disable))
            .about("Sends nothing more to an account; the tasks that it has are followed to their end.")
            .outside_too()
            .fails("`not_found`; `invalid_state` for an account that is disabled"),
        call("accounts.health", |platform, one| on_account(platform, one, Workers::health))
            .about("Asks the worker for its health once; the account is `ready` or `failed` then.")
            .outside_too()
            .waits(Waits::ForCheck)
            .fails("`not_found`; `invalid_state` for an account that is disabled or being checked"),
        call("accounts.deploy", |platform, one| on_account(platform, one, Workers::deploy))
            .about("Deploys a workspace in the background; the account is `checking` until its health has been asked for.")
            .outside_too()
            .fails(
                "`not_found`; `validation_error` without a command in the settings; `invalid_state` for an account that is \
                 disabled or being checked",
            ),
        call("accounts.deploy_all", deploy_all)
            .about("Deploys every account that is neither disabled nor being checked, and gives those.")
            .outside_too()
            .fails("`validation_error` without a command in the settings"),
        call("accounts.remove", remove)
            .about("Removes an account; what it had not finished ends failed with `remote_failed`.")
            .outside_too()
            .fails("`not_found`"),
    ]
}

/// An account to be registered.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AddAccount {
    /// What people call it.
    label: String,
    /// Id of the provider's token.
    token_id: SecretText,
    /// The provider's token.
    token_secret: SecretText,
    /// What ids of its tasks begin with; the label when left out.
    #[serde(default)]
    workspace: Option<String>,
    /// Where the workspace is reached; made by the template of the settings when left out.
    #[serde(default)]
    address: Option<String>,
    /// The API key that the worker asks for; the one of the settings when left out.
    #[serde(default)]
    api_key: Option<SecretText>,
    #[serde(default)]
    caller: Option<CallerArgument>,
}

fn add(platform: &Platform, asked: AddAccount) -> Result<Account> {
    let AddAccount { label, token_id, token_secret, workspace, address, api_key, caller: by } = asked;
    let new = NewAccount { label, workspace, address, token_id, token_secret, api_key };
    platform.workers()?.add(new, &caller(by))
}

fn list(platform: &Platform, Nothing {}: Nothing) -> Result<Vec<Account>> {
    platform.workers()?.list()
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OneAccount {
    /// Id of the account, or its workspace.
    id: String,
}

fn get(platform: &Platform, OneAccount { id }: OneAccount) -> Result<Account> {
    platform.workers()?.get(&id)
}

/// What is to be changed about an account; the rest stays.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct UpdateAccount {
    /// Id of the account, or its workspace.
    id: String,
    /// What people call it.
    #[serde(default)]
    label: Option<String>,
    /// Where the workspace is reached.
    #[serde(default)]
    address: Option<String>,
    /// Id of the provider's token; together with `token_secret`.
    #[serde(default)]
    token_id: Option<SecretText>,
    /// The provider's token; together with `token_id`.
    #[serde(default)]
    token_secret: Option<SecretText>,
    /// The API key that the worker asks for.
    #[serde(default)]
    api_key: Option<SecretText>,
    #[serde(default)]
    caller: Option<CallerArgument>,
}

fn update(platform: &Platform, asked: UpdateAccount) -> Result<Account> {
    let UpdateAccount { id, label, address, token_id, token_secret, api_key, caller: by } = asked;
    let change = AccountChange { label, address, token: AccountChange::token(token_id, token_secret)?, api_key };
    platform.workers()?.update(&id, change, &caller(by))
}

fn deploy_all(platform: &Platform, OnlyCaller { caller: by }: OnlyCaller) -> Result<Vec<Account>> {
    platform.workers()?.deploy_all(&caller(by))
}

fn remove(platform: &Platform, IdAndCaller { id, caller: by }: IdAndCaller) -> Result<()> {
    platform.workers()?.remove(&id, &caller(by))
}

fn on_account(
    platform: &Platform,
    IdAndCaller { id, caller: by }: IdAndCaller,
    work: impl FnOnce(&Workers, &str, &Caller) -> Result<Account>,
) -> Result<Account> {
    work(platform.workers()?, &id, &caller(by))
}
