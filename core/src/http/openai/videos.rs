//! `/v1/videos`: clips as OpenAI's clients make, follow, list, fetch and remove them.

use super::{model_or_first, set_size};
use crate::error::{Error, ErrorCode, Result};
use crate::http::call::{Call, Reply, whole};
use crate::http::dispatch::blocking;
use crate::http::generation::{options, word};
use crate::http::media::serve;
use crate::platform::Platform;
use crate::task::{GenerateRequest, MediaType, Sort, Status, Task, TaskQuery};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream;
use http::header::CONTENT_TYPE;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::convert::Infallible;
use std::sync::Arc;

/// A clip to make.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(rename = "VideoRequest")]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Request {
    #[schemars(length(min = 1, max = 2000), regex(pattern = r"\S"))]
    prompt: String,
    #[serde(default)]
    model: Option<String>,
    /// Length; the nearest number of frames that the model makes.
    #[serde(default)]
    seconds: Option<Seconds>,
    /// `auto`, or `WIDTHxHEIGHT` in pixels.
    #[serde(default)]
    #[schemars(regex(pattern = r"^(auto|[1-9][0-9]{0,4}x[1-9][0-9]{0,4})$"))]
    size: Option<String>,
    /// The first frame.
    #[serde(default)]
    input_reference: Option<Reference>,
    /// Not OpenAI's: the same seed gives the same clip.
    #[serde(default, deserialize_with = "whole")]
    #[schemars(range(min = -1, max = 2_147_483_647))]
    seed: Option<i64>,
    /// Not OpenAI's: what to avoid.
    #[serde(default)]
    #[schemars(length(max = 1000))]
    negative_prompt: Option<String>,
    #[serde(default, rename = "user")]
    _user: Option<String>,
}

/// OpenAI's clients send a string.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum Seconds {
    Text(#[schemars(regex(pattern = r"^[1-9][0-9]{0,3}$"))] String),
    Number(#[schemars(range(min = 1, max = 9999))] f64),
}

/// A picture as a data URI.
#[derive(Deserialize)]
#[serde(untagged)]
enum Reference {
    Uri(String),
    Object { image_url: String },
}

impl JsonSchema for Reference {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Reference".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [
            {"type": "string", "format": "data-uri-image"},
            {"type": "object", "properties": {"image_url": {"type": "string", "format": "data-uri-image"}},
             "required": ["image_url"]},
        ]})
    }
}

/// The same as a form, with the picture as a file.
pub(in crate::http) struct Form;

impl JsonSchema for Form {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "VideoForm".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "properties": {
                "prompt": {"type": "string", "minLength": 1, "maxLength": 2000, "pattern": r"\S"},
                "model": {"type": "string"},
                "seconds": {"type": "string", "pattern": "^[1-9][0-9]{0,3}$"},
                "size": {"type": "string", "pattern": "^(auto|[1-9][0-9]{0,4}x[1-9][0-9]{0,4})$"},
                "seed": {"type": "string", "pattern": "^[0-9]{1,9}$"},
                "negative_prompt": {"type": "string", "maxLength": 1000},
                "input_reference": {"type": "string", "format": "binary", "contentMediaType": "image/*"},
            },
            "required": ["prompt"],
            "additionalProperties": false,
        })
    }
}

/// A clip.
#[derive(Serialize, JsonSchema)]
pub(in crate::http) struct Video {
    id: String,
    object: &'static str,
    model: String,
    status: &'static str,
    #[schemars(range(min = 0, max = 100))]
    progress: u8,
    prompt: String,
    /// Whole seconds, as text.
    seconds: String,
    size: String,
    created_at: i64,
    completed_at: Option<i64>,
    expires_at: Option<i64>,
    remixed_from_video_id: Option<String>,
    error: Option<VideoError>,
}

#[derive(Serialize, JsonSchema)]
struct VideoError {
    code: String,
    message: String,
}

