//! `POST /v1/images/generations`: some pictures of one prompt, in one answer.

use super::{model_or_first, set_size};
use crate::error::{Error, ErrorCode, Result};
use crate::http::call::{Call, Reply, whole};
use crate::http::dispatch::blocking;
use crate::http::generation::options;
use crate::http::waiting::Waiter;
use crate::platform::Platform;
use crate::task::{GenerateRequest, MediaType, Task};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Most pictures of one request.
const MOST: u32 = 10;

/// What OpenAI's clients send. What has no meaning for the models here is accepted and changes nothing.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "ImageRequest")]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Request {
    #[schemars(length(min = 1, max = 2000), regex(pattern = r"\S"))]
    prompt: String,
    #[serde(default)]
    model: Option<String>,
    #[serde(default, deserialize_with = "whole")]
    #[schemars(range(min = 1, max = 10))]
    n: Option<u32>,
    /// `auto`, or `WIDTHxHEIGHT` in pixels.
    #[serde(default)]
    #[schemars(regex(pattern = r"^(auto|[1-9][0-9]{0,4}x[1-9][0-9]{0,4})$"))]
    size: Option<String>,
    #[serde(default)]
    response_format: Option<ResponseFormat>,
    #[serde(default)]
    output_format: Option<Format>,
    /// Not OpenAI's: the first picture's seed; each further one has the next.
    #[serde(default, deserialize_with = "whole")]
    #[schemars(range(min = -1, max = 2_147_483_637))]
    seed: Option<i64>,
    /// Not OpenAI's: what to avoid.
    #[serde(default)]
    #[schemars(length(max = 1000))]
    negative_prompt: Option<String>,
    #[serde(default, rename = "quality")]
    _quality: Option<String>,
    #[serde(default, rename = "style")]
    _style: Option<String>,
    #[serde(default, rename = "user")]
    _user: Option<String>,
    #[serde(default, rename = "background")]
    _background: Option<String>,
    #[serde(default, rename = "moderation")]
    _moderation: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ResponseFormat {
    B64Json,
    Url,
}

#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Format {
    Png,
    Jpeg,
}

/// The pictures.
#[derive(Serialize, JsonSchema)]
pub(in crate::http) struct Images {
    /// Seconds since 1970.
    created: i64,
    data: Vec<Image>,
}

#[derive(Serialize, JsonSchema)]
struct Image {
    #[serde(skip_serializing_if = "Option::is_none")]
    b64_json: Option<String>,
    /// Relative to the platform; asks for the same key.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

pub(in crate::http) fn generate(call: Call) -> BoxFuture<'static, Result<Reply>> {
    Box::pin(async move {
        let shared = Arc::clone(&call.shared);
        let _permit = shared.slow.acquire().await.map_err(|_| Error::internal("the face is closing"))?;
        let (mut waiter, format) = blocking(&shared, move || submit(&call)).await?;
        let mut data = Vec::with_capacity(waiter.tasks().len());
        for id in waiter.tasks() {
            let task = ended(&shared.platform, &id).await?;
            waiter.has(&id);
            if let Some(error) = task.error {
                let code = ErrorCode::from_name(&error.code).unwrap_or(ErrorCode::Internal);
                return Err(Error::new(code, error.detail));
            }
            let image = match format {
                ResponseFormat::Url => Image { b64_json: None, url: Some(format!("/results/{id}")) },
                ResponseFormat::B64Json => {
                    let (platform, id) = (shared.platform.clone(), id.clone());
                    let media = blocking(&shared, move || platform.result(&id)).await?;
                    Image { b64_json: Some(BASE64.encode(&media.bytes)), url: None }
                }
            };
            data.push(image);
        }
        Reply::ok(&Images { created: crate::task::Timestamp::now().0 / 1000, data })
    })
}

fn submit(call: &Call) -> Result<(Waiter, ResponseFormat)> {
    call.only(&[])?;
    let request: Request = call.json()?;
    let count = request.n.unwrap_or(1);
    if !(1..=MOST).contains(&count) {
        return Err(Error::validation(format!("n must be from 1 to {MOST}")));
    }
    let platform = call.platform();
    let model = model_or_first(platform, request.model.as_deref(), MediaType::Image)?;
    let mut wanted = set_size(GenerateRequest::new(model, request.prompt), request.size.as_deref())?;
    if let Some(format) = request.output_format {
        wanted = wanted.set("output_format", if matches!(format, Format::Jpeg) { "jpeg" } else { "png" });
    }
    if let Some(negative) = request.negative_prompt {
        wanted = wanted.set("negative_prompt", negative);
    }
    let mut waiter = Waiter::new(&call.shared, options(call)?.idempotency.is_some());
    for index in 0..count {
        let one = match request.seed {
            Some(seed) if seed >= 0 => wanted.clone().set("seed", seed.saturating_add(i64::from(index))),
            _ => wanted.clone(),
        };
        let mut options = options(call)?;
        if let Some(key) = &mut options.idempotency {
            key.owner.push_str(&format!(" image {index} of {count}"));
        }
        let mut task = platform.submit_with(&one, &options)?;
        // The caller of the same call before had gone, and its task is being ended: this one gets a new one.
        while !waiter.join(&task.id) {
            platform.abandon(&task.id)?;
            task = platform.submit_with(&one, &options)?;
        }
        if task.media_type != MediaType::Image {
            return Err(Error::validation(format!("{} does not make pictures", task.model)));
        }
    }
    Ok((waiter, request.response_format.unwrap_or(ResponseFormat::B64Json)))
}

async fn ended(platform: &Platform, id: &str) -> Result<Task> {
    let mut events = platform.events(id)?;
    let mut last = None;
    while let Some(task) = events.changed().await? {
        last = Some(task);
    }
    last.ok_or_else(|| Error::internal("a task ended without a state"))
}
