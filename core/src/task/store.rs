//! The SQL statements on the task table. They enforce the state machine of tasks.
//!
//! A statement that changes a running task names the epoch of its claim. If another claim has raised the epoch, or the task has
//! ended, the statement changes nothing and returns false.

use super::idempotency::Submission;
use super::place::Place;
use super::remix;
use super::trace::{self, TraceParent};
use super::types::{Sort, Status, Task, TaskError, TaskPage, TaskQuery};
use crate::error::{Error, ErrorCode, Result};
use crate::request::MediaType;
use crate::store::Migration;
use crate::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};
use std::time::Duration;

pub(crate) const MIGRATION: Migration = Migration { name: "tasks", sql: include_str!("schema.sql") };

/// Largest number of tasks on a page.
const LARGEST_PAGE: u32 = 100;

/// A claim on a task. `epoch` is the fencing token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) epoch: i64,
    pub(super) started_at: Timestamp,
}

/// A task that has not ended.
#[derive(Debug)]
pub(super) struct Unfinished {
    pub(super) task: Task,
    pub(super) epoch: i64,
    pub(super) cancel_requested: bool,
}

pub(super) fn insert(connection: &Connection, task: &Task, inputs: &[(String, Vec<u8>)]) -> Result<()> {
    // Numbered, not named: SQLite searches for each name, and this is the statement of every submission.
    let mut statement = connection.prepare_cached(
        "INSERT INTO task (id, workspace, place, owner, model, type, mode, prompt, negative_prompt, parameters, seed, width, height, stage, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?15)",
    )?;
    let parameters = serde_json::to_string(&task.parameters).map_err(|error| Error::internal(error.to_string()))?;
    let (place, media_type, now) = (task.place.as_str(), task.media_type.as_str(), task.created_at.0);
    statement.execute(params![
        task.id,
        task.workspace,
        place,
        task.owner,
        task.model,
        media_type,
        task.mode,
        task.prompt,
        task.negative_prompt,
        parameters,
        task.seed,
        task.width,
        task.height,
        task.stage,
        now,
    ])?;
    for (name, png) in inputs {
        connection
            .prepare_cached("INSERT INTO task_input (task_id, name, png) VALUES (?, ?, ?)")?
            .execute(params![task.id, name, png])?;
    }
    Ok(())
}

/// Stores a task, unless the same submission was made before. In that case returns the id of its task.
pub(super) fn insert_once(
    connection: &Connection,
    task: &Task,
    inputs: &[(String, Vec<u8>)],
    submission: Option<&Submission>,
    trace: Option<&TraceParent>,
    remix_of: Option<&str>,
    now: Timestamp,
) -> Result<Option<String>> {
    // The same submission may arrive twice at the same time.
    let known = submission.map_or(Ok(None), |submission| submission.find(connection, now))?;
    if known.is_none() {
        insert(connection, task, inputs)?;
        if let Some(trace) = trace {
            trace::keep(connection, &task.id, trace)?;
        }
        if let Some(source) = remix_of {
            remix::keep(connection, &task.id, source)?;
        }
        if let Some(submission) = submission {
            submission.keep(connection, &task.id, now)?;
        }
    }
    Ok(known)
}

pub(super) fn get(connection: &Connection, id: &str) -> Result<Task> {
    let mut statement = connection.prepare_cached("SELECT * FROM task WHERE id = ?")?;
    statement.query_row([id], read).optional()?.ok_or_else(|| not_found(id))
}

