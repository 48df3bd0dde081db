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
            .about("Registers an account. It is `pending` until it is checked.")
            .also_outside()
            .fails(
                "`validation_error`, also if the workspace is already registered, or if the address is neither public nor in one \
                 of the networks of the settings",
            ),
        call("accounts.list", list).about("Lists every account in the order of registration.").also_outside(),
        call("accounts.get", get).about("Returns one account.").also_outside().fails("`not_found`"),
        call("accounts.update", update)
            .about(
                "Changes an account. If it is ready or being checked and its address, token or key has changed, it is checked again.",
            )
            .also_outside()
            .waits(Waits::ForCheck)
            .fails("`not_found`; `validation_error`, also if only one of `token_id` and `token_secret` is given"),
        call("accounts.enable", |platform, one| on_account(platform, one, Workers::enable))
            .about("Checks a disabled account and enables it. Its status is then `ready` or `failed`.")
            .also_outside()
            .waits(Waits::ForCheck)
            .fails("`not_found`; `invalid_state` if the account is not disabled"),
        call("accounts.disable", |platform, one| on_account(platform, one, Workers::disable))
            .about("Sends no more tasks to an account. Its unfinished tasks are still followed until they end.")
            .also_outside()
            .fails("`not_found`; `invalid_state` if the account is already disabled"),
        call("accounts.health", |platform, one| on_account(platform, one, Workers::health))
            .about("Asks the worker for its health once. The status of the account is then `ready` or `failed`.")
            .also_outside()
            .waits(Waits::ForCheck)
            .fails("`not_found`; `invalid_state` if the account is disabled or being checked"),
        call("accounts.deploy", |platform, one| on_account(platform, one, Workers::deploy))
            .about("Deploys a workspace in the background. The status of the account is `checking` until the worker has been asked for its \
                 health.")
            .also_outside()
            .fails(
                "`not_found`; `validation_error` if the settings have no deploy command; `invalid_state` if the account is disabled \
                 or being checked",
            ),
        call("accounts.deploy_all", deploy_all)
            .about("Deploys every account that is neither disabled nor being checked, and returns these accounts.")
            .also_outside()
            .fails("`validation_error` if the settings have no deploy command"),
        call("accounts.remove", remove)
            .about("Removes an account. Its unfinished tasks fail with `remote_failed`.")
            .also_outside()
            .fails("`not_found`"),
    ]
}

/// The account to register.
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

/// The changes to an account. Everything that is not given stays as it is.
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
