//! Tasks of every owner, for administrators: listing, reading, cancelling and removing. Cancelling and removing are audit events.

use super::call::{Call, Reply, choice};
use super::generation::{LISTING, cancelling, listing};
use super::media::serve;
use super::views::Deleted;
use crate::error::Result;
use crate::request::MediaType;
use crate::task::{Status, Task, TaskQuery};
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// A page of tasks.
#[derive(Serialize, JsonSchema)]
pub(super) struct AllTasks {
    items: Vec<OwnedTask>,
    total: u64,
    page: u32,
    per_page: u32,
    has_more: bool,
}

/// A task and its owner.
#[derive(Serialize, JsonSchema)]
struct OwnedTask {
    id: String,
    /// Absent when the task has no owner.
    owner: Option<String>,
    /// Name of the owner's API key.
    owner_name: Option<String>,
    workspace: Option<String>,
    model: String,
    #[serde(rename = "type")]
    media_type: MediaType,
    mode: String,
    prompt: String,
    seed: i64,
    width: u32,
    height: u32,
    status: Status,
    #[schemars(range(min = 0, max = 100))]
    progress: u8,
    error: Option<String>,
    error_code: Option<String>,
    result_url: Option<String>,
    preview_url: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
    finished_at: Option<Timestamp>,
}

impl OwnedTask {
    fn new(task: Task, names: &BTreeMap<String, String>) -> Self {
        let done = task.status == Status::Done;
        let url = |kind: &str| done.then(|| format!("/admin/tasks/{}/{kind}", task.id));
        let (error_code, error) = task.error.map(|error| (error.code, error.detail)).unzip();
        Self {
            result_url: url("result"),
            preview_url: url("preview").filter(|_| task.preview_path.is_some()),
            owner_name: task.owner.as_ref().and_then(|owner| names.get(owner)).cloned(),
            id: task.id,
            owner: task.owner,
            workspace: task.workspace,
            model: task.model,
            media_type: task.media_type,
            mode: task.mode,
            prompt: task.prompt,
            seed: task.seed,
            width: task.width,
            height: task.height,
            status: task.status,
            progress: task.progress,
            error,
            error_code,
            created_at: task.created_at,
            updated_at: task.updated_at,
            finished_at: task.finished_at,
        }
    }
}

const STATUSES: [(&str, Status); 4] = [
    ("pending", Status::Pending),
    ("processing", Status::Processing),
    ("done", Status::Done),
    ("failed", Status::Failed),
];

pub(super) fn list(call: &Call) -> Result<Reply> {
    call.only(&[LISTING, &["owner", "status"]].concat())?;
    let query = TaskQuery {
        owner: call.query("owner")?.map(str::to_owned),
        status: choice(call, "status", &STATUSES)?,
        ..listing(call)?
    };
    let page = call.platform().tasks(&query)?;
    // Oldest first, so that the name of the newest key of an owner is kept.
    let keys = call.platform().access()?.keys()?;
    let names = keys.into_iter().rev().map(|key| (key.owner, key.name)).collect();
    Reply::ok(&AllTasks {
        items: page.items.into_iter().map(|task| OwnedTask::new(task, &names)).collect(),
        total: page.total,
        page: page.page,
        per_page: page.per_page,
        has_more: page.has_more,
    })
}

pub(super) fn result(call: &Call) -> Result<Reply> {
    call.only(&[])?;
    serve(call, call.platform().result(call.part("id"))?)
}

pub(super) fn preview(call: &Call) -> Result<Reply> {
    call.only(&[])?;
    serve(call, call.platform().preview(call.part("id"))?)
}

pub(super) fn cancel(call: &Call) -> Result<Reply> {
    call.only(&[])?;
    let id = call.part("id");
    cancelling(id, call.platform().cancel_as(id, &call.caller()?)?)
}

pub(super) fn delete(call: &Call) -> Result<Reply> {
    call.only(&[])?;
    let id = call.part("id");
    call.platform().delete_as(id, &call.caller()?)?;
    Reply::ok(&Deleted { deleted: true, id: id.to_owned() })
}
