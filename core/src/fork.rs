//! Prevents a child made by `fork` from keeping file locks and sockets of its parent. Also keeps the id of this process, which tells
//! a child from its parent.
//!
//! A child gets a copy of every descriptor. A lock on an open file lasts until the last copy is closed, and so does a listening
//! socket. A child that outlives its killed parent would therefore keep both. So such descriptors are marked here, and before
//! `fork` returns in a child, each marked descriptor is replaced by `/dev/null`. It stays open, so that its number is not reused
//! for another file while inherited code still knows it. (A mapping keeps a file open too: see `store::sqlite_locks`.) The mark is removed
//! before the descriptor is closed. Any thread may set marks.

#[cfg(unix)]
mod descriptors;

#[cfg(unix)]
pub(crate) use descriptors::{Mark, is_marked, mark, mark_number, process_id, unmark_number, without_fork};
#[cfg(unix)]
pub(crate) use std::os::fd::AsRawFd as Descriptor;

#[cfg(not(unix))]
pub(crate) use elsewhere::{Descriptor, Mark, mark, without_fork};
#[cfg(not(unix))]
pub(crate) use std::process::id as process_id;

/// Does nothing, for systems without `fork`.
#[cfg(not(unix))]
mod elsewhere {
    pub(crate) trait Descriptor {}
    impl<T> Descriptor for T {}

    #[derive(Debug)]
    pub(crate) struct Mark;

    pub(crate) fn mark(_: &impl Descriptor) -> Mark {
        Mark
    }

    pub(crate) fn without_fork<T>(open: impl FnOnce() -> T) -> T {
        open()
    }
}
