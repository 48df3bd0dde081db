//! From a submission to the worker that takes it: the least used one, then up to three others, then this platform.

use super::account::Account;
use super::client::{NoAnswer, Target};
use super::protocol::{self, Verdict};
use super::service::{Shared, Workers};
use super::{follow, store};
use crate::audit::{NewEvent, Outcome};
use crate::error::{Error, ErrorCode, Result};
use crate::task::{Draft, GenerateRequest, Prepared, Sending, SubmitOptions, Task};
use http::Method;
use std::sync::Arc;

/// How many workers are tried for one task.
const MOST_TRIES: usize = 4;

/// Where a task that was on its way ended up.
#[expect(clippy::large_enum_variant, reason = "lives for one match")]
enum Outbound {
    /// At a worker, under its id there.
    Accepted(Task),
    /// It was cancelled on its way.
    Cancelled,
    /// No worker took it; the last one's reason.
    Nowhere(Error),
}

impl Workers {
    /// Makes a durable task and hands it to a worker that is ready for it; without one, to a lane here.
    ///
    /// # Errors
    /// As [`Platform::submit`](crate::Platform::submit); `no_workers` when nobody can take it. No task exists then.
    pub(crate) fn submit(&self, request: &GenerateRequest, options: &SubmitOptions) -> Result<Task> {
        let shared = &self.shared;
        if options.local_only || shared.known() == 0 {
            return shared.tasks.submit(request, options);
        }
        let draft = match shared.tasks.prepare(request, options)? {
            Prepared::Known(task) => return Ok(task),
            Prepared::New(draft) => draft,
        };
        let (model, now) = (draft.model().to_owned(), shared.clock.now());
        let first = shared.tasks.send_off(&draft, move |connection| choose(connection, &model, &[], now))?;
        match first {
            Err(known) => Ok(known),
            Ok(None) => self.without_workers(draft),
            Ok(Some((sending, account))) => {
                let can_run_here = draft.can_run_here();
                let background = Arc::clone(shared);
                self.wait(async move { settle(&background, sending, account, can_run_here).await })?
            }
        }
    }

    /// No worker is ready: here, or nowhere.
    fn without_workers(&self, draft: Draft) -> Result<Task> {
        if draft.can_run_here() {
            self.shared.metrics.dispatched("local");
            return self.shared.tasks.run_here(draft);
        }
        self.shared.metrics.dispatched("no_workers");
        Err(Error::new(ErrorCode::NoWorkers, "no worker is ready for the model, and it cannot run here"))
    }
}

fn choose(
    connection: &rusqlite::Connection,
    model: &str,
    tried: &[String],
    now: crate::task::Timestamp,
) -> Result<Option<(String, Account)>> {
    let Some(account) = store::choose(connection, model, tried)? else { return Ok(None) };
    store::used(connection, &account.id, now)?;
    Ok(Some((account.workspace.clone(), account)))
}

/// Sees a task that is on its way to its place.
async fn settle(shared: &Arc<Shared>, sending: Sending, first: Account, can_run_here: bool) -> Result<Task> {
    let id = sending.task.id.clone();
    match hand_over(shared, sending, first).await? {
        Outbound::Accepted(task) => {
            tokio::spawn(shared.logged(follow::follow(Arc::clone(shared), task.id.clone())));
            Ok(task)
        }
        Outbound::Cancelled => shared.blocking(move |shared| shared.tasks.status(&id)).await,
        Outbound::Nowhere(reason) if can_run_here => {
            tracing::warn!(task = id, detail = reason.detail(), "no worker took a task; it runs here");
            shared.metrics.dispatched("local");
            let taken = shared.blocking(move |shared| match shared.tasks.take_back(&id) {
                Ok(Some(task)) => Ok(task),
                Ok(None) => shared.tasks.status(&id),
                Err(error) => shared.tasks.forget(&id).and(Err(error)),
            });
            taken.await
        }
        Outbound::Nowhere(reason) => {
            shared.metrics.dispatched("no_workers");
            shared.blocking(move |shared| shared.tasks.forget(&id)).await?;
            Err(Error::new(ErrorCode::NoWorkers, format!("no worker took the task: {}", reason.detail())))
        }
    }
}

