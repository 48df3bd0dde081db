//! One task: submit, query, wait, cancel, delete; and read its fields.

use crate::entry::{Out, c_text, enter, free, slice, text, timeout};
use crate::error::view;
use crate::handle;
use crate::platform::open;
use crate::types::{must_error_t, must_image_t, must_platform_t, must_status_t, must_task_t};
use must::{ErrorCode, GenerateRequest, Platform, Status, SubmitOptions, Task};
use std::ffi::{CString, c_char};
use std::sync::OnceLock;

/// The state of a task at one moment, with its texts as C strings.
pub(crate) struct Snapshot {
    task: Task,
    id: CString,
    model: CString,
    mode: CString,
    prompt: CString,
    stage: CString,
    stage_detail: CString,
    owner: CString,
    error_detail: CString,
    json: OnceLock<CString>,
}

impl From<Task> for Snapshot {
    fn from(task: Task) -> Self {
        Self {
            id: c_text(&task.id),
            model: c_text(&task.model),
            mode: c_text(&task.mode),
            prompt: c_text(&task.prompt),
            stage: c_text(&task.stage),
            stage_detail: c_text(&task.stage_detail),
            owner: c_text(task.owner.as_deref().unwrap_or_default()),
            error_detail: c_text(task.error.as_ref().map_or("", |error| &error.detail)),
            json: OnceLock::new(),
            task,
        }
    }
}

/// Checks a request, makes a durable task of it and queues it. Does not wait for the result.
///
/// `request` is a JSON object, UTF-8: `{"model": "tiny-video", "prompt": "a red circle moving left", "seed": 7}`, with
/// `mode` and any parameter of the model. Images are data URIs in it, or bytes in `images`, an array of
/// `image_count` entries that may be NULL when the count is 0; neither is used after the call. `*task_out` receives the
/// task; the caller frees it with `must_task_free`. On an error no task exists. Errors: `validation_error`,
/// `payload_too_large`, `model_unavailable`, `queue_overloaded`, `no_workers`, `storage_full`, `invalid_state`. Since 0.1.0.
///
/// # Safety
/// Each pointer is valid for the length given with it; `task_out` points to memory for a handle; `error_out` is NULL or points
/// to such memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_submit(
    platform: *const must_platform_t,
    request: *const c_char,
    request_len: usize,
    images: *const must_image_t,
    image_count: usize,
    task_out: *mut *mut must_task_t,
    error_out: *mut *mut must_error_t,
) -> i32 {
    // SAFETY: the same contract.
    unsafe {
        must_submit_with(platform, request, request_len, images, image_count, std::ptr::null(), 0, task_out, error_out)
    }
}

/// `must_submit` with options about the submission itself.
///
/// `options` is a JSON object, UTF-8; NULL with length 0 means none. It may have these members:
///
/// - `owner`: the owner of the task, 1 to 200 characters without control characters. `must_tasks` can list by owner, and over HTTP,
///   where the setting `sign_in_required` is on, only that owner sees the task. Use the `owner` that the call `auth.authorize`
///   returns.
/// - `idempotency`: `{"owner": "shop", "key": "order-1234"}`. For a day, the same key of the same owner returns the same task. The
///   key is 1 to 255 visible ASCII characters.
/// - `trace_parent`: the header `traceparent` of the trace that the submission belongs to.
/// - `local_only`: true if the task must run on this platform even if workers are ready.
/// - `remix_of`: the id of the task whose clip this one remixes.
///
/// Otherwise as `must_submit`. Since 0.1.0.
///
/// # Safety
/// As for `must_submit`; `options` is NULL or points to `options_len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_submit_with(
    platform: *const must_platform_t,
    request: *const c_char,
    request_len: usize,
    images: *const must_image_t,
    image_count: usize,
    options: *const c_char,
    options_len: usize,
    task_out: *mut *mut must_task_t,
    error_out: *mut *mut must_error_t,
) -> i32 {
    // SAFETY: the same contract.
    unsafe {
        enter(error_out, || {
            let out = Out::new("task_out", task_out)?;
            let mut request = GenerateRequest::from_json(text("request", request, request_len)?)?;
            for image in slice("images", images, image_count)? {
                let name = text("images[].name", image.name, image.name_len)?;
                let bytes = slice("images[].data", image.data, image.data_len)?;
                request = request.image(name, bytes);
            }
            let options = match text("options", options, options_len)? {
                "" => SubmitOptions::default(),
                options => SubmitOptions::from_json(options)?,
            };
            out.give(Snapshot::from(open(platform)?.call(|platform| platform.submit_with(&request, &options))?))
        })
    }
}

