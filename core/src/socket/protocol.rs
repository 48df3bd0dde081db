//! The protocol of the control socket, and the caller's end.

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

/// The first line that a platform sends. Its number changes when the protocol changes.
pub(crate) const GREETING: &str = "must 1\n";

/// Largest number of bytes of a request, which may hold pictures.
pub(super) const LARGEST_REQUEST: u64 = 256 << 20;

/// Largest number of bytes of an answer, which may hold a clip.
const LARGEST_ANSWER: u64 = 1 << 30;

/// How long to wait for the greeting. A forked child may have the socket and never accept a connection.
const GREETING_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest path of a socket. An address has 108 bytes on Linux and 104 elsewhere, including a zero at its end.
const LONGEST_PATH: usize = 100;

/// A failure in the form that is sent over the socket.
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

/// Returns the folder that contains the socket of a data folder.
pub(super) fn folder(data_dir: &Path) -> io::Result<PathBuf> {
    Ok(std::path::absolute(data_dir)?.join("run"))
}

/// Returns the path of the socket in its folder.
pub(super) fn socket(folder: &Path) -> PathBuf {
    folder.join("control.sock")
}

/// Calls `work` with a path to the socket in `folder` that is short enough for the address of a socket. If the real path is too long,
/// the path leads through a link in a temporary folder, which is removed after `work`.
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

/// Makes a temporary folder that only its owner can enter, with a link `run` to `folder`.
fn link(base: &Path, folder: &Path) -> io::Result<TempDir> {
    let short = tempfile::Builder::new().prefix("must-").permissions(Permissions::from_mode(0o700)).tempdir_in(base)?;
    std::os::unix::fs::symlink(folder, short.path().join("run"))?;
    Ok(short)
}

/// Makes a call on the platform that runs in the data folder. Returns `None` if no platform runs there, if it closed before the call, or
/// if it has too many calls.
///
/// # Errors
/// Those of the call; `payload_too_large` if the call is too large; `dependency_unavailable` if the socket exists but may not be used, if
/// the platform has another version, or if the platform ended before it answered.
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

/// The error for a request that is larger than a platform reads.
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
        Err(error) if is_not_listening(&error) => return Ok(None),
        Err(error) => return Err(refused(&error.to_string())),
    };
    // If other users can write into the data folder, the socket could belong to one of them.
    let owner = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.uid());
    let database = crate::store::database_path(data_dir);
    match (owner(&folder), owner(&database)) {
        (Ok(of_socket), Ok(of_data)) if of_socket != of_data => {
            Err(refused("it does not belong to the owner of the data"))
        }
        _ => Ok(Some(stream)),
    }
}

/// Whether no platform listens: there is no socket, or a killed process left it behind.
fn is_not_listening(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::ConnectionRefused)
}

/// Waits for the greeting. Returns false if the platform did not accept the connection.
fn greeted(stream: &mut UnixStream) -> Result<bool> {
    let mut greeting = [0; GREETING.len()];
    let heard = stream.set_read_timeout(Some(GREETING_TIMEOUT)).and_then(|()| stream.read_exact(&mut greeting));
    match heard {
        Ok(()) if greeting == GREETING.as_bytes() => Ok(stream.set_read_timeout(None).is_ok()),
        Ok(()) => Err(Error::new(
            ErrorCode::DependencyUnavailable,
            "the platform that runs in the data folder has another version",
        )
        .with_action("Use a program of the same version as the platform.")),
        Err(_) => Ok(false),
    }
}

/// Reads until the other end ends its side.
pub(super) trait ReadToEnd {
    /// # Errors
    /// Those of the stream; `FileTooLarge` if more than `largest` bytes come.
    fn read_to_end_of(&mut self, largest: u64, into: &mut Vec<u8>) -> io::Result<()>;
}

impl ReadToEnd for UnixStream {
    fn read_to_end_of(&mut self, largest: u64, into: &mut Vec<u8>) -> io::Result<()> {
        let read = self.take(largest.saturating_add(1)).read_to_end(into)?;
        if read as u64 > largest {
            return Err(io::Error::new(ErrorKind::FileTooLarge, format!("more than {largest} bytes were sent")));
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
        _ => Err(cut_short("its answer is incomplete")),
    }
}

fn cut_short(why: &str) -> Error {
    let detail = format!("the call was sent to the platform in the data folder, but no complete answer came: {why}");
    Error::new(ErrorCode::DependencyUnavailable, detail)
        .with_action("Check whether the call took effect. If not, make it again.")
}
