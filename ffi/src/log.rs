//! Passes log records to a callback of the host.

use crate::entry::c_text;
use crate::types::{must_destroy_fn, must_log_fn};
use must::{Error, LogRecord, Result};
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The host's callback, its user pointer and its destroy function, which is called on drop once [`Logger::owned`] is set.
pub(crate) struct Logger {
    on_log: unsafe extern "C" fn(
        *mut c_void,
        i32,
        *const std::ffi::c_char,
        *const std::ffi::c_char,
        *const std::ffi::c_char,
    ),
    user: *mut c_void,
    destroy: must_destroy_fn,
    owned: Arc<AtomicBool>,
}

// SAFETY: `must_platform_open_with_log` tells the host that both functions are called with the user pointer on another thread.
unsafe impl Send for Logger {}

impl Logger {
    /// Checks the callback; until [`Logger::owned`] is set, the caller owns `user`.
    pub(crate) fn new(on_log: must_log_fn, user: *mut c_void, destroy: must_destroy_fn) -> Result<Self> {
        let on_log = on_log.ok_or_else(|| {
            Error::validation("on_log is NULL").with_action("Pass a function, or use must_platform_open.")
        })?;
        Ok(Self { on_log, user, destroy, owned: Arc::default() })
    }

    /// Returns the flag that is set when the library becomes the owner of the user pointer.
    pub(crate) fn owned(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.owned)
    }

    pub(crate) fn call(&self, record: &LogRecord) {
        let (target, message) = (c_text(&record.target), c_text(&record.message));
        let json = c_text(&serde_json::to_string(record).unwrap_or_default());
        // SAFETY: by the contract of `must_platform_open_with_log` the function may be called until `destroy` is called.
        unsafe { (self.on_log)(self.user, record.level as i32, target.as_ptr(), message.as_ptr(), json.as_ptr()) };
    }
}

impl Drop for Logger {
    fn drop(&mut self) {
        if let Some(destroy) = self.destroy
            && self.owned.load(Ordering::Acquire)
        {
            // SAFETY: as for `call`; a logger is dropped once, after its last call.
            unsafe { destroy(self.user) };
        }
    }
}
