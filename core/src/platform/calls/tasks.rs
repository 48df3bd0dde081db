//! The calls on models and tasks, for programs outside the process. The host has methods for them.

use super::{Entry, IdAndCaller, Nothing, Waits, call, caller};
use crate::catalog::ModelView;
use crate::error::{Error, Result};
use crate::platform::Platform;
use crate::request::GenerateRequest;
use crate::task::Task;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

pub(super) fn calls() -> Vec<Entry> {
    vec![
        call("models.list", models).about("Lists the models of the catalog, like `GET /models`.").only_outside(),
        call("tasks.submit", submit)
            .about("Makes a task and returns it. Does not wait for its result.")
            .only_outside()
            .waits(Waits::InQueue)
            .fails("`invalid_state` if the platform is paused, and the errors of every submission"),
        call("tasks.status", status)
            .about("Returns the current state of a task.")
            .only_outside()
            .fails("`task_not_found`"),
        call("tasks.list", |platform, query| platform.tasks(&query))
            .about("Returns one page of the tasks of every status.")
            .only_outside(),
        call("tasks.gallery", |platform, query| platform.gallery(&query))
            .about("Returns one page of the finished tasks that have a result.")
            .only_outside(),
        call("tasks.result", result)
            .about("Returns the bytes of a task's result.")
            .only_outside()
            .waits(Waits::ForWorkerOfTask)
            .fails("`task_not_found`, `result_not_ready`, `result_gone`"),
        call("tasks.cancel", cancel)
            .about("Asks a task to end. The audit log records it.")
            .only_outside()
            .fails("`task_not_found`"),
        call("tasks.delete", delete)
            .about("Removes an ended task and its files. The audit log records it.")
            .only_outside()
            .waits(Waits::ForWorkerOfTask)
            .fails("`task_not_found`; `invalid_state` if the task has not ended"),
    ]
}

/// The models of the catalog.
#[derive(Serialize, JsonSchema)]
struct Models {
    /// Every model.
    models: Vec<ModelView>,
}

fn models(platform: &Platform, Nothing {}: Nothing) -> Result<Models> {
    Ok(Models { models: platform.models()? })
}

/// The request for a task.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SubmitTask {
    /// Id or alias of the model.
    model: String,
    /// Mode of the model. The default is the model's default mode.
    #[serde(default)]
    mode: Option<String>,
    /// Parameters of the model by name.
    #[serde(default)]
    parameters: Map<String, Value>,
    /// Image files in base64, by the name of their parameter.
    #[serde(default)]
    images: BTreeMap<String, String>,
}

fn submit(platform: &Platform, asked: SubmitTask) -> Result<Task> {
    platform.submit(&request_of(platform, asked)?)
}

/// Makes the request from the arguments. A paused platform is refused, because programs outside wait for the result, which would never
/// come.
pub(super) fn request_of(platform: &Platform, asked: SubmitTask) -> Result<GenerateRequest> {
    let SubmitTask { model, mode, parameters, images } = asked;
    if platform.is_paused()? {
        return Err(Error::invalid_state(
            "the platform that has the data folder open is paused",
            "Wait until it is closed, or open it without the setting paused.",
        ));
    }
    let mut request = GenerateRequest { model, mode, parameters, images: BTreeMap::new() };
    for (name, file) in images {
        let bytes = STANDARD.decode(file).map_err(|_| Error::validation(format!("the image {name} is not base64")))?;
        request = request.image(name, bytes);
    }
    Ok(request)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OneTask {
    /// Id of the task.
    id: String,
}

fn status(platform: &Platform, OneTask { id }: OneTask) -> Result<Task> {
    platform.status(&id)
}

/// A result as a file.
#[derive(Serialize, JsonSchema)]
struct ResultFile {
    /// Content type, such as `video/mp4`.
    content_type: &'static str,
    /// A file name with the right extension.
    file_name: String,
    /// The bytes of the file, in base64.
    bytes: String,
}

fn result(platform: &Platform, OneTask { id }: OneTask) -> Result<ResultFile> {
    let media = platform.result(&id)?;
    Ok(ResultFile {
        content_type: media.content_type,
        file_name: media.file_name,
        bytes: STANDARD.encode(&media.bytes),
    })
}

/// Whether a task was asked to end.
#[derive(Serialize, JsonSchema)]
struct CancelledTask {
    /// False if the task had already ended.
    cancelled: bool,
}

/// Cancels a task. A caller outside the process is an administrator and usually not the task's owner, so the audit log records the call.
fn cancel(platform: &Platform, IdAndCaller { id, caller: by }: IdAndCaller) -> Result<CancelledTask> {
    Ok(CancelledTask { cancelled: platform.cancel_as(&id, &caller(by))? })
}

/// Deletes a task. The audit log records it, as for [`cancel`].
fn delete(platform: &Platform, IdAndCaller { id, caller: by }: IdAndCaller) -> Result<()> {
    platform.delete_as(&id, &caller(by))
}
