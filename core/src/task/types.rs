//! What a task is: the record that every caller sees.

use crate::fields::Fields;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// A picture or a clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MediaType {
    /// One frame.
    Image,
    /// Several frames.
    Video,
}

impl MediaType {
    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
        }
    }
}

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

/// A moment: milliseconds since 1970 in UTC; written as RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The system clock's now.
    #[must_use]
    pub fn now() -> Self {
        Self(jiff::Timestamp::now().as_millisecond())
    }

    /// Reads a moment of RFC 3339, such as `2026-11-29T09:15:45.123Z`; none when it is not one.
    #[must_use]
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|moment| Self(moment.as_millisecond()))
    }

    /// The moment that is `duration` later.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(moment) => write!(f, "{moment:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Timestamp {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "format": "date-time"})
    }
}

/// Why a task failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TaskError {
    /// Name of an [`ErrorCode`](crate::ErrorCode).
    pub code: String,
    /// What happened.
    pub detail: String,
}

/// One task, as it stood when it was asked for. Serialised, it is the object that every language and HTTP show.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Task {
    /// Stable id.
    pub id: String,
    /// Workspace that runs it; none when it runs here.
    pub workspace: Option<String>,
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

impl Task {
    /// Whether it is being handed to a worker: it gets another id there, and nobody has been told of this one.
    pub(crate) fn is_on_its_way(&self) -> bool {
        self.workspace.is_some() && !super::remote::is_remote(&self.id) && !self.status.is_terminal()
    }
}

/// What to generate. In JSON one flat object: `{"model": .., "mode": .., "prompt": .., ...}`; images are data URIs there,
/// or raw bytes in `images` under the parameter's name (`reference_image`, `arbitrary_frames[0].image`).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GenerateRequest {
    /// Catalog id or alias.
    pub model: String,
    /// Mode; the model's default when absent.
    pub mode: Option<String>,
    /// Parameters by name.
    pub parameters: Map<String, Value>,
    /// Raw image bytes by parameter name.
    pub images: BTreeMap<String, Vec<u8>>,
}

impl GenerateRequest {
    /// A request with only a prompt.
    pub fn new(model: impl Into<String>, prompt: impl Into<String>) -> Self {
        let mut request = Self { model: model.into(), ..Self::default() };
        request.parameters.insert("prompt".to_owned(), Value::String(prompt.into()));
        request
    }

    /// Reads the flat JSON object.
    ///
    /// # Errors
    /// `validation_error` when the text is not a JSON object with a `model`.
    pub fn from_json(text: &str) -> crate::Result<Self> {
        let value: Value = serde_json::from_str(text)
            .map_err(|e| crate::Error::validation(format!("the request is not valid JSON: {e}")))?;
        let Value::Object(mut parameters) = value else {
            return Err(crate::Error::validation("the request must be a JSON object"));
        };
        let model = match parameters.remove("model") {
            Some(Value::String(model)) => model,
            Some(_) => return Err(crate::Error::validation("model must be a string")),
            None => return Err(crate::Error::validation("model is required")),
        };
        let mode = match parameters.remove("mode") {
            Some(Value::String(mode)) => Some(mode),
            Some(Value::Null) | None => None,
            Some(_) => return Err(crate::Error::validation("mode must be a string")),
        };
        Ok(Self { model, mode, parameters, images: BTreeMap::new() })
    }

    /// The same request in another mode.
    #[must_use]
    pub fn mode(mut self, mode: impl Into<String>) -> Self {
        self.mode = Some(mode.into());
        self
    }

    /// The same request with one parameter set.
    #[must_use]
    pub fn set(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.parameters.insert(name.into(), value.into());
        self
    }

    /// The same request with one image given as raw PNG, JPEG or WebP bytes.
    #[must_use]
    pub fn image(mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        self.images.insert(name.into(), bytes.into());
        self
    }
}

/// Which tasks to list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TaskQuery {
    /// Only these.
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// Newest first.
    #[default]
    Newest,
    /// Oldest first.
    Oldest,
}

/// One page of tasks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskPage {
    /// The tasks of this page.
    pub items: Vec<Task>,
    /// How many there are on all pages.
    pub total: u64,
    /// From 1.
    pub page: u32,
    /// Most items on a page.
    pub per_page: u32,
    /// Whether another page follows.
    pub has_more: bool,
}

/// Bytes of a result or a preview.
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
