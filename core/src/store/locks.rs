//! Locks that a second SQLite in the same process sees.
//!
//! SQLite locks with POSIX locks, which belong to the process. A second SQLite in it, such as the one of Python, does not see them,
//! and when anybody in the process closes one of the files, all of them are gone. It takes itself for the only one: it begins the
//! index of the write-ahead log anew under our feet, and takes the log away when it closes, with everything that was acknowledged
//! since. <https://sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_>
//!
//! Locks of an open file description belong to one opening of a file, and POSIX locks of the same process respect them. So our
//! SQLite takes those on the index of the log (`must.db-shm`): which bytes it locks, and when, stays as it was, so SQLites in other
//! processes see no difference. And a lock of ours on the database itself ([`Shared`]) lasts as long as the database is open:
//! it lets everybody read and write, and nobody have the file alone, which is what the log would be taken away under.
//!
//! Such a lock lasts until the last descriptor *and the last mapping* of that opening are gone, and a child made by `fork` has both. Its
//! descriptors are taken from it (see `fork`); the index, which SQLite maps, is mapped so that children do not get it. Else a process that
//! was killed while it wrote would leave its lock behind for as long as a child of it lives.
//!
//! Where the system or the file system has no such locks, SQLite's own are used, and a second SQLite in the process must be kept
//! away from the database by whoever writes the program.

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub(super) use of_files::{Shared, install};

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
pub(super) use of_processes::{Shared, install};

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod of_files {
    use crate::error::{Error, ErrorCode, Result};
    use crate::fork::{self, Mark};
    use crate::store::connection::PATIENCE;
    use nix::libc::{self, c_char, c_int, c_void};
    use rusqlite::ffi;
    use std::ffi::CStr;
    use std::fs::File;
    use std::os::fd::AsRawFd as _;
    use std::path::Path;
    use std::sync::Once;
    use std::time::{Duration, Instant};

    /// What the path of an index of ours ends with: SQLite makes it of the database's.
    const INDEX: &[u8] = b"/must.db-shm";

    /// The bytes of a database that SQLite read-locks to share the file, and write-locks to have it alone:
    /// `SHARED_FIRST` and `SHARED_SIZE` in <https://sqlite.org/src/file/src/os.h>.
    const SHARED_FIRST: libc::off_t = 0x4000_0002;
    const SHARED_SIZE: libc::off_t = 510;

    /// A share in the database that no other opening of the file in this process can undo.
    pub(in crate::store) struct Shared {
        /// First, so that it goes before the file is closed.
        _mark: Mark,
        file: File,
    }

    impl Shared {
        /// Takes a share in a database that is open already.
        ///
        /// Where there are no such locks this is an open file and no more: closing it now would end the POSIX locks of the
        /// connections that are open.
        pub(in crate::store) fn take(database: &Path) -> Result<Self> {
            let opened = fork::opening(|| File::open(database).map(|file| (fork::mark(&file), file)));
            let (mark, file) = opened.map_err(|error| {
                Error::new(ErrorCode::DependencyUnavailable, format!("the database cannot be opened: {error}"))
            })?;
            let shared = Self { _mark: mark, file };
            let deadline = Instant::now() + PATIENCE;
            loop {
                match shared.set(libc::F_RDLCK) {
                    Ok(()) => return Ok(shared),
                    // Another SQLite has the file alone for a moment, as it has when it closes.
                    Err(libc::EAGAIN | libc::EACCES) if Instant::now() < deadline => {
                        std::thread::sleep(Duration::from_millis(10));
                    }
                    Err(libc::EAGAIN | libc::EACCES) => {
                        return Err(Error::new(
                            ErrorCode::DependencyUnavailable,
                            "another program has the database for itself",
                        )
                        .with_action("Close whatever else has must.db open, then open the platform again."));
                    }
                    Err(number) => {
                        let error = std::io::Error::from_raw_os_error(number);
                        tracing::warn!(%error, "a second SQLite in this process would harm the database");
                        return Ok(shared);
                    }
                }
            }
        }

        /// Gives the share back. The file stays open: closing it would end the POSIX locks of connections that are.
        pub(in crate::store) fn give_back(&self) {
            let _ = self.set(libc::F_UNLCK);
        }

        fn set(&self, kind: c_int) -> Result<(), c_int> {
            let mut lock = lock_of(kind, SHARED_FIRST, SHARED_SIZE);
            command(self.file.as_raw_fd(), libc::F_OFD_SETLK, &mut lock)
        }
    }

    /// Has SQLite lock the indexes of our logs with locks of the open file. Once a process; other databases are left alone.
    pub(in crate::store) fn install() {
        static ONCE: Once = Once::new();
        ONCE.call_once(exchange);
    }

    #[expect(unsafe_code, reason = "SQLite's own way to exchange a system call is a C interface")]
    fn exchange() {
        type Call = unsafe extern "C" fn();
        type Open = unsafe extern "C" fn(*const c_char, c_int, c_int) -> c_int;
        type Close = unsafe extern "C" fn(c_int) -> c_int;
        type Control = unsafe extern "C" fn(c_int, c_int, *mut c_void) -> c_int;
        type Map = unsafe extern "C" fn(*mut c_void, usize, c_int, c_int, c_int, libc::off_t) -> *mut c_void;
        // SAFETY: SQLite calls a function of the list by the signature of the system call of that name, and these have it. Its
        // `fcntl` takes any number of arguments; here there are always three, and on this system a call with a third argument
        // hands it over in the same place whether the function says how many it takes or not.
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

    /// `open` as SQLite calls it. A mark on the descriptor says that it is an index of ours.
    #[expect(unsafe_code, reason = "SQLite calls it")]
    unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: c_int) -> c_int {
        // SAFETY: SQLite hands over a text that ends with 0.
        let ours = unsafe { CStr::from_ptr(path) }.to_bytes().ends_with(INDEX);
        // SAFETY: the same arguments.
        let open = || unsafe { libc::open(path, flags, mode) };
        if !ours {
            return open();
        }
        fork::opening(|| {
            let file = open();
            if file >= 0 && has_locks_of_files(file) {
                fork::mark_number(file);
            }
            file
        })
    }

    /// `close` as SQLite calls it.
    #[expect(unsafe_code, reason = "SQLite calls it")]
    unsafe extern "C" fn close(file: c_int) -> c_int {
        // SAFETY: SQLite closes a descriptor of its own.
        let close = || unsafe { libc::close(file) };
        if !fork::is_marked(file) {
            return close();
        }
        // No `fork` between the two: the child would keep the file with its locks.
        fork::opening(|| {
            fork::unmark_number(file);
            close()
        })
    }

    /// `mmap` as SQLite calls it. What is mapped of an index of ours is no child's: nothing of SQLite is used there.
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
        // No `fork` between the two.
        fork::opening(|| {
            let mapped = map();
            if mapped != libc::MAP_FAILED {
                // SAFETY: a whole mapping that was just made. Where the system does not know this advice all is as without it.
                unsafe { libc::madvise(mapped, length, libc::MADV_DONTFORK) };
            }
            mapped
        })
    }

    /// `fcntl` as SQLite calls it: with a lock, or with a number in its place.
    #[expect(unsafe_code, reason = "SQLite calls it")]
    unsafe extern "C" fn fcntl(file: c_int, asked: c_int, argument: *mut c_void) -> c_int {
        let of_file = match asked {
            libc::F_GETLK => Some(libc::F_OFD_GETLK),
            libc::F_SETLK => Some(libc::F_OFD_SETLK),
            libc::F_SETLKW => Some(libc::F_OFD_SETLKW),
            _ => None,
        };
        match of_file {
            // Of SQLite's descriptors only indexes of ours are marked.
            Some(of_file) if fork::is_marked(file) => {
                // SAFETY: with these three commands the argument is a lock. SQLite leaves the process in it as it is; here it
                // must be 0.
                unsafe {
                    (*argument.cast::<libc::flock>()).l_pid = 0;
                    libc::fcntl(file, of_file, argument)
                }
            }
            // SAFETY: the same arguments.
            _ => unsafe { libc::fcntl(file, asked, argument) },
        }
    }

    /// Whether a file can have locks of its opening: not every file system and not every kernel has them.
    fn has_locks_of_files(file: c_int) -> bool {
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

    /// Why not is a number of the system's.
    #[expect(unsafe_code, reason = "with it stands and falls every function above")]
    fn command(file: c_int, command: c_int, lock: &mut libc::flock) -> Result<(), c_int> {
        // SAFETY: these commands read and write the lock, which outlives the call.
        match unsafe { libc::fcntl(file, command, std::ptr::from_mut(lock)) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL)),
        }
    }
}

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
mod of_processes {
    use crate::error::Result;
    use std::path::Path;

    pub(in crate::store) struct Shared;

    impl Shared {
        pub(in crate::store) fn take(_: &Path) -> Result<Self> {
            Ok(Self)
        }

        pub(in crate::store) fn give_back(&self) {}
    }

    pub(in crate::store) fn install() {}
}
