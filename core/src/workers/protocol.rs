//! What a gateway and a worker say to each other: the HTTP face's own words, read with suspicion.

use super::address::is_remote_id;
use super::client::{Answer, Target};
use crate::error::{Error, ErrorCode, Result};
use crate::media::OutputFormat;
use crate::task::{Media, RemoteState, Status, Task, file_name};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use serde_json::{Map, Value, json};

/// Most characters of a worker's own text that are kept.
const LONGEST_TEXT: usize = 300;

/// The body of a submission: every value of the task as it is stored, so that any worker makes the same of it.
pub(super) fn submission(task: &Task, inputs: &[(String, Vec<u8>)]) -> Result<Vec<u8>> {
    let mut body: Map<String, Value> = task.parameters.clone().into_iter().collect();
    for (name, png) in inputs {
        let uri = Value::String(format!("data:image/png;base64,{}", STANDARD.encode(png)));
        place_picture(&mut body, name, uri)?;
    }
    let own = [
        ("model", json!(task.model)),
        ("mode", json!(task.mode)),
        ("prompt", json!(task.prompt)),
        ("seed", json!(task.seed)),
        ("width", json!(task.width)),
        ("height", json!(task.height)),
    ];
    body.extend(own.map(|(name, value)| (name.to_owned(), value)));
    if !task.negative_prompt.is_empty() {
        body.insert("negative_prompt".to_owned(), json!(task.negative_prompt));
    }
    serde_json::to_vec(&body).map_err(|error| Error::internal(error.to_string()))
}

/// Puts a picture where its name says: `reference_image`, `arbitrary_frames[0].image`.
fn place_picture(body: &mut Map<String, Value>, name: &str, uri: Value) -> Result<()> {
    let Some((list, rest)) = name.split_once('[') else {
        body.insert(name.to_owned(), uri);
        return Ok(());
    };
    let place = rest.split_once("].").and_then(|(index, field)| Some((index.parse::<usize>().ok()?, field)));
    let entry = place
        .and_then(|(index, field)| Some((body.get_mut(list)?.as_array_mut()?.get_mut(index)?.as_object_mut()?, field)));
    let (entry, field) = entry.ok_or_else(|| Error::internal("a stored picture belongs to no parameter"))?;
    entry.insert(field.to_owned(), uri);
    Ok(())
}

/// What a worker said to a submission.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It has the task, under this id of its own.
    Accepted(String),
    /// It does not take the task.
    Refused {
        error: Error,
        /// Whether that speaks against the account.
        blamed: bool,
        /// Whether it says so after it looked for the key: it does not have the task from before either.
        sure: bool,
    },
    /// It may have the task.
    Unclear(Error),
}

/// Reads the answer to a submission.
pub(super) fn verdict(target: &Target, answer: &Answer) -> Verdict {
    let workspace = &target.workspace;
    let body = answer.json();
    if answer.status == StatusCode::ACCEPTED {
        return match body.get("task_id").and_then(Value::as_str).filter(|id| is_remote_id(id)) {
            Some(id) => Verdict::Accepted(id.to_owned()),
            None => Verdict::Unclear(unexpected(target, "accepted a task without an id that can be used")),
        };
    }
    let refusal = |detail: String, blamed, sure| {
        let error = Error::new(ErrorCode::RemoteFailed, detail);
        Verdict::Refused { error, blamed, sure }
    };
    let refused = |detail: String, blamed| refusal(detail, blamed, false);
    match answer.code() {
        // It works; it just has no place or not this model, or knows another catalog.
        Some(code @ (ErrorCode::QueueOverloaded | ErrorCode::ModelUnavailable)) => {
            refusal(format!("the worker {workspace} does not take the task: {code}"), false, true)
        }
        Some(code @ (ErrorCode::ValidationError | ErrorCode::PayloadTooLarge)) => {
            refused(format!("the worker {workspace} does not take the task: {code}"), false)
        }
        Some(code @ (ErrorCode::InvalidApiKey | ErrorCode::SessionRequired)) => {
            refused(format!("the worker {workspace} does not accept our API key: {code}"), true)
        }
        Some(
            code @ (ErrorCode::NotFound
            | ErrorCode::MethodNotAllowed
            | ErrorCode::StorageFull
            | ErrorCode::StorageCorrupt
            | ErrorCode::DependencyUnavailable),
        ) => refused(format!("the worker {workspace} refused the task: {code}"), true),
        // Proxies in front of a worker say these, of requests that may have arrived.
        _ if matches!(answer.status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY) => {
            Verdict::Unclear(unexpected(target, &format!("answered with status {}", answer.status.as_u16())))
        }
        _ if answer.status.is_client_error() => {
            refused(format!("the worker {workspace} refused the task with status {}", answer.status.as_u16()), true)
        }
        _ => Verdict::Unclear(unexpected(target, &format!("answered with status {}", answer.status.as_u16()))),
    }
}

