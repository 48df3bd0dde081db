//! Log records for a Python function: a Python thread takes them from a channel, so that no thread of the core enters the
//! interpreter.

use crate::convert;
use crate::errors::OrRaise;
use crate::this_process::ThisProcess;
use must::{Error, LogRecord};
use parking_lot::Mutex;
use pyo3::prelude::*;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Records that the channel holds for the Python thread; further ones wait in the core.
const WAITING: usize = 16;

/// The log records of one platform, read one after another.
#[pyclass(frozen, module = "must._must")]
pub(crate) struct Logs {
    channel: ThisProcess<Arc<Channel>>,
}

struct Channel {
    sender: Mutex<Option<SyncSender<LogRecord>>>,
    receiver: Mutex<Receiver<LogRecord>>,
}

#[pymethods]
impl Logs {
    #[new]
    fn new() -> Self {
        let (sender, receiver) = sync_channel(WAITING);
        let channel = Channel { sender: Mutex::new(Some(sender)), receiver: Mutex::new(receiver) };
        Self { channel: ThisProcess::new(Arc::new(channel)) }
    }

    /// Blocks until the next record; `None` once the platform is closed.
    #[pyo3(signature = () -> "dict[str, object] | None")]
    fn next<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let channel = self.channel.get().or_raise(py)?;
        let record = py.detach(|| channel.receiver.lock().recv().ok());
        record.map(|record| convert::shown(py, &record)).transpose()
    }

    /// Ends the records of a platform that could not be opened.
    fn end(&self, py: Python<'_>) -> PyResult<()> {
        *self.channel.get().or_raise(py)?.sender.lock() = None;
        Ok(())
    }
}

impl Logs {
    /// The function that the core calls with each record. The channel is closed when it is dropped.
    pub(crate) fn function(&self) -> must::Result<impl FnMut(&LogRecord) + Send + use<>> {
        let sender = self.channel.get()?.sender.lock().take();
        let sender = sender.ok_or_else(|| Error::internal("these records belong to another platform"))?;
        // Sending fails once the interpreter has dropped the receiver; the record is then not needed.
        Ok(move |record: &LogRecord| drop(sender.send(record.clone())))
    }
}
