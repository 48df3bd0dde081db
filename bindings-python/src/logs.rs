//! What a platform logs, on its way to a function of Python: a thread of Python takes it from here, so that no thread of the
//! core enters the interpreter.

use crate::convert;
use crate::errors::OrRaise;
use crate::this_process::ThisProcess;
use must::{Error, LogRecord};
use parking_lot::Mutex;
use pyo3::prelude::*;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Records that wait for the thread of Python; the core keeps those that come after them.
const WAITING: usize = 16;

/// The records of one platform, to be taken one after another.
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
    /// What the core calls with each record. The records end when it is dropped.
    pub(crate) fn function(&self) -> must::Result<impl FnMut(&LogRecord) + Send + use<>> {
        let sender = self.channel.get()?.sender.lock().take();
        let sender = sender.ok_or_else(|| Error::internal("these records belong to another platform"))?;
        // Nobody takes records any more once the interpreter has let go of them.
        Ok(move |record: &LogRecord| drop(sender.send(record.clone())))
    }
}
