//! File locks that a second copy of SQLite in the same process respects.
//!
//! SQLite uses POSIX locks, which belong to the process. A second copy of SQLite in the process, such as Python's, does not see
//! them. When any code in the process closes one of the files, all these locks are gone. The second copy then believes that it is
//! alone: it resets the index of the write-ahead log while we use it, and when it closes it deletes the log together with
//! all acknowledged writes in it. <https://sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_>
//!
//! Open file description locks belong to one opening of a file, and POSIX locks of the same process respect them. So our SQLite
//! uses them on the index of the log (`must.db-shm`). Which bytes are locked, and when, does not change, so copies of SQLite in
//! other processes see no difference. In addition, a lock on the database itself ([`Shared`]) lasts as long as the database is
//! open. It lets everyone read and write but nobody lock the file exclusively, which SQLite does before it deletes the log.
//!
//! Such a lock lasts until the last descriptor *and the last mapping* of that opening are gone, and a child made by `fork` has
//! both. The child's descriptors are closed (see `fork`), and the index, which SQLite maps, is mapped so that children do not get
//! it. Otherwise the lock of a process that was killed while it wrote would last as long as a child of it lives.
//!
//! If the system or the file system has no such locks, SQLite's own are used. The host program must then make sure that no second
//! copy of SQLite in the process opens the database.

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub(super) use file_locks::{Shared, install};

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
pub(super) use process_locks::{Shared, install};

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod file_locks {
    use crate::error::{Error, ErrorCode, Result};
    use crate::fork::{self, Mark};
    use crate::store::connection::LOCK_TIMEOUT;
    use nix::libc::{self, c_char, c_int, c_void};
    use rusqlite::ffi;
    use std::ffi::CStr;
    use std::fs::File;
    use std::os::fd::AsRawFd as _;
    use std::path::Path;
    use std::sync::Once;
    use std::time::{Duration, Instant};

    /// The end of the path of our index. SQLite derives the path from that of the database.
    const INDEX: &[u8] = b"/must.db-shm";

    /// The bytes of a database that SQLite read-locks for shared use of the file and write-locks for exclusive use:
    /// `SHARED_FIRST` and `SHARED_SIZE` in <https://sqlite.org/src/file/src/os.h>.
    const SHARED_FIRST: libc::off_t = 0x4000_0002;
    const SHARED_SIZE: libc::off_t = 510;

    /// A shared lock on the database that no other opening of the file in this process can undo.
    pub(in crate::store) struct Shared {
        /// The first field, so that it is dropped before the file is closed.
        _mark: Mark,
        file: File,
    }

    impl Shared {
        /// Takes a shared lock on a database that is already open.
        ///
        /// If there are no such locks, this is only an open file. It must stay open, because closing it would end the POSIX locks
        /// of the open connections.
        pub(in crate::store) fn take(database: &Path) -> Result<Self> {
            let opened = fork::without_fork(|| File::open(database).map(|file| (fork::mark(&file), file)));
            let (mark, file) = opened.map_err(|error| {
                Error::new(ErrorCode::DependencyUnavailable, format!("the database cannot be opened: {error}"))
            })?;
            let shared = Self { _mark: mark, file };
            let deadline = Instant::now() + LOCK_TIMEOUT;
            loop {
                match shared.set(libc::F_RDLCK) {
                    Ok(()) => return Ok(shared),
                    // Another copy of SQLite has an exclusive lock for a moment, for example while it closes.
                    Err(libc::EAGAIN | libc::EACCES) if Instant::now() < deadline => {
                        std::thread::sleep(Duration::from_millis(10));
                    }
                    Err(libc::EAGAIN | libc::EACCES) => {
                        return Err(Error::new(
                            ErrorCode::DependencyUnavailable,
                            "another program has locked the database exclusively",
                        )
                        .with_action(
                            "Close all other programs that have must.db open, then open the platform again.",
                        ));
                    }
                    Err(number) => {
                        let error = std::io::Error::from_raw_os_error(number);
                        tracing::warn!(%error, "the database cannot be protected from a second copy of SQLite in this process");
                        return Ok(shared);
                    }
                }
            }
        }

        /// Releases the lock. The file stays open, because closing it would end the POSIX locks of open connections.
        pub(in crate::store) fn release(&self) {
            let _ = self.set(libc::F_UNLCK);
        }

        fn set(&self, kind: c_int) -> Result<(), c_int> {
            let mut lock = lock_of(kind, SHARED_FIRST, SHARED_SIZE);
            command(self.file.as_raw_fd(), libc::F_OFD_SETLK, &mut lock)
        }
    }

    /// Makes SQLite use open file description locks on the indexes of our logs. Does this once per process. Other databases are
    /// not affected.
    pub(in crate::store) fn install() {
        static ONCE: Once = Once::new();
        ONCE.call_once(replace_system_calls);
    }

    #[expect(unsafe_code, reason = "SQLite's interface for replacing a system call is in C")]
    fn replace_system_calls() {
        type Call = unsafe extern "C" fn();
        type Open = unsafe extern "C" fn(*const c_char, c_int, c_int) -> c_int;
        type Close = unsafe extern "C" fn(c_int) -> c_int;
        type Control = unsafe extern "C" fn(c_int, c_int, *mut c_void) -> c_int;
        type Map = unsafe extern "C" fn(*mut c_void, usize, c_int, c_int, c_int, libc::off_t) -> *mut c_void;
        // SAFETY: SQLite calls each function of the list with the signature of the system call of that name, and these functions
        // have these signatures. The `fcntl` that SQLite declares is variadic, and ours has three parameters. SQLite always passes
        // three arguments, and on this system the third is passed in the same way to a variadic function and to ours.
        unsafe {
            let calls = [
                (c"open", std::mem::transmute::<Open, Call>(open)),
                (c"close", std::mem::transmute::<Close, Call>(close)),
                (c"fcntl", std::mem::transmute::<Control, Call>(fcntl)),
                (c"mmap", std::mem::transmute::<Map, Call>(mmap)),
            ];
            let vfs = ffi::sqlite3_vfs_find(c"unix".as_ptr());
            let Some(set) = vfs.as_ref().and_then(|vfs| vfs.xSetSystemCall) else { return };
            for (name, call) in calls {
                set(vfs, name.as_ptr(), Some(call));
            }
        }
    }

    /// Replaces SQLite's `open`. Marks the descriptor if the file is an index of ours.
    #[expect(unsafe_code, reason = "SQLite calls it")]
    unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: c_int) -> c_int {
        // SAFETY: SQLite passes a string that ends with 0.
        let ours = unsafe { CStr::from_ptr(path) }.to_bytes().ends_with(INDEX);
        // SAFETY: the same arguments.
        let open = || unsafe { libc::open(path, flags, mode) };
        if !ours {
            return open();
        }
        fork::without_fork(|| {
            let file = open();
            if file >= 0 && supports_file_locks(file) {
                fork::mark_number(file);
            }
            file
        })
    }

    /// Replaces SQLite's `close`.
    #[expect(unsafe_code, reason = "SQLite calls it")]
    unsafe extern "C" fn close(file: c_int) -> c_int {
        // SAFETY: SQLite closes a descriptor of its own.
        let close = || unsafe { libc::close(file) };
        if !fork::is_marked(file) {
            return close();
        }
        // No `fork` may happen between the two calls: the child would keep the file and its locks.
        fork::without_fork(|| {
            fork::unmark_number(file);
            close()
        })
    }

    /// Replaces SQLite's `mmap`. Children do not get the mapping of our index; they do not use SQLite.
    #[expect(unsafe_code, reason = "SQLite calls it")]
    unsafe extern "C" fn mmap(
        at: *mut c_void,
        length: usize,
        protection: c_int,
        flags: c_int,
        file: c_int,
        offset: libc::off_t,
    ) -> *mut c_void {
        // SAFETY: the same arguments.
        let map = || unsafe { libc::mmap(at, length, protection, flags, file, offset) };
        if !fork::is_marked(file) {
            return map();
        }
        // No `fork` may happen between the two calls.
        fork::without_fork(|| {
            let mapped = map();
            if mapped != libc::MAP_FAILED {
                // SAFETY: this is a whole mapping that was just made. A system that does not know this advice ignores it.
                unsafe { libc::madvise(mapped, length, libc::MADV_DONTFORK) };
            }
            mapped
        })
    }

    /// Replaces SQLite's `fcntl`. The argument is a lock or a number, depending on the command.
    #[expect(unsafe_code, reason = "SQLite calls it")]
    unsafe extern "C" fn fcntl(file: c_int, asked: c_int, argument: *mut c_void) -> c_int {
        let of_file = match asked {
            libc::F_GETLK => Some(libc::F_OFD_GETLK),
            libc::F_SETLK => Some(libc::F_OFD_SETLK),
            libc::F_SETLKW => Some(libc::F_OFD_SETLKW),
            _ => None,
        };
        match of_file {
            // Only our indexes are marked among SQLite's descriptors.
            Some(of_file) if fork::is_marked(file) => {
                // SAFETY: with these three commands the argument is a lock. Its process id must be 0 here; SQLite does not set it.
                unsafe {
                    (*argument.cast::<libc::flock>()).l_pid = 0;
                    libc::fcntl(file, of_file, argument)
                }
            }
            // SAFETY: the same arguments.
            _ => unsafe { libc::fcntl(file, asked, argument) },
        }
    }

    /// Whether a file supports open file description locks. Not every file system and not every kernel does.
    fn supports_file_locks(file: c_int) -> bool {
        command(file, libc::F_OFD_GETLK, &mut lock_of(libc::F_RDLCK, 0, 1)).is_ok()
    }

    fn lock_of(kind: c_int, start: libc::off_t, length: libc::off_t) -> libc::flock {
        libc::flock {
            l_type: kind as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: start,
            l_len: length,
            l_pid: 0,
        }
    }

    /// Runs a lock command of `fcntl`. Returns the system's error number if it fails.
    #[expect(unsafe_code, reason = "the standard library has no open file description locks")]
    fn command(file: c_int, command: c_int, lock: &mut libc::flock) -> Result<(), c_int> {
        // SAFETY: these commands read and write the lock, which outlives the call.
        match unsafe { libc::fcntl(file, command, std::ptr::from_mut(lock)) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL)),
        }
    }
}

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
mod process_locks {
    use crate::error::Result;
    use std::path::Path;

    pub(in crate::store) struct Shared;

    impl Shared {
        pub(in crate::store) fn take(_: &Path) -> Result<Self> {
            Ok(Self)
        }

        pub(in crate::store) fn release(&self) {}
    }

    pub(in crate::store) fn install() {}
}
