//! What a host provides to a platform besides settings: callbacks for keys, checkpoints and logs, and a clock.

use crate::entry::{Out, c_text, duration, enter, free};
use crate::handle;
use crate::types::{
    must_anchor_fn, must_clock_t, must_destroy_fn, must_error_t, must_host_t, must_keys_fn, must_log_fn,
};
use must::audit::AnchorCallback;
use must::secrets::{KeyCallback, SecretText};
use must::time::{Clock, ManualClock};
use must::{Error, LogRecord, Platform, Result, Settings};
use parking_lot::Mutex;
use std::ffi::{c_char, c_void};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Maximum length in bytes of the key text that a callback gives.
const KEYS_CAPACITY: usize = 1 << 16;

/// A callback of the host, its user pointer and its destroy function, which is called on drop.
struct Callback<F> {
    function: F,
    user: *mut c_void,
    destroy: must_destroy_fn,
}

// SAFETY: the callback types document that the callbacks are called with the user pointer on threads of the library, some of
// them at the same time.
unsafe impl<F: Send> Send for Callback<F> {}
// SAFETY: the same.
unsafe impl<F: Sync> Sync for Callback<F> {}

impl<F> Callback<F> {
    fn new(name: &str, function: Option<F>, user: *mut c_void, destroy: must_destroy_fn) -> Result<Arc<Self>> {
        let function = function.ok_or_else(|| {
            Error::validation(format!("{name} is NULL")).with_action("Pass a function, or leave the call out.")
        })?;
        Ok(Arc::new(Self { function, user, destroy }))
    }
}

impl<F> Drop for Callback<F> {
    fn drop(&mut self) {
        if let Some(destroy) = self.destroy {
            // SAFETY: `must_destroy_fn` may be called once with the user pointer, after the last call of the callback.
            unsafe { destroy(self.user) };
        }
    }
}

type OnLog = unsafe extern "C" fn(*mut c_void, i32, *const c_char, *const c_char, *const c_char);
type GiveKeys = unsafe extern "C" fn(*mut c_void, *mut c_char, usize, *mut usize) -> i32;
type TakeCheckpoint = unsafe extern "C" fn(*mut c_void, *const c_char, usize) -> i32;

/// The object that a `must_host_t` names.
#[derive(Default)]
pub(crate) struct Host(Mutex<Parts>);

#[derive(Default)]
struct Parts {
    host: must::Host,
    log: Option<Arc<Callback<OnLog>>>,
}

impl Host {
    /// Sets one part; `set` returns the old one. The old part is dropped outside the lock, because its `destroy` may call the
    /// library.
    fn set<T>(&self, set: impl FnOnce(&mut Parts) -> T) -> Result<()> {
        let old = set(&mut self.0.lock());
        drop(old);
        Ok(())
    }

    /// Opens a platform with the parts that are set so far.
    pub(crate) fn open(&self, settings: Settings) -> Result<Platform> {
        let (host, log) = {
            let parts = self.0.lock();
            (parts.host.clone(), parts.log.clone())
        };
        match log {
            None => Platform::open_with(settings, host),
            Some(log) => Platform::open_with_host_and_log(settings, host, move |record| call_log(&log, record)),
        }
    }
}

/// Calls a log function with a record.
fn call_log(log: &Callback<OnLog>, record: &LogRecord) {
    let (target, message) = (c_text(&record.target), c_text(&record.message));
    let json = c_text(&serde_json::to_string(record).unwrap_or_default());
    // SAFETY: by the contract of `must_host_set_log` the function may be called until `destroy` is called.
    unsafe { (log.function)(log.user, record.level as i32, target.as_ptr(), message.as_ptr(), json.as_ptr()) };
}

fn keys(callback: Arc<Callback<GiveKeys>>) -> KeyCallback {
    Arc::new(move || {
        // Wiped on drop, however the call ends.
        let mut buffer = Zeroizing::new(vec![0u8; KEYS_CAPACITY]);
        let mut length = 0;
        // SAFETY: by the contract of the setter the function may be called until `destroy` is called; `buffer` has `KEYS_CAPACITY`
        // bytes.
        let outcome =
            unsafe { (callback.function)(callback.user, buffer.as_mut_ptr().cast(), KEYS_CAPACITY, &raw mut length) };
        if outcome != 0 {
            return Err(format!("its function returned {outcome}"));
        }
        let text = buffer.get(..length).ok_or("its function gave more bytes than there is room for")?;
        let text = std::str::from_utf8(text).map_err(|_| "its function gave text that is not UTF-8")?;
        Ok(SecretText::new(text))
    })
}

