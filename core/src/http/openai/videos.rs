//! `/v1/videos`: making, following, listing, fetching and removing clips, as OpenAI's clients do.

use super::edits::referenced;
use super::form::{self, ParsedBody};
use super::{model_or_first, set_size};
use crate::catalog::{Model, Parameter};
use crate::error::{Error, ErrorCode, Result};
use crate::http::call::{Call, Reply, choice, whole};
use crate::http::generation::options;
use crate::http::media::serve;
use crate::http::route::ReplyFuture;
use crate::platform::Platform;
use crate::request::{GenerateRequest, MediaType};
use crate::task::{Sort, Status, Task, TaskQuery};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The field that holds the first frame.
const REFERENCE: &str = "input_reference";

/// A request for a clip.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(rename = "VideoRequest")]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Request {
    #[schemars(length(min = 1, max = 2000), regex(pattern = r"\S"))]
    prompt: String,
    #[serde(default)]
    model: Option<String>,
    /// Length in seconds. The nearest length that the model can make is used.
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
    /// Changes nothing.
    #[serde(default, rename = "user")]
    _user: Option<String>,
    /// Changes nothing.
    #[serde(default, rename = "safety_identifier")]
    _safety_identifier: Option<String>,
    /// Changes nothing.
    #[serde(default, rename = "metadata")]
    _metadata: Option<Map<String, Value>>,
}

/// A length in seconds, which OpenAI's clients send as a string.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Text(String),
    Number(f64),
}

impl JsonSchema for Seconds {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Seconds".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [
            {"type": "string", "pattern": "^[1-9][0-9]{0,3}$"},
            {"type": "integer", "minimum": 1, "maximum": 9999},
        ]})
    }
}

/// A picture as a data URI.
#[derive(Deserialize)]
#[serde(untagged)]
enum Reference {
    Uri(String),
    Object(Map<String, Value>),
}

impl JsonSchema for Reference {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Reference".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [
            {"type": "string", "format": "data-uri-image"},
            {"type": "object", "properties": {"image_url": {"type": "string", "format": "data-uri-image"}},
             "required": ["image_url"], "additionalProperties": false},
        ]})
    }
}

/// The form body, with the picture as a file.
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
                "user": {"type": "string"},
                "safety_identifier": {"type": "string"},
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

impl Video {
    /// Describes the task of a clip. `source` is the id of the clip that was remixed, if this one is a remix.
    pub(super) fn of(task: Task, source: Option<String>) -> Self {
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
            remixed_from_video_id: source,
            error: task.error.map(|error| VideoError { code: error.code, message: error.detail }),
        }
    }
}

/// A page of clips.
#[derive(Serialize, JsonSchema)]
pub(in crate::http) struct Page {
    object: &'static str,
    data: Vec<Video>,
    first_id: Option<String>,
    last_id: Option<String>,
    has_more: bool,
}

/// Confirms that a clip was removed.
#[derive(Serialize, JsonSchema)]
pub(in crate::http) struct Removed {
    id: String,
    object: &'static str,
    deleted: bool,
}

pub(in crate::http) fn create(call: Call) -> ReplyFuture {
    Box::pin(async move {
        call.only(&[])?;
        let ParsedBody { fields, mut files } = form::read(&call, &[REFERENCE]).await?;
        if files.len() > 1 {
            return Err(Error::validation(format!("{REFERENCE} must be one picture")).with_parameter(REFERENCE));
        }
        let platform = call.platform().clone();
        let submission = platform.make_and_submit(move |platform| {
            let request: Request = crate::json::read_secret("the body", &Value::Object(fields).to_string())?;
            let picture = files.pop().map(|(_, bytes)| bytes);
            Ok((generation(platform, request, picture)?, options(&call)?))
        });
        Reply::ok(&Video::of(submission.await?, None))
    })
}

fn generation(platform: &Platform, request: Request, picture: Option<Vec<u8>>) -> Result<GenerateRequest> {
    let model = model_or_first(platform, request.model.as_deref(), MediaType::Video, None)?;
    let known = platform.catalog()?.model(&model);
    let mut wanted = set_size(GenerateRequest::new(model, request.prompt), request.size.as_deref())?;
    if let (Some(seconds), Some(model)) = (request.seconds, known) {
        wanted = wanted.set("num_frames", nearest_frames(model, whole_seconds(&seconds)?));
    }
    if let Some(seed) = request.seed {
        wanted = wanted.set("seed", seed);
    }
    if let Some(negative) = request.negative_prompt {
        wanted = wanted.set("negative_prompt", negative);
    }
    let uri = match request.input_reference {
        None => None,
        Some(Reference::Uri(uri)) => Some(uri),
        Some(Reference::Object(fields)) => Some(referenced(REFERENCE, fields)?),
    };
    match (uri, picture) {
        (None, None) => Ok(wanted),
        (Some(uri), None) => Ok(wanted.mode("i2v").set("reference_image", uri)),
        (None, Some(bytes)) => Ok(wanted.mode("i2v").image("reference_image", bytes)),
        (Some(_), Some(_)) => Err(Error::validation(format!("{REFERENCE} is given twice")).with_parameter(REFERENCE)),
    }
}

