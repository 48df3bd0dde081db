//! The messages between this platform and a worker. They are those of the HTTP API. A worker's answers are checked strictly.

use super::address::is_remote_id;
use super::client::{Answer, Target};
use crate::error::{Error, ErrorCode, Result};
use crate::media::OutputFormat;
use crate::task::{Media, RemoteState, Status, Task, file_name};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use serde_json::{Map, Value, json};

/// Largest number of characters that are kept of a worker's text.
const LONGEST_TEXT: usize = 300;

/// Makes the body of a submission. It contains every value of the task as stored, so that every worker gives the same result.
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

/// Inserts a picture at the place that its name gives: `reference_image`, `arbitrary_frames[0].image`.
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

/// A worker's reaction to a submission.
#[derive(Debug)]
pub(super) enum Verdict {
    /// The worker has the task, under this id.
    Accepted(String),
    /// The worker does not take the task.
    Refused {
        error: Error,
        /// Whether the account is marked as failed because of this.
        blamed: bool,
        /// Whether the worker looked up the idempotency key first, so that it certainly does not have the task.
        sure: bool,
    },
    /// The worker may have the task.
    Unclear(Error),
}

/// Reads the answer to a submission.
pub(super) fn verdict(target: &Target, answer: &Answer) -> Verdict {
    let workspace = &target.workspace;
    let body = answer.json();
    if answer.status == StatusCode::ACCEPTED {
        return match body.get("task_id").and_then(Value::as_str).filter(|id| is_remote_id(id)) {
            Some(id) => Verdict::Accepted(id.to_owned()),
            None => Verdict::Unclear(unexpected(target, "accepted a task without a usable id")),
        };
    }
    let refusal = |detail: String, blamed, sure| {
        let error = Error::new(ErrorCode::RemoteFailed, detail);
        Verdict::Refused { error, blamed, sure }
    };
    let refused = |detail: String, blamed| refusal(detail, blamed, false);
    match answer.code() {
        // The worker is healthy. Its queue is full, it lacks the model, or its catalog is different.
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
        // Proxies in front of a worker answer with these statuses, and the request may have arrived.
        _ if matches!(answer.status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY) => {
            Verdict::Unclear(unexpected(target, &format!("answered with status {}", answer.status.as_u16())))
        }
        _ if answer.status.is_client_error() => {
            refused(format!("the worker {workspace} refused the task with status {}", answer.status.as_u16()), true)
        }
        _ => Verdict::Unclear(unexpected(target, &format!("answered with status {}", answer.status.as_u16()))),
    }
}

/// Reads the state of a task from a worker's answer.
///
/// # Errors
/// `task_not_found` if the worker does not have the task; `remote_failed`.
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
    let status = Status::from_name(&text("status"))
        .ok_or_else(|| unexpected(target, "did not report the status of the task"))?;
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

/// Reads a result or a preview, and checks that its content matches its content type.
///
/// # Errors
/// `result_gone`, `result_not_ready`, `remote_failed`.
pub(super) fn media(target: &Target, answer: Answer, task: &Task, preview: bool) -> Result<Media> {
    if answer.status != StatusCode::OK {
        return Err(match answer.code() {
            Some(code @ (ErrorCode::ResultGone | ErrorCode::ResultNotReady)) => {
                Error::new(code, format!("the worker {} answered {code}", target.workspace))
            }
            Some(ErrorCode::TaskNotFound) => {
                Error::new(ErrorCode::ResultGone, format!("the worker {} no longer has the task", target.workspace))
            }
            _ => unexpected(target, &format!("answered with status {}", answer.status.as_u16())),
        });
    }
    let format = OutputFormat::ALL.iter().copied().find(|format| has_signature(*format, &answer.body));
    let format = format
        .filter(|format| format.mime() == answer.content_type && (!preview || *format == OutputFormat::Jpeg))
        .ok_or_else(|| unexpected(target, "sent a result whose content does not match its content type"))?;
    Ok(Media {
        bytes: answer.body,
        content_type: format.mime(),
        file_name: file_name::of(task, preview, format.extension()),
    })
}

fn has_signature(format: OutputFormat, bytes: &[u8]) -> bool {
    match format {
        OutputFormat::Png => bytes.starts_with(b"\x89PNG\r\n\x1a\n"),
        OutputFormat::Jpeg => bytes.starts_with(b"\xff\xd8\xff"),
        OutputFormat::Webp => bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP"),
        OutputFormat::Mp4 => bytes.get(4..8) == Some(b"ftyp"),
        OutputFormat::Webm => bytes.starts_with(b"\x1a\x45\xdf\xa3"),
    }
}

/// The error for a worker whose answer is not as expected.
pub(super) fn unexpected(target: &Target, what: &str) -> Error {
    Error::new(ErrorCode::RemoteFailed, format!("the worker {} {what}", target.workspace))
}

/// Returns a worker's text, shortened and on one line.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST_TEXT).collect()
}
