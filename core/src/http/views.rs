//! The types of answers.

use crate::catalog::ModelView;
use crate::fields::Fields;
use crate::request::MediaType;
use crate::task::{Status, Task, TaskPage};
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// The platform is running.
#[derive(Serialize, JsonSchema)]
pub(super) struct Health {
    pub(super) ok: bool,
    pub(super) status: &'static str,
    pub(super) version: &'static str,
    pub(super) app: &'static str,
}

/// The catalog.
#[derive(Serialize, JsonSchema)]
pub(super) struct Models {
    pub(super) models: Vec<ModelView>,
}

/// A task that was accepted.
#[derive(Serialize, JsonSchema)]
pub(super) struct Submitted {
    pub(super) task_id: String,
    pub(super) status: Status,
}

/// The status of a task.
#[derive(Serialize, JsonSchema)]
pub(super) struct StatusView<'a> {
    pub(super) task_id: &'a str,
    pub(super) status: Status,
    /// 0 to 100, never decreasing.
    #[schemars(range(min = 0, max = 100))]
    pub(super) progress: u8,
    pub(super) stage: &'a str,
    pub(super) stage_detail: &'a str,
    pub(super) result_url: Option<String>,
    pub(super) preview_url: Option<String>,
    pub(super) error: Option<&'a str>,
    pub(super) error_code: Option<&'a str>,
    pub(super) seed: i64,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

impl<'a> From<&'a Task> for StatusView<'a> {
    fn from(task: &'a Task) -> Self {
        let done = task.status == Status::Done;
        let (error_code, error) = task.error.as_ref().map(|error| (error.code.as_str(), error.detail.as_str())).unzip();
        Self {
            result_url: done.then(|| format!("/results/{}", task.id)),
            preview_url: (done && task.preview_path.is_some()).then(|| format!("/preview/{}", task.id)),
            task_id: &task.id,
            status: task.status,
            progress: task.progress,
            stage: &task.stage,
            stage_detail: &task.stage_detail,
            error,
            error_code,
            seed: task.seed,
            created_at: task.created_at,
            updated_at: task.updated_at,
        }
    }
}

/// The answer to a request to cancel a task.
#[derive(Serialize, JsonSchema)]
pub(super) struct Cancelling {
    pub(super) task_id: String,
    pub(super) status: &'static str,
}

/// A finished task.
#[derive(Serialize, JsonSchema)]
pub(super) struct GalleryItem {
    pub(super) id: String,
    pub(super) workspace: Option<String>,
    pub(super) model: String,
    #[serde(rename = "type")]
    pub(super) media_type: MediaType,
    pub(super) mode: String,
    pub(super) prompt: String,
    pub(super) negative_prompt: String,
    pub(super) parameters: Fields,
    pub(super) seed: i64,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) result_url: String,
    pub(super) preview_url: String,
    pub(super) created_at: Timestamp,
    pub(super) finished_at: Option<Timestamp>,
}

impl From<Task> for GalleryItem {
    fn from(task: Task) -> Self {
        Self {
            result_url: format!("/results/{}", task.id),
            preview_url: format!("/preview/{}", task.id),
            id: task.id,
            workspace: task.workspace,
            model: task.model,
            media_type: task.media_type,
            mode: task.mode,
            prompt: task.prompt,
            negative_prompt: task.negative_prompt,
            parameters: task.parameters,
            seed: task.seed,
            width: task.width,
            height: task.height,
            created_at: task.created_at,
            finished_at: task.finished_at,
        }
    }
}

/// A page of finished tasks.
#[derive(Serialize, JsonSchema)]
pub(super) struct GalleryPage {
    pub(super) items: Vec<GalleryItem>,
    pub(super) total: u64,
    pub(super) page: u32,
    pub(super) per_page: u32,
    pub(super) has_more: bool,
}

impl From<TaskPage> for GalleryPage {
    fn from(page: TaskPage) -> Self {
        Self {
            items: page.items.into_iter().map(GalleryItem::from).collect(),
            total: page.total,
            page: page.page,
            per_page: page.per_page,
            has_more: page.has_more,
        }
    }
}

/// Confirms that an ended task and its files were removed.
#[derive(Serialize, JsonSchema)]
pub(super) struct Deleted {
    pub(super) deleted: bool,
    pub(super) id: String,
}

/// A new generation session; its token is in the cookie.
#[derive(Serialize, JsonSchema)]
pub(super) struct NewSession {
    pub(super) active: bool,
    pub(super) session_status: &'static str,
    pub(super) expires_at: Option<Timestamp>,
}

/// The generation session of the cookie.
#[derive(Serialize, JsonSchema)]
pub(super) struct SessionView {
    pub(super) active: bool,
    pub(super) valid: bool,
    pub(super) expires_at: Timestamp,
}

/// The admin session of the cookie.
#[derive(Serialize, JsonSchema)]
pub(super) struct AdminSessionView {
    pub(super) active: bool,
    pub(super) idle_timeout_seconds: u64,
    pub(super) last_activity_at: Timestamp,
}

/// A failed call.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Failure {
    /// Stable name to branch on.
    pub(super) code: String,
    /// What happened, in one line.
    pub(super) detail: String,
    /// What a person can do about it, in one line.
    pub(super) user_action: String,
}
