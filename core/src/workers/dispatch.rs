//! Chooses the worker for a submission: first the least used one, then up to three others, and at last this platform.
//!
//! Invariants: the row of a task on its way names a worker. That worker may already have the task, with the task's id as idempotency
//! key. For every other worker that may have it, an abandoned submission is recorded, which is cancelled there when the worker
//! answers again. Such a worker is never chosen again for that task.

use super::abandoned;
use super::account::{Account, AccountStatus};
use super::client::NoAnswer;
use super::leftovers::{self, Abandoned};
use super::protocol::{self, Verdict};
use super::requests::submit_to;
use super::state::Shared;
use super::{follow, health, store};
use crate::error::{Error, ErrorCode, Result};
use crate::task::{Draft, SendOutcome, Sending, Submission, Task, TraceParent};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use std::sync::Arc;
use std::time::Duration;

/// How many workers are tried for one task.
const MOST_TRIES: usize = 4;

/// Pause before the deletion of a task that no worker took is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// The outcome for a task that was on its way.
#[expect(clippy::large_enum_variant, reason = "lives for one match")]
enum Settled {
    /// A worker took the task, or it was cancelled on its way.
    Task(Task),
    /// No worker took the task.
    NotTaken(Untaken),
}

/// A task that no worker took.
struct Untaken {
    id: String,
    /// The submission to the last worker, if that worker may have it.
    abandoned: Option<Abandoned>,
    /// Why the last worker did not take it.
    reason: Error,
}

/// A task that is being offered to workers.
struct Offer {
    task: Task,
    request: Arc<[u8]>,
    trace: Option<TraceParent>,
    /// Ids of the accounts that were asked.
    tried: Vec<String>,
    /// The submission to the current worker, if that worker may have it.
    abandoned: Option<Abandoned>,
}

/// The outcome of dispatching a draft.
pub(super) enum Dispatched {
    /// It became a task, at a worker or here.
    Task(Task),
    /// It was not sent, because the same submission was made before.
    AlreadySubmitted(Draft, Submission),
    /// It was not sent, because no worker is ready for it.
    NoWorker(Draft),
}

/// Sends a draft to the first worker that takes it. If none does, the task runs here or is deleted.
pub(super) async fn dispatch(shared: &Arc<Shared>, draft: Draft) -> Result<Dispatched> {
    let can_run_here = draft.can_run_here();
    let (key, model, now) = (draft.task.id.clone(), draft.model().to_owned(), shared.clock.now());
    let sent = shared.tasks.send_off(draft, move |connection| choose(connection, &key, &model, &[], now));
    let (sending, account) = match sent.await? {
        SendOutcome::Sending(sending, account) => (sending, account),
        SendOutcome::NoWorker(draft) => return Ok(Dispatched::NoWorker(draft)),
        SendOutcome::AlreadySubmitted(draft, submission) => return Ok(Dispatched::AlreadySubmitted(draft, submission)),
    };
    match settle(shared, sending, account, false).await? {
        Settled::Task(task) => Ok(Dispatched::Task(task)),
        Settled::NotTaken(untaken) => run_here(shared, untaken, can_run_here).await.map(Dispatched::Task),
    }
}

/// Puts a task that no worker took into the queue of this platform. Deletes it if it cannot run here or gets no place in the queue.
async fn run_here(shared: &Arc<Shared>, untaken: Untaken, can_run_here: bool) -> Result<Task> {
    let Untaken { id, abandoned, reason } = untaken;
    let error = if can_run_here {
        match take_back(shared, &id, abandoned.clone()).await {
            Ok(task) => return Ok(task),
            Err(error) => error,
        }
    } else {
        shared.metrics.dispatched("no_workers");
        tracing::warn!(task = id, detail = reason.detail(), "no worker took a task, and it cannot run here");
        Error::new(ErrorCode::NoWorkers, "no worker took the task, and it cannot run here")
    };
    let (wanted, again) = (id.clone(), abandoned.clone());
    if shared.blocking(move |shared| shared.delete_untaken(&wanted, again)).await.is_err() {
        tokio::spawn(shared.logged(delete_untaken_later(Arc::clone(shared), id, abandoned)));
    }
    Err(error)
}

/// Puts a task that no worker took into the queue of this platform. Waits for a place in a full queue, without using a thread.
async fn take_back(shared: &Arc<Shared>, id: &str, abandoned: Option<Abandoned>) -> Result<Task> {
    shared.metrics.dispatched("local");
    let place = shared.tasks.reserve_for(id).await?;
    let wanted = id.to_owned();
    let taking = shared.blocking(move |shared| {
        let taken = shared.tasks.take_back(&wanted, place, shared.leave(abandoned))?;
        // `None` means that the task was cancelled on its way.
        taken.map_or_else(|| shared.tasks.status(&wanted), Ok)
    });
    taking.await
}

impl Shared {
    /// Deletes a task that nobody took. No caller knows its id.
    fn delete_untaken(&self, id: &str, abandoned: Option<Abandoned>) -> Result<()> {
        self.tasks.forget(id, self.leave(abandoned))
    }

