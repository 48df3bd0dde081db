//! A submission for asyncio: the loop polls it while it waits for a place in the queue, its commit or its worker.

use crate::convert;
use crate::errors::{OrRaise, raise};
use crate::this_process::ThisProcess;
use crate::wakeups::Wakeups;
use must::{Error, Submission};
use parking_lot::Mutex;
use pyo3::prelude::*;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A submission. If it is closed or dropped before `poll` has returned its task, the task is cancelled as soon as it exists.
#[pyclass(frozen, module = "must._must")]
pub(crate) struct NativeSubmission {
    made: ThisProcess<Arc<Mutex<Option<Submission>>>>,
}

impl NativeSubmission {
    pub(crate) fn new(submission: Submission) -> Self {
        Self { made: ThisProcess::new(Arc::new(Mutex::new(Some(submission.or_cancel())))) }
    }
}

#[pymethods]
impl NativeSubmission {
    /// Polls for the task without blocking; `token` is woken when it is time to poll again.
    #[pyo3(signature = (wakeups, token: "int") -> "dict[str, object] | None")]
    fn poll<'py>(&self, py: Python<'py>, wakeups: &Wakeups, token: u64) -> PyResult<Option<Bound<'py, PyAny>>> {
        let made = Arc::clone(self.made.get().or_raise(py)?);
        let waker = wakeups.waker(token).or_raise(py)?;
        let looked = py.detach(|| {
            let mut place = made.lock();
            let Some(waiting) = place.as_mut() else {
                return Poll::Ready(Err(Error::internal("this submission has already ended")));
            };
            let looked = Pin::new(waiting).poll(&mut Context::from_waker(&waker));
            if looked.is_ready() {
                *place = None;
            }
            looked
        });
        match looked {
            Poll::Pending => Ok(None),
            Poll::Ready(Ok(task)) => convert::task(py, &task).map(Some),
            Poll::Ready(Err(error)) => Err(raise(py, &error)),
        }
    }

    /// Cancels the submission.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let made = Arc::clone(self.made.get().or_raise(py)?);
        py.detach(|| drop(made.lock().take()));
        Ok(())
    }
}
