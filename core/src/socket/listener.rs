//! The platform's end of the control socket.
//!
//! The process that holds the folder's lock owns the socket. A socket that already exists was left behind by a killed process. One
//! thread accepts connections, and each call runs on its own thread. Only the threads of running calls keep the platform open.

use super::Callee;
use super::protocol::{Failure, GREETING, LARGEST_REQUEST, ReadToEnd as _, folder, socket, too_large, with_path};
use crate::error::{Error, Result};
use crate::fork::{self, Descriptor, Mark};
use crate::keyring::SecretText;
use crate::log;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use parking_lot::{Condvar, Mutex};
use std::fs::{DirBuilder, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::net::Shutdown;
use std::os::fd::AsFd as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Largest number of calls that run at once. A further connection is closed without a greeting, and its caller tries again.
const MOST_CALLS: usize = 32;

/// How long one read of the request and one write of the answer may take.
const IO_TIMEOUT: Duration = Duration::from_secs(30);

/// How long to wait before the next connection is accepted after the system ran out of sockets or threads.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// Listens until it is stopped.
pub(crate) struct Listener {
    /// The thread ends when something is written here. Closing it would not be enough, because a forked child has it too.
    waker: UnixStream,
    thread: Mutex<Option<JoinHandle<()>>>,
    calls: Arc<Calls>,
}

impl Listener {
    /// Makes the socket of the data folder and answers the calls that come over it. The caller must hold the folder's lock.
    ///
    /// # Errors
    /// Those of the file system, which may not support sockets. After an error nothing listens.
    pub(crate) fn start<C: Callee + Sync>(data_dir: &Path, callee: C) -> io::Result<Self> {
        let (waker, woken) = UnixStream::pair()?;
        let (listener, path) = bind(data_dir)?;
        let calls = Arc::new(Calls::default());
        let of_thread = Arc::clone(&calls);
        let listen = move || {
            // Moves the whole value into the closure. Otherwise the closure would capture only the socket, without its mark.
            let listener = listener;
            accept(&listener.socket, &woken, &callee, &of_thread);
            // From here on nobody can connect. The folder's lock is still held.
            let _ = std::fs::remove_file(path);
        };
        let thread = log::spawn("must-control", listen).map_err(io::Error::other)?;
        Ok(Self { waker, thread: Mutex::new(Some(thread)), calls })
    }

    /// Stops accepting calls, removes the socket, and waits up to `deadline` for the calls that run.
    pub(crate) fn stop(&self, deadline: Duration) {
        let thread = self.thread.lock().take();
        if let Some(thread) = thread
            && (&self.waker).write_all(b"stop").is_ok()
        {
            let _ = thread.join();
        }
        self.calls.wait(deadline);
    }
}

/// Counts the running calls.
#[derive(Default)]
struct Calls {
    number: Mutex<usize>,
    fewer: Condvar,
}

impl Calls {
    /// Reserves a place for one more call. Returns `None` if all places are taken.
    fn place(self: &Arc<Self>) -> Option<Place> {
        let mut number = self.number.lock();
        if *number == MOST_CALLS {
            return None;
        }
        *number += 1;
        Some(Place(Arc::clone(self)))
    }

    fn wait(&self, deadline: Duration) {
        let until = Instant::now() + deadline;
        let mut number = self.number.lock();
        while *number > 0 && !self.fewer.wait_until(&mut number, until).timed_out() {}
    }
}

/// The place of one running call. It becomes free on drop.
struct Place(Arc<Calls>);

impl Drop for Place {
    fn drop(&mut self) {
        *self.0.number.lock() -= 1;
        self.0.fewer.notify_all();
    }
}

/// A socket that a child made by `fork` does not inherit.
struct NotInherited<T> {
    /// The first field, so that it is dropped before the socket is closed.
    _mark: Mark,
    socket: T,
}

impl<T: Descriptor> NotInherited<T> {
    fn open(open: impl FnOnce() -> io::Result<T>) -> io::Result<Self> {
        fork::without_fork(|| open().map(|socket| Self { _mark: fork::mark(&socket), socket }))
    }
}

fn bind(data_dir: &Path) -> io::Result<(NotInherited<UnixListener>, PathBuf)> {
    let folder = folder(data_dir)?;
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    if !std::fs::symlink_metadata(&folder)?.is_dir() {
        return Err(io::Error::new(ErrorKind::NotADirectory, format!("{} is not a folder", folder.display())));
    }
    std::fs::set_permissions(&folder, Permissions::from_mode(0o700))?;
    let path = socket(&folder);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = with_path(&folder, |path| NotInherited::open(|| UnixListener::bind(path)))?;
    std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    listener.socket.set_nonblocking(true)?;
    Ok((listener, path))
}

/// Accepts connections until something can be read from `woken`.
fn accept<C: Callee>(listener: &UnixListener, woken: &UnixStream, callee: &C, calls: &Arc<Calls>) {
    loop {
        let mut of = [PollFd::new(listener.as_fd(), PollFlags::POLLIN), PollFd::new(woken.as_fd(), PollFlags::POLLIN)];
        let polled = poll(&mut of, PollTimeout::NONE);
        let [_, woken] = &of;
        if woken.any() == Some(true) {
            return;
        }
        let accept = || listener.accept().map(|(stream, _)| stream);
        let taken = polled.map_err(io::Error::from).and_then(|_| NotInherited::open(accept));
        let (stream, callee) = match taken {
            Ok(stream) => (stream, callee.clone()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => continue,
            Err(error) => {
                tracing::warn!(%error, "a connection to the control socket could not be accepted");
                std::thread::sleep(RETRY_PAUSE);
                continue;
            }
        };
        let Some(place) = calls.place() else { continue };
        let serving = log::spawn("must-call", move || {
            // Moves the whole value, with its mark, as above.
            let mut stream = stream;
            // Dropped only after `place`: if this is the platform's last handle, its drop waits for all counted calls.
            let present = callee.present();
            let outcome = present.as_ref().map_or(Ok(()), |present| {
                serve(&mut stream.socket, |name, arguments| C::call(present, name, arguments))
            });
            if let Err(error) = outcome {
                tracing::debug!(%error, "the connection of a call over the control socket was lost");
            }
            drop(place);
        });
        if let Err(error) = serving {
            tracing::warn!(%error, "a thread for a call over the control socket could not be started");
            std::thread::sleep(RETRY_PAUSE);
        }
    }
}

/// Reads the one call of a connection, makes it and writes the answer.
fn serve(stream: &mut UnixStream, make: impl FnOnce(&str, &str) -> Result<SecretText>) -> io::Result<()> {
    // On some systems a connection inherits the non-blocking mode of its listener.
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(IO_TIMEOUT))?;
    stream.set_write_timeout(Some(IO_TIMEOUT))?;
    stream.write_all(GREETING.as_bytes())?;
    let mut request = Zeroizing::new(Vec::new());
    let outcome = match stream.read_to_end_of(LARGEST_REQUEST, &mut request) {
        Err(error) if error.kind() == ErrorKind::FileTooLarge => Err(too_large()),
        Err(error) => return Err(error),
        // The caller only checked whether a platform is running.
        Ok(()) if request.is_empty() => return Ok(()),
        Ok(()) => match std::str::from_utf8(&request).ok().and_then(|text| text.split_once('\n')) {
            None => Err(Error::validation("the call is not a name, a line break and arguments, all UTF-8")),
            Some((name, arguments)) => catch_unwind(AssertUnwindSafe(|| make(name, arguments)))
                .unwrap_or_else(|_| Err(Error::internal("the call panicked"))),
        },
    };
    let answer = match outcome {
        Ok(answer) => format!("ok\n{}\n", answer.expose()),
        Err(error) => {
            let failure = Failure {
                code: error.code().as_str().to_owned(),
                detail: error.detail().to_owned(),
                user_action: error.user_action().to_owned(),
            };
            format!("error\n{}\n", serde_json::to_string(&failure).map_err(io::Error::other)?)
        }
    };
    stream.write_all(Zeroizing::new(answer).as_bytes())?;
    // Closing would not end the connection if a child forked in the meantime has it too.
    stream.shutdown(Shutdown::Both)
}
