//! Requests that change something at a worker.

use super::client::{NoAnswer, Target};
use super::protocol::{self, Verdict, unexpected};
use super::state::Shared;
use crate::error::{Error, ErrorCode, Result};
use crate::task::TraceParent;
use http::{Method, StatusCode};

/// Submits a task to a worker with an idempotency key.
pub(super) async fn submit_to(
    shared: &Shared,
    target: &Target,
    key: &str,
    request: &[u8],
    trace: Option<&TraceParent>,
) -> Result<Verdict, NoAnswer> {
    let mut ask = shared.client.ask(Method::POST, "/generate_direct");
    ask.idempotency_key = Some(key);
    ask.body = Some(request.to_vec());
    ask.trace = trace.map(TraceParent::to_string);
    let answer = shared.client.send(target, ask).await?;
    Ok(protocol::verdict(target, &answer))
}

/// Cancels a task at a worker. Succeeds too if the task has ended or the worker does not have it.
pub(super) async fn cancel_there(shared: &Shared, target: &Target, remote_id: &str) -> Result<()> {
    let ask = shared.client.ask(Method::POST, format!("/tasks/{remote_id}/cancel"));
    let answer = shared.client.send(target, ask).await.map_err(Error::from)?;
    match answer.status {
        StatusCode::ACCEPTED | StatusCode::OK | StatusCode::NOT_FOUND | StatusCode::CONFLICT => Ok(()),
        status => Err(unexpected(target, &format!("did not cancel a task: status {}", status.as_u16()))),
    }
}

/// Deletes an ended task at a worker. Succeeds too if the worker does not have it.
pub(super) async fn delete_there(shared: &Shared, target: &Target, remote_id: &str) -> Result<()> {
    let ask = shared.client.ask(Method::DELETE, format!("/gallery/{remote_id}"));
    let answer = shared.client.send(target, ask).await.map_err(Error::from)?;
    match answer.status {
        StatusCode::OK | StatusCode::NO_CONTENT => Ok(()),
        StatusCode::NOT_FOUND if answer.code() == Some(ErrorCode::TaskNotFound) => Ok(()),
        status => Err(unexpected(target, &format!("did not delete a task: status {}", status.as_u16()))),
    }
}
