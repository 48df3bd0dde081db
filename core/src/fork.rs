//! What a child made by `fork` must not keep of its parent: the locks of its files, and its sockets. And the id of this process,
//! by which a child is told from its parent.
//!
//! A child gets a copy of every descriptor. A lock of an open file lasts until the last copy is closed, and so does a port that
//! is listened at: a child that lives on would keep both after its parent was killed. Descriptors are therefore marked here, and
//! in a child each marked one is `/dev/null` before `fork` returns there. It stays open, so that its number is not given to
//! another file of the child while something inherited still has it. (A mapping keeps a file open as well: `store::locks`.) A mark is taken off before its descriptor is closed. Any
//! thread may mark.

#[cfg(unix)]
mod descriptors;

#[cfg(unix)]
pub(crate) use descriptors::{Mark, is_marked, mark, mark_number, opening, process_id, unmark_number};
#[cfg(unix)]
pub(crate) use std::os::fd::AsRawFd as Descriptor;

#[cfg(not(unix))]
pub(crate) use elsewhere::{Descriptor, Mark, mark, opening};
#[cfg(not(unix))]
pub(crate) use std::process::id as process_id;

/// Systems without `fork`.
#[cfg(not(unix))]
mod elsewhere {
    pub(crate) trait Descriptor {}
    impl<T> Descriptor for T {}

    #[derive(Debug)]
    pub(crate) struct Mark;

    pub(crate) fn mark(_: &impl Descriptor) -> Mark {
        Mark
    }

    pub(crate) fn opening<T>(open: impl FnOnce() -> T) -> T {
        open()
    }
}
