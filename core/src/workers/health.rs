//! Health checks, without which no account becomes `ready`, and marking accounts as failed.

use super::account::{Account, AccountStatus};
use super::client::Target;
use super::protocol::unexpected;
use super::state::Shared;
use super::store::found;
use super::{abandoned, leftovers, store};
use crate::audit::{InTransaction, NewEvent, Outcome};
use crate::error::{Error, ErrorCode, Result};
use crate::time::Timestamp;
use http::StatusCode;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// The longest pause between two searches for accounts that are due for a check.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The reason for a check. It decides in which states of the account the check may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// An administrator asked for it.
    Asked,
    /// An administrator enables a disabled account.
    Enabled,
    /// The account is being deployed.
    Deployed,
    /// The account had failed, and its worker answers again.
    Recovered,
}

impl Why {
    /// Refuses a check that may not begin in the account's state.
    ///
    /// # Errors
    /// `invalid_state`.
    fn check(self, account: &Account) -> Result<()> {
        use AccountStatus::{Disabled, Failed, Pending, Ready};
        let (from, what): (&[AccountStatus], _) = match self {
            Self::Asked => (&[Pending, Ready, Failed], "be checked"),
            Self::Deployed => (&[Pending, Ready, Failed], "be deployed"),
            Self::Enabled => (&[Disabled], "be enabled"),
            Self::Recovered => (&[Failed], "be checked"),
        };
        if from.contains(&account.status) { Ok(()) } else { Err(store::wrong_state(account, what)) }
    }
}

/// Begins a check and writes its event, if there is one. Returns the account as it is then, and the check's epoch, which its
/// outcome must name.
///
/// # Errors
/// `invalid_state` if the check may not begin in the account's state.
pub(super) fn begin(shared: &Shared, id: &str, event: Option<NewEvent>, why: Why) -> Result<(Account, i64)> {
    let (id, now) = (id.to_owned(), shared.clock.now());
    let work = move |connection: &rusqlite::Connection| {
        let account = found(connection, &id)?;
        why.check(&account)?;
        let epoch = store::begin_check(connection, &account, now)?;
        if why == Why::Deployed {
            store::deploy_began(connection, &account.id, now)?;
        }
        Ok((found(connection, &id)?, epoch))
    };
    match event {
        Some(event) => shared.audit.record(move |connection| Ok((work(connection)?, event))),
        None => shared.store.write(work),
    }
}

/// Asks the worker for its health up to `tries` times, and ends the check.
pub(super) async fn finish(shared: &Arc<Shared>, id: &str, epoch: i64, tries: u32) {
    let mut outcome = Err(Error::internal("the worker was not asked for its health"));
    for attempt in 0..tries.max(1) {
        if attempt > 0 {
            tokio::time::sleep(shared.settings.health_pause).await;
        }
        outcome = ask(shared, id).await;
        if outcome.is_ok() {
            break;
        }
    }
    end(shared, id, epoch, outcome).await;
}

/// Ends a check with its outcome. If the worker is ready, work that nobody needs any more is cancelled there.
pub(super) async fn end(shared: &Arc<Shared>, id: &str, epoch: i64, outcome: Result<Option<Vec<String>>>) {
    let wanted = id.to_owned();
    let ended = shared.blocking(move |shared| {
        let now = shared.clock.now();
        let audit = shared.audit.in_transaction();
        shared.store.write(move |connection| end_in(connection, &audit, &wanted, epoch, &outcome, now))
    });
    match ended.await {
        Ok((true, account)) if account.status == AccountStatus::Ready => {
            tracing::info!(workspace = account.workspace, "a worker is ready");
            // In the background, so that nobody waits for a slow worker.
            let (background, workspace) = (Arc::clone(shared), account.workspace);
            tokio::spawn(shared.logged(async move { abandoned::cancel_all(&background, &workspace).await }));
        }
        Ok((true, account)) => {
            let detail = account.error.as_ref().map_or("", |error| error.detail.as_str());
            tracing::warn!(workspace = account.workspace, detail, "a worker did not pass its check");
        }
        Ok((false, _)) => {}
        Err(error) => tracing::error!(code = error.code().as_str(), "the outcome of a check could not be written"),
    }
}

/// Ends a check within a transaction and writes its event. Returns whether the check was still current, and the account.
pub(super) fn end_in(
    connection: &rusqlite::Connection,
    audit: &InTransaction,
    id: &str,
    epoch: i64,
    outcome: &Result<Option<Vec<String>>>,
    now: Timestamp,
) -> Result<(bool, Account)> {
    let ended = store::end_check(connection, id, epoch, outcome, now)?;
    let account = found(connection, id)?;
    if ended {
        let (action, result) = match outcome {
            Ok(_) => ("account_ready", Outcome::Success),
            Err(_) => ("account_failed", Outcome::Failure),
        };
        let mut event = NewEvent::internal(action, &format!("account:{}", account.id), result)
            .with("workspace", &account.workspace);
        if let Err(error) = outcome {
            event = event.with("code", error.code()).with("detail", error.detail());
        }
        audit.append(connection, event)?;
    }
    Ok((ended, account))
}