impl From<Task> for Video {
    fn from(task: Task) -> Self {
        let number = |name: &str| task.parameters.get(name).and_then(Value::as_f64);
        let seconds = match (number("num_frames"), number("fps")) {
            (Some(frames), Some(fps)) if fps > 0.0 => ((frames - 1.0) / fps).round().max(1.0),
            _ => 1.0,
        };
        Self {
            id: task.id,
            object: "video",
            model: task.model,
            status: match task.status {
                Status::Pending => "queued",
                Status::Processing => "in_progress",
                Status::Done => "completed",
                Status::Failed => "failed",
            },
            progress: task.progress,
            prompt: task.prompt,
            seconds: format!("{seconds}"),
            size: format!("{}x{}", task.width, task.height),
            created_at: task.created_at.0 / 1000,
            completed_at: task.finished_at.map(|at| at.0 / 1000),
            expires_at: None,
            remixed_from_video_id: None,
            error: task.error.map(|error| VideoError { code: error.code, message: error.detail }),
        }
    }
}

/// Clips.
#[derive(Serialize, JsonSchema)]
pub(in crate::http) struct Page {
    object: &'static str,
    data: Vec<Video>,
    first_id: Option<String>,
    last_id: Option<String>,
    has_more: bool,
}

/// That a clip is gone.
#[derive(Serialize, JsonSchema)]
pub(in crate::http) struct Removed {
    id: String,
    object: &'static str,
    deleted: bool,
}

pub(in crate::http) fn create(call: Call) -> BoxFuture<'static, Result<Reply>> {
    Box::pin(async move {
        call.only(&[])?;
        let boundary = call.header(CONTENT_TYPE).and_then(|value| multer::parse_boundary(value).ok());
        let (request, picture) = match boundary {
            Some(boundary) => read_form(call.body.clone(), boundary).await?,
            None => (call.json()?, None),
        };
        let shared = Arc::clone(&call.shared);
        let _permit = shared.slow.acquire().await.map_err(|_| Error::internal("the face is closing"))?;
        blocking(&shared, move || {
            let wanted = generation(call.platform(), request, picture)?;
            let task = call.platform().submit_with(&wanted, &options(&call)?)?;
            Reply::ok(&Video::from(task))
        })
        .await
    })
}

async fn read_form(body: Bytes, boundary: String) -> Result<(Request, Option<Vec<u8>>)> {
    let broken = |_| Error::validation("the form cannot be read");
    let mut form = multer::Multipart::new(stream::iter([Ok::<_, Infallible>(body)]), boundary);
    let (mut request, mut picture, mut has_prompt) = (Request::default(), None, false);
    while let Some(field) = form.next_field().await.map_err(broken)? {
        let name = field.name().unwrap_or_default().to_owned();
        if name == "input_reference" {
            picture = Some(field.bytes().await.map_err(broken)?.to_vec());
            continue;
        }
        let bytes = field.bytes().await.map_err(broken)?;
        let text = String::from_utf8(bytes.to_vec())
            .map_err(|_| Error::validation(format!("{} is not UTF-8", shown(&name))))?;
        match name.as_str() {
            "prompt" => (request.prompt, has_prompt) = (text, true),
            "model" => request.model = Some(text),
            "seconds" => request.seconds = Some(Seconds::Text(text)),
            "size" => request.size = Some(text),
            "negative_prompt" => request.negative_prompt = Some(text),
            "user" => {}
            "seed" => {
                let seed = text.parse().map_err(|_| Error::validation("seed must be a whole number"))?;
                request.seed = Some(seed);
            }
            _ => return Err(Error::validation(format!("the form has no field {}", shown(&name)))),
        }
    }
    if has_prompt { Ok((request, picture)) } else { Err(Error::validation("prompt is required")) }
}

fn shown(name: &str) -> String {
    let short: String = name.chars().take(40).collect();
    format!("{short:?}")
}

