//! All SQL statements on the table of accounts.

use super::account::{Account, AccountError, AccountStatus, Deployment};
use super::address::invalid_target;
use super::leftovers;
use crate::error::{Error, ErrorCode, Result};
use crate::task::{self};
use crate::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

/// Largest number of characters of an error detail that are stored.
const LONGEST_DETAIL: usize = 512;

pub(super) fn insert(connection: &Connection, account: &Account) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO worker_account (id, label, workspace, address, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            account.id, account.label, account.workspace, account.address, account.created_at.0, account.updated_at.0
        ])?;
    Ok(())
}

/// Returns all accounts in the order of their registration.
pub(super) fn all(connection: &Connection) -> Result<Vec<Account>> {
    let mut statement = connection.prepare_cached("SELECT * FROM worker_account ORDER BY created_at, id")?;
    let mut accounts = statement.query_map([], read)?.collect::<rusqlite::Result<Vec<_>>>()?;
    for account in &mut accounts {
        account.active = task::remote_count(connection, &account.workspace)?;
    }
    Ok(accounts)
}

/// Returns the account with this id or workspace.
pub(super) fn get(connection: &Connection, id: &str) -> Result<Option<Account>> {
    let Some(mut account) = find(connection, id)? else { return Ok(None) };
    account.active = task::remote_count(connection, &account.workspace)?;
    Ok(Some(account))
}

/// Like [`get`], but fails if there is no such account.
///
/// # Errors
/// `not_found`.
pub(super) fn found(connection: &Connection, id: &str) -> Result<Account> {
    get(connection, id)?.ok_or_else(|| {
        let shown: String = id.chars().take(64).collect();
        Error::new(ErrorCode::NotFound, format!("there is no account {shown:?}"))
            .with_action("Use an id from the list of accounts.")
    })
}

/// Returns the account with this id or workspace, without counting its tasks.
pub(super) fn find(connection: &Connection, id: &str) -> Result<Option<Account>> {
    let mut statement = connection.prepare_cached("SELECT * FROM worker_account WHERE id = ?1 OR workspace = ?1")?;
    Ok(statement.query_row([id], read).optional()?)
}

/// Whether an account has this workspace.
pub(super) fn is_registered(connection: &Connection, workspace: &str) -> Result<bool> {
    Ok(connection.prepare_cached("SELECT 1 FROM worker_account WHERE workspace = ?")?.exists([workspace])?)
}

/// Returns the number of accounts in each state.
pub(super) fn counts(connection: &Connection) -> Result<Vec<(AccountStatus, usize)>> {
    let mut statement = connection.prepare_cached("SELECT status, count(*) FROM worker_account GROUP BY status")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, u32>(1)?)))?;
    let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(rows.into_iter().filter_map(|(name, count)| Some((AccountStatus::from_name(&name)?, count as usize))).collect())
}

/// Returns the ready account that offers a model and has the fewest active tasks. Among equals, it is the one whose last use is
/// longest ago. Accounts that were tried, and those that may already have the task with this key, are left out.
pub(super) fn choose(connection: &Connection, key: &str, model: &str, tried: &[String]) -> Result<Option<Account>> {
    let tried = serde_json::to_string(tried).map_err(|error| Error::internal(error.to_string()))?;
    let mut statement = connection.prepare_cached(
        "SELECT * FROM worker_account AS account
         WHERE status = 'ready' AND (models IS NULL OR EXISTS (SELECT 1 FROM json_each(models) WHERE value = ?1))
           AND id NOT IN (SELECT value FROM json_each(?2))
           AND NOT EXISTS (SELECT 1 FROM worker_abandoned WHERE workspace = account.workspace AND key = ?3)
         ORDER BY (SELECT count(*) FROM task WHERE workspace = account.workspace AND status IN ('pending', 'processing')),
                  used_at NULLS FIRST, dispatched, created_at, id
         LIMIT 1",
    )?;
    Ok(statement.query_row(params![model, tried, key], read).optional()?)
}

