//! Threads that wait for sockets, and threads that block: runtimes of our own, which end without waiting.

use crate::error::{Error, ErrorCode, Result};
use crate::thread;
use parking_lot::Mutex;
use std::future::Future;
use tokio::runtime::{Builder, Handle, Runtime};

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

/// Threads for work that blocks or takes a while: they come when there is some, and go after a while without any.
#[derive(Debug)]
pub(crate) struct BlockingThreads {
    handle: Handle,
    /// Never driven: nothing runs on it but its blocking threads.
    runtime: Mutex<Option<Runtime>>,
}

impl BlockingThreads {
    /// At most `most` threads.
    ///
    /// # Errors
    /// `dependency_unavailable` when the system has nothing to give.
    pub(crate) fn start(name: &str, most: usize) -> Result<Self> {
        let runtime = Builder::new_current_thread()
            .max_blocking_threads(most)
            .thread_name(name)
            .on_thread_start(thread::block_sigpipe)
            .build()?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Mutex::new(Some(runtime)) })
    }

    /// Hands `work` to a thread; its outcome, waited for on any executor. It is done even when nobody waits.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> impl Future<Output = Result<T>> + Send + 'static {
        let working = self.handle.spawn_blocking(work);
        async move {
            match working.await {
                Ok(outcome) => outcome,
                Err(error) if error.is_panic() => Err(Error::internal("the work panicked")),
                Err(_) => Err(Error::new(ErrorCode::InvalidState, "the platform is closed")),
            }
        }
    }

    /// Takes no more work, and lets what is being done come to its end.
    pub(crate) fn end(&self) {
        if let Some(runtime) = self.runtime.lock().take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for BlockingThreads {
    fn drop(&mut self) {
        self.end();
    }
}
