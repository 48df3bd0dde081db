//! Pictures as server-sent events, as `stream: true` asks for them.
//!
//! Each picture ends in one event that carries it. A failure after the stream has begun is an event too, the last one; OpenAI's
//! clients raise it. A client that goes away cancels what has not ended.

use super::failure::StreamFailure;
use super::images::{ended, format_of, picture, size_of};
use crate::error::{Error, Result};
use crate::http::call::Reply;
use crate::http::face::Shared;
use crate::http::waiting::Waiter;
use axum::response::IntoResponse as _;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::stream;
use serde::Serialize;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

/// What the events of a call are named.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names {
    completed: &'static str,
}

/// The events of `POST /v1/images/generations`.
pub(super) const GENERATION: Names = Names { completed: "image_generation.completed" };

/// The events of `POST /v1/images/edits`.
pub(super) const EDIT: Names = Names { completed: "image_edit.completed" };

/// A picture.
#[derive(Serialize)]
struct Completed {
    #[serde(rename = "type")]
    kind: &'static str,
    b64_json: String,
    background: &'static str,
    /// Seconds since 1970.
    created_at: i64,
    output_format: String,
    quality: &'static str,
    size: String,
    usage: Usage,
}

/// What OpenAI counts, and its clients expect to find. Nothing is counted in tokens here.
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
    /// Tasks whose pictures are still to come, in order.
    left: VecDeque<String>,
    names: Names,
}

/// The stream of the pictures that were submitted.
pub(super) fn reply(shared: Arc<Shared>, waiter: Waiter, names: Names) -> Reply {
    let keep_alive = KeepAlive::new().interval(shared.settings.event_keep_alive);
    let left = waiter.tasks().into();
    let pictures = Pictures { shared, waiter, left, names };
    let events = stream::unfold(Some(pictures), |pictures| async move {
        let mut pictures = pictures?;
        let id = pictures.left.pop_front()?;
        match pictures.next(&id).await {
            Ok(event) => Some((Ok::<_, Infallible>(event), Some(pictures))),
            Err(error) => Some((Ok(failed(&error)), None)),
        }
    });
    let (parts, body) = Sse::new(events).keep_alive(keep_alive).into_response().into_parts();
    Reply { status: parts.status, headers: parts.headers, body, failure: None }
}

impl Pictures {
    async fn next(&mut self, id: &str) -> Result<Event> {
        let outcome = ended(&self.shared.platform, id).await;
        self.waiter.has(id);
        let task = outcome?;
        let completed = Completed {
            kind: self.names.completed,
            b64_json: picture(&self.shared, id).await?,
            background: "opaque",
            created_at: crate::task::Timestamp::now().0 / 1000,
            output_format: format_of(&task),
            quality: "auto",
            size: size_of(&task),
            usage: Usage::default(),
        };
        let data = serde_json::to_string(&completed).map_err(|error| Error::internal(error.to_string()))?;
        Ok(Event::default().event(self.names.completed).data(data))
    }
}

fn failed(error: &Error) -> Event {
    let data = serde_json::to_string(&StreamFailure::from(error)).unwrap_or_default();
    Event::default().event("error").data(data)
}