/// Asks the worker once for its health and checks that it accepts the API key. Returns the models that it offers, if it lists them.
async fn ask(shared: &Arc<Shared>, id: &str) -> Result<Option<Vec<String>>> {
    let wanted = id.to_owned();
    let target = shared.blocking(move |shared| shared.target(&shared.store.read(|db| found(db, &wanted))?)).await?;
    let answer = shared.client.send(&target, shared.client.get("/health")).await.map_err(Error::from)?;
    if answer.status != StatusCode::OK || answer.json().get("ok") != Some(&Value::Bool(true)) {
        return Err(unexpected(&target, &format!("is not healthy: status {}", answer.status.as_u16())));
    }
    let answer = shared.client.send(&target, shared.client.get("/models")).await.map_err(Error::from)?;
    models(&target, answer.status, &answer.json())
}

fn models(target: &Target, status: StatusCode, body: &Value) -> Result<Option<Vec<String>>> {
    match status {
        StatusCode::OK => {}
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            return Err(Error::new(
                ErrorCode::RemoteFailed,
                format!("the worker {} does not accept our API key", target.workspace),
            )
            .with_action("Give the account the API key of its worker."));
        }
        _ => return Ok(None),
    }
    let Some(list) = body.get("models").and_then(Value::as_array) else { return Ok(None) };
    let offered = list.iter().filter(|model| model.get("available") != Some(&Value::Bool(false)));
    let ids = offered.filter_map(|model| model.get("id").and_then(Value::as_str));
    Ok(Some(ids.take(1000).map(|id| id.chars().take(64).collect()).collect()))
}

/// Repeats a check that was interrupted when the platform was closed.
pub(super) async fn check_again(shared: Arc<Shared>, account: Account, epoch: i64) {
    finish(&shared, &account.id, epoch, 1).await;
}

/// Marks a ready account as failed, because its worker refused a task or does not answer.
pub(super) async fn fail(shared: &Arc<Shared>, account: &Account, error: &Error) {
    let (id, workspace, error) = (account.id.clone(), account.workspace.clone(), error.clone());
    let failed = shared.blocking(move |shared| {
        let now = shared.clock.now();
        let audit = shared.audit.in_transaction();
        shared.store.write(move |connection| {
            if store::fail(connection, &id, &error, now)? {
                let event = NewEvent::internal("account_failed", &format!("account:{id}"), Outcome::Failure);
                let event = event.with("workspace", &workspace).with("code", error.code());
                audit.append(connection, event.with("detail", error.detail()))?;
            }
            Ok(())
        })
    });
    if let Err(error) = failed.await {
        tracing::error!(code = error.code().as_str(), "the failure of an account could not be written");
    }
}

/// Runs in the background while the platform is open. From time to time it cancels work that nobody needs at ready workers, and
/// checks failed accounts again.
pub(super) async fn recheck(shared: Arc<Shared>) {
    let every = shared.settings.recheck_interval;
    let pause = if every.is_zero() { LONGEST_PAUSE } else { every.min(LONGEST_PAUSE) };
    loop {
        tokio::time::sleep(pause).await;
        cancel_leftovers(&shared).await;
        if every.is_zero() {
            continue;
        }
        let due = shared.blocking(move |shared| {
            let before = shared.clock.now().0.saturating_sub(i64::try_from(every.as_millis()).unwrap_or(i64::MAX));
            let failed = |account: &Account| {
                account.status == AccountStatus::Failed
                    && account.updated_at.0.max(account.checked_at.map_or(0, |at| at.0)) <= before
            };
            let all = shared.store.read(store::all)?;
            Ok(all.into_iter().filter(failed).collect::<Vec<_>>())
        });
        let Ok(due) = due.await else { continue };
        // All at once, so that no check waits for a slow worker.
        futures::future::join_all(due.into_iter().map(|account| recheck_one(&shared, account.id))).await;
    }
}

/// Cancels work that nobody needs at workers that are ready. Records may have been added after their checks.
async fn cancel_leftovers(shared: &Arc<Shared>) {
    let left = shared.blocking(|shared| shared.store.read(leftovers::with_leftovers)).await.unwrap_or_default();
    let ending = left.iter().map(|workspace| abandoned::cancel_all(shared, workspace));
    futures::future::join_all(ending).await;
}

/// Begins a check of a failed account if its worker answers. If it does not, nothing changes and nothing is logged.
async fn recheck_one(shared: &Arc<Shared>, id: String) {
    if ask(shared, &id).await.is_err() {
        let now = shared.clock.now();
        let _ = shared.blocking(move |shared| shared.store.write(move |db| store::still_failed(db, &id, now))).await;
        return;
    }
    let wanted = id.clone();
    if let Ok((_, epoch)) = shared.blocking(move |shared| begin(shared, &wanted, None, Why::Recovered)).await {
        finish(shared, &id, epoch, 1).await;
    }
}
