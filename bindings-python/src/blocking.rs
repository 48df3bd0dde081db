//! Calls that block: they run detached from the interpreter, and end early when a signal handler raises (Ctrl-C).
//!
//! Python runs signal handlers only in its main thread, so only there a wait is cut into slices or moved to another thread.

use must::{Error, Result};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How often the main thread checks for signals while it waits.
const SLICE: Duration = Duration::from_millis(50);

/// Result of one slice of a wait.
pub(crate) enum Waited<T> {
    /// The awaited value.
    Ready(T),
    /// The slice ended first.
    NotYet,
}

/// Waits in slices until `wait` is ready. Returns `None` when `timeout` is over first.
pub(crate) fn wait<T: Send>(
    py: Python<'_>,
    timeout: Option<Duration>,
    mut wait: impl FnMut(Option<Duration>) -> Result<Waited<T>> + Send,
) -> PyResult<Option<Result<T>>> {
    let end = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let slice = if in_main_thread(py)? { Some(SLICE) } else { None };
    loop {
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        let turn = match (slice, left) {
            (Some(slice), Some(left)) => Some(slice.min(left)),
            (slice, left) => slice.or(left),
        };
        match py.detach(|| wait(turn)) {
            Ok(Waited::Ready(value)) => return Ok(Some(Ok(value))),
            Ok(Waited::NotYet) => py.check_signals()?,
            Err(error) => return Ok(Some(Err(error))),
        }
        if end.is_some_and(|end| Instant::now() >= end) {
            return Ok(None);
        }
    }
}

/// Runs `call`, which cannot be cut into slices. The main thread runs it on another thread and stops waiting for it when a
/// signal handler raises. `abandoned` then receives the result.
pub(crate) fn leave_on_signal<T: Send + 'static>(
    py: Python<'_>,
    call: impl FnOnce() -> Result<T> + Send + 'static,
    abandoned: impl FnOnce(Result<T>) + Send + 'static,
) -> PyResult<Result<T>> {
    if !in_main_thread(py)? {
        return Ok(py.detach(call));
    }
    let (sender, receiver) = channel();
    let started = std::thread::Builder::new().name("must-python".to_owned()).spawn(move || {
        if let Err(unread) = sender.send(call()) {
            abandoned(unread.0);
        }
    });
    if let Err(error) = started {
        return Ok(Err(Error::internal(format!("cannot start a thread: {error}"))));
    }
    // An mpsc receiver is not Sync; detach needs to move it in and out.
    let mut receiver = receiver;
    loop {
        let (back, received) = py.detach(move || {
            let received = receiver.recv_timeout(SLICE);
            (receiver, received)
        });
        receiver = back;
        match received {
            Ok(result) => return Ok(result),
            Err(RecvTimeoutError::Timeout) => py.check_signals()?,
            Err(RecvTimeoutError::Disconnected) => return Ok(Err(Error::internal("a call ended without an answer"))),
        }
    }
}

fn in_main_thread(py: Python<'_>) -> PyResult<bool> {
    static CURRENT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    static MAIN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let current = CURRENT.import(py, "threading", "get_ident")?.call0()?;
    let main = MAIN.import(py, "threading", "main_thread")?.call0()?.getattr("ident")?;
    current.eq(main)
}
