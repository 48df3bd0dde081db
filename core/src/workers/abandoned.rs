//! Ends what a worker may be doing for nothing, once it is back: submissions that it may or may not have taken before it fell silent,
//! and that another place took over since; and tasks that it took, and that ended here without its knowing. The same submission
//! again tells the id that it has there.

use super::address::split_id;
use super::client::Target;
use super::leftovers::{forget, heard, next, next_given_up};
use super::protocol::{Verdict, unexpected};
use super::requests::{cancel_there, delete_there, submit_to};
use super::state::Shared;
use crate::error::{Error, Result};
use http::{Method, StatusCode};
use std::sync::Arc;

/// Ends, at a worker that is back, what it may be doing for nothing. What cannot be ended now stays for the next time.
pub(super) async fn end_all(shared: &Arc<Shared>, workspace: &str) {
    end_submissions(shared, workspace).await;
    end_given_up(shared, workspace).await;
}

async fn end_submissions(shared: &Arc<Shared>, workspace: &str) {
    let mut after = String::new();
    loop {
        let (place, last) = (workspace.to_owned(), after.clone());
        let found = shared.blocking(move |shared| {
            let now = shared.clock.now();
            let Some(found) = shared.store.read(|connection| next(connection, &place, &last, now))? else {
                return Ok(None);
            };
            Ok(Some((shared.target_of(&place)?, found)))
        });
        let (target, (key, request)) = match found.await {
            Ok(Some(found)) => found,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(workspace, code = error.code().as_str(), "abandoned tasks could not be looked for");
                return;
            }
        };
        let known = match submit_to(shared, &target, &key, &request, None).await {
            Ok(Verdict::Accepted(id)) => match cancel_there(shared, &target, &id).await {
                Ok(()) => {
                    // It may have been faster. One that is only now being stopped leaves a row there, and nothing else.
                    let _ = delete_there(shared, &target, &id).await;
                    Ok(())
                }
                Err(error) => Err(error),
            },
            // It looked for the key, does not have it, and does not want it.
            Ok(Verdict::Refused { sure: true, .. }) => Ok(()),
            Ok(Verdict::Refused { error, .. } | Verdict::Unclear(error)) => Err(error),
            Err(reason) => Err(Error::from(reason)),
        };
        if let Err(error) = known {
            tracing::warn!(workspace, detail = error.detail(), "an abandoned task could not be ended");
            return;
        }
        let (place, ended) = (workspace.to_owned(), key.clone());
        let forgotten =
            shared.blocking(move |shared| shared.store.write(move |connection| forget(connection, &place, &ended)));
        if let Err(error) = forgotten.await {
            tracing::warn!(workspace, code = error.code().as_str(), "an abandoned task could not be forgotten");
            return;
        }
        after = key;
    }
}

async fn end_given_up(shared: &Arc<Shared>, workspace: &str) {
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
                    "tasks that were given up could not be looked for"
                );
                return;
            }
        };
        match end_there(shared, &target, &id).await {
            Ok(true) => {
                let ended = id.clone();
                let noted =
                    shared.blocking(move |shared| shared.store.write(move |connection| heard(connection, &ended)));
                if let Err(error) = noted.await {
                    tracing::warn!(workspace, code = error.code().as_str(), "the end of a task could not be noted");
                    return;
                }
            }
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(workspace, detail = error.detail(), "a task that was given up could not be ended");
                return;
            }
        }
        after = id;
    }
}

/// Ends a task at its worker and removes what it has of it; false while it is only being stopped there.
async fn end_there(shared: &Arc<Shared>, target: &Target, id: &str) -> Result<bool> {
    let Some((_, remote_id)) = split_id(id)? else { return Ok(true) };
    cancel_there(shared, target, remote_id).await?;
    let ask = shared.client.ask(Method::DELETE, format!("/gallery/{remote_id}"));
    let answer = shared.client.send(target, ask).await.map_err(Error::from)?;
    match answer.status {
        StatusCode::CONFLICT => Ok(false),
        status if status.is_server_error() => {
            Err(unexpected(target, &format!("does not delete a task: status {}", status.as_u16())))
        }
        _ => Ok(true),
    }
}
