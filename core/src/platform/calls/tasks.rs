//! The calls on models and tasks, for programs outside the process; the host has methods for them.

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
        call("models.list", models).about("The models of the catalog, as `GET /models` has them.").outside(),
        call("tasks.submit", submit)
            .about("Makes a task and gives it; does not wait for its result.")
            .outside()
            .waits(Waits::InQueue)
            .fails("`invalid_state` from a platform that is paused, and what every submission may fail with"),
        call("tasks.status", status).about("The task as it stands.").outside().fails("`task_not_found`"),
        call("tasks.list", |platform, query| platform.tasks(&query))
            .about("One page of the tasks of every status.")
            .outside(),
        call("tasks.gallery", |platform, query| platform.gallery(&query))
            .about("One page of the finished tasks that have a result.")
            .outside(),
        call("tasks.result", result)
            .about("The bytes of a task's result.")
            .outside()
            .waits(Waits::ForWorkerOfTask)
            .fails("`task_not_found`, `result_not_ready`, `result_gone`"),
        call("tasks.cancel", cancel)
            .about("Asks a task to end. It is an event of the audit log.")
            .outside()
            .fails("`task_not_found`"),
        call("tasks.delete", delete)
            .about("Removes an ended task and its files. It is an event of the audit log.")
            .outside()
            .waits(Waits::ForWorkerOfTask)
            .fails("`task_not_found`; `invalid_state` for a task that has not ended"),
    ]
}

/// The catalog, its fields in the order in which people read them.
#[derive(Serialize, JsonSchema)]
struct Models {
    /// Every model.
    models: Vec<ModelView>,
}

fn models(platform: &Platform, Nothing {}: Nothing) -> Result<Models> {
    Ok(Models { models: platform.models()? })
}

/// A task to be made.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SubmitTask {
    /// Id or alias of the model.
    model: String,
    /// The model's default mode when left out.
    #[serde(default)]
    mode: Option<String>,
    /// Parameters of the model by name.
    #[serde(default)]
    parameters: Map<String, Value>,
    /// Files of pictures by the name of their parameter, in base64.
    #[serde(default)]
    images: BTreeMap<String, String>,
}

fn submit(platform: &Platform, asked: SubmitTask) -> Result<Task> {
    platform.submit(&wanted(platform, asked)?)
}

/// Reads what is to be submitted. A program outside waits for the result, which would never come from a platform that is paused.
pub(super) fn wanted(platform: &Platform, asked: SubmitTask) -> Result<GenerateRequest> {
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

/// The file of a result.
#[derive(Serialize, JsonSchema)]
struct ResultFile {
    /// Content type, such as `video/mp4`.
    content_type: &'static str,
    /// A name for it, with the right ending.
    file_name: String,
    /// Its bytes, in base64.
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

/// What came of asking a task to end.
#[derive(Serialize, JsonSchema)]
struct CancelledTask {
    /// False when it had ended already.
    cancelled: bool,
}

/// A caller outside is an administrator and seldom the task's owner, so the audit log notes it.
fn cancel(platform: &Platform, IdAndCaller { id, caller: by }: IdAndCaller) -> Result<CancelledTask> {
    Ok(CancelledTask { cancelled: platform.cancel_as(&id, &caller(by))? })
}

/// Noted like [`cancel`].
fn delete(platform: &Platform, IdAndCaller { id, caller: by }: IdAndCaller) -> Result<()> {
    platform.delete_as(&id, &caller(by))
}
