//! Worker accounts.

use super::call::{Call, Reply};
use crate::audit::Caller;
use crate::error::Result;
use crate::workers::{Account, AccountChange, NewAccount, Workers};
use http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

/// All accounts.
#[derive(Serialize, JsonSchema)]
pub(super) struct Accounts {
    accounts: Vec<Account>,
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
    let new: NewAccount = call.json()?;
    Reply::json(StatusCode::CREATED, &call.platform().workers()?.add(new, &call.caller()?)?)
}

pub(super) fn show(call: &Call) -> Result<Reply> {
    call.only(&[])?;
    Reply::ok(&call.platform().workers()?.get(call.part("id"))?)
}

pub(super) fn change(call: &Call) -> Result<Reply> {
    let change: AccountChange = call.json()?;
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
