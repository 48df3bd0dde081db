//! Values that belong to one process. A child made by `fork` has a copy of the value but none of its threads, and its locks
//! may be held for ever, so the child neither uses nor drops it.

use must::{Error, Result};
use pyo3::Python;
use std::process;

fn forked() -> Error {
    Error::invalid_state(
        "this process was forked from one that had a platform open",
        "Start processes by spawn instead of fork, or open the first platform after the fork.",
    )
}

/// A value that only the process that made it may use.
pub(crate) struct ThisProcess<T: Send> {
    process: u32,
    value: Option<T>,
}

impl<T: Send> ThisProcess<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { process: process::id(), value: Some(value) }
    }

    /// The value.
    ///
    /// # Errors
    /// `invalid_state` in a forked child.
    pub(crate) fn get(&self) -> Result<&T> {
        match &self.value {
            Some(value) if self.process == process::id() => Ok(value),
            _ => Err(forked()),
        }
    }
}

impl<T: Send> Drop for ThisProcess<T> {
    fn drop(&mut self) {
        let Some(value) = self.value.take() else { return };
        if self.process != process::id() {
            std::mem::forget(value);
            return;
        }
        // Dropping the last handle of a platform waits for its threads. Other Python threads must be able to run meanwhile.
        let mut value = Some(value);
        Python::try_attach(|py| py.detach(|| drop(value.take())));
    }
}
