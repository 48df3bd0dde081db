//! From a submission to the worker that takes it: the least used one, then up to three others, then this platform.
//!
//! What always holds: the worker that a task on its way is named after in its row may have the task, under the task's id as
//! its idempotency key; every other worker that may have it is noted as abandoned, and is told to end it when it is back. A
//! worker that was abandoned is never chosen for that task again.

use super::abandoned;
use super::account::{Account, AccountStatus};
use super::client::NoAnswer;
use super::leftovers::{self, Abandoned};
use super::protocol::{self, Verdict};
use super::requests::submit_to;
use super::state::Shared;
use super::{follow, health, store};
use crate::error::{Error, ErrorCode, Result};
use crate::task::{Draft, Sending, SentOff, Submission, Task, TraceParent};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use std::sync::Arc;
use std::time::Duration;

/// How many workers are tried for one task.
const MOST_TRIES: usize = 4;

/// How soon it is tried again to write that a task was given up.
const AGAIN: Duration = Duration::from_millis(500);

/// Where a task that was on its way ended up.
#[expect(clippy::large_enum_variant, reason = "lives for one match")]
enum Settled {
    /// At a worker, under its id there; or it was cancelled on its way.
    Elsewhere(Task),
    /// No worker took it.
    Nowhere(Untaken),
}

/// A task that no worker took.
struct Untaken {
    id: String,
    left: Option<Abandoned>,
    reason: Error,
}

/// A task on its way.
struct HandOver {
    task: Task,
    request: Arc<[u8]>,
    trace: Option<TraceParent>,
    /// Accounts that were asked.
    tried: Vec<String>,
    /// The account that it is at, which may have it.
    left: Option<Abandoned>,
}

/// What became of a draft.
pub(super) enum HandedOut {
    /// A task, at a worker or here.
    To(Task),
    /// Nothing: the same submission was made before.
    Before(Draft, Submission),
    /// Nothing: no worker is ready for it.
    Nowhere(Draft),
}

/// Hands a draft to the first worker that takes it.
pub(super) async fn hand_out(shared: &Arc<Shared>, draft: Draft) -> Result<HandedOut> {
    let can_run_here = draft.can_run_here();
    let (key, model, now) = (draft.task.id.clone(), draft.model().to_owned(), shared.clock.now());
    let sent = shared.tasks.send_off(draft, move |connection| choose(connection, &key, &model, &[], now));
    let (sending, account) = match sent.await? {
        SentOff::To(sending, account) => (sending, account),
        SentOff::Nowhere(draft) => return Ok(HandedOut::Nowhere(draft)),
        SentOff::Before(draft, submission) => return Ok(HandedOut::Before(draft, submission)),
    };
    match settle(shared, sending, account, false).await? {
        Settled::Elsewhere(task) => Ok(HandedOut::To(task)),
        Settled::Nowhere(untaken) => take_in(shared, untaken, can_run_here).await.map(HandedOut::To),
    }
}

/// Runs here what no worker took, or lets it go.
async fn take_in(shared: &Arc<Shared>, untaken: Untaken, can_run_here: bool) -> Result<Task> {
    let Untaken { id, left, reason } = untaken;
    let error = if can_run_here {
        match take_back(shared, &id, left.clone()).await {
            Ok(task) => return Ok(task),
            Err(error) => error,
        }
    } else {
        shared.metrics.dispatched("no_workers");
        tracing::warn!(task = id, detail = reason.detail(), "no worker took a task, and it cannot run here");
        Error::new(ErrorCode::NoWorkers, "no worker took the task, and it cannot run here")
    };
    let (wanted, again) = (id.clone(), left.clone());
    if shared.blocking(move |shared| shared.give_up(&wanted, again)).await.is_err() {
        tokio::spawn(shared.logged(give_up_later(Arc::clone(shared), id, left)));
    }
    Err(error)
}

/// Hands what no worker took to a lane here. Waits for a place in a full queue, without a thread.
async fn take_back(shared: &Arc<Shared>, id: &str, left: Option<Abandoned>) -> Result<Task> {
    shared.metrics.dispatched("local");
    let place = shared.tasks.reserve_for(id).await?;
    let wanted = id.to_owned();
    let taking = shared.blocking(move |shared| {
        let taken = shared.tasks.take_back(&wanted, place, shared.leave(left))?;
        // It was cancelled on its way when there is none.
        taken.map_or_else(|| shared.tasks.status(&wanted), Ok)
    });
    taking.await
}

impl Shared {
    /// Removes what nobody took and nobody was told of.
    fn give_up(&self, id: &str, left: Option<Abandoned>) -> Result<()> {
        self.tasks.forget(id, self.leave(left))
    }

    /// What notes, in the transaction that moves a task away from a worker, that the worker may have it.
    fn leave(
        &self,
        left: Option<Abandoned>,
    ) -> impl FnOnce(&rusqlite::Connection) -> Result<()> + Send + 'static + use<> {
        let now = self.clock.now();
        move |connection| left.map_or(Ok(()), |left| leftovers::keep(connection, &left, now))
    }
}

