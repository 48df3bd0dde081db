//! The platform's end.
//!
//! Whoever has the folder's lock owns the socket: one that is there already was left behind by a process that was killed. One thread
//! takes connections, and each call has a thread of its own. Neither keeps the platform open.

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

/// Calls under way at once; a caller beyond them is let go ungreeted and comes again.
const MOST_CALLS: usize = 32;

/// How long a request may take to arrive, and a caller may take nothing of its answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long accepting rests when the system has no more sockets or threads to give.
const REST: Duration = Duration::from_millis(100);

/// Listens until it is stopped.
pub(crate) struct Listener {
    /// The thread ends when something is written here. Closing it would not do: a forked child has it too.
    waker: UnixStream,
    thread: Mutex<Option<JoinHandle<()>>>,
    calls: Arc<Calls>,
}

impl Listener {
    /// Makes the socket of the data folder, whose lock the caller has, and answers what comes over it.
    ///
    /// # Errors
    /// Those of the file system, which may have no sockets; nobody listens then.
    pub(crate) fn start<C: Callee + Sync>(data_dir: &Path, callee: C) -> io::Result<Self> {
        let (waker, woken) = UnixStream::pair()?;
        let (listener, path) = bind(data_dir)?;
        let calls = Arc::new(Calls::default());
        let of_thread = Arc::clone(&calls);
        let listen = move || {
            // Named whole, so that the closure takes the mark with the socket and not the socket alone.
            let listener = listener;
            accept(&listener.socket, &woken, &callee, &of_thread);
            // Nobody can connect any more from here on; the folder's lock is still held.
            let _ = std::fs::remove_file(path);
        };
        let thread = log::spawn("must-control", listen).map_err(io::Error::other)?;
        Ok(Self { waker, thread: Mutex::new(Some(thread)), calls })
    }

    /// Takes no more calls, removes the socket, and waits up to `deadline` for calls that run.
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

/// How many calls run.
#[derive(Default)]
struct Calls {
    number: Mutex<usize>,
    fewer: Condvar,
}

impl Calls {
    /// A place for one more; none when all are taken.
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

/// One call under way.
struct Place(Arc<Calls>);

impl Drop for Place {
    fn drop(&mut self) {
        *self.0.number.lock() -= 1;
        self.0.fewer.notify_all();
    }
}

/// A socket that a child made by `fork` does not get.
struct OfThisProcess<T> {
    /// First, so that it goes before the socket is closed.
    _mark: Mark,
    socket: T,
}

impl<T: Descriptor> OfThisProcess<T> {
    fn open(open: impl FnOnce() -> io::Result<T>) -> io::Result<Self> {
        fork::opening(|| open().map(|socket| Self { _mark: fork::mark(&socket), socket }))
    }
}

fn bind(data_dir: &Path) -> io::Result<(OfThisProcess<UnixListener>, PathBuf)> {
    let folder = folder(data_dir)?;
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    if !std::fs::symlink_metadata(&folder)?.is_dir() {
        return Err(io::Error::new(ErrorKind::NotADirectory, format!("{} is no folder", folder.display())));
    }
    std::fs::set_permissions(&folder, Permissions::from_mode(0o700))?;
    let path = socket(&folder);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = with_path(&folder, |path| OfThisProcess::open(|| UnixListener::bind(path)))?;
    std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    listener.socket.set_nonblocking(true)?;
    Ok((listener, path))
}

/// Takes connections until something comes out of `woken`.
fn accept<C: Callee>(listener: &UnixListener, woken: &UnixStream, callee: &C, calls: &Arc<Calls>) {
    loop {
        let mut of = [PollFd::new(listener.as_fd(), PollFlags::POLLIN), PollFd::new(woken.as_fd(), PollFlags::POLLIN)];
        let polled = poll(&mut of, PollTimeout::NONE);
        let [_, woken] = &of;
        if woken.any() == Some(true) {
            return;
        }
        let accept = || listener.accept().map(|(stream, _)| stream);
        let taken = polled.map_err(io::Error::from).and_then(|_| OfThisProcess::open(accept));
        let (stream, callee) = match taken {
            Ok(stream) => (stream, callee.clone()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => continue,
            Err(error) => {
                tracing::warn!(%error, "a connection to the control socket could not be accepted");
                std::thread::sleep(REST);
                continue;
            }
        };
        let Some(place) = calls.place() else { continue };
        let serving = log::spawn("must-call", move || {
            // With its mark, as above.
            let mut stream = stream;
            // Kept until the call no longer counts: a platform's last handle waits for the calls when it is dropped.
            let present = callee.present();
            let outcome = present.as_ref().map_or(Ok(()), |present| {
                serve(&mut stream.socket, |name, arguments| C::call(present, name, arguments))
            });
            if let Err(error) = outcome {
                tracing::debug!(%error, "a caller at the control socket is gone");
            }
            drop(place);
        });
        if let Err(error) = serving {
            tracing::warn!(%error, "a call over the control socket could not be made");
            std::thread::sleep(REST);
        }
    }
}

/// Makes the one call of a connection.
fn serve(stream: &mut UnixStream, make: impl FnOnce(&str, &str) -> Result<SecretText>) -> io::Result<()> {
    // On some systems a connection is as non-blocking as its listener.
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(GREETING.as_bytes())?;
    let mut request = Zeroizing::new(Vec::new());
    let outcome = match stream.read_to_end_of(LARGEST_REQUEST, &mut request) {
        Err(error) if error.kind() == ErrorKind::FileTooLarge => Err(too_large()),
        Err(error) => return Err(error),
        // Whoever only looked whether somebody is there asks for nothing.
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
    // Closing it would not end it while a child that was forked meanwhile has it too.
    stream.shutdown(Shutdown::Both)
}
