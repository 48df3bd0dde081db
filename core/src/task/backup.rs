//! The files of results in a backup.

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

/// What of the tasks is in a backup.
pub(crate) struct TasksCopied {
    /// Tasks of every status.
    pub(crate) tasks: u64,
    /// Files of their results and previews.
    pub(crate) files: u64,
    /// Bytes of these.
    pub(crate) bytes: u64,
    /// Files that a task names and the platform itself has lost.
    pub(crate) missing: u64,
}

/// A finished task of this platform, with its place in the order of tasks.
struct Finished {
    seq: i64,
    id: String,
    files: Vec<String>,
}

impl Tasks {
    /// Copies the files that the tasks of a copied database name into its folder. A task that was deleted since is taken out of the
    /// copy: its files are gone.
    ///
    /// # Errors
    /// `storage_full`, `dependency_unavailable`; `storage_corrupt` for a task that names a file outside the data folder.
    pub(crate) fn copy_results(&self, copy: &DatabaseCopy, folder: &Path) -> Result<TasksCopied> {
        let source = &self.shared.settings.data_dir;
        let (mut files, mut bytes, mut missing) = (0, 0, 0);
        each_finished(copy.connection(), |task| {
            let (mut found, mut size) = (0, 0);
            for file in &task.files {
                if let Some(bytes) = copy_file(&source.join(inside(file)?), &folder.join(file))? {
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

/// Looks at what the copied database says and what lies beside it: every file is there, of the size that was read, and durable.
///
/// # Errors
/// `dependency_unavailable` when the disk did not keep what it was given.
pub(crate) fn check_results(copy: &DatabaseCopy, folder: &Path, copied: &TasksCopied) -> Result<()> {
    let (mut files, mut bytes, mut missing) = (0, 0, 0);
    let mut folders = BTreeSet::new();
    each_finished(copy.connection(), |task| {
        for file in &task.files {
            let path = folder.join(inside(file)?);
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
                "{files} files of {bytes} bytes are in the backup, and {} of {} bytes were written",
                copied.files, copied.bytes
            ),
        )
        .with_action("Check the disk of the backup, or use another."));
    }
    for folder in folders {
        sync_dir(&folder)?;
    }
    Ok(())
}

/// Shows every finished task whose files are here, in their order. Tasks at workers have theirs there.
fn each_finished(connection: &Connection, mut show: impl FnMut(Finished) -> Result<()>) -> Result<()> {
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
            show(task)?;
        }
    }
}

/// A path of a task, when it leads to a file under the folder that it is relative to.
fn inside(path: &str) -> Result<&str> {
    let plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    if plain && !path.is_empty() {
        return Ok(path);
    }
    Err(Error::new(ErrorCode::StorageCorrupt, "a task names a file outside the data folder"))
}

/// Copies a file to a new place; its size, or nothing when there is no such file.
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
    let detail = format!("{copied} of {expected} bytes of {} were copied", from.display());
    Err(Error::new(ErrorCode::DependencyUnavailable, detail))
}

/// Takes a task and its files out of a copy.
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
    fn paths_of_tasks_stay_inside() {
        for good in ["results/a/1/result.png", "a"] {
            assert_eq!(inside(good).unwrap(), good);
        }
        for bad in ["", "/etc/passwd", "../x", "results/../../x", "."] {
            assert_eq!(inside(bad).unwrap_err().code(), ErrorCode::StorageCorrupt, "{bad}");
        }
    }
}