pub(super) fn inputs(connection: &Connection, id: &str) -> Result<Vec<(String, Vec<u8>)>> {
    let mut statement =
        connection.prepare_cached("SELECT name, png FROM task_input WHERE task_id = ? ORDER BY name")?;
    let rows = statement.query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Claims a task in order to run it. Returns `None` if it has ended, was cancelled, or another run holds it.
pub(super) fn claim(connection: &Connection, id: &str, held_epoch: i64, now: Timestamp) -> Result<Option<Lease>> {
    let mut statement = connection.prepare_cached(
        "UPDATE task SET status = 'processing', epoch = epoch + 1, started_at = :now, updated_at = :now, stage = 'starting', stage_detail = ''
         WHERE id = :id AND epoch = :epoch AND status IN ('pending', 'processing') AND cancel_requested = 0 RETURNING epoch",
    )?;
    let epoch = statement
        .query_row(named_params! {":now": now.0, ":id": id, ":epoch": held_epoch}, |row| row.get(0))
        .optional()?;
    Ok(epoch.map(|epoch| Lease { epoch, started_at: now }))
}

/// Stores a running task's progress. Returns false if the lease is lost.
pub(super) fn progress(
    connection: &Connection,
    id: &str,
    lease: Lease,
    progress: u8,
    stage: &str,
    detail: &str,
    now: Timestamp,
) -> Result<bool> {
    let mut statement = connection.prepare_cached(
        "UPDATE task SET progress = max(progress, :progress), stage = :stage, stage_detail = :detail, updated_at = :now
         WHERE id = :id AND epoch = :epoch AND status = 'processing'",
    )?;
    let changed = statement.execute(named_params! {
        ":progress": progress, ":stage": stage, ":detail": detail, ":now": now.0, ":id": id, ":epoch": lease.epoch,
    })?;
    Ok(changed == 1)
}

/// Ends a running task with its result. Returns false if the lease is lost.
pub(super) fn complete(
    connection: &Connection,
    id: &str,
    lease: Lease,
    result: &str,
    preview: &str,
    now: Timestamp,
) -> Result<bool> {
    let mut statement = connection.prepare_cached(
        "UPDATE task SET status = 'done', progress = 100, stage = 'done', stage_detail = '', result_path = :result, preview_path = :preview,
             updated_at = :now, finished_at = :now
         WHERE id = :id AND epoch = :epoch AND status = 'processing'",
    )?;
    let changed = statement.execute(named_params! {
        ":result": result, ":preview": preview, ":now": now.0, ":id": id, ":epoch": lease.epoch,
    })?;
    forget_inputs(connection, id, changed == 1)
}

/// Ends a task with an error. Returns false if it had already ended or, with a lease, if the lease is lost.
pub(super) fn fail(
    connection: &Connection,
    id: &str,
    lease: Option<Lease>,
    error: &Error,
    now: Timestamp,
) -> Result<bool> {
    let mut statement = connection.prepare_cached(
        "UPDATE task SET status = 'failed', stage = 'failed', stage_detail = '', error_code = :code, error_detail = :detail,
             place = CASE place WHEN 'sending' THEN 'here' ELSE place END,
             updated_at = :now, finished_at = :now, epoch = epoch + (:epoch IS NULL)
         WHERE id = :id AND status IN ('pending', 'processing') AND (:epoch IS NULL OR epoch = :epoch)",
    )?;
    let changed = statement.execute(named_params! {
        ":code": error.code().as_str(), ":detail": error.detail(), ":now": now.0, ":id": id, ":epoch": lease.map(|lease| lease.epoch),
    })?;
    forget_inputs(connection, id, changed == 1)
}

pub(super) fn forget_inputs(connection: &Connection, id: &str, ended: bool) -> Result<bool> {
    if ended {
        connection.prepare_cached("DELETE FROM task_input WHERE task_id = ?")?.execute([id])?;
    }
    Ok(ended)
}

/// Whether a task was cancelled.
pub(super) fn cancel_requested(connection: &Connection, id: &str) -> Result<bool> {
    let mut statement = connection.prepare_cached("SELECT cancel_requested FROM task WHERE id = ?")?;
    Ok(statement.query_row([id], |row| row.get(0)).optional()?.unwrap_or(false))
}

/// Cancels a task and returns it as it was before. A pending task ends at once. A running task is marked, so that a restart does
/// not run it again.
pub(super) fn cancel(connection: &Connection, id: &str, now: Timestamp) -> Result<Task> {
    let before = get(connection, id)?;
    match before.status {
        // Its worker may already run it, so the worker must end it.
        Status::Pending if before.place == Place::Sent => {
            connection.prepare_cached("UPDATE task SET cancel_requested = 1 WHERE id = ?")?.execute([id])?;
        }
        Status::Pending => {
            fail(connection, id, None, &Error::new(ErrorCode::Cancelled, "cancelled before it ran"), now)?;
        }
        Status::Processing => {
            connection.prepare_cached("UPDATE task SET cancel_requested = 1 WHERE id = ?")?.execute([id])?;
        }
        Status::Done | Status::Failed => {}
    }
    Ok(before)
}

/// Fails tasks of one kind that have been processing for longer than `limit`. Returns their ids and how long they ran.
///
/// A task on a worker is failed only if its worker has reported on it after `since`. Otherwise it may have ended in the meantime.
pub(super) fn fail_stale(
    connection: &Connection,
    media_type: MediaType,
    limit: Duration,
    since: Timestamp,
    now: Timestamp,
) -> Result<Vec<(String, Duration)>> {
    let oldest = now.0.saturating_sub(i64::try_from(limit.as_millis()).unwrap_or(i64::MAX));
    let mut statement = connection.prepare_cached(
        "SELECT id, started_at FROM task
         WHERE status = 'processing' AND type = ? AND started_at < ? AND (place = 'here' OR updated_at > ?)",
    )?;
    let rows = statement.query_map(params![media_type.as_str(), oldest, since.0], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))
    })?;
    let mut stale = Vec::new();
    for row in rows.collect::<rusqlite::Result<Vec<_>>>()? {
        let ran = Duration::from_millis(u64::try_from(now.0 - row.1).unwrap_or(0));
        let detail = format!(
            "the {} was still processing after {} s; the limit is {} s",
            media_type.as_str(),
            ran.as_secs(),
            limit.as_secs()
        );
        if fail(connection, &row.0, None, &Error::new(ErrorCode::TaskStale, detail), now)? {
            stale.push((row.0, ran));
        }
    }
    Ok(stale)
}

