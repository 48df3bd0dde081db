//! Copies the result files for a backup and checks the copies.

use super::service::Tasks;
use super::store;
use crate::error::{Error, ErrorCode, Result};
use crate::media::sync_dir;
use crate::store::DatabaseCopy;
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Component, Path};

/// Rows that are read at a time.
const CHUNK: u32 = 500;

/// What a backup contains of the tasks.
pub(crate) struct TasksCopied {
    /// Number of tasks, of every status.
    pub(crate) tasks: u64,
    /// Number of their result and preview files.
    pub(crate) files: u64,
    /// Total size of these files in bytes.
    pub(crate) bytes: u64,
    /// Number of files that a task names but that the platform no longer has.
    pub(crate) missing: u64,
}

/// A finished task of this platform, with its position in the order of tasks.
struct Finished {
    seq: i64,
    id: String,
    files: Vec<String>,
}

impl Tasks {
    /// Copies into `folder`, the folder of the copied database, the files that its tasks name. A task that was deleted in the meantime
    /// is removed from the copy, because its files are gone.
    ///
    /// # Errors
    /// `storage_full`, `dependency_unavailable`; `storage_corrupt` if a task names a file outside the data folder.
    pub(crate) fn copy_results(&self, copy: &DatabaseCopy, folder: &Path) -> Result<TasksCopied> {
        let source = &self.shared.settings.data_dir;
        let (mut files, mut bytes, mut missing) = (0, 0, 0);
        each_finished(copy.connection(), |task| {
            let (mut found, mut size) = (0, 0);
            for file in &task.files {
                if let Some(bytes) = copy_file(&source.join(checked_path(file)?), &folder.join(file))? {
                    (found, size) = (found + 1, size + bytes);
                }
            }
            let lost = task.files.len() as u64 - found;
            if lost > 0 && self.is_deleted(&task.id)? {
                return remove(copy.connection(), folder, &task.id);
            }
            (files, bytes, missing) = (files + found, bytes + size, missing + lost);
            Ok(())
        })?;
        let tasks = copy.connection().query_row("SELECT count(*) FROM task", [], |row| row.get::<_, i64>(0))?;
        Ok(TasksCopied { tasks: u64::try_from(tasks).unwrap_or(0), files, bytes, missing })
    }

    fn is_deleted(&self, id: &str) -> Result<bool> {
        match self.shared.store.read(|connection| store::get(connection, id)) {
            Ok(_) => Ok(false),
            Err(error) if error.code() == ErrorCode::TaskNotFound => Ok(true),
            Err(error) => Err(error),
        }
    }
}

/// Makes the copied files durable and checks that their number and total size are those that were copied.
///
/// # Errors
/// `dependency_unavailable` if they differ.
pub(crate) fn check_results(copy: &DatabaseCopy, folder: &Path, copied: &TasksCopied) -> Result<()> {
    let (mut files, mut bytes, mut missing) = (0, 0, 0);
    let mut folders = BTreeSet::new();
    each_finished(copy.connection(), |task| {
        for file in &task.files {
            let path = folder.join(checked_path(file)?);
            match File::open(&path) {
                Ok(file) => {
                    file.sync_all()?;
                    (files, bytes) = (files + 1, bytes + file.metadata()?.len());
                    folders.extend(path.ancestors().skip(1).take_while(|above| *above != folder).map(Path::to_owned));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => missing += 1,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    })?;
    if (files, bytes, missing) != (copied.files, copied.bytes, copied.missing) {
        return Err(Error::new(
            ErrorCode::DependencyUnavailable,
            format!(
                "the backup has {files} files of {bytes} bytes, but {} of {} bytes were written",
                copied.files, copied.bytes
            ),
        )
        .with_action("Check the backup's disk, or use another."));
    }
    for folder in folders {
        sync_dir(&folder)?;
    }
    Ok(())
}

/// Calls `visit` for every finished task in order, except those whose files are at workers.
fn each_finished(connection: &Connection, mut visit: impl FnMut(Finished) -> Result<()>) -> Result<()> {
    let mut after = i64::MIN;
    loop {
        let mut statement = connection.prepare_cached(
            "SELECT seq, id, result_path, preview_path FROM task
             WHERE status = 'done' AND place = 'here' AND seq > ? ORDER BY seq LIMIT ?",
        )?;
        let rows = statement.query_map((after, CHUNK), |row| {
            let files: [Option<String>; 2] = [row.get(2)?, row.get(3)?];
            Ok(Finished { seq: row.get(0)?, id: row.get(1)?, files: files.into_iter().flatten().collect() })
        })?;
        let tasks = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        let Some(last) = tasks.last() else { return Ok(()) };
        after = last.seq;
        for task in tasks {
            visit(task)?;
        }
    }
}

/// Returns the path of a task's file. Fails if it would lead out of the folder that it is relative to.
fn checked_path(path: &str) -> Result<&str> {
    let plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    if plain && !path.is_empty() {
        return Ok(path);
    }
    Err(Error::new(ErrorCode::StorageCorrupt, "a task names a file outside the data folder"))
}

/// Copies a file. Returns its size, or `None` if there is no such file.
fn copy_file(from: &Path, to: &Path) -> Result<Option<u64>> {
    let mut source = match File::open(from) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    let expected = source.metadata()?.len();
    let copied = io::copy(&mut source, &mut File::create_new(to)?)?;
    if copied == expected {
        return Ok(Some(copied));
    }
    let detail = format!("only {copied} of {expected} bytes of {} were copied", from.display());
    Err(Error::new(ErrorCode::DependencyUnavailable, detail))
}

/// Removes a task and its files from a copy.
fn remove(connection: &Connection, folder: &Path, id: &str) -> Result<()> {
    store::delete(connection, id)?;
    match fs::remove_dir_all(folder.join("results").join(id)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leaves_its_folder_is_refused() {
        for good in ["results/a/1/result.png", "a"] {
            assert_eq!(checked_path(good).unwrap(), good);
        }
        for bad in ["", "/etc/passwd", "../x", "results/../../x", "."] {
            assert_eq!(checked_path(bad).unwrap_err().code(), ErrorCode::StorageCorrupt, "{bad}");
        }
    }
}
