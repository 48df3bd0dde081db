//! Follows a task at its worker until it has ended: publishes the worker's reports here and sends a cancellation to the worker.

use super::address::split_id;
use super::client::Target;
use super::protocol;
use super::requests::cancel_there;
use super::state::Shared;
use super::{health, leftovers, store};
use crate::error::{Error, ErrorCode, Result};
use crate::task::{Followed, RemoteState, Status};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The first pause before a worker is asked. The pauses double until they reach the setting `poll_interval`.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Number of unanswered requests in a row after which the account is marked as failed.
const MOST_UNANSWERED: u32 = 3;

pub(super) async fn follow(shared: Arc<Shared>, id: String) {
    let Ok(Some((workspace, remote_id))) = split_id(&id) else { return };
    let Some(mut followed) = shared.tasks.follow(&id) else { return };
    let mut pause = FIRST_PAUSE.min(shared.settings.poll_interval);
    let (mut last_answer, mut unanswered, mut told) = (Instant::now(), 0, false);
    let limit = shared.tasks.silence_limit(&id);
    loop {
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(shared.settings.poll_interval);
        let place = workspace.to_owned();
        let target = shared.blocking(move |shared| shared.target_of(&place)).await;
        let ended = followed.has_ended();
        if let Ok(target) = &target
            && (ended || followed.cancel_requested())
            && !told
        {
            told = cancel_there(&shared, target, remote_id).await.is_ok();
        }
        if ended {
            // The task has ended here. Nothing is left to do once the worker was told. A worker that is away for too long is told when
            // it answers again.
            if told || is_gone(&target) || last_answer.elapsed() >= limit {
                return;
            }
            continue;
        }
        let answer = match &target {
            Ok(target) => ask(&shared, target, remote_id).await,
            Err(error) => Err(error.clone()),
        };
        match answer {
            Ok(state) => {
                (last_answer, unanswered) = (Instant::now(), 0);
                let failed = state.status == Status::Failed;
                match apply_report(&shared, &id, followed, state).await {
                    Some(still) => followed = still,
                    None if failed => return forget_given_up(&shared, id).await,
                    None => return,
                }
            }
            Err(error) if error.code() == ErrorCode::TaskNotFound || is_gone(&target) => {
                if end(&shared, &id, followed.lost(error.detail())).await {
                    return forget_given_up(&shared, id).await;
                }
            }
            Err(error) => {
                unanswered += 1;
                followed.show_silence();
                if unanswered == MOST_UNANSWERED {
                    tracing::warn!(task = id, detail = error.detail(), "the worker of a task does not answer");
                    blame(&shared, workspace, &error).await;
                }
                // A caller who cancelled the task need not wait for the worker, which is told when it answers again.
                let unwanted = unanswered >= MOST_UNANSWERED && followed.cancel_requested();
                if unwanted || last_answer.elapsed() >= limit {
                    let silent = format!("{}; it has not answered for {} s", error.detail(), limit.as_secs());
                    if end(&shared, &id, followed.lost(&silent)).await && !unwanted {
                        return;
                    }
                }
            }
        }
    }
}

/// Whether the account no longer exists.
fn is_gone(target: &Result<Target>) -> bool {
    matches!(target, Err(error) if error.code() == ErrorCode::ProxyTargetInvalid)
}

/// Stores and publishes a worker's report. Returns `None` if the task has ended.
async fn apply_report(shared: &Arc<Shared>, id: &str, mut followed: Followed, state: RemoteState) -> Option<Followed> {
    let wanted = id.to_owned();
    let outcome = shared.blocking(move |shared| {
        let goes_on = shared.tasks.update_remote(&wanted, &mut followed, state);
        Ok((goes_on, followed))
    });
    match outcome.await {
        Ok((Ok(true), followed)) => Some(followed),
        Ok((Ok(false), _)) => None,
        // The report was not written. The worker will repeat it when it is asked again.
        Ok((Err(error), followed)) => {
            tracing::error!(task = id, code = error.code().as_str(), "the report of a worker could not be written");
            (error.code() != ErrorCode::InvalidState).then_some(followed)
        }
        Err(_) => None,
    }
}

/// Fails a task here. Returns false if that could not be written.
async fn end(shared: &Arc<Shared>, id: &str, error: Error) -> bool {
    let wanted = id.to_owned();
    let ended = shared.blocking(move |shared| shared.tasks.remote_failed(&wanted, &error)).await;
    if let Err(error) = &ended {
        tracing::error!(task = id, code = error.code().as_str(), "the end of a task could not be written");
    }
    ended.is_ok()
}

/// Deletes the record that a worker must be told of a task's end. The worker reported the end itself, or does not have the task.
async fn forget_given_up(shared: &Arc<Shared>, id: String) {
    let noted = shared
        .blocking(move |shared| shared.store.write(move |connection| leftovers::forget_given_up(connection, &id)));
    if let Err(error) = noted.await {
        // The worker will then be told although it knows, which does no harm.
        tracing::warn!(code = error.code().as_str(), "the record of an ended task at a worker could not be deleted");
    }
}

async fn ask(shared: &Arc<Shared>, target: &Target, remote_id: &str) -> Result<RemoteState> {
    let answer = shared.client.send(target, shared.client.get(format!("/status/{remote_id}"))).await;
    protocol::state(target, &answer.map_err(Error::from)?)
}

async fn blame(shared: &Arc<Shared>, workspace: &str, error: &Error) {
    let place = workspace.to_owned();
    if let Ok(Some(account)) = shared.blocking(move |shared| shared.store.read(|db| store::find(db, &place))).await {
        health::fail(shared, &account, error).await;
    }
}
