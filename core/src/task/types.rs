//! The task record that callers see, and the types for listing tasks.

use super::place::Place;
use crate::fields::Fields;
use crate::request::MediaType;
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The status of a task: `pending -> processing -> done | failed`, never backwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Durable and waiting for a lane.
    Pending,
    /// Running.
    Processing,
    /// Ended with a result.
    Done,
    /// Ended with an error.
    Failed,
}

impl Status {
    /// Returns the stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    /// Returns the status with this stable name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Pending, Self::Processing, Self::Done, Self::Failed].into_iter().find(|status| status.as_str() == name)
    }

    /// Whether the task has ended.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Done | Self::Failed)
    }
}

/// Why a task failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "TaskFailure")]
pub struct TaskError {
    /// Name of an error code, such as `cancelled`.
    pub code: String,
    /// What happened.
    pub detail: String,
}

/// A task as it was at the time of the call. The calls of `docs/calls.md` return its JSON form. Times are in UTC, in JSON as RFC 3339.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let mut settings = must::Settings::new(folder.path());
/// # settings.paused = true;
/// # let platform = must::Platform::open(settings)?;
/// use must::GenerateRequest;
///
/// let task = platform.submit(&GenerateRequest::new("tiny-image", "a red circle").set("seed", 7))?;
/// assert_eq!((task.model.as_str(), task.seed), ("tiny-image", 7));
/// let json = serde_json::to_value(&task).expect("a task is JSON");
/// assert_eq!((json["type"].as_str(), json["status"].as_str()), (Some("image"), Some("pending")));
/// # Ok::<(), must::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Task {
    /// Stable id.
    pub id: String,
    /// Workspace of the worker that it was sent to. Null if it runs on this platform.
    pub workspace: Option<String>,
    /// Its place. Not part of the JSON form, because callers can tell it from the id and the workspace.
    #[serde(skip)]
    pub(crate) place: Place,
    /// The owner. Null if the task has no owner.
    pub owner: Option<String>,
    /// Catalog id of the model.
    pub model: String,
    /// Picture or clip.
    #[serde(rename = "type")]
    pub media_type: MediaType,
    /// Mode of the model.
    pub mode: String,
    /// Description of the result.
    pub prompt: String,
    /// Description of what the result should not show.
    pub negative_prompt: String,
    /// All other parameters in the catalog's order, with defaults filled in. Images appear by name, without their content.
    pub parameters: Fields,
    /// The seed that is used. It is random if the request had -1.
    pub seed: i64,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// The status.
    pub status: Status,
    /// Progress in percent, from 0 to 100. It never falls.
    pub progress: u8,
    /// Name of the current stage.
    pub stage: String,
    /// More about the stage, such as `step 3 of 20`.
    pub stage_detail: String,
    /// File of the result, relative to the data folder, or `remote:/results/ID` if it is at a worker. Present exactly when done.
    pub result_path: Option<String>,
    /// File of the preview, relative to the data folder, or `remote:/preview/ID` if it is at a worker. Present exactly when done.
    pub preview_path: Option<String>,
    /// Why it failed. Present exactly when failed.
    pub error: Option<TaskError>,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When the task last changed.
    pub updated_at: Timestamp,
    /// When it began to run.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// Which tasks to list.
///
/// ```
/// use must::{MediaType, Sort, TaskQuery};
///
/// let query = TaskQuery { media_type: Some(MediaType::Video), sort: Sort::Oldest, ..TaskQuery::default() };
/// assert_eq!(TaskQuery::from_json(r#"{"type": "video", "sort": "oldest"}"#)?, query);
/// # Ok::<(), must::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TaskQuery {
    /// Only tasks with this status.
    pub status: Option<Status>,
    /// Only tasks of this model (id or alias).
    pub model: Option<String>,
    /// Only pictures or only clips.
    #[serde(rename = "type")]
    pub media_type: Option<MediaType>,
    /// Only tasks of this owner. The empty text selects tasks without an owner.
    pub owner: Option<String>,
    /// Only tasks that come after this task in the order. Pages are counted from there.
    pub after: Option<String>,
    /// Order of the tasks. The default is newest first.
    pub sort: Sort,
    /// Number of the page, from 1. 0 means 1.
    pub page: u32,
    /// Tasks on a page, 1 to 100. 0 means 20.
    pub per_page: u32,
}

impl TaskQuery {
    /// Reads a JSON object with the fields of this struct. Every field is optional.
    ///
    /// # Errors
    /// `validation_error` that names the field at fault.
    pub fn from_json(text: &str) -> crate::Result<Self> {
        crate::json::read(text, "the query is not valid", &[])
    }
}

/// Order of a listing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// Newest first.
    #[default]
    Newest,
    /// Oldest first.
    Oldest,
}

/// One page of tasks.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct TaskPage {
    /// The tasks of this page.
    pub items: Vec<Task>,
    /// Number of all tasks that match the query, including those that come before `after`.
    pub total: u64,
    /// Number of this page. The first page is 1.
    pub page: u32,
    /// The largest number of items on a page.
    pub per_page: u32,
    /// Whether another page follows.
    pub has_more: bool,
}

/// The file of a result or a preview.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let platform = must::Platform::open(must::Settings::new(folder.path()))?;
/// use must::GenerateRequest;
///
/// let task = platform.submit(&GenerateRequest::new("tiny-image", "a red circle").set("seed", 7).set("steps", 4))?;
/// platform.wait(&task.id, None)?;
/// let picture = platform.result(&task.id)?;
/// assert_eq!(picture.content_type, "image/png");
/// assert!(picture.file_name.starts_with("tiny-image-7-a-red-circle-"));
/// std::fs::write(folder.path().join(&picture.file_name), &picture.bytes)?;
/// # Ok::<(), must::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// The file's bytes.
    pub bytes: Vec<u8>,
    /// Content type, such as `video/mp4`.
    pub content_type: &'static str,
    /// A file name with the right extension. It consists of the model, the seed, the first words of the prompt and the end of the
    /// task's id: `tiny-video-1234-a-red-circle-5e6f7081.mp4`. For every prompt it has only letters and digits of any script, the
    /// marks on them, `-`, `_` and `.`.
    pub file_name: String,
}
