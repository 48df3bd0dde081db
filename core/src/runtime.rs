//! Threads that wait for sockets: a runtime of our own, that ends without waiting wherever its last handle is dropped.

use crate::error::{Error, ErrorCode, Result};
use crate::thread;
use tokio::runtime::{Builder, Runtime};

/// A runtime of named threads.
#[derive(Debug)]
pub(crate) struct OwnRuntime(Option<Runtime>);

impl OwnRuntime {
    /// Starts `threads` threads, and at most `blocking` more for calls that block.
    ///
    /// # Errors
    /// `dependency_unavailable` when the system has no threads to give.
    pub(crate) fn start(name: &str, threads: usize, blocking: usize) -> Result<Self> {
        Builder::new_multi_thread()
            .worker_threads(threads)
            .max_blocking_threads(blocking)
            .thread_name(name)
            .on_thread_start(thread::block_sigpipe)
            .enable_io()
            .enable_time()
            .build()
            .map(|runtime| Self(Some(runtime)))
            .map_err(|error| {
                Error::new(
                    ErrorCode::DependencyUnavailable,
                    format!("the threads of {name} cannot be started: {error}"),
                )
            })
    }

    pub(crate) fn get(&self) -> Result<&Runtime> {
        self.0.as_ref().ok_or_else(|| Error::internal("the runtime has ended"))
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