fn generation(platform: &Platform, request: Request, picture: Option<Vec<u8>>) -> Result<GenerateRequest> {
    let model = model_or_first(platform, request.model.as_deref(), MediaType::Video)?;
    let catalog = platform.catalog()?;
    let known = catalog.model(&model);
    if known.is_some_and(|model| model.media_type != MediaType::Video) {
        return Err(Error::validation(format!("{} does not make clips", shown(&model))));
    }
    let mut wanted = set_size(GenerateRequest::new(model, request.prompt), request.size.as_deref())?;
    if let Some(seconds) = request.seconds {
        let seconds = match seconds {
            Seconds::Number(seconds) => Some(seconds).filter(|seconds| seconds.fract() == 0.0 && *seconds < 1e4),
            Seconds::Text(text) => text.parse::<u16>().ok().map(f64::from),
        };
        let seconds = seconds.filter(|seconds| *seconds >= 1.0);
        let seconds = seconds.ok_or_else(|| Error::validation("seconds must be a whole number, at least 1"))?;
        let rules = |name: &str| known.and_then(|model| model.parameter(name));
        let fps = rules("fps").and_then(|fps| fps.default.as_ref()?.as_f64()).unwrap_or(16.0);
        let (least, step) = rules("num_frames")
            .map_or((1.0, 4.0), |frames| (frames.minimum.unwrap_or(1.0), frames.step.unwrap_or(4.0)));
        let steps = ((seconds * fps + 1.0 - least) / step).round().max(0.0);
        #[expect(clippy::cast_possible_truncation, reason = "at most 9,999 seconds of some frames")]
        let frames = (least + steps * step) as i64;
        wanted = wanted.set("num_frames", frames);
    }
    if let Some(seed) = request.seed {
        wanted = wanted.set("seed", seed);
    }
    if let Some(negative) = request.negative_prompt {
        wanted = wanted.set("negative_prompt", negative);
    }
    Ok(match (request.input_reference, picture) {
        (None, None) => wanted,
        (Some(Reference::Uri(uri) | Reference::Object { image_url: uri }), _) => {
            wanted.mode("i2v").set("reference_image", uri)
        }
        (None, Some(bytes)) => wanted.mode("i2v").image("reference_image", bytes),
    })
}

/// The clip with this id; a picture is none.
fn find(call: &Call) -> Result<Task> {
    let id = call.part("id");
    call.admit(id)?;
    let task = call.platform().status(id)?;
    if task.media_type != MediaType::Video {
        return Err(Error::new(ErrorCode::TaskNotFound, "the task with this id is no clip"));
    }
    Ok(task)
}

pub(in crate::http) fn retrieve(call: &Call) -> Result<Reply> {
    call.only(&[])?;
    Reply::ok(&Video::from(find(call)?))
}

pub(in crate::http) fn list(call: &Call) -> Result<Reply> {
    call.only(&["after", "limit", "order"])?;
    let query = TaskQuery {
        media_type: Some(MediaType::Video),
        owner: call.owner().map(str::to_owned),
        after: call.query("after")?.map(str::to_owned),
        per_page: crate::http::generation::at_least_one("limit", call.number("limit")?)?,
        sort: word(call, "order", &[("desc", Sort::Newest), ("asc", Sort::Oldest)])?.unwrap_or_default(),
        ..TaskQuery::default()
    };
    let page = call.platform().tasks(&query)?;
    let data: Vec<Video> = page.items.into_iter().map(Video::from).collect();
    let id = |video: Option<&Video>| video.map(|video| video.id.clone());
    let (first_id, last_id) = (id(data.first()), id(data.last()));
    Reply::ok(&Page { object: "list", data, first_id, last_id, has_more: page.has_more })
}

pub(in crate::http) fn content(call: &Call) -> Result<Reply> {
    call.only(&["variant"])?;
    let task = find(call)?;
    let thumbnail = word(call, "variant", &[("video", false), ("thumbnail", true)])?.unwrap_or(false);
    let platform = call.platform();
    serve(call, if thumbnail { platform.preview(&task.id)? } else { platform.result(&task.id)? })
}

pub(in crate::http) fn delete(call: &Call) -> Result<Reply> {
    call.only(&[])?;
    let id = find(call)?.id;
    call.delete_task(&id)?;
    Reply::ok(&Removed { id, object: "video.deleted", deleted: true })
}
