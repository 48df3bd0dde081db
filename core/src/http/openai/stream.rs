//! Pictures as server-sent events, for requests with `stream: true`.
//!
//! Each picture ends with one event that contains it; before that come its partial pictures, if any were requested. A failure after
//! the stream has begun is an event, too, and the last one; OpenAI's clients raise it. When the client goes away, the tasks that have
//! not ended are cancelled, unless another call waits for them. With an idempotency key they are cancelled only after a while.

use super::failure::StreamFailure;
use super::picture::{PartialsByTask, format_of, picture, size_of, with_result};
use crate::error::{Error, Result};
use crate::http::call::Reply;
use crate::http::state::Shared;
use crate::http::waiting::Waiter;
use crate::task::{Partials, Task, TaskEvents};
use crate::time::Timestamp;
use axum::response::IntoResponse as _;
use axum::response::sse::{Event, KeepAlive, Sse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures::stream;
use serde::Serialize;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

/// The names of the events of a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names {
    partial: &'static str,
    completed: &'static str,
}

/// The events of `POST /v1/images/generations`.
pub(super) const GENERATION: Names =
    Names { partial: "image_generation.partial_image", completed: "image_generation.completed" };

/// The events of `POST /v1/images/edits`.
pub(super) const EDIT: Names = Names { partial: "image_edit.partial_image", completed: "image_edit.completed" };

/// A picture, complete or partial.
#[derive(Serialize)]
struct Picture {
    #[serde(rename = "type")]
    kind: &'static str,
    b64_json: String,
    background: &'static str,
    /// Seconds since 1970.
    created_at: i64,
    output_format: String,
    quality: &'static str,
    size: String,
    /// The number of a partial picture, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    partial_image_index: Option<usize>,
    /// Present for a complete picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
}

/// Token counts, which OpenAI's clients expect. All are 0, because nothing is counted in tokens here.
#[derive(Default, Serialize)]
struct Usage {
    input_tokens: u32,
    input_tokens_details: InputTokens,
    output_tokens: u32,
    total_tokens: u32,
}

#[derive(Default, Serialize)]
struct InputTokens {
    image_tokens: u32,
    text_tokens: u32,
}

struct Pictures {
    shared: Arc<Shared>,
    waiter: Waiter,
    /// Tasks whose pictures have not been sent, in order.
    left: VecDeque<String>,
    shown: PartialsByTask,
    /// The task that is followed now.
    following: Option<Following>,
    names: Names,
}

/// The task whose picture is sent next.
struct Following {
    id: String,
    events: TaskEvents,
    partials: Option<Arc<Partials>>,
    /// How many partial pictures were sent.
    sent: usize,
    last: Option<Task>,
}

/// Makes the stream of the submitted pictures.
pub(super) fn reply(shared: Arc<Shared>, waiter: Waiter, shown: PartialsByTask, names: Names) -> Reply {
    let keep_alive = KeepAlive::new().interval(shared.settings.event_keep_alive);
    let left = waiter.tasks().into();
    let pictures = Pictures { shared, waiter, left, shown, following: None, names };
    let events = stream::unfold(Some(pictures), |pictures| async move {
        let mut pictures = pictures?;
        match pictures.next().await {
            Ok(Some(event)) => Some((Ok::<_, Infallible>(event), Some(pictures))),
            Ok(None) => None,
            Err(error) => Some((Ok(failed(&error)), None)),
        }
    });
    let (parts, body) = Sse::new(events).keep_alive(keep_alive).into_response().into_parts();
    Reply { status: parts.status, headers: parts.headers, body, failure: None }
}

impl Pictures {
    /// Returns the next event, or `None` after the last picture.
    async fn next(&mut self) -> Result<Option<Event>> {
        loop {
            let following = match &mut self.following {
                Some(following) => following,
                none => {
                    let Some(id) = self.left.pop_front() else { return Ok(None) };
                    let (partials, events) = (self.shown.remove(&id), self.shared.platform.events(&id)?);
                    none.insert(Following { id, events, partials, sent: 0, last: None })
                }
            };
            let partial = following.partials.as_ref().and_then(|partials| partials.get(following.sent));
            if let (Some(partial), Some(task)) = (partial, &following.last) {
                let picture = BASE64.encode(partial.as_slice());
                let now = self.shared.platform.now()?;
                let event = event(self.names.partial, task, picture, Some(following.sent), now);
                following.sent += 1;
                return event.map(Some);
            }
            if let Some(task) = following.events.changed().await? {
                following.last = Some(task);
                continue;
            }
            let Some(Following { id, last, .. }) = self.following.take() else { return Ok(None) };
            self.waiter.done_with(&id);
            let task = with_result(last)?;
            let whole = picture(&self.shared, &id).await?;
            return event(self.names.completed, &task, whole, None, self.shared.platform.now()?).map(Some);
        }
    }
}

/// Makes the event of a picture; `partial` is the number of a partial picture.
fn event(name: &'static str, task: &Task, b64_json: String, partial: Option<usize>, now: Timestamp) -> Result<Event> {
    let picture = Picture {
        kind: name,
        b64_json,
        background: "opaque",
        created_at: now.0 / 1000,
        output_format: format_of(task),
        quality: "auto",
        size: size_of(task),
        partial_image_index: partial,
        usage: partial.is_none().then(Usage::default),
    };
    let data = serde_json::to_string(&picture).map_err(|error| Error::internal(error.to_string()))?;
    Ok(Event::default().event(name).data(data))
}

fn failed(error: &Error) -> Event {
    let data = serde_json::to_string(&StreamFailure::from(error)).unwrap_or_default();
    Event::default().event("error").data(data)
}