/// Returns the tasks of this platform that have not ended, oldest first.
pub(super) fn unfinished(connection: &Connection) -> Result<Vec<Unfinished>> {
    let mut statement = connection.prepare_cached(
        "SELECT * FROM task WHERE status IN ('processing', 'pending') AND place = 'here' ORDER BY seq",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(Unfinished { task: read(row)?, epoch: row.get("epoch")?, cancel_requested: row.get("cancel_requested")? })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The condition for tasks in a listing. It leaves out tasks on their way to a worker, whose ids no caller knows. There is one
/// text for each way to select owners, so that the tasks of one owner are found by their index.
macro_rules! listed {
    (all) => {
        concat!(listed!(any), " AND :owner IS NULL")
    };
    (without_owner) => {
        concat!(listed!(any), " AND owner IS NULL AND :owner = ''")
    };
    (of_owner) => {
        concat!(listed!(any), " AND owner = :owner")
    };
    (any) => {
        "(:status IS NULL OR status = :status) AND (:model IS NULL OR model = :model) AND (:type IS NULL OR type = :type)
         AND place <> 'sending'"
    };
}

/// The statements of a listing: one counts the tasks, the others read a page in either order.
struct Listing {
    count: &'static str,
    newest: &'static str,
    oldest: &'static str,
}

macro_rules! listing {
    ($owner:ident) => {
        Listing {
            count: concat!("SELECT count(*) FROM task WHERE ", listed!($owner)),
            newest: concat!(
                "SELECT * FROM task WHERE ",
                listed!($owner),
                " AND (:after IS NULL OR seq < :after) ORDER BY seq DESC LIMIT :limit OFFSET :offset"
            ),
            oldest: concat!(
                "SELECT * FROM task WHERE ",
                listed!($owner),
                " AND (:after IS NULL OR seq > :after) ORDER BY seq LIMIT :limit OFFSET :offset"
            ),
        }
    };
}

/// Returns one page of the matching tasks. `query.model` must be an id, not an alias.
pub(super) fn page(connection: &Connection, query: &TaskQuery) -> Result<TaskPage> {
    let (page, per_page) = (query.page.max(1), if query.per_page == 0 { 20 } else { query.per_page });
    if per_page > LARGEST_PAGE {
        return Err(Error::validation(format!("per_page must be at most {LARGEST_PAGE}, but is {per_page}")));
    }
    let (status, media_type) = (query.status.map(Status::as_str), query.media_type.map(MediaType::as_str));
    let after: Option<i64> = query.after.as_ref().map(|id| position_of(connection, id, query)).transpose()?;
    let listing = match query.owner.as_deref() {
        None => listing!(all),
        Some("") => listing!(without_owner),
        Some(_) => listing!(of_owner),
    };
    let total: i64 = connection.prepare_cached(listing.count)?.query_row(
        named_params! {":status": status, ":model": query.model, ":type": media_type, ":owner": query.owner},
        |row| row.get(0),
    )?;
    let sql = match query.sort {
        Sort::Newest => listing.newest,
        Sort::Oldest => listing.oldest,
    };
    let offset = i64::from(page - 1) * i64::from(per_page);
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(
        named_params! {
            ":status": status, ":model": query.model, ":type": media_type, ":owner": query.owner, ":after": after,
            ":limit": per_page + 1, ":offset": offset,
        },
        read,
    )?;
    let mut items = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    // One task more than fits was read, which shows whether another page follows.
    let has_more = items.len() > per_page as usize;
    items.truncate(per_page as usize);
    Ok(TaskPage { items, total: u64::try_from(total).unwrap_or(0), page, per_page, has_more })
}

/// Returns the position of a task in the order of listings. Fails with `task_not_found` for a task of another owner than the query's.
fn position_of(connection: &Connection, id: &str, query: &TaskQuery) -> Result<i64> {
    let mut statement =
        connection.prepare_cached("SELECT seq FROM task WHERE id = ?1 AND (?2 IS NULL OR coalesce(owner, '') = ?2)")?;
    statement.query_row(params![id, query.owner], |row| row.get(0)).optional()?.ok_or_else(|| not_found(id))
}

/// Returns the number of tasks of each status and model.
pub(super) fn counts(connection: &Connection) -> Result<Vec<(String, String, i64)>> {
    let mut statement = connection.prepare_cached("SELECT status, model, count(*) FROM task GROUP BY status, model")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Deletes an ended task and returns it as it was.
pub(super) fn delete(connection: &Connection, id: &str) -> Result<Task> {
    let task = get(connection, id)?;
    if !task.status.is_terminal() {
        return Err(Error::invalid_state(
            format!("the task {id} is {} and cannot be deleted", task.status.as_str()),
            "Cancel the task, wait until it has ended, then delete it.",
        ));
    }
    connection.prepare_cached("DELETE FROM task WHERE id = ?")?.execute([id])?;
    Ok(task)
}

/// Returns the path of a task's result, which is `None` without a result. The outer `None` means that there is no such task.
pub(super) fn result_of(connection: &Connection, id: &str) -> Result<Option<Option<String>>> {
    Ok(connection
        .prepare_cached("SELECT result_path FROM task WHERE id = ?")?
        .query_row([id], |row| row.get(0))
        .optional()?)
}

pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Task> {
    let parameters: String = row.get("parameters")?;
    let error_code: Option<String> = row.get("error_code")?;
    let error_detail: Option<String> = row.get("error_detail")?;
    let status: String = row.get("status")?;
    let place: String = row.get("place")?;
    Ok(Task {
        id: row.get("id")?,
        workspace: row.get("workspace")?,
        place: Place::from_name(&place).unwrap_or(Place::Here),
        owner: row.get("owner")?,
        model: row.get("model")?,
        media_type: if row.get_ref("type")?.as_str()? == "image" { MediaType::Image } else { MediaType::Video },
        mode: row.get("mode")?,
        prompt: row.get("prompt")?,
        negative_prompt: row.get("negative_prompt")?,
        parameters: serde_json::from_str(&parameters).unwrap_or_default(),
        seed: row.get("seed")?,
        width: row.get("width")?,
        height: row.get("height")?,
        status: Status::from_name(&status).unwrap_or(Status::Failed),
        progress: row.get("progress")?,
        stage: row.get("stage")?,
        stage_detail: row.get("stage_detail")?,
        result_path: row.get("result_path")?,
        preview_path: row.get("preview_path")?,
        error: error_code.map(|code| TaskError { code, detail: error_detail.unwrap_or_default() }),
        created_at: Timestamp(row.get("created_at")?),
        updated_at: Timestamp(row.get("updated_at")?),
        started_at: row.get::<_, Option<i64>>("started_at")?.map(Timestamp),
        finished_at: row.get::<_, Option<i64>>("finished_at")?.map(Timestamp),
    })
}

pub(crate) fn not_found(id: &str) -> Error {
    let shown: String = id.chars().take(64).collect();
    Error::new(ErrorCode::TaskNotFound, format!("there is no task {shown:?}"))
}
