//! A task as a stream of server-sent events: each state as `/status` shows it, until the task has ended.

use super::call::{Call, Reply};
use super::dispatch::blocking;
use super::face::Stopping;
use super::views::StatusView;
use crate::error::{Error, Result};
use crate::task::{Task, TaskEvents};
use axum::response::IntoResponse as _;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::future::{BoxFuture, Either, select};
use futures_util::stream;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

/// How long a browser waits before it connects again.
const RETRY: std::time::Duration = std::time::Duration::from_secs(2);

struct Following {
    events: TaskEvents,
    stopping: Option<Stopping>,
    first: bool,
}

pub(super) fn follow(call: Call) -> BoxFuture<'static, Result<Reply>> {
    Box::pin(async move {
        call.only(&[])?;
        let shared = Arc::clone(&call.shared);
        let stopping = call.stopping.clone();
        let events = blocking(&shared, move || {
            let id = call.part("id");
            call.admit(id)?;
            call.platform().events(id)
        });
        let following = Following { events: events.await?, stopping, first: true };
        let keep_alive = KeepAlive::new().interval(shared.settings.event_keep_alive);
        // The first event is the present state: a client that connects again has missed nothing that still matters.
        let stream = stream::unfold(following, |mut following| async move {
            let event = following.next().await?;
            Some((Ok::<_, Infallible>(event), following))
        });
        let (parts, body) = Sse::new(stream).keep_alive(keep_alive).into_response().into_parts();
        Ok(Reply { status: parts.status, headers: parts.headers, body })
    })
}

impl Following {
    async fn next(&mut self) -> Option<Event> {
        let stop = pin!(async {
            match &mut self.stopping {
                Some(stopping) => stopping.stopped().await,
                None => std::future::pending().await,
            }
        });
        let change = pin!(self.events.changed());
        let task = match select(change, stop).await {
            Either::Left((Ok(Some(task)), _)) => task,
            // The end of the task, of the platform or of the server ends the stream; clients connect again.
            Either::Left(_) | Either::Right(_) => return None,
        };
        let event = event(task).ok()?;
        Some(if std::mem::take(&mut self.first) { event.retry(RETRY) } else { event })
    }
}

fn event(task: Task) -> Result<Event> {
    let id = format!("{}-{}", task.updated_at.0, task.progress);
    let data = serde_json::to_string(&StatusView::from(&task)).map_err(|error| Error::internal(error.to_string()))?;
    Ok(Event::default().event("status").id(id).data(data))
}
