//! Following a task at its worker until it has ended: what the worker says is shown here, and a cancellation is carried there.

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

/// How soon a worker is asked for the first time; the pauses double up to the one of the settings.
const FIRST_LOOK: Duration = Duration::from_millis(50);

/// Unanswered questions in a row after which an account has failed.
const MOST_SILENCES: u32 = 3;

pub(super) async fn follow(shared: Arc<Shared>, id: String) {
    let Ok(Some((workspace, remote_id))) = split_id(&id) else { return };
    let Some(mut followed) = shared.tasks.follow(&id) else { return };
    let mut pause = FIRST_LOOK.min(shared.settings.poll_interval);
    let (mut heard, mut silences, mut told) = (Instant::now(), 0, false);
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
            // Given up here: once the worker knows there is nothing left to do. One that has been away for long is told when it is back.
            if told || is_gone(&target) || heard.elapsed() >= limit {
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
                (heard, silences) = (Instant::now(), 0);
                let failed = state.status == Status::Failed;
                match says(&shared, &id, followed, state).await {
                    Some(still) => followed = still,
                    None if failed => return worker_knows(&shared, id).await,
                    None => return,
                }
            }
            Err(error) if error.code() == ErrorCode::TaskNotFound || is_gone(&target) => {
                if end(&shared, &id, followed.lost(error.detail())).await {
                    return worker_knows(&shared, id).await;
                }
            }
            Err(error) => {
                silences += 1;
                followed.show_silence();
                if silences == MOST_SILENCES {
                    tracing::warn!(task = id, detail = error.detail(), "nothing is heard of a task on its worker");
                    blame(&shared, workspace, &error).await;
                }
                // A caller who wants it to end need not wait for the worker; it is told when it is back.
                let unwanted = silences >= MOST_SILENCES && followed.cancel_requested();
                if unwanted || heard.elapsed() >= limit {
                    let silent = format!("{}; nothing was heard of it for {} s", error.detail(), limit.as_secs());
                    if end(&shared, &id, followed.lost(&silent)).await && !unwanted {
                        return;
                    }
                }
            }
        }
    }
}

/// Whether there is no such account any more.
fn is_gone(target: &Result<Target>) -> bool {
    matches!(target, Err(error) if error.code() == ErrorCode::ProxyTargetInvalid)
}

/// Takes over what a worker says; none when the task has ended.
async fn says(shared: &Arc<Shared>, id: &str, mut followed: Followed, state: RemoteState) -> Option<Followed> {
    let wanted = id.to_owned();
    let outcome = shared.blocking(move |shared| {
        let goes_on = shared.tasks.remote_says(&wanted, &mut followed, state);
        Ok((goes_on, followed))
    });
    match outcome.await {
        Ok((Ok(true), followed)) => Some(followed),
        Ok((Ok(false), _)) => None,
        // Not written: the worker will say the same when it is asked again.
        Ok((Err(error), followed)) => {
            tracing::error!(task = id, code = error.code().as_str(), "what a worker says could not be written");
            (error.code() != ErrorCode::InvalidState).then_some(followed)
        }
        Err(_) => None,
    }
}

/// Ends a task here; false when that could not be written.
async fn end(shared: &Arc<Shared>, id: &str, error: Error) -> bool {
    let wanted = id.to_owned();
    let ended = shared.blocking(move |shared| shared.tasks.remote_failed(&wanted, &error)).await;
    if let Err(error) = &ended {
        tracing::error!(task = id, code = error.code().as_str(), "the end of a task could not be written");
    }
    ended.is_ok()
}

/// Nobody has to be told of the end of a task: its worker said it, or does not have the task.
async fn worker_knows(shared: &Arc<Shared>, id: String) {
    let noted = shared.blocking(move |shared| shared.store.write(move |connection| leftovers::heard(connection, &id)));
    if let Err(error) = noted.await {
        // It is told for nothing.
        tracing::warn!(code = error.code().as_str(), "that a worker knows of the end of a task could not be noted");
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
