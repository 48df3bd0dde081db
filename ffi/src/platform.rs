//! Opening, closing and querying a platform; the version.

use crate::buffer::Buffer;
use crate::entry::{Out, duration, enter, free, text};
use crate::handle;
use crate::host::Host;
use crate::log::Logger;
use crate::types::{must_buffer_t, must_destroy_fn, must_error_t, must_host_t, must_log_fn, must_platform_t};
use must::http::HttpService;
use must::{Error, Platform, Result, Settings};
use parking_lot::Mutex;
use std::ffi::{CStr, c_char, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(version) => version,
    Err(_) => c"",
};

/// Number of the binary interface that a header describes. It grows when functions are added; functions are never changed or
/// removed.
pub const MUST_ABI_VERSION: i32 = 1;

/// A platform, and whether a call on it panicked.
pub(crate) struct OpenPlatform {
    platform: Platform,
    poisoned: AtomicBool,
    http_service: Mutex<Option<HttpService>>,
}

impl OpenPlatform {
    pub(crate) fn new(platform: Platform) -> Self {
        Self { platform, poisoned: AtomicBool::new(false), http_service: Mutex::default() }
    }

    /// The HTTP service, made when it is first asked for.
    pub(crate) fn http_service(&self) -> Result<HttpService> {
        self.call(|platform| {
            let mut service = self.http_service.lock();
            match &*service {
                Some(service) => Ok(service.clone()),
                None => Ok(service.insert(platform.http_service()?).clone()),
            }
        })
    }

    /// Makes a call on the platform. After a call that panicked, every other call is refused, because the state is unknown.
    pub(crate) fn call<T>(&self, call: impl FnOnce(&Platform) -> Result<T>) -> Result<T> {
        struct PoisonOnPanic<'a>(&'a AtomicBool);
        impl Drop for PoisonOnPanic<'_> {
            fn drop(&mut self) {
                if std::thread::panicking() {
                    self.0.store(true, Ordering::Release);
                }
            }
        }
        if self.poisoned.load(Ordering::Acquire) {
            return Err(Error::invalid_state(
                "a fault inside the library ended this platform",
                "Free the platform and open it again.",
            ));
        }
        let _poison = PoisonOnPanic(&self.poisoned);
        call(&self.platform)
    }
}

/// The platform that a handle names.
pub(crate) fn open(platform: *const must_platform_t) -> Result<Arc<OpenPlatform>> {
    handle::get(platform)
}

/// Version of the library, such as `0.1.0`. The text is static.
///
/// Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn must_version() -> *const c_char {
    VERSION.as_ptr()
}

/// Number of the binary interface of the library. A program works with a library whose number is at least the
/// `MUST_ABI_VERSION` of the header that it was compiled with.
///
/// Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn must_abi_version() -> i32 {
    MUST_ABI_VERSION
}

/// Opens a data folder, recovers tasks that a crash interrupted, and starts to work.
///
/// `settings` is a JSON object, UTF-8, such as `{"data_dir": "/var/lib/must"}`; the folder is made when absent.
/// `*platform_out` receives a platform that the caller frees with `must_platform_free`. Errors: `validation_error`,
/// `data_dir_locked`, `dependency_unavailable` (cannot be written), `storage_full`, `storage_corrupt`. Since 0.1.0.
///
/// # Safety
/// `settings` points to `settings_len` bytes; `platform_out` points to memory for a handle; `error_out` is NULL or points to
/// such memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_platform_open(
    settings: *const c_char,
    settings_len: usize,
    platform_out: *mut *mut must_platform_t,
    error_out: *mut *mut must_error_t,
) -> i32 {
    // SAFETY: the same contract.
    unsafe {
        enter(error_out, || {
            let out = Out::new("platform_out", platform_out)?;
            let settings = Settings::from_json(text("settings", settings, settings_len)?)?;
            let platform = Platform::open(settings)?;
            out.give(OpenPlatform::new(platform))
        })
    }
}

/// Opens a data folder as `must_platform_open` does, and passes log records to a callback.
///
/// `on_log` is called with `user` as its type says, with records at least as important as the setting `log_level` (`error`,
/// `warn`, `info`, `debug` or `trace`; `info` when not given); the first may come before this function returns. A slow
/// callback delays only the next record: when more than a thousand records wait, records are dropped, and one record that says
/// how many takes their place. Loading, reusing and unloading of pipelines is logged at `debug`. `destroy`, which may be NULL, is
/// called once with `user` after the last record, on that thread, when the platform has been closed; closing waits up to a
/// second for that. When this function fails, `on_log` is not called any more, `destroy` is never called, and the caller still
/// owns `user`. Since 0.1.0.
///
/// # Safety
/// As for `must_platform_open`; `on_log` and `destroy` may be called with `user` on another thread until `destroy` has been
/// called.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_platform_open_with_log(
    settings: *const c_char,
    settings_len: usize,
    on_log: must_log_fn,
    user: *mut c_void,
    destroy: must_destroy_fn,
    platform_out: *mut *mut must_platform_t,
    error_out: *mut *mut must_error_t,
) -> i32 {
    // SAFETY: the same contract.
    unsafe {
        enter(error_out, || {
            let out = Out::new("platform_out", platform_out)?;
            let logger = Logger::new(on_log, user, destroy)?;
            let owned = logger.owned();
            let settings = Settings::from_json(text("settings", settings, settings_len)?)?;
            let platform = Platform::open_with_log(settings, move |record| logger.call(record))?;
            // When no handle can be made, the platform is closed again and the caller still owns `user`.
            out.give(OpenPlatform::new(platform))?;
            owned.store(true, Ordering::Release);
            Ok(())
        })
    }
}