fn anchor(callback: Arc<Callback<TakeCheckpoint>>) -> AnchorCallback {
    Arc::new(move |note| {
        let text = c_text(note);
        // SAFETY: by the contract of the setter the function may be called until `destroy` is called.
        match unsafe { (callback.function)(callback.user, text.as_ptr(), note.len()) } {
            0 => Ok(()),
            outcome => Err(format!("its function returned {outcome}")),
        }
    })
}

/// Makes a host that provides nothing yet. `*host_out` receives it; the caller frees it with `must_host_free`.
///
/// Set its functions, then open platforms with `must_platform_open_with_host`. A platform keeps what it was opened with: the
/// host may be changed, used for another platform, or freed afterwards. Since 0.1.0.
///
/// # Safety
/// `host_out` points to memory for a handle; `error_out` is NULL or points to such memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_host_new(host_out: *mut *mut must_host_t, error_out: *mut *mut must_error_t) -> i32 {
    // SAFETY: the same contract.
    unsafe { enter(error_out, || Out::new("host_out", host_out)?.give(Host::default())) }
}

/// Frees a host and sets the variable to NULL. Passing NULL, or a variable that holds NULL, does nothing.
///
/// Platforms that were opened with it keep its functions. Returns 0, or `MUST_INVALID_STATE` when the handle was not a live
/// host. Since 0.1.0.
///
/// # Safety
/// `host` is NULL or points to a variable that holds a host or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_host_free(host: *mut *mut must_host_t) -> i32 {
    // SAFETY: the same contract.
    unsafe { free::<Host>(host) }
}

/// Sets a callback for log records, as `must_platform_open_with_log` does.
///
/// `on_log` is called with `user` on one thread per platform. Once this has succeeded the library owns `user`: `destroy`, which
/// may be NULL, is called once with it after the host was freed, or another function was set, and the last platform that uses
/// it was closed and freed. When this fails, the caller still owns `user`. Since 0.1.0.
///
/// # Safety
/// `error_out` is NULL or points to memory for a handle; the functions may be called with `user` on other threads until `destroy`
/// has been called.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_host_set_log(
    host: *const must_host_t,
    on_log: must_log_fn,
    user: *mut c_void,
    destroy: must_destroy_fn,
    error_out: *mut *mut must_error_t,
) -> i32 {
    // SAFETY: the same contract.
    unsafe {
        enter(error_out, || {
            let host: Arc<Host> = handle::get(host)?;
            let log = Callback::new("on_log", on_log, user, destroy)?;
            host.set(|parts| parts.log.replace(log))
        })
    }
}

/// Sets a callback that gives the master keys, which seal stored secrets, in place of a file or a setting: for a host with a
/// key store.
///
/// `give_keys` is called when a platform is opened and when the master key is rotated; see its type. Ownership of `user` is as for
/// `must_host_set_log`. Since 0.1.0.
///
/// # Safety
/// As for `must_host_set_log`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_host_set_master_keys(
    host: *const must_host_t,
    give_keys: must_keys_fn,
    user: *mut c_void,
    destroy: must_destroy_fn,
    error_out: *mut *mut must_error_t,
) -> i32 {
    // SAFETY: the same contract.
    unsafe {
        enter(error_out, || {
            let host: Arc<Host> = handle::get(host)?;
            let keys = keys(Callback::new("give_keys", give_keys, user, destroy)?);
            host.set(|parts| parts.host.master_keys.replace(keys))
        })
    }
}

/// Sets a callback that gives the keys that sign the audit log, in place of a file.
///
/// `give_keys` is called when a platform is opened and when the audit key is rotated; see its type. Ownership of `user` is as for
/// `must_host_set_log`. Since 0.1.0.
///
/// # Safety
/// As for `must_host_set_log`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_host_set_audit_keys(
    host: *const must_host_t,
    give_keys: must_keys_fn,
    user: *mut c_void,
    destroy: must_destroy_fn,
    error_out: *mut *mut must_error_t,
) -> i32 {
    // SAFETY: the same contract.
    unsafe {
        enter(error_out, || {
            let host: Arc<Host> = handle::get(host)?;
            let keys = keys(Callback::new("give_keys", give_keys, user, destroy)?);
            host.set(|parts| parts.host.audit_keys.replace(keys))
        })
    }
}