/// # Errors
/// `validation_error`.
fn whole_seconds(seconds: &Seconds) -> Result<f64> {
    let seconds = match seconds {
        Seconds::Number(seconds) => Some(*seconds).filter(|seconds| seconds.fract() == 0.0),
        Seconds::Text(text) => text.parse::<u16>().ok().map(f64::from),
    };
    seconds
        .filter(|seconds| (1.0..1e4).contains(seconds))
        .ok_or_else(|| Error::validation("seconds must be a whole number from 1 to 9999").with_parameter("seconds"))
}

/// Returns the number of frames whose length is nearest to `seconds`, at the model's default frame rate.
fn nearest_frames(model: &Model, seconds: f64) -> i64 {
    let fps = model.parameter("fps").and_then(|fps| fps.default.as_ref()?.as_f64()).unwrap_or(16.0);
    let rules = model.parameter("num_frames");
    let rule = |of: fn(&Parameter) -> Option<f64>, otherwise: f64| rules.and_then(of).unwrap_or(otherwise);
    let (least, step) = (rule(|frames| frames.minimum, 1.0), rule(|frames| frames.step, 4.0));
    let most = rule(|frames| frames.maximum, f64::INFINITY);
    // N seconds at F frames a second have N x F + 1 frames: the first one is at time 0.
    let wanted = (seconds * fps + 1.0).clamp(least, most.max(least));
    let steps = ((wanted - least) / step).round();
    #[expect(clippy::cast_possible_truncation, reason = "at most 9,999 seconds of some frames")]
    let frames = (least + steps * step) as i64;
    frames
}

/// Returns the clip with this id. The id of a picture is an error.
pub(super) fn find(call: &Call) -> Result<Task> {
    let id = call.part("id");
    call.admit(id)?;
    let task = call.platform().status(id)?;
    if task.media_type != MediaType::Video {
        return Err(Error::new(ErrorCode::TaskNotFound, "the task with this id is not a clip"));
    }
    Ok(task)
}

pub(in crate::http) fn retrieve(call: &Call) -> Result<Reply> {
    call.only(&[])?;
    let task = find(call)?;
    let source = call.platform().remix_sources(&[&task.id])?.remove(&task.id);
    Reply::ok(&Video::of(task, source))
}

pub(in crate::http) fn list(call: &Call) -> Result<Reply> {
    call.only(&["after", "limit", "order"])?;
    let query = TaskQuery {
        media_type: Some(MediaType::Video),
        owner: call.owner().map(str::to_owned),
        after: call.query("after")?.map(str::to_owned),
        per_page: crate::http::call::at_least_one("limit", call.number("limit")?)?,
        sort: choice(call, "order", &[("desc", Sort::Newest), ("asc", Sort::Oldest)])?.unwrap_or_default(),
        ..TaskQuery::default()
    };
    let page = call.platform().tasks(&query)?;
    let ids: Vec<&str> = page.items.iter().map(|task| task.id.as_str()).collect();
    let mut sources = call.platform().remix_sources(&ids)?;
    let with_source = |task: Task| {
        let source = sources.remove(&task.id);
        Video::of(task, source)
    };
    let data: Vec<Video> = page.items.into_iter().map(with_source).collect();
    let id = |video: Option<&Video>| video.map(|video| video.id.clone());
    let (first_id, last_id) = (id(data.first()), id(data.last()));
    Reply::ok(&Page { object: "list", data, first_id, last_id, has_more: page.has_more })
}

pub(in crate::http) fn content(call: &Call) -> Result<Reply> {
    call.only(&["variant"])?;
    let task = find(call)?;
    let thumbnail = choice(call, "variant", &[("video", false), ("thumbnail", true)])?.unwrap_or(false);
    let platform = call.platform();
    serve(call, if thumbnail { platform.preview(&task.id)? } else { platform.result(&task.id)? })
}

pub(in crate::http) fn delete(call: &Call) -> Result<Reply> {
    call.only(&[])?;
    let id = find(call)?.id;
    call.delete_task(&id)?;
    Reply::ok(&Removed { id, object: "video.deleted", deleted: true })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    #[test]
    fn a_length_becomes_the_nearest_one_that_the_model_can_make() {
        let catalog = Catalog::built_in().unwrap();
        for (model, seconds, frames) in [
            ("tiny-video", 1.0, 9),
            ("tiny-video", 2.0, 17),
            ("tiny-video", 4.0, 17),
            ("phr00t", 1.0, 49),
            ("phr00t", 4.0, 65),
            ("phr00t", 8.0, 129),
            ("phr00t", 12.0, 161),
            ("anisora", 9999.0, 161),
        ] {
            assert_eq!(nearest_frames(catalog.model(model).unwrap(), seconds), frames, "{model} {seconds}");
        }
        let read = |value: Value| whole_seconds(&serde_json::from_value(value).unwrap()).ok();
        assert_eq!(read("4".into()), Some(4.0));
        assert_eq!(read(8.into()), Some(8.0));
        for bad in ["0".into(), "1.5".into(), "-1".into(), "x".into(), "10000".into(), Value::from(1.5), 0.into()] {
            assert_eq!(read(bad), None);
        }
    }
}
