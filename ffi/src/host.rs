//! What a host lends to a platform besides settings: functions that give keys, take checkpoints and hear logs, and a clock.

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

/// Most bytes that a function may give as the text of a key file.
const KEYS_CAPACITY: usize = 1 << 16;

/// A function of the host with what belongs to it. Dropping it calls the destroy function.
struct Callback<F> {
    function: F,
    user: *mut c_void,
    destroy: must_destroy_fn,
}

// SAFETY: the types of the functions tell the host that they are called with the user pointer on threads of the library, some
// of them at once.
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
            // SAFETY: by its contract it may be called so once, after the last call of the function.
            unsafe { destroy(self.user) };
        }
    }
}

type OnLog = unsafe extern "C" fn(*mut c_void, i32, *const c_char, *const c_char, *const c_char);
type GiveKeys = unsafe extern "C" fn(*mut c_void, *mut c_char, usize, *mut usize) -> i32;
type TakeCheckpoint = unsafe extern "C" fn(*mut c_void, *const c_char, usize) -> i32;

/// What stands behind a `must_host_t`.
#[derive(Default)]
pub(crate) struct Lender(Mutex<Lent>);

#[derive(Default)]
struct Lent {
    host: must::Host,
    log: Option<Arc<Callback<OnLog>>>,
}

/// The host behind a handle.
fn lender(host: *const must_host_t) -> Result<Arc<Lender>> {
    handle::get(host)
}

impl Lender {
    /// Changes what is lent from now on. What stood in its place is let go of outside the lock: its `destroy` may call us.
    fn lend<T>(&self, change: impl FnOnce(&mut Lent) -> T) -> Result<()> {
        let before = change(&mut self.0.lock());
        drop(before);
        Ok(())
    }

    /// Opens a platform with what is lent so far.
    pub(crate) fn open(&self, settings: Settings) -> Result<Platform> {
        let (host, log) = {
            let lent = self.0.lock();
            (lent.host.clone(), lent.log.clone())
        };
        match log {
            None => Platform::open_with(settings, host),
            Some(log) => Platform::open_with_host_and_log(settings, host, move |record| hand_over(&log, record)),
        }
    }
}

/// Calls a log function with a record.
fn hand_over(log: &Callback<OnLog>, record: &LogRecord) {
    let (target, message) = (c_text(&record.target), c_text(&record.message));
    let json = c_text(&serde_json::to_string(record).unwrap_or_default());
    // SAFETY: by the contract of `must_host_set_log` the function may be called so until `destroy` is.
    unsafe { (log.function)(log.user, record.level as i32, target.as_ptr(), message.as_ptr(), json.as_ptr()) };
}

fn keys(callback: Arc<Callback<GiveKeys>>) -> KeyCallback {
    Arc::new(move || {
        // Wiped when it is dropped, whatever comes of the call.
        let mut buffer = Zeroizing::new(vec![0u8; KEYS_CAPACITY]);
        let mut length = 0;
        // SAFETY: by the contract of the setter the function may be called so until `destroy` is; there are as many bytes.
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
        // SAFETY: by the contract of the setter the function may be called so until `destroy` is.
        match unsafe { (callback.function)(callback.user, text.as_ptr(), note.len()) } {
            0 => Ok(()),
            outcome => Err(format!("its function returned {outcome}")),
        }
    })
}

/// Makes a host that lends nothing yet. `*host_out` receives it; the caller ends it with `must_host_free`.
///
/// Functions are added to it, then platforms are opened with `must_platform_open_with_host`. What a platform was opened with
/// stays with it: the host may be changed, used for another platform, or ended at once. Since 0.1.0.
///
/// # Safety
/// `host_out` points to memory for a handle; `error_out` is NULL or does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_host_new(host_out: *mut *mut must_host_t, error_out: *mut *mut must_error_t) -> i32 {
    // SAFETY: the same contract.
    unsafe { enter(error_out, || Out::new("host_out", host_out)?.give(Lender::default())) }
}

/// Ends a host and sets the variable to NULL. NULL, or a variable that holds NULL, is fine.
///
/// Platforms that were opened with it keep what they got. Returns 0, or `MUST_INVALID_STATE` when the handle was not a live
/// host. Since 0.1.0.
///
/// # Safety
/// `host` is NULL or points to a variable that holds a host or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_host_free(host: *mut *mut must_host_t) -> i32 {
    // SAFETY: the same contract.
    unsafe { free::<Lender>(host) }
}