/// Records that a task will be sent to the account.
pub(super) fn used(connection: &Connection, id: &str, now: Timestamp) -> Result<()> {
    connection.prepare_cached("UPDATE worker_account SET used_at = ? WHERE id = ?")?.execute(params![now.0, id])?;
    Ok(())
}

/// Records that the account's worker accepted a task.
///
/// # Errors
/// `proxy_target_invalid` if the account was removed in the meantime.
pub(super) fn accepted(connection: &Connection, id: &str) -> Result<()> {
    let mut statement =
        connection.prepare_cached("UPDATE worker_account SET dispatched = dispatched + 1 WHERE id = ?")?;
    if statement.execute([id])? == 1 { Ok(()) } else { Err(invalid_target()) }
}

pub(super) fn change(
    connection: &Connection,
    id: &str,
    label: Option<&str>,
    address: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE worker_account SET label = coalesce(?2, label), address = coalesce(?3, address), updated_at = ?4 WHERE id = ?1",
        )?
        .execute(params![id, label, address, now.0])?;
    Ok(())
}

/// Deletes an account, with the records of work to cancel at its worker.
pub(super) fn remove(connection: &Connection, account: &Account) -> Result<()> {
    connection.prepare_cached("DELETE FROM worker_account WHERE id = ?")?.execute([&account.id])?;
    leftovers::forget_all(connection, &account.workspace)
}

/// Begins a check of an account. Returns the epoch, which the outcome must name. The outcome of an older check is then ignored.
pub(super) fn begin_check(connection: &Connection, account: &Account, now: Timestamp) -> Result<i64> {
    let mut statement = connection.prepare_cached(
        "UPDATE worker_account SET status = 'checking', error_code = NULL, error_detail = NULL, epoch = epoch + 1, updated_at = ?2
         WHERE id = ?1 RETURNING epoch",
    )?;
    Ok(statement.query_row(params![account.id, now.0], |row| row.get(0))?)
}

/// Ends a check. Returns false and changes nothing if the account was disabled, removed or checked again in the meantime.
pub(super) fn end_check(
    connection: &Connection,
    id: &str,
    epoch: i64,
    outcome: &Result<Option<Vec<String>>>,
    now: Timestamp,
) -> Result<bool> {
    let (status, code, detail) = match outcome {
        Ok(_) => (AccountStatus::Ready, None, None),
        Err(error) => (AccountStatus::Failed, Some(error.code().as_str()), Some(cut(error.detail()))),
    };
    let models = match outcome {
        Ok(Some(models)) => serde_json::to_string(models).ok(),
        _ => None,
    };
    let changed = connection
        .prepare_cached(
            "UPDATE worker_account SET status = ?3, error_code = ?4, error_detail = ?5, models = ?6, checked_at = ?7, updated_at = ?7
             WHERE id = ?1 AND epoch = ?2 AND status = 'checking'",
        )?
        .execute(params![id, epoch, status.as_str(), code, detail, models, now.0])?;
    Ok(changed == 1)
}

/// Marks a ready account as failed. Returns false if it was not ready.
pub(super) fn fail(connection: &Connection, id: &str, error: &Error, now: Timestamp) -> Result<bool> {
    let changed = connection
        .prepare_cached(
            "UPDATE worker_account SET status = 'failed', error_code = ?2, error_detail = ?3, updated_at = ?4
             WHERE id = ?1 AND status = 'ready'",
        )?
        .execute(params![id, error.code().as_str(), cut(error.detail()), now.0])?;
    Ok(changed == 1)
}

/// Records that a failed account was checked again and still fails.
pub(super) fn still_failed(connection: &Connection, id: &str, now: Timestamp) -> Result<()> {
    connection
        .prepare_cached("UPDATE worker_account SET checked_at = ?2 WHERE id = ?1 AND status = 'failed'")?
        .execute(params![id, now.0])?;
    Ok(())
}

