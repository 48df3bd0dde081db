//! Lets a thread of the core wake an asyncio loop without entering the interpreter: it stores the waiter's token and writes a
//! byte into a socket that the loop watches. So the thread cannot disturb an interpreter that is shutting down.

use crate::errors::OrRaise;
use crate::this_process::ThisProcess;
use parking_lot::Mutex;
use pyo3::prelude::*;
use std::collections::HashSet;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::{Wake, Waker};

/// Tokens of woken waiters, and a file descriptor that is readable while there are any.
#[pyclass(frozen, module = "must._must")]
pub(crate) struct Wakeups {
    shared: ThisProcess<Arc<Shared>>,
}

struct Shared {
    woken: Mutex<HashSet<u64>>,
    ours: UnixStream,
    theirs: UnixStream,
}

#[pymethods]
impl Wakeups {
    #[new]
    fn new() -> PyResult<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        theirs.set_nonblocking(true)?;
        let shared = Shared { woken: Mutex::new(HashSet::new()), ours, theirs };
        Ok(Self { shared: ThisProcess::new(Arc::new(shared)) })
    }

    /// The file descriptor that the loop watches.
    fn fileno(&self, py: Python<'_>) -> PyResult<i32> {
        Ok(self.shared.get().or_raise(py)?.ours.as_raw_fd())
    }

    /// Takes the tokens that have been woken since the last call.
    #[pyo3(signature = () -> "list[int]")]
    fn drain(&self, py: Python<'_>) -> PyResult<Vec<u64>> {
        let shared = self.shared.get().or_raise(py)?;
        let mut woken = shared.woken.lock();
        // Under the lock, so that a byte written after this belongs to a later token.
        let mut buffer = [0; 64];
        while matches!((&shared.ours).read(&mut buffer), Ok(read) if read == buffer.len()) {}
        Ok(woken.drain().collect())
    }
}

impl Wakeups {
    /// A waker that wakes the waiter with this token.
    pub(crate) fn waker(&self, token: u64) -> must::Result<Waker> {
        Ok(Arc::new(Token { shared: Arc::clone(self.shared.get()?), token }).into())
    }
}

struct Token {
    shared: Arc<Shared>,
    token: u64,
}

impl Wake for Token {
    fn wake(self: Arc<Self>) {
        let mut woken = self.shared.woken.lock();
        if woken.is_empty() {
            // The socket's buffer is empty whenever the set is, so this write cannot block.
            let _ = (&self.shared.theirs).write(&[1]);
        }
        woken.insert(self.token);
    }
}
