//! `POST /v1/images/generations`: pictures of one prompt, in one answer or as a stream; and the parts that edits share with it.

use super::model_or_first;
use super::picture::{PartialsByTask, format_of, picture, size_of, with_result};
use super::request::{Request, ResponseFormat};
use super::stream::{self, Names};
use crate::error::{Error, Result};
use crate::http::call::{Call, Reply};
use crate::http::generation::options;
use crate::http::route::ReplyFuture;
use crate::http::state::Shared;
use crate::http::state::blocking;
use crate::http::waiting::Waiter;
use crate::platform::Platform;
use crate::request::{GenerateRequest, MediaType};
use crate::task::{Partials, SubmitOptions, Task};
use bytes::Bytes;
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;
use tracing::Instrument as _;

/// The pictures that were made.
#[derive(Serialize, JsonSchema)]
pub(in crate::http) struct Images {
    /// Seconds since 1970.
    created: i64,
    background: &'static str,
    output_format: Option<String>,
    /// `WIDTHxHEIGHT` in pixels.
    size: Option<String>,
    data: Vec<Image>,
}

#[derive(Serialize, JsonSchema)]
struct Image {
    #[serde(skip_serializing_if = "Option::is_none")]
    b64_json: Option<String>,
    /// Valid for an hour, for everybody who has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

/// The pictures of one request, which are submitted one by one.
pub(super) struct Batch {
    pub(super) request: Request,
    /// The generation request that they share.
    pub(super) wanted: GenerateRequest,
    pub(super) options: SubmitOptions,
    pub(super) names: Names,
}

pub(in crate::http) fn generate(call: Call) -> ReplyFuture {
    Box::pin(async move {
        let (call, batch) = on_thread(call, |call| {
            call.only(&[])?;
            let request: Request = call.json()?;
            request.check()?;
            let model = model_or_first(call.platform(), request.model.as_deref(), MediaType::Image, None)?;
            let wanted = request.apply(GenerateRequest::new(model, request.prompt.as_str()))?;
            Ok(Batch { request, wanted, options: options(call)?, names: stream::GENERATION })
        })
        .await?;
        answer(call, batch).await
    })
}

/// Runs `work`, which reads the body of the call, on a thread that may block.
pub(super) async fn on_thread<T: Send + 'static>(
    call: Call,
    work: impl FnOnce(&Call) -> Result<T> + Send + 'static,
) -> Result<(Call, T)> {
    let shared = Arc::clone(&call.shared);
    blocking(&shared, move || work(&call).map(|done| (call, done))).await
}

/// Submits the pictures, and answers with them once they are made, or with a stream of them.
pub(super) async fn answer(mut call: Call, batch: Batch) -> Result<Reply> {
    let shared = Arc::clone(&call.shared);
    // The body is freed before the pictures are made.
    call.body = Bytes::new();
    let (streams, names) = (batch.request.streams(), batch.names);
    let as_url = batch.request.response_format == Some(ResponseFormat::Url);
    let keyed = batch.options.idempotency.is_some();
    let submitting = submit(Arc::clone(&shared), batch);
    let (mut waiter, partials) = match keyed {
        // If the client goes away meanwhile, no task is left behind.
        false => submitting.await?,
        // The client may send its key again and then finds its tasks, so the submission is completed in any case.
        true => tokio::spawn(submitting.in_current_span())
            .await
            .unwrap_or_else(|_| Err(Error::internal("a submission panicked")))?,
    };
    if streams {
        return Ok(stream::reply(shared, waiter, partials, names));
    }
    let (mut data, mut last) = (Vec::with_capacity(waiter.tasks().len()), None);
    for id in waiter.tasks() {
        let outcome = ended(&shared.platform, &id).await;
        waiter.done_with(&id);
        last = Some(outcome?);
        data.push(match as_url {
            true => Image { b64_json: None, url: Some(address(&call, &id)?) },
            false => Image { b64_json: Some(picture(&shared, &id).await?), url: None },
        });
    }
    Reply::ok(&Images {
        created: shared.platform.now()?.0 / 1000,
        background: "opaque",
        output_format: last.as_ref().map(format_of),
        size: last.as_ref().map(size_of),
        data,
    })
}

/// Submits the pictures one after another. The waiter that it returns waits for all of them.
async fn submit(shared: Arc<Shared>, batch: Batch) -> Result<(Waiter, PartialsByTask)> {
    let Batch { request, wanted, options, .. } = batch;
    let mut shown = PartialsByTask::new();
    let keyed = options.idempotency.is_some();
    let mut waiter = Waiter::new(&shared.waiting, keyed);
    for index in 0..request.count() {
        let wanted = request.apply_to(&wanted, index);
        let mut options = options.clone();
        if let Some(key) = &mut options.idempotency {
            key.owner.push_str(&format!(" image {index} of {}", request.count()));
        }
        loop {
            // Made here, so that the pictures outlast the task, which may end before its submission is answered.
            let partials = Some(request.partial_images()).filter(|count| *count > 0).map(Partials::new);
            let submitting = shared.platform.submit_async(wanted.clone(), options.clone().partials(partials.clone()));
            // With a key, only a stop of the server ends this future early, and the key finds the task after the next start.
            let submitting = if keyed { submitting } else { submitting.or_cancel() };
            let id = submitting.await?.id;
            if waiter.join(&id) {
                if let Some(own) = partials {
                    // An earlier submission with the same key has its own.
                    let partials = shared.platform.partials(&id)?.unwrap_or(own);
                    shown.insert(id, partials);
                }
                break;
            }
            // The earlier caller of the same request has gone, and its task is being ended: this caller gets a new one.
            let platform = shared.platform.clone();
            blocking(&shared, move || platform.abandon(&id)).await?;
        }
    }
    Ok((waiter, shown))
}

/// Makes an address that opens a result for an hour, without a key.
fn address(call: &Call, id: &str) -> Result<String> {
    let path = format!("/results/{id}");
    let principal = call.principal.as_ref().ok_or_else(|| Error::internal("a call without a principal"))?;
    let signed = call.platform().access()?.sign_link(principal, &path)?;
    Ok(call.base.absolute(&format!("{path}?{signed}")))
}

/// Waits for a task without using a thread, and returns it once it has a result.
///
/// # Errors
/// The reason why it has no result.
async fn ended(platform: &Platform, id: &str) -> Result<Task> {
    let mut events = platform.events(id)?;
    let mut last = None;
    while let Some(task) = events.changed().await? {
        last = Some(task);
    }
    with_result(last)
}
