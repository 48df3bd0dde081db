//! What goes over the control socket, and the caller's end.

use crate::error::{Error, ErrorCode, Result};
use crate::keyring::SecretText;
use serde::{Deserialize, Serialize};
use std::fs::Permissions;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use zeroize::Zeroizing;

/// What a platform says first. Its number changes when what follows does.
pub(crate) const GREETING: &str = "must 1\n";

/// Most bytes of a request, which may hold pictures.
pub(super) const LARGEST_REQUEST: u64 = 256 << 20;

/// Most bytes of an answer, which may hold a clip.
const LARGEST_ANSWER: u64 = 1 << 30;

/// How long a greeting may take: a process that has the socket and will never take a connection is a forked child.
const GREETING_TIME: Duration = Duration::from_secs(5);

/// Longest path of a socket: an address has 108 bytes on Linux and 104 elsewhere, with a zero at its end.
const LONGEST_PATH: usize = 100;

/// A failure as it goes over the socket.
#[derive(Serialize, Deserialize)]
pub(super) struct Failure {
    pub(super) code: String,
    pub(super) detail: String,
    pub(super) user_action: String,
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let code = ErrorCode::from_name(&failure.code).unwrap_or(ErrorCode::Internal);
        Self::new(code, failure.detail).with_action(failure.user_action)
    }
}

/// The folder that the socket of a data folder is in.
pub(super) fn folder(data_dir: &Path) -> io::Result<PathBuf> {
    Ok(std::path::absolute(data_dir)?.join("run"))
}

/// The socket in its folder.
pub(super) fn socket(folder: &Path) -> PathBuf {
    folder.join("control.sock")
}

/// Does `work` with a path to the socket in `folder` that fits into an address: where its own is too long, one through a link in a
/// temporary folder, for as long as `work` lasts.
pub(super) fn with_path<T>(folder: &Path, work: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    let own = socket(folder);
    if own.as_os_str().len() <= LONGEST_PATH {
        return work(&own);
    }
    for base in [std::env::temp_dir(), PathBuf::from("/tmp")] {
        let Ok(short) = link(&base, folder) else { continue };
        let path = socket(&short.path().join("run"));
        if path.as_os_str().len() <= LONGEST_PATH {
            return work(&path);
        }
    }
    Err(io::Error::new(ErrorKind::InvalidFilename, "its path is too long, and so is every path in a temporary folder"))
}

/// A folder that its owner alone can enter, with a link `run` to `folder`.
fn link(base: &Path, folder: &Path) -> io::Result<TempDir> {
    let short = tempfile::Builder::new().prefix("must-").permissions(Permissions::from_mode(0o700)).tempdir_in(base)?;
    std::os::unix::fs::symlink(folder, short.path().join("run"))?;
    Ok(short)
}

/// Makes a call on the platform that runs in the data folder. None when none runs there, or it closed before it took the call.
///
/// # Errors
/// Those of the call; `dependency_unavailable` when the socket is there and may not be used, or the platform ended before it answered.
pub(crate) fn ask(data_dir: &Path, name: &str, arguments: &str) -> Result<Option<SecretText>> {
    let Some(mut stream) = connect(data_dir)? else { return Ok(None) };
    if !greeted(&mut stream)? {
        return Ok(None);
    }
    let request = Zeroizing::new(format!("{name}\n{arguments}"));
    if request.len() as u64 > LARGEST_REQUEST {
        return Err(too_large());
    }
    let mut answer = Zeroizing::new(Vec::new());
    let mut exchange = || -> io::Result<()> {
        stream.write_all(request.as_bytes())?;
        stream.shutdown(Shutdown::Write)?;
        stream.read_to_end_of(LARGEST_ANSWER, &mut answer)
    };
    exchange().map_err(|error| cut_short(&error.to_string()))?;
    read_answer(&answer).map(Some)
}

/// That a call is larger than a platform reads.
pub(super) fn too_large() -> Error {
    Error::new(ErrorCode::PayloadTooLarge, format!("the call is larger than {LARGEST_REQUEST} bytes"))
}

fn connect(data_dir: &Path) -> Result<Option<UnixStream>> {
    let folder = folder(data_dir)?;
    let refused = |why: &str| {
        let detail = format!("the control socket {} cannot be used: {why}", socket(&folder).display());
        Error::new(ErrorCode::DependencyUnavailable, detail)
            .with_action("Run the command as the user that the platform runs as, or give --url and MUST_ADMIN_KEY.")
    };
    let stream = match with_path(&folder, |path| UnixStream::connect(path)) {
        Ok(stream) => stream,
        Err(error) if is_nobody(&error) => return Ok(None),
        Err(error) => return Err(refused(&error.to_string())),
    };
    // Where others may write into the data folder, a socket there may be theirs.
    let owner = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.uid());
    let database = crate::store::database_path(data_dir);
    match (owner(&folder), owner(&database)) {
        (Ok(of_socket), Ok(of_data)) if of_socket != of_data => {
            Err(refused("it does not belong to the owner of the data"))
        }
        _ => Ok(Some(stream)),
    }
}

/// Whether nobody listens: there is no socket, or one that a killed process left behind.
fn is_nobody(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::ConnectionRefused)
}

/// Whether the platform has taken the connection.
fn greeted(stream: &mut UnixStream) -> Result<bool> {
    let mut greeting = [0; GREETING.len()];
    let heard = stream.set_read_timeout(Some(GREETING_TIME)).and_then(|()| stream.read_exact(&mut greeting));
    match heard {
        Ok(()) if greeting == GREETING.as_bytes() => Ok(stream.set_read_timeout(None).is_ok()),
        Ok(()) => {
            Err(Error::new(ErrorCode::DependencyUnavailable, "what listens in the data folder is another version")
                .with_action("Use a program of the same version as the platform."))
        }
        Err(_) => Ok(false),
    }
}

/// Reads what comes until the other end is done.
pub(super) trait ReadToEnd {
    /// # Errors
    /// The stream's; one that says so when more than `largest` bytes come.
    fn read_to_end_of(&mut self, largest: u64, into: &mut Vec<u8>) -> io::Result<()>;
}

impl ReadToEnd for UnixStream {
    fn read_to_end_of(&mut self, largest: u64, into: &mut Vec<u8>) -> io::Result<()> {
        let read = self.take(largest.saturating_add(1)).read_to_end(into)?;
        if read as u64 > largest {
            return Err(io::Error::new(ErrorKind::FileTooLarge, format!("more than {largest} bytes came")));
        }
        Ok(())
    }
}

fn read_answer(answer: &[u8]) -> Result<SecretText> {
    let text = std::str::from_utf8(answer).ok().and_then(|text| text.strip_suffix('\n')?.split_once('\n'));
    match text {
        Some(("ok", answer)) => Ok(SecretText::new(answer)),
        Some(("error", failure)) => Err(match serde_json::from_str::<Failure>(failure) {
            Ok(failure) => failure.into(),
            Err(_) => cut_short("its answer cannot be read"),
        }),
        _ => Err(cut_short("its answer is not whole")),
    }
}

fn cut_short(why: &str) -> Error {
    let detail = format!("the platform in the data folder took the call, and ended before it had answered: {why}");
    Error::new(ErrorCode::DependencyUnavailable, detail)
        .with_action("Look whether what was asked has been done, and ask again if not.")
}
