//! Keeps checkpoints outside the database, so that a log that was cut or rewritten in the database is detected.
//!
//! An anchor file holds one JSON string a line, each a signed note, and is only ever appended to. A host may also receive the notes
//! through a callback and keep them where nobody who can write the data folder can reach them.

use super::note::SignedCheckpoint;
use crate::error::{Error, ErrorCode, Result};
use parking_lot::Mutex;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Name of the anchor file in a data folder.
pub(crate) const ANCHOR_FILE: &str = "audit.anchors";

/// Receives each new checkpoint, a signed note. An error means that the host did not keep it; until a later call succeeds, no event
/// can be added. It is called on the thread that writes the database, and for a retry on any thread that needs the log. It must not
/// call the platform, because that call could wait for this one.
///
/// ```
/// use must::{Host, Platform, Settings};
/// use std::sync::{Arc, Mutex};
/// use std::time::Duration;
///
/// # let folder = tempfile::tempdir()?;
/// # let data = folder.path().join("data");
/// let kept = Arc::new(Mutex::new(Vec::new()));
/// let place = Arc::clone(&kept);
/// let mut host = Host::default();
/// host.anchor = Some(Arc::new(move |checkpoint: &str| {
///     place.lock().map_err(|_| "the place is closed".to_owned())?.push(checkpoint.to_owned());
///     Ok(())
/// }));
/// let platform = Platform::open_with(Settings::new(data), host)?;
/// platform.close(Duration::from_secs(10))?;
/// assert!(!kept.lock().unwrap().is_empty());
/// # Ok::<(), must::Error>(())
/// ```
pub type AnchorCallback = Arc<dyn Fn(&str) -> std::result::Result<(), String> + Send + Sync>;

/// Sends checkpoints to the anchor file and to the host's callback.
pub(super) struct Anchors {
    path: PathBuf,
    callback: Option<AnchorCallback>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    file: Option<File>,
    /// The checkpoint that has yet to be written to the file.
    in_file: Option<String>,
    /// The checkpoint that has yet to be given to the host.
    with_host: Option<String>,
}

impl Anchors {
    pub(super) fn new(path: PathBuf, callback: Option<AnchorCallback>) -> Self {
        Self { path, callback, state: Mutex::default() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Sends a checkpoint to both places. [`Anchors::settle`] tries again what failed.
    pub(super) fn add(&self, note: &str) {
        let mut state = self.state.lock();
        state.in_file = Some(note.to_owned());
        state.with_host = self.callback.is_some().then(|| note.to_owned());
        drop(state);
        if let Err(error) = self.settle() {
            tracing::error!(
                code = error.code().as_str(),
                detail = error.detail(),
                "a checkpoint could not be anchored"
            );
        }
    }

    /// Sends the checkpoint that could not be sent before. Only the newest is sent again: it covers those before it.
    ///
    /// # Errors
    /// `dependency_unavailable` while it still cannot be sent.
    pub(super) fn settle(&self) -> Result<()> {
        let mut state = self.state.lock();
        if let Some(note) = state.in_file.take()
            && let Err(error) = self.write(&mut state, &note)
        {
            state.in_file = Some(note);
            state.file = None;
            return Err(unavailable(&format!("the anchor file {} cannot be written: {error}", self.path.display())));
        }
        if let (Some(note), Some(callback)) = (state.with_host.take(), &self.callback) {
            let outcome = catch_unwind(AssertUnwindSafe(|| callback(&note)));
            let outcome = outcome.unwrap_or_else(|_| Err("the callback panicked".to_owned()));
            if let Err(why) = outcome {
                state.with_host = Some(note);
                return Err(unavailable(&format!("the host did not keep a checkpoint: {why}")));
            }
        }
        Ok(())
    }

    /// Flushes the anchor file to the disk.
    pub(super) fn sync(&self) {
        if let Some(file) = &self.state.lock().file {
            let _ = file.sync_data();
        }
    }

    fn write(&self, state: &mut State, note: &str) -> std::io::Result<()> {
        let mut line = serde_json::to_string(note)?;
        line.push('\n');
        if state.file.is_none() {
            state.file = Some(open(&self.path)?);
        }
        match &mut state.file {
            Some(file) => file.write_all(line.as_bytes()),
            None => Ok(()),
        }
    }
}

/// Opens the file to append, and first ends a line that a crash cut off.
fn open(path: &Path) -> std::io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    if file.seek(SeekFrom::End(0))? > 0 {
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    Ok(file)
}

/// Returns the checkpoints that an anchor file holds now, in their order, without those that are added during the reading. Skips
/// lines that are not checkpoints.
pub(super) fn read(path: &Path) -> Result<Box<dyn Iterator<Item = SignedCheckpoint>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Box::new(std::iter::empty())),
        Err(error) => {
            return Err(unavailable(&format!("the anchor file {} cannot be read: {error}", path.display())));
        }
    };
    let length = file.metadata().map_err(|error| unavailable(&error.to_string()))?.len();
    let lines = BufReader::new(file.take(length)).lines().map_while(std::result::Result::ok);
    Ok(Box::new(lines.filter_map(|line| {
        let note: String = serde_json::from_str(&line).ok()?;
        SignedCheckpoint::parse(&note).ok()
    })))
}

fn unavailable(detail: &str) -> Error {
    Error::new(ErrorCode::DependencyUnavailable, detail)
        .with_action("Make sure that the anchor file can be written and that the host's anchor callback succeeds.")
}

/// Returns the newest checkpoint in an anchor file, usually from its last few kilobytes.
pub(super) fn newest(path: &Path) -> Result<Option<SignedCheckpoint>> {
    const TAIL: i64 = 1 << 16;
    if let Ok(mut file) = File::open(path)
        && file.seek(SeekFrom::End(-TAIL)).is_ok()
    {
        let mut tail = Vec::new();
        let read = file.read_to_end(&mut tail);
        let lines = String::from_utf8_lossy(&tail);
        let parse = |line: &str| SignedCheckpoint::parse(&serde_json::from_str::<String>(line).ok()?).ok();
        if read.is_ok()
            && let Some(found) = lines.lines().rev().find_map(parse)
        {
            return Ok(Some(found));
        }
    }
    Ok(read(path)?.last())
}