fn choose(
    connection: &rusqlite::Connection,
    key: &str,
    model: &str,
    tried: &[String],
    now: crate::time::Timestamp,
) -> Result<Option<(String, Account)>> {
    let Some(account) = store::choose(connection, key, model, tried)? else { return Ok(None) };
    store::used(connection, &account.id, now)?;
    Ok(Some((account.workspace.clone(), account)))
}

/// Sees a task that is on its way to its place. `sent_before` says that the first account may have it already.
async fn settle(shared: &Arc<Shared>, sending: Sending, first: Account, sent_before: bool) -> Result<Settled> {
    let request = protocol::submission(&sending.task, &sending.inputs)?.into();
    let id = sending.task.id.clone();
    let mut handing = HandOver { task: sending.task, request, trace: sending.trace, tried: Vec::new(), left: None };
    if sent_before {
        handing.left = Some(handing.may_be_at(&first));
    }
    match hand_over(shared, &mut handing, first).await {
        Ok(settled) => {
            if let Settled::Elsewhere(task) = &settled
                && !task.status.is_terminal()
            {
                tokio::spawn(shared.logged(follow::follow(Arc::clone(shared), task.id.clone())));
            }
            Ok(settled)
        }
        // Nobody is told of this task, so nobody may find that it ran.
        Err(error) => {
            let (wanted, left) = (id.clone(), handing.left.clone());
            if shared.blocking(move |shared| shared.give_up(&wanted, left)).await.is_err() {
                tokio::spawn(shared.logged(give_up_later(Arc::clone(shared), id, handing.left)));
            }
            Err(error)
        }
    }
}

/// Gives a task up as soon as that can be written.
async fn give_up_later(shared: Arc<Shared>, id: String, left: Option<Abandoned>) {
    loop {
        let (wanted, left) = (id.clone(), left.clone());
        match shared.blocking(move |shared| shared.give_up(&wanted, left)).await {
            Ok(()) => return,
            Err(error) if shared.open().is_err() => {
                tracing::error!(task = id, code = error.code().as_str(), "a task on its way could not be given up");
                return;
            }
            Err(_) => tokio::time::sleep(AGAIN).await,
        }
    }
}

impl HandOver {
    fn may_be_at(&self, account: &Account) -> Abandoned {
        Abandoned {
            workspace: account.workspace.clone(),
            key: self.task.id.clone(),
            request: Arc::clone(&self.request),
        }
    }
}

/// Tries one worker after another.
async fn hand_over(shared: &Arc<Shared>, handing: &mut HandOver, first: Account) -> Result<Settled> {
    let id = handing.task.id.clone();
    let mut account = first;
    loop {
        let sent_before = handing.left.take().is_some();
        let verdict = offer(shared, handing, &account, sent_before).await;
        handing.tried.push(account.id.clone());
        let reason = match verdict {
            Verdict::Accepted(remote_id) => {
                handing.left = Some(handing.may_be_at(&account));
                match accept(shared, handing, &account, &remote_id).await {
                    Ok(task) => return Ok(Settled::Elsewhere(task)),
                    Err(error) if matches!(error.code(), ErrorCode::RemoteFailed | ErrorCode::ProxyTargetInvalid) => {
                        // It gave an id that is taken, or is no account any more: what it has under our key cannot be ended.
                        handing.left = None;
                        health::fail(shared, &account, &error).await;
                        error
                    }
                    Err(error) => return Err(error),
                }
            }
            Verdict::Refused { error, blamed, .. } => {
                shared.metrics.dispatched("refused");
                if blamed {
                    health::fail(shared, &account, &error).await;
                }
                error
            }
            Verdict::Unclear(error) => {
                shared.metrics.dispatched("unclear");
                handing.left = Some(handing.may_be_at(&account));
                health::fail(shared, &account, &error).await;
                error
            }
        };
        let workspace = &account.workspace;
        tracing::warn!(task = id, workspace, detail = reason.detail(), "a worker did not take a task");
        let next = if handing.tried.len() < MOST_TRIES { elsewhere(shared, handing).await? } else { None };
        match next {
            Some(next) => account = next,
            None => {
                let wanted = id.clone();
                let task = shared.blocking(move |shared| shared.tasks.status(&wanted)).await?;
                if task.status.is_terminal() {
                    leave_cancelled(shared, handing.left.take()).await?;
                    return Ok(Settled::Elsewhere(task));
                }
                return Ok(Settled::Nowhere(Untaken { id, left: handing.left.take(), reason }));
            }
        }
    }
}

/// Moves a task on to the next worker; none when nobody is left, or when it was cancelled.
async fn elsewhere(shared: &Arc<Shared>, handing: &mut HandOver) -> Result<Option<Account>> {
    let (id, model) = (handing.task.id.clone(), handing.task.model.clone());
    let (tried, left) = (handing.tried.clone(), handing.left.clone());
    let next = shared.blocking(move |shared| {
        let now = shared.clock.now();
        let key = id.clone();
        let choose = move |connection: &rusqlite::Connection| choose(connection, &key, &model, &tried, now);
        shared.tasks.send_elsewhere(&id, shared.leave(left), choose)
    });
    let next = next.await?;
    if next.is_some() {
        handing.left = None;
    }
    Ok(next)
}

