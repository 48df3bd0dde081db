//! Models, submissions, states of tasks, the gallery.

use super::call::{Call, Reply, at_least_one, choice};
use super::route::ReplyFuture;
use super::state::SMALL_BODY;
use super::views::{Cancelling, Deleted, GalleryPage, Health, Models, StatusView, Submitted};
use crate::error::{Error, Result};
use crate::request::{GenerateRequest, MediaType};
use crate::task::{Sort, Status, SubmitOptions, TaskQuery, TraceParent};
use http::StatusCode;

pub(super) fn health(call: &Call) -> Result<Reply> {
    call.platform().http_settings()?;
    Reply::ok(&Health { ok: true, status: "ok", version: env!("CARGO_PKG_VERSION"), app: "must" })
}

pub(super) fn models(call: &Call) -> Result<Reply> {
    call.only(&[])?;
    Reply::ok(&Models { models: call.platform().models()? })
}

pub(super) fn generate(call: Call) -> ReplyFuture {
    Box::pin(submit(call, |options| options))
}

pub(super) fn generate_direct(call: Call) -> ReplyFuture {
    Box::pin(submit(call, SubmitOptions::local_only))
}

async fn submit(call: Call, adjust: fn(SubmitOptions) -> SubmitOptions) -> Result<Reply> {
    let platform = call.platform().clone();
    let wanted = move |call: &Call| Ok((request(call)?, adjust(options(call)?)));
    let submission = if call.body.len() as u64 <= SMALL_BODY {
        let (request, options) = wanted(&call)?;
        drop(call);
        platform.submit_async(request, options)
    } else {
        platform.make_and_submit(move |_| wanted(&call))
    };
    let task = submission.await?;
    submitted(task.id, task.status)
}

fn request(call: &Call) -> Result<GenerateRequest> {
    call.only(&[])?;
    GenerateRequest::from_json(call.json_text()?)
}

fn submitted(task_id: String, status: Status) -> Result<Reply> {
    Reply::json(StatusCode::ACCEPTED, &Submitted { task_id, status })
}

/// Reads the options of a submission: the caller's own idempotency key, the trace, and the owner of the task.
pub(super) fn options(call: &Call) -> Result<SubmitOptions> {
    let mut options = SubmitOptions::default().trace_parent(call.header("traceparent").and_then(TraceParent::parse));
    options.owner = call.owner().map(str::to_owned);
    let mut keys = call.headers.get_all("idempotency-key").iter();
    let (Some(key), None) = (keys.next(), keys.next()) else {
        return match call.headers.contains_key("idempotency-key") {
            true => Err(Error::validation("Idempotency-Key is given twice")),
            false => Ok(options),
        };
    };
    // A person who signs in again sends the same key from another session.
    let of_caller = || call.principal.as_ref().map(crate::access::Principal::actor).unwrap_or_default();
    let owner = options.owner.clone().unwrap_or_else(of_caller);
    Ok(options.idempotency(owner, String::from_utf8_lossy(key.as_bytes())))
}

pub(super) fn status(call: &Call) -> Result<Reply> {
    call.only(&[])?;
    call.admit(call.part("id"))?;
    call.platform().look(call.part("id"), |task| Reply::ok(&StatusView::from(task)))?
}

pub(super) fn cancel(call: &Call) -> Result<Reply> {
    call.only(&[])?;
    let id = call.part("id");
    call.admit(id)?;
    cancelling(id, call.platform().cancel(id)?)
}

/// Answers a request to cancel a task. `accepted` is false when the task had already ended.
pub(super) fn cancelling(id: &str, accepted: bool) -> Result<Reply> {
    if !accepted {
        return Err(Error::invalid_state(
            "the task has already ended",
            "Read the task's status: its result may be ready.",
        ));
    }
    Reply::json(StatusCode::ACCEPTED, &Cancelling { task_id: id.to_owned(), status: "cancelling" })
}

pub(super) fn gallery(call: &Call) -> Result<Reply> {
    call.only(LISTING)?;
    let query = TaskQuery { owner: call.owner().map(str::to_owned), ..listing(call)? };
    Reply::ok(&GalleryPage::from(call.platform().gallery(&query)?))
}

/// The query parameters of a listing.
pub(super) const LISTING: &[&str] = &["page", "per_page", "sort", "model", "type"];

/// Reads from the query which tasks to list.
pub(super) fn listing(call: &Call) -> Result<TaskQuery> {
    Ok(TaskQuery {
        page: at_least_one("page", call.number("page")?)?,
        per_page: at_least_one("per_page", call.number("per_page")?)?,
        sort: choice(call, "sort", &[("newest", Sort::Newest), ("oldest", Sort::Oldest)])?.unwrap_or_default(),
        model: call.query("model")?.map(str::to_owned),
        media_type: choice(call, "type", &[("image", MediaType::Image), ("video", MediaType::Video)])?,
        ..TaskQuery::default()
    })
}

pub(super) fn delete(call: &Call) -> Result<Reply> {
    call.only(&[])?;
    let id = call.part("id");
    call.delete_task(id)?;
    Reply::ok(&Deleted { deleted: true, id: id.to_owned() })
}
