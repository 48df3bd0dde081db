//! Listings: tasks of every status, and the gallery of those with a result.

use crate::entry::{Out, c_text, enter, free, text};
use crate::error::view;
use crate::handle;
use crate::platform::open;
use crate::task::Snapshot;
use crate::types::{must_error_t, must_page_t, must_platform_t, must_task_t};
use must::{Error, Platform, Result, TaskPage, TaskQuery};
use std::ffi::{CString, c_char};
use std::sync::OnceLock;

/// One page of a listing.
pub(crate) struct Page {
    page: TaskPage,
    json: OnceLock<CString>,
}

/// Lists tasks of every status.
///
/// `query` is a JSON object, UTF-8, with any of `status`, `model`, `type` (`image`, `video`), `owner` (an empty text selects
/// tasks without an owner), `after` (the id of a task, after which the pages begin), `sort` (`newest`, `oldest`), `page` (1 or
/// more) and `per_page` (1 to 100); NULL with length 0 means the newest 20. `*page_out` receives a page that the caller frees with
/// `must_page_free`. Errors: `validation_error`, `invalid_state`. Since 0.1.0.
///
/// # Safety
/// `query` is NULL or points to `query_len` bytes; `page_out` points to memory for a handle; `error_out` is NULL or points to
/// such memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_tasks(
    platform: *const must_platform_t,
    query: *const c_char,
    query_len: usize,
    page_out: *mut *mut must_page_t,
    error_out: *mut *mut must_error_t,
) -> i32 {
    // SAFETY: the same contract.
    unsafe { list(platform, query, query_len, page_out, error_out, Platform::tasks) }
}

/// Lists finished tasks with a result. Otherwise as `must_tasks`.
///
/// Since 0.1.0.
///
/// # Safety
/// As for `must_tasks`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_gallery(
    platform: *const must_platform_t,
    query: *const c_char,
    query_len: usize,
    page_out: *mut *mut must_page_t,
    error_out: *mut *mut must_error_t,
) -> i32 {
    // SAFETY: the same contract.
    unsafe { list(platform, query, query_len, page_out, error_out, Platform::gallery) }
}

unsafe fn list(
    platform: *const must_platform_t,
    query: *const c_char,
    query_len: usize,
    page_out: *mut *mut must_page_t,
    error_out: *mut *mut must_error_t,
    call: fn(&Platform, &TaskQuery) -> Result<TaskPage>,
) -> i32 {
    // SAFETY: the contract of the two callers above.
    unsafe {
        enter(error_out, || {
            let out = Out::new("page_out", page_out)?;
            let query = match text("query", query, query_len)? {
                "" => TaskQuery::default(),
                query => TaskQuery::from_json(query)?,
            };
            let page = open(platform)?.call(|platform| call(platform, &query))?;
            out.give(Page { page, json: OnceLock::new() })
        })
    }
}

/// How many tasks are on a page; 0 when the handle is not a live page.
///
/// Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn must_page_size(page: *const must_page_t) -> usize {
    handle::get::<Page>(page).map_or(0, |page| page.page.items.len())
}

/// How many tasks there are on all pages together; 0 when the handle is not a live page.
///
/// Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn must_page_total(page: *const must_page_t) -> u64 {
    handle::get::<Page>(page).map_or(0, |page| page.page.total)
}

/// Whether another page follows; false when the handle is not a live page.
///
/// Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn must_page_has_more(page: *const must_page_t) -> bool {
    handle::get::<Page>(page).is_ok_and(|page| page.page.has_more)
}

/// A task of a page, `index` from 0.
///
/// `*task_out` receives a copy that outlives the page; the caller frees it with `must_task_free`. Errors: `validation_error`
/// when there is no such index, `invalid_state`. Since 0.1.0.
///
/// # Safety
/// `task_out` points to memory for a handle; `error_out` is NULL or points to such memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_page_task(
    page: *const must_page_t,
    index: usize,
    task_out: *mut *mut must_task_t,
    error_out: *mut *mut must_error_t,
) -> i32 {
    // SAFETY: the same contract.
    unsafe {
        enter(error_out, || {
            let out = Out::new("task_out", task_out)?;
            let page = handle::get::<Page>(page)?;
            let task = page.page.items.get(index).ok_or_else(|| {
                Error::validation(format!("index is {index}, and the page has {} tasks", page.page.items.len()))
                    .with_action("Use an index below must_page_size.")
            })?;
            out.give(Snapshot::from(task.clone()))
        })
    }
}

/// The page as a JSON object with `items`, `total`, `page`, `per_page` and `has_more`; empty when the handle is not a live
/// page. The page owns the text; it is valid until `must_page_free`.
///
/// Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn must_page_json(page: *const must_page_t) -> *const c_char {
    view::<Page>(page, |page| page.json.get_or_init(|| c_text(&serde_json::to_string(&page.page).unwrap_or_default())))
}

/// Frees a page and sets the variable to NULL. Passing NULL, or a variable that holds NULL, does nothing.
///
/// Returns 0, or `MUST_INVALID_STATE` when the handle was not a live page. Since 0.1.0.
///
/// # Safety
/// `page` is NULL or points to a variable that holds a page or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_page_free(page: *mut *mut must_page_t) -> i32 {
    // SAFETY: the same contract.
    unsafe { free::<Page>(page) }
}
