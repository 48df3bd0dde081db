//! The changes of one task, for threads, which block, and for asyncio, which polls.

use crate::blocking::{Waited, wait};
use crate::convert;
use crate::errors::{OrRaise, raise};
use crate::this_process::ThisProcess;
use crate::wakeups::Wakeups;
use must::{Error, Event, Task, TaskEvents};
use parking_lot::Mutex;
use pyo3::exceptions::PyTimeoutError;
use pyo3::prelude::*;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The changes of one task: `next` for threads, `poll` for asyncio. One object may be used in only one of the two ways.
#[pyclass(frozen, module = "must._must")]
pub(crate) struct Events {
    state: ThisProcess<Arc<Mutex<State>>>,
}

type Change = Pin<Box<dyn Future<Output = (TaskEvents, must::Result<Option<Task>>)> + Send>>;

enum State {
    Idle(TaskEvents),
    Waiting(Change),
    Ended,
}

impl Events {
    pub(crate) fn new(events: TaskEvents) -> Self {
        Self { state: ThisProcess::new(Arc::new(Mutex::new(State::Idle(events)))) }
    }
}

#[pymethods]
impl Events {
    /// Blocks until the next change; `None` once the task has ended. Raises `TimeoutError` when `timeout` seconds are over.
    #[pyo3(signature = (timeout: "float | None") -> "dict[str, object] | None")]
    fn next<'py>(&self, py: Python<'py>, timeout: Option<f64>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let timeout = timeout.map(|seconds| convert::duration(py, "timeout", seconds)).transpose()?;
        let state = self.state.get().or_raise(py)?;
        // The lock is taken detached from the interpreter: the thread that holds it may be waiting for the interpreter.
        let waited = wait(py, timeout, |slice| match &mut *state.lock() {
            State::Idle(events) => Ok(match events.next(slice)? {
                Event::Changed(task) => Waited::Ready(Some(task)),
                Event::Ended => Waited::Ready(None),
                Event::TimedOut => Waited::NotYet,
            }),
            State::Waiting(_) => Err(Error::internal("these events belong to an asyncio loop")),
            State::Ended => Ok(Waited::Ready(None)),
        })?;
        match waited {
            Some(change) => change.or_raise(py)?.map(|task| convert::task(py, &task)).transpose(),
            None => Err(PyTimeoutError::new_err("the task has not ended in time")),
        }
    }

    /// Polls for the next change without blocking: `(True, change)`, `(True, None)` once the task has ended, or
    /// `(False, None)` when there is none yet; `token` is then woken when it is time to poll again.
    #[pyo3(signature = (wakeups, token: "int") -> "tuple[bool, dict[str, object] | None]")]
    fn poll<'py>(&self, py: Python<'py>, wakeups: &Wakeups, token: u64) -> PyResult<(bool, Option<Bound<'py, PyAny>>)> {
        let state = Arc::clone(self.state.get().or_raise(py)?);
        let waker = wakeups.waker(token).or_raise(py)?;
        match py.detach(|| state.lock().poll(&mut Context::from_waker(&waker))) {
            Poll::Pending => Ok((false, None)),
            Poll::Ready(Ok(change)) => Ok((true, change.map(|task| convert::task(py, &task)).transpose()?)),
            Poll::Ready(Err(error)) => Err(raise(py, &error)),
        }
    }
}

impl State {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<must::Result<Option<Task>>> {
        let mut change: Change = match std::mem::replace(self, Self::Ended) {
            Self::Idle(mut events) => Box::pin(async move {
                let change = events.changed().await;
                (events, change)
            }),
            Self::Waiting(change) => change,
            Self::Ended => return Poll::Ready(Ok(None)),
        };
        match change.as_mut().poll(context) {
            Poll::Pending => {
                *self = Self::Waiting(change);
                Poll::Pending
            }
            Poll::Ready((events, change)) => {
                if matches!(change, Ok(Some(_))) {
                    *self = Self::Idle(events);
                }
                Poll::Ready(change)
            }
        }
    }
}
