//! The library's own Tokio runtimes: one kind for asynchronous work with sockets, and one for blocking work. Dropping them does not
//! wait for their threads.

use crate::error::{Error, ErrorCode, Result};
use crate::thread;
use parking_lot::Mutex;
use std::future::Future;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Blocking work without its answer. Tokio's code for a task is compiled once for this type, instead of once for each kind of work.
pub(crate) type Work = Box<dyn FnOnce() -> Result<()> + Send>;

/// The answer of blocking work.
#[derive(Debug)]
pub(crate) struct Answer<T>(oneshot::Receiver<Result<T>>);

/// Separates `work` from its answer.
pub(crate) fn separate<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> (Work, Answer<T>) {
    let (reply, answer) = oneshot::channel();
    let work = move || {
        // If nobody waits for the answer, sending fails, which is fine.
        let _ = reply.send(work());
        Ok(())
    };
    (Box::new(work), Answer(answer))
}

impl<T> Answer<T> {
    /// Waits for the answer of the work that `running` does.
    ///
    /// # Errors
    /// The error of the work or of `running`; `internal` if the work panics; `invalid_state` if the threads end before the work begins.
    pub(crate) async fn of(self, running: JoinHandle<Result<()>>) -> Result<T> {
        match running.await {
            Ok(Ok(())) => self.0.await.unwrap_or_else(|_| Err(Error::internal("the work was not done"))),
            Ok(Err(error)) => Err(error),
            Err(error) if error.is_panic() => Err(Error::internal("the work panicked")),
            Err(_) => Err(Error::closed("the platform is closed")),
        }
    }
}

/// A runtime of named threads.
#[derive(Debug)]
pub(crate) struct OwnRuntime(Option<Runtime>);

impl OwnRuntime {
    /// Starts `threads` threads. At most `blocking` more are started later for calls that block.
    ///
    /// # Errors
    /// `dependency_unavailable` if no threads can be started.
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

/// Threads for blocking or slow work. They are started when needed and end after some time without work.
#[derive(Debug)]
pub(crate) struct BlockingThreads {
    handle: Handle,
    /// This runtime never runs asynchronous work. Only its threads for blocking work are used.
    runtime: Mutex<Option<Runtime>>,
}

impl BlockingThreads {
    /// Allows at most `most` threads.
    ///
    /// # Errors
    /// `dependency_unavailable` if the system lacks the resources.
    pub(crate) fn start(name: &str, most: usize) -> Result<Self> {
        let runtime = Builder::new_current_thread()
            .max_blocking_threads(most)
            .thread_name(name)
            .on_thread_start(thread::block_sigpipe)
            .build()?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Mutex::new(Some(runtime)) })
    }

    /// Runs `work` on a thread. The returned future gives the outcome on any executor: `internal` if the work panics, and
    /// `invalid_state` after [`BlockingThreads::end`]. The work is done even if the future is dropped.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> impl Future<Output = Result<T>> + Send + 'static {
        let (work, answer) = separate(work);
        answer.of(self.handle.spawn_blocking(work))
    }

    /// Accepts no more work. Work that has begun continues to its end.
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