/// Reads how a task stands on a worker.
///
/// # Errors
/// `task_not_found` when the worker does not know it; `remote_failed`.
pub(super) fn state(target: &Target, answer: &Answer) -> Result<RemoteState> {
    if answer.status == StatusCode::NOT_FOUND && answer.code() == Some(ErrorCode::TaskNotFound) {
        return Err(Error::new(
            ErrorCode::TaskNotFound,
            format!("the worker {} no longer has the task", target.workspace),
        ));
    }
    if answer.status != StatusCode::OK {
        return Err(unexpected(target, &format!("answered with status {}", answer.status.as_u16())));
    }
    let body = answer.json();
    let text = |name: &str| clean(body.get(name).and_then(Value::as_str).unwrap_or_default());
    let status =
        Status::from_name(&text("status")).ok_or_else(|| unexpected(target, "does not say how the task stands"))?;
    let progress = body.get("progress").and_then(Value::as_u64).and_then(|percent| u8::try_from(percent).ok());
    let error = (status == Status::Failed).then(|| {
        let code = ErrorCode::from_name(&text("error_code")).unwrap_or(ErrorCode::RemoteFailed);
        let detail = text("error");
        Error::new(code, if detail.is_empty() { format!("the worker {} failed", target.workspace) } else { detail })
    });
    Ok(RemoteState {
        status,
        progress: progress.unwrap_or(0).min(if status == Status::Done { 100 } else { 99 }),
        stage: text("stage"),
        stage_detail: text("stage_detail"),
        error,
    })
}

/// Reads a result or a preview, and looks whether it is what it says.
///
/// # Errors
/// `result_gone`, `result_not_ready`, `remote_failed`.
pub(super) fn media(target: &Target, answer: Answer, task: &Task, preview: bool) -> Result<Media> {
    if answer.status != StatusCode::OK {
        return Err(match answer.code() {
            Some(code @ (ErrorCode::ResultGone | ErrorCode::ResultNotReady)) => {
                Error::new(code, format!("the worker {} says {code}", target.workspace))
            }
            Some(ErrorCode::TaskNotFound) => {
                Error::new(ErrorCode::ResultGone, format!("the worker {} no longer has the task", target.workspace))
            }
            _ => unexpected(target, &format!("answered with status {}", answer.status.as_u16())),
        });
    }
    let format = OutputFormat::ALL.iter().copied().find(|format| begins_as(*format, &answer.body));
    let format = format
        .filter(|format| format.mime() == answer.content_type && (!preview || *format == OutputFormat::Jpeg))
        .ok_or_else(|| unexpected(target, "sent a result that is not what it is said to be"))?;
    Ok(Media {
        bytes: answer.body,
        content_type: format.mime(),
        file_name: file_name::of(task, preview, format.extension()),
    })
}

fn begins_as(format: OutputFormat, bytes: &[u8]) -> bool {
    match format {
        OutputFormat::Png => bytes.starts_with(b"\x89PNG\r\n\x1a\n"),
        OutputFormat::Jpeg => bytes.starts_with(b"\xff\xd8\xff"),
        OutputFormat::Webp => bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP"),
        OutputFormat::Mp4 => bytes.get(4..8) == Some(b"ftyp"),
        OutputFormat::Webm => bytes.starts_with(b"\x1a\x45\xdf\xa3"),
    }
}

/// A worker that does not answer as it should.
pub(super) fn unexpected(target: &Target, what: &str) -> Error {
    Error::new(ErrorCode::RemoteFailed, format!("the worker {} {what}", target.workspace))
}

/// A worker's own words, short and on one line.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST_TEXT).collect()
}
