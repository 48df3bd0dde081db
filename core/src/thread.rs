//! Starts the library's threads, which are named and block SIGPIPE, and waits for futures without an executor.

use crate::error::{Error, ErrorCode, Result};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{Builder, JoinHandle, Thread};
use std::time::Instant;

/// Starts a named thread. Its logs do not reach the platform's log; use [`log::spawn`](crate::log::spawn) for work that logs.
///
/// # Errors
/// `dependency_unavailable` if the thread cannot be started.
pub(crate) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    let body = move || {
        block_sigpipe();
        work();
    };
    Builder::new().name(name.to_owned()).spawn(body).map_err(|error| {
        Error::new(ErrorCode::DependencyUnavailable, format!("cannot start the thread {name}: {error}"))
    })
}

/// Blocks SIGPIPE on this thread, so that a failed write returns an error. By default the signal would end a host written in C.
pub(crate) fn block_sigpipe() {
    #[cfg(unix)]
    {
        use nix::sys::signal::{SigSet, Signal};
        let mut set = SigSet::empty();
        set.add(Signal::SIGPIPE);
        // This fails only for an invalid mask.
        let _ = set.thread_block();
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for `future` on this thread. Returns `None` if `deadline` passes first.
pub(crate) fn block_on<F: Future>(future: F, deadline: Option<Instant>) -> Option<F::Output> {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    // In a task of the host's Tokio runtime, Tokio's channels are ready only 128 times until the task yields, and this thread does not
    // yield: without `unconstrained` the next wait would never end.
    let mut future = pin!(tokio::task::coop::unconstrained(future));
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
        match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
            Some(left) if left.is_zero() => return None,
            Some(left) => std::thread::park_timeout(left),
            None => std::thread::park(),
        }
    }
}