/// The current state of a task.
///
/// `*task_out` receives it; the caller frees it with `must_task_free`. Errors: `task_not_found`, `invalid_state`. Since 0.1.0.
///
/// # Safety
/// `id` points to `id_len` bytes; `task_out` points to memory for a handle; `error_out` is NULL or points to such memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_status(
    platform: *const must_platform_t,
    id: *const c_char,
    id_len: usize,
    task_out: *mut *mut must_task_t,
    error_out: *mut *mut must_error_t,
) -> i32 {
    // SAFETY: the same contract.
    unsafe {
        enter(error_out, || {
            let out = Out::new("task_out", task_out)?;
            let id = text("id", id, id_len)?;
            out.give(Snapshot::from(open(platform)?.call(|platform| platform.status(id))?))
        })
    }
}

/// Waits until a task has ended or `timeout_ms` is over (-1: without limit), and gives the state of the task at that moment.
///
/// Neither a failed task nor a timeout is an error: look at `must_task_status`. Otherwise as `must_status`.
/// Since 0.1.0.
///
/// # Safety
/// As for `must_status`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_wait(
    platform: *const must_platform_t,
    id: *const c_char,
    id_len: usize,
    timeout_ms: i64,
    task_out: *mut *mut must_task_t,
    error_out: *mut *mut must_error_t,
) -> i32 {
    // SAFETY: the same contract.
    unsafe {
        enter(error_out, || {
            let out = Out::new("task_out", task_out)?;
            let id = text("id", id, id_len)?;
            let timeout = timeout(timeout_ms)?;
            out.give(Snapshot::from(open(platform)?.call(|platform| platform.wait(id, timeout))?))
        })
    }
}

/// Asks a task to end. `*cancelled_out`, which may be NULL, is true when it was still pending or running, and false when it
/// had ended already, which is not an error.
///
/// Errors: `task_not_found`, `invalid_state`. Since 0.1.0.
///
/// # Safety
/// `id` points to `id_len` bytes; `cancelled_out` is NULL or points to a bool; `error_out` is NULL or points to memory for a
/// handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_cancel(
    platform: *const must_platform_t,
    id: *const c_char,
    id_len: usize,
    cancelled_out: *mut bool,
    error_out: *mut *mut must_error_t,
) -> i32 {
    // SAFETY: the same contract.
    unsafe {
        enter(error_out, || {
            let out = Out::optional("cancelled_out", cancelled_out)?;
            let id = text("id", id, id_len)?;
            let cancelled = open(platform)?.call(|platform| platform.cancel(id))?;
            if let Some(out) = out {
                out.put(cancelled);
            }
            Ok(())
        })
    }
}

/// Removes an ended task and its files.
///
/// Errors: `task_not_found`; `invalid_state` while the task waits or runs: cancel it first. Since 0.1.0.
///
/// # Safety
/// `id` points to `id_len` bytes; `error_out` is NULL or points to memory for a handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_delete(
    platform: *const must_platform_t,
    id: *const c_char,
    id_len: usize,
    error_out: *mut *mut must_error_t,
) -> i32 {
    // SAFETY: the same contract.
    unsafe {
        enter(error_out, || {
            let id = text("id", id, id_len)?;
            open(platform)?.call(|platform: &Platform| platform.delete(id))
        })
    }
}