/// Offers a task to one worker; once more when the connection broke, which its key makes safe. What a worker says before it has
/// looked for the key is no proof that it does not have the task, once that may have been sent.
async fn offer(shared: &Arc<Shared>, handing: &HandOver, account: &Account, mut sent_before: bool) -> Verdict {
    let unanswered = |error: Error, sent_before: bool| match sent_before {
        true => Verdict::Unclear(error),
        false => Verdict::Refused { error, blamed: true, sure: true },
    };
    if account.status != AccountStatus::Ready {
        let detail = format!("the worker {} is {}", account.workspace, account.status.as_str());
        return unanswered(Error::new(ErrorCode::RemoteFailed, detail), sent_before);
    }
    let wanted = account.clone();
    let target = match shared.blocking(move |shared| shared.target(&wanted)).await {
        Ok(target) => target,
        Err(error) => return unanswered(error, sent_before),
    };
    let mut tries = 0;
    loop {
        tries += 1;
        match submit_to(shared, &target, &handing.task.id, &handing.request, handing.trace.as_ref()).await {
            Ok(Verdict::Refused { error, sure: false, .. }) if sent_before => return Verdict::Unclear(error),
            Ok(verdict) => return verdict,
            Err(NoAnswer::Broken(_)) if tries == 1 => sent_before = true,
            Err(NoAnswer::NotSent(error)) => return unanswered(error, sent_before),
            Err(reason) => return Verdict::Unclear(reason.into()),
        }
    }
}

/// Gives the task the id that it has at its worker; the task as it is here when it was cancelled on its way.
async fn accept(shared: &Arc<Shared>, handing: &HandOver, account: &Account, remote_id: &str) -> Result<Task> {
    let (task, workspace, account_id) = (handing.task.clone(), account.workspace.clone(), account.id.clone());
    let (key, id) = (task.id.clone(), remote_id.to_owned());
    let accepted = shared.blocking(move |shared| {
        let place = workspace.clone();
        shared.tasks.accepted(&task, &workspace, &id, move |connection| {
            // It is wanted there after all.
            leftovers::forget(connection, &place, &key)?;
            store::accepted(connection, &account_id)
        })
    });
    if let Some(task) = accepted.await? {
        shared.metrics.dispatched("accepted");
        return Ok(task);
    }
    leave_cancelled(shared, handing.left.clone()).await?;
    let id = handing.task.id.clone();
    shared.blocking(move |shared| shared.tasks.status(&id)).await
}

/// A worker may have a task that was cancelled on its way: it is told.
async fn leave_cancelled(shared: &Arc<Shared>, left: Option<Abandoned>) -> Result<()> {
    let Some(left) = left else { return Ok(()) };
    let workspace = left.workspace.clone();
    let kept = shared.blocking(move |shared| shared.store.write(shared.leave(Some(left))));
    kept.await?;
    abandoned::end_all(shared, &workspace).await;
    Ok(())
}

/// Goes on with tasks that an end of the platform left on their way: their callers were never told of them, unless they ask again
/// with the same key. Their workers may have them.
pub(super) async fn take_up(shared: Arc<Shared>) {
    let left = shared.blocking(|shared| {
        let left = shared.tasks.on_their_way()?;
        let with_account = |sending: Sending| {
            let workspace = sending.task.workspace.clone().unwrap_or_default();
            Ok((shared.store.read(|connection| store::find(connection, &workspace))?, sending))
        };
        left.into_iter().map(with_account).collect::<Result<Vec<_>>>()
    });
    let left = match left.await {
        Ok(left) => left,
        Err(error) => {
            tracing::error!(code = error.code().as_str(), "tasks on their way could not be looked for");
            return;
        }
    };
    let settling = left.into_iter().map(|(account, sending)| {
        let shared = &shared;
        async move {
            let model = sending.task.model.clone();
            let id = sending.task.id.clone();
            let settled = match account {
                Some(account) => settle(shared, sending, account, true).await,
                None => {
                    let reason = Error::new(ErrorCode::RemoteFailed, "its workspace is gone");
                    Ok(Settled::Nowhere(Untaken { id: id.clone(), left: None, reason }))
                }
            };
            (id, model, settled)
        }
    });
    let mut settling = settling.collect::<FuturesUnordered<_>>();
    // As each settles, so that one worker that hangs holds up nobody; what comes back waits for a place in the queue.
    while let Some((id, model, settled)) = settling.next().await {
        let Untaken { left, reason, .. } = match settled {
            Ok(Settled::Elsewhere(_)) => continue,
            Ok(Settled::Nowhere(untaken)) => untaken,
            Err(error) => {
                tracing::warn!(task = id, detail = error.detail(), "a task that was on its way was given up");
                continue;
            }
        };
        tracing::warn!(task = id, detail = reason.detail(), "no worker took a task that was on its way");
        if shared.tasks.can_run(&model) && take_back(&shared, &id, left.clone()).await.is_ok() {
            continue;
        }
        give_up_later(Arc::clone(&shared), id, left).await;
    }
}