/// Sets a callback that receives each checkpoint of the audit log, in addition to the anchor file, so that the host can keep
/// checkpoints where nobody with access to the data folder can change them.
///
/// `take_checkpoint` is called on the writer thread (see its type): every other write waits for it. While it fails, calls that
/// need an audit event fail with `dependency_unavailable`; the newest checkpoint is offered again. Ownership of `user` is as
/// for `must_host_set_log`. Since 0.1.0.
///
/// # Safety
/// As for `must_host_set_log`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_host_set_anchor(
    host: *const must_host_t,
    take_checkpoint: must_anchor_fn,
    user: *mut c_void,
    destroy: must_destroy_fn,
    error_out: *mut *mut must_error_t,
) -> i32 {
    // SAFETY: the same contract.
    unsafe {
        enter(error_out, || {
            let host: Arc<Host> = handle::get(host)?;
            let anchor = anchor(Callback::new("take_checkpoint", take_checkpoint, user, destroy)?);
            host.set(|parts| parts.host.anchor.replace(anchor))
        })
    }
}

/// Sets the clock for everything that expires, is counted in a time window, or is written to the audit log: for tests. The
/// handle of the clock may be freed afterwards; platforms that use the clock keep it. Since 0.1.0.
///
/// # Safety
/// `error_out` is NULL or points to memory for a handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_host_set_clock(
    host: *const must_host_t,
    clock: *const must_clock_t,
    error_out: *mut *mut must_error_t,
) -> i32 {
    // SAFETY: the same contract.
    unsafe {
        enter(error_out, || {
            let host: Arc<Host> = handle::get(host)?;
            let clock: Arc<HostClock> = handle::get(clock)?;
            host.set(|parts| std::mem::replace(&mut parts.host.clock, Arc::clone(&clock.0) as Arc<dyn Clock>))
        })
    }
}

/// The object that a `must_clock_t` names.
pub(crate) struct HostClock(Arc<ManualClock>);

/// Makes a clock whose time changes only by `must_clock_advance`. `now_ms` are milliseconds since 1970, UTC. `*clock_out`
/// receives it; the caller frees it with `must_clock_free`. Errors: `validation_error` for a time before 1970 or after the year
/// 9999. Since 0.1.0.
///
/// # Safety
/// `clock_out` points to memory for a handle; `error_out` is NULL or points to such memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_clock_new(
    now_ms: i64,
    clock_out: *mut *mut must_clock_t,
    error_out: *mut *mut must_error_t,
) -> i32 {
    // SAFETY: the same contract.
    unsafe {
        enter(error_out, || {
            let out = Out::new("clock_out", clock_out)?;
            out.give(HostClock(Arc::new(ManualClock::at(now_ms)?)))
        })
    }
}

/// Advances a clock by `by_ms` milliseconds, 0 or more. Since 0.1.0.
///
/// # Safety
/// `error_out` is NULL or points to memory for a handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_clock_advance(
    clock: *const must_clock_t,
    by_ms: i64,
    error_out: *mut *mut must_error_t,
) -> i32 {
    // SAFETY: the same contract.
    unsafe {
        enter(error_out, || {
            let by = duration("by_ms", by_ms)?;
            handle::get::<HostClock>(clock)?.0.advance(by);
            Ok(())
        })
    }
}

/// The time of a clock, in milliseconds since 1970; -1 when the handle is not a live clock. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn must_clock_now(clock: *const must_clock_t) -> i64 {
    handle::get::<HostClock>(clock).map_or(-1, |clock| clock.0.now().0)
}

/// Frees a clock and sets the variable to NULL. Passing NULL, or a variable that holds NULL, does nothing.
///
/// Returns 0, or `MUST_INVALID_STATE` when the handle was not a live clock. Since 0.1.0.
///
/// # Safety
/// `clock` is NULL or points to a variable that holds a clock or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_clock_free(clock: *mut *mut must_clock_t) -> i32 {
    // SAFETY: the same contract.
    unsafe { free::<HostClock>(clock) }
}
