//! Following a task: by asking for the next change, or by a callback.

use crate::entry::{Out, catch_panic, enter, free, text, timeout};
use crate::handle;
use crate::platform::open;
use crate::signals::block_sigpipe;
use crate::task::Snapshot;
use crate::types::{
    must_destroy_fn, must_error_t, must_event_t, must_events_t, must_platform_t, must_task_t, must_watch_fn,
};
use must::{Error, Event, Result, Task, TaskEvents};
use parking_lot::Mutex;
use std::ffi::{c_char, c_void};

/// The changes of one task; one thread at a time takes the next.
pub(crate) struct Events(Mutex<TaskEvents>);

/// Begins to follow a task. The first event is the current state of the task, the last one its final state.
///
/// `*events_out` receives a handle that the caller frees with `must_events_free`. Errors: `task_not_found`, `invalid_state`.
/// Since 0.1.0.
///
/// # Safety
/// `id` points to `id_len` bytes; `events_out` points to memory for a handle; `error_out` is NULL or points to such memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_events_open(
    platform: *const must_platform_t,
    id: *const c_char,
    id_len: usize,
    events_out: *mut *mut must_events_t,
    error_out: *mut *mut must_error_t,
) -> i32 {
    // SAFETY: the same contract.
    unsafe {
        enter(error_out, || {
            let out = Out::new("events_out", events_out)?;
            let id = text("id", id, id_len)?;
            let events = open(platform)?.call(|platform| platform.events(id))?;
            out.give(Events(Mutex::new(events)))
        })
    }
}

/// Waits up to `timeout_ms` (-1: without limit) for the next change.
///
/// `*event_out` receives a `must_event_t`. With `MUST_EVENT_CHANGED`, `*task_out` receives the task, which the caller frees
/// with `must_task_free`; with any other event it is not written. Changes in quick succession are merged into one event. Errors:
/// `task_not_found` when the task was deleted, `invalid_state` when the platform was closed or another thread is waiting on
/// this handle. Since 0.1.0.
///
/// # Safety
/// `event_out` points to memory for an int32_t, `task_out` for a handle; `error_out` is NULL or points to memory for a handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_events_next(
    events: *const must_events_t,
    timeout_ms: i64,
    event_out: *mut i32,
    task_out: *mut *mut must_task_t,
    error_out: *mut *mut must_error_t,
) -> i32 {
    // SAFETY: the same contract.
    unsafe {
        enter(error_out, || {
            let (event_out, task_out) = (Out::new("event_out", event_out)?, Out::new("task_out", task_out)?);
            let timeout = timeout(timeout_ms)?;
            let events = handle::get::<Events>(events)?;
            let mut events = events.0.try_lock().ok_or_else(|| {
                Error::invalid_state(
                    "another thread is waiting on these events",
                    "Open separate events in each thread.",
                )
            })?;
            let event = match events.next(timeout)? {
                Event::Changed(task) => {
                    task_out.give(Snapshot::from(task))?;
                    must_event_t::Changed
                }
                Event::Ended => must_event_t::Ended,
                Event::TimedOut => must_event_t::TimedOut,
            };
            event_out.put(event as i32);
            Ok(())
        })
    }
}

/// Frees events and sets the variable to NULL. Passing NULL, or a variable that holds NULL, does nothing. The task continues.
///
/// Returns 0, or `MUST_INVALID_STATE` when the handle was not live events. Since 0.1.0.
///
/// # Safety
/// `events` is NULL or points to a variable that holds events or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_events_free(events: *mut *mut must_events_t) -> i32 {
    // SAFETY: the same contract.
    unsafe { free::<Events>(events) }
}

/// The host's callback, its user pointer and its destroy function, which is called on drop.
struct Watcher {
    on_event: unsafe extern "C" fn(*mut c_void, i32, *const must_task_t) -> i32,
    user: *mut c_void,
    destroy: must_destroy_fn,
}

// SAFETY: `must_watch` tells the host that both functions are called with the user pointer on another thread.
unsafe impl Send for Watcher {}

impl Watcher {
    /// Calls the callback with one event. Returns true when the host wants the next event.
    fn call(&self, event: must_event_t, task: *const must_task_t) -> bool {
        // SAFETY: by the contract of `must_watch` the function may be called until `destroy` is called.
        unsafe { (self.on_event)(self.user, event as i32, task) == 0 }
    }

    /// Calls the callback with a change; the task's handle is valid while the callback runs.
    fn changed(&self, task: Task) -> Result<bool> {
        let handle = handle::insert(Snapshot::from(task))?;
        let more = self.call(must_event_t::Changed, handle);
        handle::remove::<Snapshot>(handle)?;
        Ok(more)
    }

    fn run(self, mut events: TaskEvents) {
        loop {
            match catch_panic(|| events.next(None)) {
                Ok(Event::Changed(task)) => match catch_panic(|| self.changed(task)) {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(_) => break,
                },
                Ok(Event::TimedOut) => {}
                Ok(Event::Ended) => {
                    self.call(must_event_t::Ended, std::ptr::null());
                    return;
                }
                Err(_) => break,
            }
        }
        self.call(must_event_t::Closed, std::ptr::null());
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if let Some(destroy) = self.destroy {
            // SAFETY: as for `call`; a watcher is dropped once, after its last call.
            unsafe { destroy(self.user) };
        }
    }
}

/// Follows a task by a callback on a thread that the library makes for it.
///
/// `on_event` is called with `user` as its type says. `destroy`, which may be NULL, is called once with `user` when the watch
/// is over, on that thread and after the last event; a host that must know that no more callbacks will come waits for that
/// call. The watch ends with the task, with the platform, or when the callback returns anything but 0. When this function
/// fails, neither is called and the caller still owns `user`. Errors: `task_not_found`, `invalid_state`. Since 0.1.0.
///
/// # Safety
/// `id` points to `id_len` bytes; `on_event` and `destroy` may be called with `user` on another thread until `destroy` has
/// been; `error_out` is NULL or points to memory for a handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_watch(
    platform: *const must_platform_t,
    id: *const c_char,
    id_len: usize,
    on_event: must_watch_fn,
    user: *mut c_void,
    destroy: must_destroy_fn,
    error_out: *mut *mut must_error_t,
) -> i32 {
    // SAFETY: the same contract.
    unsafe {
        enter(error_out, || {
            let on_event = on_event.ok_or_else(|| {
                Error::validation("on_event is NULL").with_action("Pass a function, or use must_events_open.")
            })?;
            let id = text("id", id, id_len)?;
            let events = open(platform)?.call(|platform| platform.events(id))?;
            let watcher = Watcher { on_event, user, destroy: None };
            let run = move || {
                block_sigpipe();
                // Set only now that the thread runs: if it cannot be started, the caller still owns `user`.
                let mut watcher = watcher;
                watcher.destroy = destroy;
                watcher.run(events);
            };
            std::thread::Builder::new().name("must-watch".to_owned()).spawn(run)?;
            Ok(())
        })
    }
}
