//! `accounts.*`.

use super::{CallerArgument, Entry, IdAndCaller, Nothing, OnlyCaller, Waits, call, caller};
use crate::audit::Caller;
use crate::error::Result;
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
    #[serde(flatten)]
    account: NewAccount,
    #[serde(default)]
    caller: Option<CallerArgument>,
}

fn add(platform: &Platform, AddAccount { account, caller: by }: AddAccount) -> Result<Account> {
    platform.workers()?.add(account, &caller(by))
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
    #[serde(flatten)]
    change: AccountChange,
    #[serde(default)]
    caller: Option<CallerArgument>,
}

fn update(platform: &Platform, UpdateAccount { id, change, caller: by }: UpdateAccount) -> Result<Account> {
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