/// Opens a data folder as `must_platform_open` does, with what a host provides: callbacks for keys, checkpoints and logs, a clock.
///
/// Functions of the host may be called before this returns. Errors: as for `must_platform_open`. Since 0.1.0.
///
/// # Safety
/// As for `must_platform_open`; the functions of the host may be called as their setters say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_platform_open_with_host(
    settings: *const c_char,
    settings_len: usize,
    host: *const must_host_t,
    platform_out: *mut *mut must_platform_t,
    error_out: *mut *mut must_error_t,
) -> i32 {
    // SAFETY: the same contract.
    unsafe {
        enter(error_out, || {
            let out = Out::new("platform_out", platform_out)?;
            let host: Arc<Host> = handle::get(host)?;
            let settings = Settings::from_json(text("settings", settings, settings_len)?)?;
            out.give(OpenPlatform::new(host.open(settings)?))
        })
    }
}

/// Accepts no more work, asks running tasks to stop, waits for them up to `deadline_ms`, and closes the data folder.
///
/// Unfinished tasks continue when the folder is opened again. Calls that wait return `invalid_state`, as does every
/// call after this one; closing again does nothing. The handle stays until `must_platform_free`. Since 0.1.0.
///
/// # Safety
/// `error_out` is NULL or points to memory for a handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_platform_close(
    platform: *const must_platform_t,
    deadline_ms: i64,
    error_out: *mut *mut must_error_t,
) -> i32 {
    // SAFETY: the same contract.
    unsafe {
        enter(error_out, || {
            let deadline = duration("deadline_ms", deadline_ms)?;
            open(platform)?.call(|platform| platform.close(deadline))
        })
    }
}

/// Frees a platform and sets the variable to NULL. Passing NULL, or a variable that holds NULL, does nothing.
///
/// An open platform is closed first, as soon as calls that still run on it have returned; to bound that time, or to learn of
/// errors, call `must_platform_close` before. Returns 0, or `MUST_INVALID_STATE` when the handle was not a live
/// platform. Since 0.1.0.
///
/// # Safety
/// `platform` is NULL or points to a variable that holds a platform or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_platform_free(platform: *mut *mut must_platform_t) -> i32 {
    // SAFETY: the same contract.
    unsafe { free::<OpenPlatform>(platform) }
}

/// The catalog: a JSON array with one object for each model, with its modes, its parameters and whether it can run here.
///
/// `*models_out` receives a buffer that the caller frees with `must_buffer_free`. Errors: `invalid_state`. Since 0.1.0.
///
/// # Safety
/// `models_out` points to memory for a handle; `error_out` is NULL or points to such memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_models(
    platform: *const must_platform_t,
    models_out: *mut *mut must_buffer_t,
    error_out: *mut *mut must_error_t,
) -> i32 {
    // SAFETY: the same contract.
    unsafe {
        enter(error_out, || {
            let out = Out::new("models_out", models_out)?;
            let models = open(platform)?.call(Platform::models)?;
            let text = serde_json::to_string(&models)
                .map_err(|error| Error::internal(format!("the models cannot be written: {error}")))?;
            out.give(Buffer::json(text))
        })
    }
}

/// State of the lanes: a JSON object with `lanes`, the shared one last, and `waiting`, the number of tasks that wait for a lane.
///
/// A lane has `model` (null for the shared one), `loaded` (ids of the models whose weights are loaded), `memory_bytes` that
/// they hold, and since the platform was opened `hits` and `misses` (tasks that found their pipeline loaded, or not), `loads`
/// and `evictions`. `*load_out` receives a buffer that the caller frees with `must_buffer_free`. Errors: `invalid_state`.
/// Since 0.1.0.
///
/// # Safety
/// `load_out` points to memory for a handle; `error_out` is NULL or points to such memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_load(
    platform: *const must_platform_t,
    load_out: *mut *mut must_buffer_t,
    error_out: *mut *mut must_error_t,
) -> i32 {
    // SAFETY: the same contract.
    unsafe {
        enter(error_out, || {
            let out = Out::new("load_out", load_out)?;
            let load = open(platform)?.call(Platform::load)?;
            let text = serde_json::to_string(&load)
                .map_err(|error| Error::internal(format!("the load cannot be written: {error}")))?;
            out.give(Buffer::json(text))
        })
    }
}
