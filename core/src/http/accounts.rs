//! Worker accounts.

use super::call::{Call, Reply};
use crate::audit::Caller;
use crate::error::Result;
use crate::keyring::SecretText;
use crate::workers::{Account, AccountChange, NewAccount, Workers};
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// All accounts.
#[derive(Serialize, JsonSchema)]
pub(super) struct Accounts {
    accounts: Vec<Account>,
}

/// A request to register an account.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AccountRequest {
    /// The name for people.
    #[schemars(length(min = 1, max = 64))]
    label: String,
    /// The workspace's name. Absent: the label, if it has this form.
    #[serde(default)]
    #[schemars(regex(pattern = r"^[a-z0-9-]{3,64}$"))]
    workspace: Option<String>,
    /// Base URL. Absent: made from the template in the settings.
    #[serde(default)]
    address: Option<String>,
    /// Id of the provider's token.
    #[schemars(with = "String", length(min = 1, max = 4096))]
    token_id: SecretText,
    /// The provider's token.
    #[schemars(with = "String", length(min = 1, max = 4096))]
    token_secret: SecretText,
    /// The API key that the worker requires.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    api_key: Option<SecretText>,
}

/// The fields to change; the others stay as they are.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AccountPatch {
    /// The name for people.
    #[serde(default)]
    #[schemars(length(min = 1, max = 64))]
    label: Option<String>,
    /// Base URL.
    #[serde(default)]
    address: Option<String>,
    /// Id of the provider's token; together with `token_secret`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    token_id: Option<SecretText>,
    /// The provider's token; together with `token_id`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    token_secret: Option<SecretText>,
    /// The API key that the worker requires.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    api_key: Option<SecretText>,
}

/// Confirms that an account was removed.
#[derive(Serialize, JsonSchema)]
pub(super) struct Removed {
    removed: bool,
    id: String,
}

pub(super) fn list(call: &Call) -> Result<Reply> {
    call.only(&[])?;
    all(StatusCode::OK, call.platform().workers()?.list()?)
}

pub(super) fn add(call: &Call) -> Result<Reply> {
    call.only(&[])?;
    let asked: AccountRequest = call.json()?;
    let new = NewAccount {
        label: asked.label,
        workspace: asked.workspace,
        address: asked.address,
        token_id: asked.token_id,
        token_secret: asked.token_secret,
        api_key: asked.api_key,
    };
    Reply::json(StatusCode::CREATED, &call.platform().workers()?.add(new, &call.caller()?)?)
}

pub(super) fn show(call: &Call) -> Result<Reply> {
    call.only(&[])?;
    Reply::ok(&call.platform().workers()?.get(call.part("id"))?)
}

pub(super) fn change(call: &Call) -> Result<Reply> {
    let asked: AccountPatch = call.json()?;
    let token = AccountChange::token(asked.token_id, asked.token_secret)?;
    let change = AccountChange { label: asked.label, address: asked.address, token, api_key: asked.api_key };
    on_account(call, |workers, id, caller| workers.update(id, change, caller))
}

pub(super) fn enable(call: &Call) -> Result<Reply> {
    on_account(call, Workers::enable)
}

pub(super) fn disable(call: &Call) -> Result<Reply> {
    on_account(call, Workers::disable)
}

pub(super) fn health(call: &Call) -> Result<Reply> {
    on_account(call, Workers::health)
}

pub(super) fn deploy(call: &Call) -> Result<Reply> {
    call.only(&[])?;
    let account = call.platform().workers()?.deploy(call.part("id"), &call.caller()?)?;
    Reply::json(StatusCode::ACCEPTED, &account)
}

pub(super) fn deploy_all(call: &Call) -> Result<Reply> {
    call.only(&[])?;
    all(StatusCode::ACCEPTED, call.platform().workers()?.deploy_all(&call.caller()?)?)
}

pub(super) fn remove(call: &Call) -> Result<Reply> {
    call.only(&[])?;
    let id = call.part("id");
    call.platform().workers()?.remove(id, &call.caller()?)?;
    Reply::ok(&Removed { removed: true, id: id.to_owned() })
}

fn all(status: StatusCode, accounts: Vec<Account>) -> Result<Reply> {
    Reply::json(status, &Accounts { accounts })
}

fn on_account(call: &Call, work: impl FnOnce(&Workers, &str, &Caller) -> Result<Account>) -> Result<Reply> {
    call.only(&[])?;
    Reply::ok(&work(call.platform().workers()?, call.part("id"), &call.caller()?)?)
}
