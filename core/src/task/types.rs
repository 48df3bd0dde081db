//! What a task is: the record that every caller sees.

use super::place::Place;
use crate::fields::Fields;
use crate::request::MediaType;
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a task stands. `pending -> processing -> done | failed`, never backwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Durable, waiting for a lane.
    Pending,
    /// Running.
    Processing,
    /// Ended with a result.
    Done,
    /// Ended with an error.
    Failed,
}

impl Status {
    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    /// The status with this stable name.
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
    /// Name of an [`ErrorCode`](crate::ErrorCode).
    pub code: String,
    /// What happened.
    pub detail: String,
}

/// One task, as it stood when it was asked for. Serialised, it is the object that every language and HTTP show.
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
    /// Workspace that runs it; none when it runs here.
    pub workspace: Option<String>,
    /// Where it is; the id and the workspace tell callers as much.
    #[serde(skip)]
    pub(crate) place: Place,
    /// Whose it is; none when it is nobody's in particular.
    pub owner: Option<String>,
    /// Catalog id of the model.
    pub model: String,
    /// Picture or clip.
    #[serde(rename = "type")]
    pub media_type: MediaType,
    /// Mode of the model.
    pub mode: String,
    /// What to show.
    pub prompt: String,
    /// What to avoid.
    pub negative_prompt: String,
    /// Every other parameter in the catalog's order, defaults filled in; images are named, not held.
    pub parameters: Fields,
    /// Seed in use; drawn when -1 was asked for.
    pub seed: i64,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Where it stands.
    pub status: Status,
    /// 0 to 100, never falling.
    pub progress: u8,
    /// Name of the stage it is in.
    pub stage: String,
    /// More about the stage, such as `step 3 of 20`.
    pub stage_detail: String,
    /// File of the result, relative to the data folder. Present exactly when done.
    pub result_path: Option<String>,
    /// File of the preview, relative to the data folder.
    pub preview_path: Option<String>,
    /// Why it failed. Present exactly when failed.
    pub error: Option<TaskError>,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When anything last changed.
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
    /// Only tasks that stand here.
    pub status: Option<Status>,
    /// Only of this model (id or alias).
    pub model: Option<String>,
    /// Only pictures or only clips.
    #[serde(rename = "type")]
    pub media_type: Option<MediaType>,
    /// Only those of this owner; the empty text stands for those that have none.
    pub owner: Option<String>,
    /// Only those that come after this task in the order; pages count from there.
    pub after: Option<String>,
    /// Newest first unless asked otherwise.
    pub sort: Sort,
    /// From 1; 0 counts as 1.
    pub page: u32,
    /// 1 to 100; 0 means 20.
    pub per_page: u32,
}

impl TaskQuery {
    /// Reads a JSON object with the fields of this struct, all of which may be left out.
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
    /// How many there are on all pages.
    pub total: u64,
    /// Which page this is; the first is 1.
    pub page: u32,
    /// Most items on a page.
    pub per_page: u32,
    /// Whether another page follows.
    pub has_more: bool,
}

/// Bytes of a result or a preview.
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
    /// A file name with the right ending, by model, seed, the first words of the prompt and the end of the task's id, such as
    /// `tiny-video-1234-a-red-circle-5e6f7081.mp4`. It has letters, digits, `-`, `_` and `.` alone, whatever the prompt holds.
    pub file_name: String,
}