/// Disables an account.
///
/// # Errors
/// `invalid_state` if the account is already disabled.
pub(super) fn disable(connection: &Connection, account: &Account, now: Timestamp) -> Result<()> {
    if !account.status.may_become(AccountStatus::Disabled) {
        return Err(wrong_state(account, "be disabled"));
    }
    connection
        .prepare_cached(
            "UPDATE worker_account SET status = 'disabled', error_code = NULL, error_detail = NULL, epoch = epoch + 1, updated_at = ?2
             WHERE id = ?1",
        )?
        .execute(params![account.id, now.0])?;
    Ok(())
}

/// Returns the accounts whose checks were interrupted when the platform was closed, with the epoch of each check.
pub(super) fn interrupted(connection: &Connection) -> Result<Vec<(Account, i64)>> {
    let mut statement = connection.prepare_cached("SELECT * FROM worker_account WHERE status = 'checking'")?;
    let rows = statement.query_map([], |row| Ok((read(row)?, row.get("epoch")?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn deploy_began(connection: &Connection, id: &str, now: Timestamp) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE worker_account SET deploy_started_at = ?2, deploy_finished_at = NULL, deploy_ok = 0, deploy_output = '' WHERE id = ?1",
        )?
        .execute(params![id, now.0])?;
    Ok(())
}

pub(super) fn deploy_ended(connection: &Connection, id: &str, ok: bool, output: &str, now: Timestamp) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE worker_account SET deploy_finished_at = ?4, deploy_ok = ?2, deploy_output = ?3 WHERE id = ?1",
        )?
        .execute(params![id, ok, output, now.0])?;
    Ok(())
}

/// Marks deployments that were interrupted when the platform was closed as failed.
pub(super) fn end_deployments(connection: &Connection, now: Timestamp) -> Result<()> {
    connection.execute(
        "UPDATE worker_account SET deploy_finished_at = ?1, deploy_ok = 0
         WHERE deploy_started_at IS NOT NULL AND deploy_finished_at IS NULL",
        [now.0],
    )?;
    Ok(())
}

pub(super) fn wrong_state(account: &Account, what: &str) -> Error {
    let (workspace, status) = (&account.workspace, account.status.as_str());
    let advice = match account.status {
        AccountStatus::Disabled => "Enable the account, which also checks it.",
        AccountStatus::Checking => "Wait until the current check has ended.",
        _ => "Check its health instead.",
    };
    Error::invalid_state(format!("the account {workspace} is {status} and cannot {what}"), advice)
}

fn cut(text: &str) -> String {
    text.chars().take(LONGEST_DETAIL).collect()
}

fn read(row: &Row<'_>) -> rusqlite::Result<Account> {
    let moment = |name: &str| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(name)?.map(Timestamp));
    let status: String = row.get("status")?;
    let models: Option<String> = row.get("models")?;
    let code: Option<String> = row.get("error_code")?;
    let detail: Option<String> = row.get("error_detail")?;
    let deployment = match moment("deploy_started_at")? {
        None => None,
        Some(started_at) => Some(Deployment {
            started_at,
            finished_at: moment("deploy_finished_at")?,
            ok: row.get("deploy_ok")?,
            output: row.get("deploy_output")?,
        }),
    };
    Ok(Account {
        id: row.get("id")?,
        label: row.get("label")?,
        workspace: row.get("workspace")?,
        address: row.get("address")?,
        status: AccountStatus::from_name(&status).unwrap_or(AccountStatus::Failed),
        error: code.map(|code| AccountError { code, detail: detail.unwrap_or_default() }),
        models: models.and_then(|text| serde_json::from_str(&text).ok()),
        active: 0,
        dispatched: u64::from(row.get::<_, u32>("dispatched")?),
        created_at: Timestamp(row.get("created_at")?),
        updated_at: Timestamp(row.get("updated_at")?),
        checked_at: moment("checked_at")?,
        used_at: moment("used_at")?,
        deployment,
    })
}
