//! Requests to a worker that change something there.

use super::client::{NoAnswer, Target};
use super::protocol::{self, Verdict, unexpected};
use super::state::Shared;
use crate::error::{Error, ErrorCode, Result};
use crate::task::TraceParent;
use http::{Method, StatusCode};

/// Submits a task to a worker under its key.
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

/// Asks a worker to end a task; one that it does not have, or that has ended, is what was wanted.
pub(super) async fn cancel_there(shared: &Shared, target: &Target, remote_id: &str) -> Result<()> {
    let ask = shared.client.ask(Method::POST, format!("/tasks/{remote_id}/cancel"));
    let answer = shared.client.send(target, ask).await.map_err(Error::from)?;
    match answer.status {
        StatusCode::ACCEPTED | StatusCode::OK | StatusCode::NOT_FOUND | StatusCode::CONFLICT => Ok(()),
        status => Err(unexpected(target, &format!("does not end a task: status {}", status.as_u16()))),
    }
}

/// Asks a worker to remove an ended task; one that it does not have is what was wanted.
pub(super) async fn delete_there(shared: &Shared, target: &Target, remote_id: &str) -> Result<()> {
    let ask = shared.client.ask(Method::DELETE, format!("/gallery/{remote_id}"));
    let answer = shared.client.send(target, ask).await.map_err(Error::from)?;
    match answer.status {
        StatusCode::OK | StatusCode::NO_CONTENT => Ok(()),
        StatusCode::NOT_FOUND if answer.code() == Some(ErrorCode::TaskNotFound) => Ok(()),
        status => Err(unexpected(target, &format!("does not delete a task: status {}", status.as_u16()))),
    }
}
