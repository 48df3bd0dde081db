//! A task as a stream of server-sent events: each state as `/status` shows it, until the task has ended.
//!
//! At the end of a stream a browser's `EventSource` connects again, with the id of the last event that it saw. If that was the
//! task's final event, the answer is 204, which makes the browser stop.

use super::call::{Call, Reply};
use super::state::Stopping;
use super::state::blocking;
use super::views::StatusView;
use crate::error::{Error, Result};
use crate::task::{Task, TaskEvents};
use axum::response::IntoResponse as _;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::future::{BoxFuture, Either, select};
use futures::stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

/// How long a browser waits before it connects again.
const RETRY: std::time::Duration = std::time::Duration::from_secs(2);

/// A header that tells nginx to send the answer without buffering.
const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The header with the id of the last event that a client saw.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

struct Following {
    /// The current state, until it has been sent.
    first: Option<Task>,
    events: TaskEvents,
    stopping: Option<Stopping>,
}

pub(super) fn follow(call: Call) -> BoxFuture<'static, Result<Reply>> {
    Box::pin(async move {
        call.only(&[])?;
        let shared = Arc::clone(&call.shared);
        let (platform, id) = (shared.platform.clone(), call.part("id").to_owned());
        let owner = call.owner().map(str::to_owned);
        let mut events = blocking(&shared, move || {
            platform.admit(&id, owner.as_deref())?;
            platform.events(&id)
        })
        .await?;
        // The first event is the current state, so a client that connects again has missed nothing that still matters.
        let first = events.changed().await?;
        let seen = |task: &Task| task.status.is_terminal() && call.header(LAST_EVENT_ID) == Some(name(task).as_str());
        if first.as_ref().is_some_and(seen) {
            return Ok(Reply::empty());
        }
        let keep_alive = KeepAlive::new().interval(shared.settings.event_keep_alive);
        let following = Following { first, events, stopping: call.stopping };
        let stream = stream::unfold(following, |mut following| async move {
            let event = following.next().await?;
            Some((Ok::<_, Infallible>(event), following))
        });
        let (parts, body) = Sse::new(stream).keep_alive(keep_alive).into_response().into_parts();
        Ok(Reply { status: parts.status, headers: parts.headers, body, failure: None })
    })
}

/// Adds headers to an event stream so that proxies pass on each event at once.
pub(super) fn pass_proxies(headers: &mut HeaderMap) {
    if headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
        headers.insert(UNBUFFERED, HeaderValue::from_static("no"));
    }
}

impl Following {
    async fn next(&mut self) -> Option<Event> {
        if let Some(task) = self.first.take() {
            return event(&task).ok().map(|event| event.retry(RETRY));
        }
        let stop = pin!(async {
            match &mut self.stopping {
                Some(stopping) => stopping.stopped().await,
                None => std::future::pending().await,
            }
        });
        let change = pin!(self.events.changed());
        match select(change, stop).await {
            Either::Left((Ok(Some(task)), _)) => event(&task).ok(),
            // The stream ends with the task, the platform or the server; clients connect again.
            Either::Left(_) | Either::Right(_) => None,
        }
    }
}

/// Returns the event id for this state, which no other state of the task has.
fn name(task: &Task) -> String {
    format!("{}-{}-{}", task.updated_at.0, task.progress, task.status.as_str())
}

fn event(task: &Task) -> Result<Event> {
    let data = serde_json::to_string(&StatusView::from(task)).map_err(|error| Error::internal(error.to_string()))?;
    Ok(Event::default().event("status").id(name(task)).data(data))
}
