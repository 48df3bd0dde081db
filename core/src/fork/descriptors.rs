//! Marks descriptors, and replaces the marked ones in a child after `fork`.

use nix::libc;
use std::os::fd::{AsRawFd, IntoRawFd as _, RawFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// Descriptors with a number below this can be marked. By default, Linux allows a process no higher number. Pages of the table that
/// are never written take no memory.
const MOST: usize = 1 << 20;

/// One bit for each descriptor.
static MARKED: [AtomicU64; MOST / 64] = [const { AtomicU64::new(0) }; MOST / 64];

/// How many words at the start of the table have ever been used.
static USED: AtomicUsize = AtomicUsize::new(0);

/// The descriptor of `/dev/null`, which replaces marked descriptors in a child.
static DEV_NULL: AtomicI32 = AtomicI32::new(-1);

/// A spin lock. It is held while descriptors and their marks change together, and during a `fork`.
static OPENING: AtomicBool = AtomicBool::new(false);

/// The id of this process. It is 0 until it is first needed, and again in a child.
static PROCESS: AtomicU32 = AtomicU32::new(0);

/// Returns the id of this process. It is kept, because every call on a platform needs it and `getpid` is a system call.
pub(crate) fn process_id() -> u32 {
    let known = PROCESS.load(Ordering::Relaxed);
    if known != 0 {
        return known;
    }
    let id = std::process::id();
    if watch_forks() {
        PROCESS.store(id, Ordering::Relaxed);
    }
    id
}

/// The mark of a descriptor. Dropping it removes the mark. Drop it before the descriptor is closed: a struct that owns both lists
/// the mark first.
#[derive(Debug)]
pub(crate) struct Mark(RawFd);

impl Drop for Mark {
    fn drop(&mut self) {
        unmark_number(self.0);
    }
}

/// Marks a descriptor, so that children of `fork` do not inherit it.
pub(crate) fn mark(descriptor: &impl AsRawFd) -> Mark {
    let number = descriptor.as_raw_fd();
    mark_number(number);
    Mark(number)
}

/// Runs `open` while no `fork` can happen: a child made between opening and marking would keep the unmarked descriptor. `open`
/// must be short, must also do the marking if it opens a file, and must not call this function.
pub(crate) fn without_fork<T>(open: impl FnOnce() -> T) -> T {
    struct Held;
    impl Drop for Held {
        fn drop(&mut self) {
            release();
        }
    }
    hold();
    let _held = Held;
    open()
}

/// Marks a descriptor by its number.
pub(crate) fn mark_number(number: RawFd) {
    watch_forks();
    if let Some((index, bit)) = word_and_bit(number)
        && let Some(word) = MARKED.get(index)
    {
        word.fetch_or(bit, Ordering::SeqCst);
        USED.fetch_max(index + 1, Ordering::SeqCst);
    }
}

/// Removes the mark.
pub(crate) fn unmark_number(number: RawFd) {
    if let Some((index, bit)) = word_and_bit(number)
        && let Some(word) = MARKED.get(index)
    {
        word.fetch_and(!bit, Ordering::SeqCst);
    }
}

/// Whether a descriptor is marked.
pub(crate) fn is_marked(number: RawFd) -> bool {
    word_and_bit(number)
        .is_some_and(|(index, bit)| MARKED.get(index).is_some_and(|word| word.load(Ordering::SeqCst) & bit != 0))
}

/// Returns the word and the bit of a descriptor.
fn word_and_bit(number: RawFd) -> Option<(usize, u64)> {
    let number = usize::try_from(number).ok()?;
    Some((number / 64, 1 << (number % 64)))
}

fn hold() {
    while OPENING.compare_exchange_weak(false, true, Ordering::SeqCst, Ordering::SeqCst).is_err() {
        std::thread::yield_now();
    }
}

fn release() {
    OPENING.store(false, Ordering::SeqCst);
}

/// Registers the functions to call around `fork`, at the first call. Returns whether this succeeded.
fn watch_forks() -> bool {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    *REGISTERED.get_or_init(|| {
        if let Ok(nothing) = std::fs::File::options().read(true).write(true).open("/dev/null") {
            DEV_NULL.store(nothing.into_raw_fd(), Ordering::SeqCst);
        }
        call_around_forks()
    })
}

#[expect(unsafe_code, reason = "no crate has a safe form of pthread_atfork")]
fn call_around_forks() -> bool {
    // SAFETY: the three functions live as long as this library is loaded, and the C library unregisters them when it is unloaded. They
    // only read and write atomic values and call `dup2` and the like, which a child of a process with threads may do.
    let outcome = unsafe { libc::pthread_atfork(Some(before), Some(after_in_parent), Some(after_in_child)) };
    if outcome != 0 {
        tracing::warn!(outcome, "a process that is forked from this one will keep the locks of its files");
    }
    outcome == 0
}

extern "C" fn before() {
    hold();
}

extern "C" fn after_in_parent() {
    release();
}

extern "C" fn after_in_child() {
    PROCESS.store(0, Ordering::Relaxed);
    release();
    let nothing = DEV_NULL.load(Ordering::SeqCst);
    for (index, word) in MARKED.iter().enumerate().take(USED.load(Ordering::SeqCst)) {
        let mut marked = word.load(Ordering::SeqCst);
        while marked != 0 {
            let number = index * 64 + marked.trailing_zeros() as usize;
            marked &= marked - 1;
            replace(nothing, number as RawFd);
        }
    }
}

#[expect(unsafe_code, reason = "the safe form owns descriptors, and these are owned by what the parent left here")]
fn replace(nothing: RawFd, number: RawFd) {
    // SAFETY: in a child, nothing that the parent had open is used any more; both numbers are descriptors, and no memory
    // is touched. Without `/dev/null` the descriptor is closed, which is better than keeping a lock.
    unsafe {
        if nothing >= 0 {
            libc::dup2(nothing, number);
            libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC);
        } else {
            libc::close(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_lasts_until_it_is_dropped() {
        let file = tempfile::tempfile().unwrap();
        let number = file.as_raw_fd();
        assert!(!is_marked(number));
        let held = without_fork(|| mark(&file));
        assert!(is_marked(number) && DEV_NULL.load(Ordering::SeqCst) >= 0);
        drop(held);
        assert!(!is_marked(number));
        for none in [-1, MOST as RawFd, RawFd::MAX] {
            mark_number(none);
            assert!(!is_marked(none));
        }
    }
}