/// Tries one worker after another.
async fn hand_over(shared: &Arc<Shared>, sending: Sending, first: Account) -> Result<Outbound> {
    let request = protocol::submission(&sending.task, &sending.inputs)?;
    let task = sending.task;
    let mut tried: Vec<String> = Vec::new();
    let mut account = first;
    loop {
        let verdict = offer(shared, &account, &task.id, &request).await;
        tried.push(account.id.clone());
        let reason = match verdict {
            Verdict::Accepted(remote_id) => match accept(shared, &task, &account, remote_id, &request).await {
                Ok(outbound) => return Ok(outbound),
                // It gave an id that is taken: what it has under our key is not to be found any more.
                Err(error) if error.code() == ErrorCode::RemoteFailed => {
                    fail(shared, &account, &error).await;
                    error
                }
                Err(error) => return Err(error),
            },
            Verdict::Refused(error, blamed) => {
                shared.metrics.dispatched("refused");
                if blamed {
                    fail(shared, &account, &error).await;
                }
                error
            }
            Verdict::Unclear(error) => {
                shared.metrics.dispatched("unclear");
                abandon(shared, &account.workspace, &task.id, &request).await?;
                fail(shared, &account, &error).await;
                error
            }
        };
        tracing::warn!(
            task = task.id,
            workspace = account.workspace,
            detail = reason.detail(),
            "a worker did not take a task"
        );
        if tried.len() >= MOST_TRIES {
            return Ok(Outbound::Nowhere(reason));
        }
        let (id, model, already) = (task.id.clone(), task.model.clone(), tried.clone());
        let next = shared.blocking(move |shared| {
            let now = shared.clock.now();
            shared.tasks.send_elsewhere(&id, move |connection| choose(connection, &model, &already, now))
        });
        match next.await? {
            Some(next) => account = next,
            None => {
                let id = task.id.clone();
                let ended = shared.blocking(move |shared| Ok(shared.tasks.status(&id)?.status.is_terminal())).await?;
                return Ok(if ended { Outbound::Cancelled } else { Outbound::Nowhere(reason) });
            }
        }
    }
}

/// Offers a task to one worker; once more when the connection broke, which its key makes safe.
async fn offer(shared: &Arc<Shared>, account: &Account, key: &str, request: &[u8]) -> Verdict {
    let wanted = account.clone();
    let target = match shared.blocking(move |shared| shared.target(&wanted)).await {
        Ok(target) => target,
        Err(error) => return Verdict::Refused(error, true),
    };
    let mut broken = false;
    loop {
        match submit_to(shared, &target, key, request).await {
            Ok(verdict) => return verdict,
            Err(NoAnswer::Broken(_)) if !broken => broken = true,
            // A first try that broke may have arrived.
            Err(NoAnswer::NotSent(error)) if !broken => return Verdict::Refused(error, true),
            Err(reason) => return Verdict::Unclear(reason.into()),
        }
    }
}

async fn submit_to(shared: &Arc<Shared>, target: &Target, key: &str, request: &[u8]) -> Result<Verdict, NoAnswer> {
    let mut ask = shared.client.ask(Method::POST, "/generate_direct");
    ask.idempotency_key = Some(key);
    ask.body = Some(request.to_vec());
    let answer = shared.client.send(target, ask).await?;
    Ok(protocol::verdict(target, &answer))
}

