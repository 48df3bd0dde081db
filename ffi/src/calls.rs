//! The administrative calls by name.

use crate::buffer::Buffer;
use crate::entry::{Out, enter, text};
use crate::platform::open;
use crate::types::{must_buffer_t, must_error_t, must_platform_t};
use std::ffi::c_char;

/// Makes an administrative call: access (`auth.*`, `admin.*`), stored secrets (`secrets.*`), worker accounts
/// (`accounts.*`), the audit log (`audit.*`), and `backup`, which copies the data folder while the platform works.
///
/// `name` is a call such as `auth.authorize`, `arguments` a JSON object, both UTF-8; `docs/calls.md` lists every call with its
/// arguments and its answer. `*answer_out` receives a buffer with the answer as JSON that the caller frees with
/// `must_buffer_free`, which also wipes its memory, because the answer may hold a secret. Errors: those of the call; `not_found`
/// for an unknown name; `validation_error`, which names the wrong argument without quoting its value. Since 0.1.0.
///
/// # Safety
/// `name` points to `name_len` bytes, `arguments` to `arguments_len`; `answer_out` points to memory for a handle; `error_out` is
/// NULL or points to such memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_call(
    platform: *const must_platform_t,
    name: *const c_char,
    name_len: usize,
    arguments: *const c_char,
    arguments_len: usize,
    answer_out: *mut *mut must_buffer_t,
    error_out: *mut *mut must_error_t,
) -> i32 {
    // SAFETY: the same contract.
    unsafe {
        enter(error_out, || {
            let out = Out::new("answer_out", answer_out)?;
            let name = text("name", name, name_len)?;
            let arguments = text("arguments", arguments, arguments_len)?;
            let answer = open(platform)?.call(|platform| platform.call(name, arguments))?;
            out.give(Buffer::secret(&answer))
        })
    }
}