    /// Returns a function that records that a worker may have a task. It must run in the transaction that moves the task elsewhere.
    fn leave(
        &self,
        abandoned: Option<Abandoned>,
    ) -> impl FnOnce(&rusqlite::Connection) -> Result<()> + Send + 'static + use<> {
        let now = self.clock.now();
        move |connection| abandoned.map_or(Ok(()), |abandoned| leftovers::keep(connection, &abandoned, now))
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

/// Offers a task that is on its way to workers until one takes it or none is left. `sent_before` means that the first account may
/// already have it.
async fn settle(shared: &Arc<Shared>, sending: Sending, first: Account, sent_before: bool) -> Result<Settled> {
    let request = protocol::submission(&sending.task, &sending.inputs)?.into();
    let id = sending.task.id.clone();
    let mut outgoing = Offer { task: sending.task, request, trace: sending.trace, tried: Vec::new(), abandoned: None };
    if sent_before {
        outgoing.abandoned = Some(outgoing.may_be_at(&first));
    }
    match try_workers(shared, &mut outgoing, first).await {
        Ok(settled) => {
            if let Settled::Task(task) = &settled
                && !task.status.is_terminal()
            {
                tokio::spawn(shared.logged(follow::follow(Arc::clone(shared), task.id.clone())));
            }
            Ok(settled)
        }
        // The caller gets an error instead of the task, so the task must not run.
        Err(error) => {
            let (wanted, abandoned) = (id.clone(), outgoing.abandoned.clone());
            if shared.blocking(move |shared| shared.delete_untaken(&wanted, abandoned)).await.is_err() {
                tokio::spawn(shared.logged(delete_untaken_later(Arc::clone(shared), id, outgoing.abandoned)));
            }
            Err(error)
        }
    }
}

/// Deletes a task as soon as storage accepts it.
async fn delete_untaken_later(shared: Arc<Shared>, id: String, abandoned: Option<Abandoned>) {
    loop {
        let (wanted, abandoned) = (id.clone(), abandoned.clone());
        match shared.blocking(move |shared| shared.delete_untaken(&wanted, abandoned)).await {
            Ok(()) => return,
            Err(error) if shared.open().is_err() => {
                tracing::error!(
                    task = id,
                    code = error.code().as_str(),
                    "a task that no worker took could not be deleted"
                );
                return;
            }
            Err(_) => tokio::time::sleep(RETRY_PAUSE).await,
        }
    }
}

impl Offer {
    fn may_be_at(&self, account: &Account) -> Abandoned {
        Abandoned {
            workspace: account.workspace.clone(),
            key: self.task.id.clone(),
            request: Arc::clone(&self.request),
        }
    }
}

/// Offers the task to one worker after another.
async fn try_workers(shared: &Arc<Shared>, outgoing: &mut Offer, first: Account) -> Result<Settled> {
    let id = outgoing.task.id.clone();
    let mut account = first;
    loop {
        let sent_before = outgoing.abandoned.take().is_some();
        let verdict = offer(shared, outgoing, &account, sent_before).await;
        outgoing.tried.push(account.id.clone());
        let reason = match verdict {
            Verdict::Accepted(remote_id) => {
                outgoing.abandoned = Some(outgoing.may_be_at(&account));
                match accept(shared, outgoing, &account, &remote_id).await {
                    Ok(task) => return Ok(Settled::Task(task)),
                    Err(error) if matches!(error.code(), ErrorCode::RemoteFailed | ErrorCode::ProxyTargetInvalid) => {
                        // The worker returned an id that is in use, or its account was removed. The task that it has with our key
                        // cannot be cancelled there.
                        outgoing.abandoned = None;
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
                outgoing.abandoned = Some(outgoing.may_be_at(&account));
                health::fail(shared, &account, &error).await;
                error
            }
        };
        let workspace = &account.workspace;
        tracing::warn!(task = id, workspace, detail = reason.detail(), "a worker did not take a task");
        let next = if outgoing.tried.len() < MOST_TRIES { next_worker(shared, outgoing).await? } else { None };
        match next {
            Some(next) => account = next,
            None => {
                let wanted = id.clone();
                let task = shared.blocking(move |shared| shared.tasks.status(&wanted)).await?;
                if task.status.is_terminal() {
                    leave_cancelled(shared, outgoing.abandoned.take()).await?;
                    return Ok(Settled::Task(task));
                }
                return Ok(Settled::NotTaken(Untaken { id, abandoned: outgoing.abandoned.take(), reason }));
            }
        }
    }
}

/// Redirects a task to the next worker. Returns `None` if no worker is left or the task was cancelled.
async fn next_worker(shared: &Arc<Shared>, outgoing: &mut Offer) -> Result<Option<Account>> {
    let (id, model) = (outgoing.task.id.clone(), outgoing.task.model.clone());
    let (tried, abandoned) = (outgoing.tried.clone(), outgoing.abandoned.clone());
    let next = shared.blocking(move |shared| {
        let now = shared.clock.now();
        let key = id.clone();
        let choose = move |connection: &rusqlite::Connection| choose(connection, &key, &model, &tried, now);
        shared.tasks.send_elsewhere(&id, shared.leave(abandoned), choose)
    });
    let next = next.await?;
    if next.is_some() {
        outgoing.abandoned = None;
    }
    Ok(next)
}

/// Offers a task to one worker. If the connection breaks, it tries once more, which the idempotency key makes safe. If the task may
/// have been sent before, a refusal counts only if the worker looked up the key first.
async fn offer(shared: &Arc<Shared>, outgoing: &Offer, account: &Account, mut sent_before: bool) -> Verdict {
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
        match submit_to(shared, &target, &outgoing.task.id, &outgoing.request, outgoing.trace.as_ref()).await {
            Ok(Verdict::Refused { error, sure: false, .. }) if sent_before => return Verdict::Unclear(error),
            Ok(verdict) => return verdict,
            Err(NoAnswer::Broken(_)) if tries == 1 => sent_before = true,
            Err(NoAnswer::NotSent(error)) => return unanswered(error, sent_before),
            Err(reason) => return Verdict::Unclear(reason.into()),
        }
    }
}

/// Gives the task the id that it has at its worker. If it was cancelled on its way, returns it as it is here.
async fn accept(shared: &Arc<Shared>, outgoing: &Offer, account: &Account, remote_id: &str) -> Result<Task> {
    let (task, workspace, account_id) = (outgoing.task.clone(), account.workspace.clone(), account.id.clone());
    let (key, id) = (task.id.clone(), remote_id.to_owned());
    let accepted = shared.blocking(move |shared| {
        let place = workspace.clone();
        shared.tasks.accepted(&task, &workspace, &id, move |connection| {
            // The worker now has the task, so an earlier record must not cancel it there.
            leftovers::forget(connection, &place, &key)?;
            store::accepted(connection, &account_id)
        })
    });
    if let Some(task) = accepted.await? {
        shared.metrics.dispatched("accepted");
        return Ok(task);
    }
    leave_cancelled(shared, outgoing.abandoned.clone()).await?;
    let id = outgoing.task.id.clone();
    shared.blocking(move |shared| shared.tasks.status(&id)).await
}

/// Cancels a task at a worker that may have it, after it was cancelled on its way.
async fn leave_cancelled(shared: &Arc<Shared>, abandoned: Option<Abandoned>) -> Result<()> {
    let Some(abandoned) = abandoned else { return Ok(()) };
    let workspace = abandoned.workspace.clone();
    let kept = shared.blocking(move |shared| shared.store.write(shared.leave(Some(abandoned))));
    kept.await?;
    abandoned::cancel_all(shared, &workspace).await;
    Ok(())
}

/// Resumes tasks that were on their way when the platform was closed. Their workers may have them. Their callers know nothing of
/// them, unless they repeat the submission with the same key.
pub(super) async fn resume(shared: Arc<Shared>) {
    let sending = shared.blocking(|shared| {
        let sending = shared.tasks.on_their_way()?;
        let with_account = |sending: Sending| {
            let workspace = sending.task.workspace.clone().unwrap_or_default();
            Ok((shared.store.read(|connection| store::find(connection, &workspace))?, sending))
        };
        sending.into_iter().map(with_account).collect::<Result<Vec<_>>>()
    });
    let sending = match sending.await {
        Ok(sending) => sending,
        Err(error) => {
            tracing::error!(code = error.code().as_str(), "the tasks on their way could not be read");
            return;
        }
    };
    let settling = sending.into_iter().map(|(account, sending)| {
        let shared = &shared;
        async move {
            let model = sending.task.model.clone();
            let id = sending.task.id.clone();
            let settled = match account {
                Some(account) => settle(shared, sending, account, true).await,
                None => {
                    let reason = Error::new(ErrorCode::RemoteFailed, "its workspace was removed");
                    Ok(Settled::NotTaken(Untaken { id: id.clone(), abandoned: None, reason }))
                }
            };
            (id, model, settled)
        }
    });
    let mut settling = settling.collect::<FuturesUnordered<_>>();
    // Handled as each one settles, so that none waits for a slow worker. A task that runs here waits for a place in the queue.
    while let Some((id, model, settled)) = settling.next().await {
        let Untaken { abandoned, reason, .. } = match settled {
            Ok(Settled::Task(_)) => continue,
            Ok(Settled::NotTaken(untaken)) => untaken,
            Err(error) => {
                tracing::warn!(task = id, detail = error.detail(), "a task that was on its way was deleted");
                continue;
            }
        };
        tracing::warn!(task = id, detail = reason.detail(), "no worker took a task that was on its way");
        if shared.tasks.can_run(&model) && take_back(&shared, &id, abandoned.clone()).await.is_ok() {
            continue;
        }
        delete_untaken_later(Arc::clone(&shared), id, abandoned).await;
    }
}