fn read<T>(task: *const must_task_t, otherwise: T, read: impl FnOnce(&Task) -> T) -> T {
    handle::get::<Snapshot>(task).map_or(otherwise, |snapshot| read(&snapshot.task))
}

/// Id of a task. This text, like every other text of a task, is UTF-8, belongs to the handle and is valid until
/// `must_task_free`; it is empty when the handle is not a live task.
///
/// Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn must_task_id(task: *const must_task_t) -> *const c_char {
    view::<Snapshot>(task, |task| &task.id)
}

/// Catalog id of the model.
///
/// Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn must_task_model(task: *const must_task_t) -> *const c_char {
    view::<Snapshot>(task, |task| &task.model)
}

/// Mode of the model.
///
/// Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn must_task_mode(task: *const must_task_t) -> *const c_char {
    view::<Snapshot>(task, |task| &task.mode)
}

/// The prompt.
///
/// Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn must_task_prompt(task: *const must_task_t) -> *const c_char {
    view::<Snapshot>(task, |task| &task.prompt)
}

/// Owner of the task; empty when it has none.
///
/// Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn must_task_owner(task: *const must_task_t) -> *const c_char {
    view::<Snapshot>(task, |task| &task.owner)
}

/// Status of the task; `MUST_STATUS_NONE` when the handle is not a live task.
///
/// Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn must_task_status(task: *const must_task_t) -> must_status_t {
    read(task, must_status_t::None, |task| match task.status {
        Status::Pending => must_status_t::Pending,
        Status::Processing => must_status_t::Processing,
        Status::Done => must_status_t::Done,
        Status::Failed => must_status_t::Failed,
    })
}

/// Progress, 0 to 100; -1 when the handle is not a live task.
///
/// Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn must_task_progress(task: *const must_task_t) -> i32 {
    read(task, -1, |task| i32::from(task.progress))
}

/// Seed in use, drawn by the platform when the request asked for -1; -1 when the handle is not a live task.
///
/// Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn must_task_seed(task: *const must_task_t) -> i64 {
    read(task, -1, |task| task.seed)
}

/// Name of the stage the task is in.
///
/// Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn must_task_stage(task: *const must_task_t) -> *const c_char {
    view::<Snapshot>(task, |task| &task.stage)
}

/// More about the stage, such as `step 3 of 20`.
///
/// Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn must_task_stage_detail(task: *const must_task_t) -> *const c_char {
    view::<Snapshot>(task, |task| &task.stage_detail)
}

/// Why the task failed: a `must_code_t`; 0 unless it failed; -1 when the handle is not a live task.
///
/// Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn must_task_error_code(task: *const must_task_t) -> i32 {
    read(task, -1, |task| {
        task.error.as_ref().map_or(0, |error| ErrorCode::from_name(&error.code).unwrap_or(ErrorCode::Internal) as i32)
    })
}

/// What happened when the task failed; empty unless it failed.
///
/// Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn must_task_error_detail(task: *const must_task_t) -> *const c_char {
    view::<Snapshot>(task, |task| &task.error_detail)
}

/// All fields of the task, as the JSON object that every language and HTTP return.
///
/// Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn must_task_json(task: *const must_task_t) -> *const c_char {
    view::<Snapshot>(task, |snapshot| {
        snapshot.json.get_or_init(|| c_text(&serde_json::to_string(&snapshot.task).unwrap_or_default()))
    })
}

/// Frees a task handle and sets the variable to NULL; the task itself continues. Passing NULL, or a variable that holds NULL,
/// does nothing.
///
/// Returns 0, or `MUST_INVALID_STATE` when the handle was not a live task. Since 0.1.0.
///
/// # Safety
/// `task` is NULL or points to a variable that holds a task or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_task_free(task: *mut *mut must_task_t) -> i32 {
    // SAFETY: the same contract.
    unsafe { free::<Snapshot>(task) }
}
