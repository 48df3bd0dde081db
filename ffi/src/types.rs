//! The types of the C ABI: opaque handles, the image argument, the enums and the callbacks.
//!
//! The handle types have no contents on either side: a pointer to one is a number from [`crate::handle`].

#![expect(non_camel_case_types, reason = "these are the names that C sees")]

use std::ffi::{c_char, c_void};

/// A running platform in one data folder. Made by `must_platform_open`, freed by `must_platform_free`.
pub struct must_platform_t(());

/// The state of a task at the moment when it was asked for; it does not change afterwards; freed by `must_task_free`.
pub struct must_task_t(());

/// One page of tasks; freed by `must_page_free`.
pub struct must_page_t(());

/// The changes of one task, read one after another. Made by `must_events_open`, freed by `must_events_free`.
pub struct must_events_t(());

/// Bytes that the library holds: a picture, a clip, or a text; freed by `must_buffer_free`.
pub struct must_buffer_t(());

/// A running HTTP server. Made by `must_serve`, freed by `must_server_free`.
pub struct must_server_t(());

/// The answer to an HTTP request. Made by `must_handle`, freed by `must_answer_free`.
pub struct must_answer_t(());

/// What a host provides to platforms: callbacks and a clock. Made by `must_host_new`, freed by `must_host_free`.
pub struct must_host_t(());

/// A clock whose time changes only by `must_clock_advance`. Made by `must_clock_new`, freed by `must_clock_free`.
pub struct must_clock_t(());

/// What went wrong; freed by `must_error_free`.
pub struct must_error_t(());

/// An image of a request: the bytes of a PNG, JPEG or WebP file, and the name of the parameter whose value it is, such as
/// `reference_image` or `arbitrary_frames[0].image`. The library copies both before `must_submit` or `must_submit_with` returns.
#[repr(C)]
pub struct must_image_t {
    /// Name of the parameter, UTF-8.
    pub name: *const c_char,
    /// Length of the name in bytes.
    pub name_len: usize,
    /// The file's bytes.
    pub data: *const u8,
    /// How many bytes.
    pub data_len: usize,
}

/// Status of a task. It goes from pending through processing to done or failed, and never back.
#[repr(i32)]
pub enum must_status_t {
    /// Not a task: the handle that was asked is NULL, freed, or of another kind.
    None = 0,
    /// Stored, waiting for a lane.
    Pending = 1,
    /// Running.
    Processing = 2,
    /// Ended with a result.
    Done = 3,
    /// Ended with an error.
    Failed = 4,
}

/// Result of waiting for the next change of a task (`must_events_next`, `must_watch`) or for the next piece of an answer
/// (`must_answer_next`).
#[repr(i32)]
pub enum must_event_t {
    /// The task changed, and the call gives its new state; or the call gives a piece of the answer.
    Changed = 1,
    /// The task has ended, and its last change was already returned; or the answer is complete.
    Ended = 2,
    /// The time ran out first.
    TimedOut = 3,
    /// Only in a `must_watch_fn`: the platform was closed, or the task deleted, before the task ended.
    Closed = 4,
}

/// Called by `must_watch` with each change of a task, on a thread of the library, one call at a time.
///
/// `event` is a `must_event_t`: `MUST_EVENT_CHANGED` with the task, and at the end once `MUST_EVENT_ENDED` or
/// `MUST_EVENT_CLOSED` with NULL. The library owns the task, which is valid until the callback returns: do not free it. Returning
/// anything but 0 ends the watch. The callback may call any function of this header; it must return normally (no `longjmp`,
/// no C++ exception).
pub type must_watch_fn = Option<unsafe extern "C" fn(user: *mut c_void, event: i32, task: *const must_task_t) -> i32>;

/// Severity of a log record.
#[repr(i32)]
pub enum must_log_level_t {
    /// Something was lost, or will be lost unless a person acts.
    Error = 1,
    /// Something is wrong, and work continues.
    Warn = 2,
    /// Something that a person running the platform may want to know.
    Info = 3,
    /// What the platform does, such as loading and unloading pipelines.
    Debug = 4,
    /// Everything.
    Trace = 5,
}

/// Called by a platform with each log record, on a thread of the library, one call at a time and in order.
///
/// `level` is a `must_log_level_t`, `target` the module that logs, `message` what happened, `json` the whole record:
/// `{"time", "level", "target", "message", "fields"}`, where `fields` has the details (`task`, `code`, `model` and so
/// on). The library owns the texts, which are valid until the callback returns. None holds a prompt or a secret. The callback may
/// call any function of this header; it must return normally (no `longjmp`, no C++ exception).
pub type must_log_fn = Option<
    unsafe extern "C" fn(
        user: *mut c_void,
        level: i32,
        target: *const c_char,
        message: *const c_char,
        json: *const c_char,
    ),
>;

/// Called once when the library no longer needs the user pointer it was given, as the last thing it does with it.
pub type must_destroy_fn = Option<unsafe extern "C" fn(user: *mut c_void)>;

/// Gives keys in the form of a key file: one key a line, `VERSION BASE64` with 32 bytes in base64; the highest version encrypts or
/// signs, the others only decrypt or verify.
///
/// The function writes the text to `buffer`, which has room for `capacity` bytes, writes the length of the text to `*length_out`,
/// and returns 0. The library wipes the buffer afterwards. Any other return value means that the function has no keys. It is
/// called on the thread that opens the platform or rotates the key, also on several threads at once. It must return normally (no
/// `longjmp`, no C++ exception).
pub type must_keys_fn = Option<
    unsafe extern "C" fn(user: *mut c_void, buffer: *mut c_char, capacity: usize, length_out: *mut usize) -> i32,
>;

/// Takes a checkpoint of the audit log, a signed note (<https://c2sp.org/tlog-checkpoint>) of `note_len` bytes that ends in NUL.
///
/// Returns 0 when the checkpoint is stored; any other value means that it is not. Called on a thread of the library, one call at a
/// time for each platform. It must return normally, and it must not call functions of the platform that calls it: they would wait
/// for it for ever.
pub type must_anchor_fn = Option<unsafe extern "C" fn(user: *mut c_void, note: *const c_char, note_len: usize) -> i32>;