/// Gives the task the id that it has at its worker.
async fn accept(
    shared: &Arc<Shared>,
    task: &Task,
    account: &Account,
    remote_id: String,
    request: &[u8],
) -> Result<Outbound> {
    let (task, workspace, account_id) = (task.clone(), account.workspace.clone(), account.id.clone());
    let key = task.id.clone();
    let place = workspace.clone();
    let accepted = shared.blocking(move |shared| {
        shared.tasks.accepted(&task, &place, &remote_id, move |connection| store::accepted(connection, &account_id))
    });
    match accepted.await? {
        Some(task) => {
            shared.metrics.dispatched("accepted");
            Ok(Outbound::Accepted(task))
        }
        None => {
            abandon(shared, &workspace, &key, request).await?;
            end_abandoned(shared, &workspace).await;
            Ok(Outbound::Cancelled)
        }
    }
}

/// A worker failed a task on its way.
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

async fn abandon(shared: &Arc<Shared>, workspace: &str, key: &str, request: &[u8]) -> Result<()> {
    let (workspace, key, request) = (workspace.to_owned(), key.to_owned(), request.to_vec());
    shared
        .blocking(move |shared| {
            let now = shared.clock.now();
            shared.store.write(move |connection| store::abandon(connection, &workspace, &key, &request, now))
        })
        .await
}

/// Ends, at a worker that is back, what it may have taken before it fell silent: the same submission again tells its id there.
pub(super) async fn end_abandoned(shared: &Arc<Shared>, workspace: &str) {
    let place = workspace.to_owned();
    let left = shared.blocking(move |shared| {
        let left = shared.store.read(|connection| store::abandoned(connection, &place))?;
        Ok((shared.target_of(&place)?, left))
    });
    let (target, left) = match left.await {
        Ok(found) => found,
        Err(error) => {
            tracing::warn!(workspace, code = error.code().as_str(), "abandoned tasks could not be looked for");
            return;
        }
    };
    for (key, request) in left {
        let known = match submit_to(shared, &target, &key, &request).await {
            Ok(Verdict::Accepted(id)) => follow::cancel_there(shared, &target, &id).await,
            // It does not have it, and does not want it.
            Ok(Verdict::Refused(..)) => Ok(()),
            Ok(Verdict::Unclear(error)) => Err(error),
            Err(reason) => Err(reason.into()),
        };
        match known {
            Ok(()) => {
                let place = workspace.to_owned();
                let forgotten = shared.blocking(move |shared| {
                    shared.store.write(move |connection| store::forget_abandoned(connection, &place, &key))
                });
                if let Err(error) = forgotten.await {
                    tracing::warn!(workspace, code = error.code().as_str(), "an abandoned task could not be forgotten");
                }
            }
            Err(error) => {
                tracing::warn!(workspace, detail = error.detail(), "an abandoned task could not be ended");
                return;
            }
        }
    }
}

/// Goes on with tasks that an end of the platform left on their way: their callers were never told of them, unless they ask again
/// with the same key.
pub(super) async fn take_up(shared: Arc<Shared>) {
    let left = shared.blocking(|shared| {
        let left = shared.tasks.on_their_way()?;
        let with_account = |sending: Sending| {
            let workspace = sending.task.workspace.clone().unwrap_or_default();
            Ok((shared.store.read(|connection| store::get(connection, &workspace))?, sending))
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
    for (account, sending) in left {
        let id = sending.task.id.clone();
        let can_run_here = shared.tasks.can_run(&sending.task.model);
        let outcome = match account {
            Some(account) => settle(&shared, sending, account, can_run_here).await.map(drop),
            None if can_run_here => {
                let id = id.clone();
                shared.blocking(move |shared| shared.tasks.take_back(&id).map(drop)).await
            }
            None => Err(Error::new(ErrorCode::NoWorkers, "its workspace is gone")),
        };
        if let Err(error) = outcome {
            tracing::warn!(task = id, detail = error.detail(), "a task that was on its way could not be handed over");
            let _ = shared.blocking(move |shared| shared.tasks.forget(&id)).await;
        }
    }
}
