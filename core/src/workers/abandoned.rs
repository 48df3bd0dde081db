//! Cancels work at a worker that nobody needs any more, once the worker answers again. There are two kinds: submissions that the
//! worker may have received before it stopped answering and that now run elsewhere, and tasks of the worker that have ended here
//! without its knowledge. To learn a task's id at the worker, the same submission is sent again with the same key.

use super::address::split_id;
use super::client::Target;
use super::leftovers::{forget, forget_given_up, next_abandoned, next_given_up};
use super::protocol::{Verdict, unexpected};
use super::requests::{cancel_there, delete_there, submit_to};
use super::state::Shared;
use crate::error::{Error, Result};
use http::{Method, StatusCode};
use std::sync::Arc;

/// Cancels all work at a worker that nobody needs. If something cannot be cancelled now, the next call tries again.
pub(super) async fn cancel_all(shared: &Arc<Shared>, workspace: &str) {
    cancel_submissions(shared, workspace).await;
    cancel_given_up(shared, workspace).await;
}

async fn cancel_submissions(shared: &Arc<Shared>, workspace: &str) {
    let mut after = String::new();
    loop {
        let (place, last) = (workspace.to_owned(), after.clone());
        let found = shared.blocking(move |shared| {
            let now = shared.clock.now();
            let Some(found) = shared.store.read(|connection| next_abandoned(connection, &place, &last, now))? else {
                return Ok(None);
            };
            Ok(Some((shared.target_of(&place)?, found)))
        });
        let (target, (key, request)) = match found.await {
            Ok(Some(found)) => found,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(workspace, code = error.code().as_str(), "the abandoned submissions could not be read");
                return;
            }
        };
        let known = match submit_to(shared, &target, &key, &request, None).await {
            Ok(Verdict::Accepted(id)) => match cancel_there(shared, &target, &id).await {
                Ok(()) => {
                    // The task may have ended before the request arrived. If it is still being stopped, only its row stays there.
                    let _ = delete_there(shared, &target, &id).await;
                    Ok(())
                }
                Err(error) => Err(error),
            },
            // The worker looked up the key, does not have the task, and does not take it.
            Ok(Verdict::Refused { sure: true, .. }) => Ok(()),
            Ok(Verdict::Refused { error, .. } | Verdict::Unclear(error)) => Err(error),
            Err(reason) => Err(Error::from(reason)),
        };
        if let Err(error) = known {
            tracing::warn!(workspace, detail = error.detail(), "an abandoned submission could not be cancelled");
            return;
        }
        let (place, ended) = (workspace.to_owned(), key.clone());
        let forgotten =
            shared.blocking(move |shared| shared.store.write(move |connection| forget(connection, &place, &ended)));
        if let Err(error) = forgotten.await {
            tracing::warn!(
                workspace,
                code = error.code().as_str(),
                "the record of an abandoned submission could not be deleted"
            );
            return;
        }
        after = key;
    }
}

async fn cancel_given_up(shared: &Arc<Shared>, workspace: &str) {
    let mut after = String::new();
    loop {
        let place = workspace.to_owned();
        let found = shared.blocking(move |shared| {
            let Some(id) = shared.store.read(|connection| next_given_up(connection, &place, &after))? else {
                return Ok(None);
            };
            Ok(Some((shared.target_of(&place)?, id)))
        });
        let (target, id) = match found.await {
            Ok(Some(found)) => found,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(
                    workspace,
                    code = error.code().as_str(),
                    "the tasks to cancel at a worker could not be read"
                );
                return;
            }
        };
        match cancel_and_delete(shared, &target, &id).await {
            Ok(true) => {
                let ended = id.clone();
                let noted = shared
                    .blocking(move |shared| shared.store.write(move |connection| forget_given_up(connection, &ended)));
                if let Err(error) = noted.await {
                    tracing::warn!(
                        workspace,
                        code = error.code().as_str(),
                        "the record of a cancelled task could not be deleted"
                    );
                    return;
                }
            }
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(workspace, detail = error.detail(), "a task could not be cancelled at its worker");
                return;
            }
        }
        after = id;
    }
}

/// Cancels a task at its worker and deletes it there. Returns false if the worker is still stopping it.
async fn cancel_and_delete(shared: &Arc<Shared>, target: &Target, id: &str) -> Result<bool> {
    let Some((_, remote_id)) = split_id(id)? else { return Ok(true) };
    cancel_there(shared, target, remote_id).await?;
    let ask = shared.client.ask(Method::DELETE, format!("/gallery/{remote_id}"));
    let answer = shared.client.send(target, ask).await.map_err(Error::from)?;
    match answer.status {
        StatusCode::CONFLICT => Ok(false),
        status if status.is_server_error() => {
            Err(unexpected(target, &format!("did not delete a task: status {}", status.as_u16())))
        }
        _ => Ok(true),
    }
}