/// Hands what platforms log to a function, as `must_platform_open_with_log` does.
///
/// `on_log` is called with `user` on one thread a platform. Once this has succeeded the library owns `user`: `destroy`, which may
/// be NULL, is called once with it after the host was ended and the last platform that uses it was closed and ended, or another
/// function was set. When this fails, `user` stays the caller's. Since 0.1.0.
///
/// # Safety
/// `error_out` is NULL or points to memory for a handle; the functions may be called with `user` on other threads until `destroy`
/// has been.
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
            let lender = lender(host)?;
            let log = Callback::new("on_log", on_log, user, destroy)?;
            lender.lend(|lent| lent.log.replace(log))
        })
    }
}

/// Lets a function give the master keys, which seal stored secrets, instead of a file or a setting: those of a key store of the host.
///
/// `give_keys` is called when a platform is opened and when the master key is rotated, see its type. Ownership of `user` is as for
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
            let lender = lender(host)?;
            let keys = keys(Callback::new("give_keys", give_keys, user, destroy)?);
            lender.lend(|lent| lent.host.master_keys.replace(keys))
        })
    }
}

/// Lets a function give the keys that sign the audit log, instead of a file.
///
/// `give_keys` is called when a platform is opened and when the audit key is rotated, see its type. Ownership of `user` is as for
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
            let lender = lender(host)?;
            let keys = keys(Callback::new("give_keys", give_keys, user, destroy)?);
            lender.lend(|lent| lent.host.audit_keys.replace(keys))
        })
    }
}

/// Hands each checkpoint of the audit log to a function, besides the anchor file, so that the host can keep it where nobody who
/// can write the data folder can reach it.
///
/// `take_checkpoint` is called on the thread that writes, see its type: every other write waits for it. While it fails, what needs
/// an audit event fails with `dependency_unavailable`; the newest checkpoint is offered again. Ownership of `user` is as for
/// `must_host_set_log`. Since 0.1.0.
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
            let lender = lender(host)?;
            let anchor = anchor(Callback::new("take_checkpoint", take_checkpoint, user, destroy)?);
            lender.lend(|lent| lent.host.anchor.replace(anchor))
        })
    }
}

/// Lets a clock of the caller's decide what time it is for everything that expires, is counted in a window, or is written to the
/// audit log: for tests. The clock may be ended at once; it goes on with the platforms that use it. Since 0.1.0.
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
            let lender = lender(host)?;
            let clock: Arc<Hands> = handle::get(clock)?;
            lender.lend(|lent| std::mem::replace(&mut lent.host.clock, Arc::clone(&clock.0) as Arc<dyn Clock>))
        })
    }
}

/// What stands behind a `must_clock_t`.
pub(crate) struct Hands(Arc<ManualClock>);

/// Makes a clock that stands still until it is told to go on. `now_ms` are milliseconds since 1970, UTC. `*clock_out` receives it; the
/// caller ends it with `must_clock_free`. Errors: `validation_error` for a time before 1970 or after the year 9999. Since 0.1.0.
///
/// # Safety
/// `clock_out` points to memory for a handle; `error_out` is NULL or does.
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
            out.give(Hands(Arc::new(ManualClock::at(now_ms)?)))
        })
    }
}

/// Lets a clock go on by `by_ms` milliseconds, 0 or more. Since 0.1.0.
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
            handle::get::<Hands>(clock)?.0.advance(by);
            Ok(())
        })
    }
}

/// What a clock shows, in milliseconds since 1970; -1 when the handle is not a live clock. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn must_clock_now(clock: *const must_clock_t) -> i64 {
    handle::get::<Hands>(clock).map_or(-1, |clock| clock.0.now().0)
}

/// Ends a clock and sets the variable to NULL. NULL, or a variable that holds NULL, is fine.
///
/// Returns 0, or `MUST_INVALID_STATE` when the handle was not a live clock. Since 0.1.0.
///
/// # Safety
/// `clock` is NULL or points to a variable that holds a clock or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_clock_free(clock: *mut *mut must_clock_t) -> i32 {
    // SAFETY: the same contract.
    unsafe { free::<Hands>(clock) }
}
