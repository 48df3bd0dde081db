//! Error objects, and the table of codes.

use crate::entry::{c_text, free, text};
use crate::handle::{self, Object};
use crate::types::must_error_t;
use must::{Error, ErrorCode};
use std::ffi::{CStr, CString, c_char};
use std::sync::OnceLock;

/// An error in a form that C can read.
pub(crate) struct Failure {
    code: ErrorCode,
    detail: CString,
    user_action: CString,
}

impl Failure {
    pub(crate) fn new(error: &Error) -> Self {
        Self { code: error.code(), detail: c_text(error.detail()), user_action: c_text(error.user_action()) }
    }
}

/// A text of the object that a handle names; the empty text when there is no such object. The pointer is valid until the handle
/// is freed.
pub(crate) fn view<T: Object>(handle: *const T::Handle, read: impl FnOnce(&T) -> &CStr) -> *const c_char {
    handle::get::<T>(handle).map_or(c"".as_ptr(), |object| read(&object).as_ptr())
}

/// Code of an error; 0 for NULL, `MUST_INVALID_STATE` for a handle that is not a live error.
///
/// Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn must_error_code(error: *const must_error_t) -> i32 {
    if error.is_null() {
        return 0;
    }
    handle::get::<Failure>(error).map_or(ErrorCode::InvalidState as i32, |failure| failure.code as i32)
}

/// What happened, in one line of UTF-8; the empty text for NULL or a handle that is not a live error.
/// The error owns the text; it is valid until `must_error_free`.
///
/// Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn must_error_detail(error: *const must_error_t) -> *const c_char {
    view::<Failure>(error, |failure| &failure.detail)
}

/// What a person can do about it, in one line of UTF-8; otherwise as `must_error_detail`.
///
/// Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn must_error_user_action(error: *const must_error_t) -> *const c_char {
    view::<Failure>(error, |failure| &failure.user_action)
}

/// Frees an error and sets the variable to NULL. Passing NULL, or a variable that holds NULL, does nothing.
///
/// Returns 0, or `MUST_INVALID_STATE` when the handle was not a live error. Since 0.1.0.
///
/// # Safety
/// `error` is NULL or points to a variable that holds an error or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_error_free(error: *mut *mut must_error_t) -> i32 {
    // SAFETY: the same contract.
    unsafe { free::<Failure>(error) }
}

/// The table of codes with its texts ready for C.
fn texts() -> &'static [(ErrorCode, CString, CString)] {
    static TEXTS: OnceLock<Vec<(ErrorCode, CString, CString)>> = OnceLock::new();
    TEXTS.get_or_init(|| {
        ErrorCode::ALL.iter().map(|&code| (code, c_text(code.as_str()), c_text(code.default_user_action()))).collect()
    })
}

fn find(code: i32) -> Option<&'static (ErrorCode, CString, CString)> {
    texts().iter().find(|(candidate, ..)| *candidate as i32 == code)
}

/// Stable name of a code, such as `validation_error`; `ok` for 0; NULL when there is no such code. The text is static.
///
/// Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn must_code_name(code: i32) -> *const c_char {
    if code == 0 {
        return c"ok".as_ptr();
    }
    find(code).map_or(std::ptr::null(), |(_, name, _)| name.as_ptr())
}

/// The code with this stable name; 0 for `ok`; -1 when there is none, or `name` is NULL or not UTF-8.
///
/// Since 0.1.0.
///
/// # Safety
/// `name` is NULL or points to `name_len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_code_from_name(name: *const c_char, name_len: usize) -> i32 {
    // SAFETY: the same contract.
    match unsafe { text("name", name, name_len) } {
        Ok("ok") => 0,
        Ok(name) => ErrorCode::from_name(name).map_or(-1, |code| code as i32),
        Err(_) => -1,
    }
}

/// What a person can do about errors with this code in general; NULL when there is no such code. The text is static.
///
/// Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn must_code_user_action(code: i32) -> *const c_char {
    find(code).map_or(std::ptr::null(), |(.., action)| action.as_ptr())
}

/// The HTTP status that goes with a code; 200 for 0; -1 when there is no such code.
///
/// Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn must_code_http_status(code: i32) -> i32 {
    if code == 0 {
        return 200;
    }
    find(code).map_or(-1, |(code, ..)| i32::from(code.http_status()))
}

/// Whether the same call may succeed later without a change by the caller; false when there is no such code.
///
/// Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn must_code_is_retryable(code: i32) -> bool {
    find(code).is_some_and(|(code, ..)| code.is_retryable())
}
