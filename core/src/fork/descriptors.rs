//! The marks, and what happens around a `fork`.

use nix::libc;
use std::os::fd::{AsRawFd, IntoRawFd as _, RawFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// Descriptors that can be marked: as many as Linux lets a process have unless it was told otherwise. Pages of the table that are
/// not touched take no memory.
const MOST: usize = 1 << 20;

/// One bit a descriptor.
static MARKED: [AtomicU64; MOST / 64] = [const { AtomicU64::new(0) }; MOST / 64];

/// Words of the table that have ever been used.
static USED: AtomicUsize = AtomicUsize::new(0);

/// What takes the place of marked descriptors in a child.
static NOTHING: AtomicI32 = AtomicI32::new(-1);

/// Whether a descriptor is just being opened and has no mark yet; held through a `fork` too.
static OPENING: AtomicBool = AtomicBool::new(false);

/// The id of this process, once it was asked for; 0 before that, and in a child until the child asks.
static PROCESS: AtomicU32 = AtomicU32::new(0);

/// The id of this process. Every call on a platform asks for it, so it is kept: `getpid` is a call of the system.
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

/// The mark of a descriptor. It goes when this is dropped, which must be before the descriptor is closed: a struct with both names
/// the mark first.
#[derive(Debug)]
pub(crate) struct Mark(RawFd);

impl Drop for Mark {
    fn drop(&mut self) {
        unmark_number(self.0);
    }
}

/// Marks a descriptor: children do not get it.
pub(crate) fn mark(descriptor: &impl AsRawFd) -> Mark {
    let number = descriptor.as_raw_fd();
    mark_number(number);
    Mark(number)
}

/// Opens something and marks it without a `fork` between the two: a child made there would keep what it got unmarked. `open` must
/// be short and must not use this function.
pub(crate) fn opening<T>(open: impl FnOnce() -> T) -> T {
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
    if let Some((index, bit)) = place(number)
        && let Some(word) = MARKED.get(index)
    {
        word.fetch_or(bit, Ordering::SeqCst);
        USED.fetch_max(index + 1, Ordering::SeqCst);
    }
}

/// Takes the mark off.
pub(crate) fn unmark_number(number: RawFd) {
    if let Some((index, bit)) = place(number)
        && let Some(word) = MARKED.get(index)
    {
        word.fetch_and(!bit, Ordering::SeqCst);
    }
}

/// Whether a descriptor is marked.
pub(crate) fn is_marked(number: RawFd) -> bool {
    place(number)
        .is_some_and(|(index, bit)| MARKED.get(index).is_some_and(|word| word.load(Ordering::SeqCst) & bit != 0))
}

/// The word and the bit of a descriptor.
fn place(number: RawFd) -> Option<(usize, u64)> {
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

/// Has `fork` call us, from the first mark on; false where it will not.
fn watch_forks() -> bool {
    static CALLED: OnceLock<bool> = OnceLock::new();
    *CALLED.get_or_init(|| {
        if let Ok(nothing) = std::fs::File::options().read(true).write(true).open("/dev/null") {
            NOTHING.store(nothing.into_raw_fd(), Ordering::SeqCst);
        }
        call_around_forks()
    })
}

#[expect(unsafe_code, reason = "nobody has a safe form of pthread_atfork")]
fn call_around_forks() -> bool {
    // SAFETY: the three functions live as long as this library is loaded, and the C library forgets them when it is not. They only
    // read and write atomic values and call `dup2` and the like, which a child of a process with threads may do.
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
    let nothing = NOTHING.load(Ordering::SeqCst);
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
    // is touched. Without `/dev/null` the descriptor is closed: better that than to keep a lock.
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
    fn a_mark_lasts_as_long_as_it_is_held() {
        let file = tempfile::tempfile().unwrap();
        let number = file.as_raw_fd();
        assert!(!is_marked(number));
        let held = opening(|| mark(&file));
        assert!(is_marked(number) && NOTHING.load(Ordering::SeqCst) >= 0);
        drop(held);
        assert!(!is_marked(number));
        for none in [-1, MOST as RawFd, RawFd::MAX] {
            mark_number(none);
            assert!(!is_marked(none));
        }
    }
}
