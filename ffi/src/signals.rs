//! Blocks SIGPIPE on the library's threads, so that a closed connection cannot end the host process.

/// Blocks SIGPIPE on this thread.
pub(crate) fn block_sigpipe() {
    #[cfg(unix)]
    {
        use nix::sys::signal::{SigSet, Signal};
        let mut set = SigSet::empty();
        set.add(Signal::SIGPIPE);
        // Only an invalid mask can fail.
        let _ = set.thread_block();
    }
}
