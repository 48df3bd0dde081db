//! A copy of the whole data folder, made while the platform works, that opens as a data folder itself.

use super::{Parts, Platform};
use crate::audit::{Caller, NewEvent, Outcome};
use crate::error::{Error, ErrorCode, Result};
use crate::media::sync_dir;
use crate::store::database_path;
use crate::task::check_results;
use schemars::JsonSchema;
use serde::Serialize;
use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Backup {
    /// Where it is: a folder that opens as a data folder.
    #[schemars(extend("format" = "path"))]
    pub folder: PathBuf,
    /// Bytes of the database.
    pub database_bytes: u64,
    /// Tasks of every status.
    pub tasks: u64,
    /// Files of results and previews.
    pub files: u64,
    /// Bytes of these.
    pub file_bytes: u64,
    /// Files that finished tasks name and that the platform itself no longer has.
    pub missing_files: u64,
    /// Events of the audit log.
    pub audit_events: u64,
    /// Whether the audit log in it is whole.
    pub audit_ok: bool,
    /// Key files that are needed to use it and are not in it; empty when the keys are kept elsewhere than in files.
    #[schemars(extend("items" = {"type": "string", "format": "path"}))]
    pub key_files: Vec<PathBuf>,
}

impl Platform {
    /// Copies the data folder into a new or empty folder while the platform works: the database as it is at one moment, the results
    /// that it names, the anchors of the audit log. Everything that was acknowledged before the call is in it.
    ///
    /// The folder appears under its name when all of it was written, made durable and checked: the database by SQLite's
    /// `integrity_check`, the audit log by its hashes and signatures, the files by their presence and size. When this fails there
    /// is nothing under that name. To restore, open the folder as a data folder.
    ///
    /// Not in it are the keys (see [`Backup::key_files`]), weights of models, and results that are at workers. The backup is an event
    /// of the audit log, `backup`, noted after it was made.
    ///
    /// ```
    /// use must::audit::Caller;
    /// use must::{Platform, Settings};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let (data, copy) = (folder.path().join("data"), folder.path().join("copy"));
    /// let platform = Platform::open(Settings::new(data))?;
    /// let backup = platform.backup(&copy, &Caller::new("operator", "cli"))?;
    /// assert!(backup.audit_ok);
    /// println!("{} tasks; keep these beside it: {:?}", backup.tasks, backup.key_files);
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// `validation_error` for a folder that holds something, is a file, or is inside the data folder; `storage_full`;
    /// `storage_corrupt` when the database is damaged; `dependency_unavailable` when the folder cannot be written, or the event cannot
    /// be noted; `invalid_state`.
    pub fn backup(&self, folder: &Path, caller: &Caller) -> Result<Backup> {
        let parts = self.parts()?;
        parts.log.scope(|| parts.backup(folder, caller))
    }
}

impl Parts {
    fn backup(&self, folder: &Path, caller: &Caller) -> Result<Backup> {
        let place = Place::new(folder, &self.data_dir)?;
        self.audit.check()?;
        let event = || caller.event("backup", place.folder.display().to_string(), Outcome::Success);
        match self.write(&place, event()) {
            Ok(backup) => Ok(backup),
            Err(error) => {
                let failed = NewEvent { outcome: Outcome::Failure, ..event() };
                if let Err(unnoted) = self.audit.append(failed.with("code", error.code().as_str())) {
                    tracing::error!(code = unnoted.code().as_str(), "that a backup failed could not be noted");
                }
                Err(error)
            }
        }
    }

    fn write(&self, place: &Place, event: NewEvent) -> Result<Backup> {
        let staged = place.stage()?;
        let inside = staged.path();
        self.audit.copy_anchors(inside)?;
        let copy = self.store.copy_to(inside)?;
        let copied = self.tasks.copy_results(&copy, inside)?;
        copy.check()?;
        let verdict = self.audit.verify_copy(&copy, inside)?;
        check_results(&copy, inside, &copied)?;
        drop(copy);
        sync_files(inside)?;
        let key_files = [self.vault.key_file(), self.audit.key_file()];
        let backup = Backup {
            folder: place.folder.clone(),
            database_bytes: fs::metadata(database_path(inside))?.len(),
            tasks: copied.tasks,
            files: copied.files,
            file_bytes: copied.bytes,
            missing_files: copied.missing,
            audit_events: verdict.size,
            audit_ok: verdict.ok,
            key_files: key_files.into_iter().flatten().map(Path::to_owned).collect(),
        };
        let event = event.with("tasks", backup.tasks).with("files", backup.files).with("audit_events", verdict.size);
        self.audit.append(event)?;
        place.publish(staged)?;
        tracing::info!(folder = %place.folder.display(), tasks = backup.tasks, files = backup.files, "a backup was made");
        Ok(backup)
    }
}

/// Where a backup goes.
struct Place {
    folder: PathBuf,
    parent: PathBuf,
}

impl Place {
    fn new(folder: &Path, data_dir: &Path) -> Result<Self> {
        if folder.as_os_str().is_empty() {
            return Err(refused("the folder of the backup is empty"));
        }
        let folder = std::path::absolute(folder)?;
        let parent = match (folder.parent(), folder.file_name()) {
            (Some(parent), Some(_)) => parent.to_owned(),
            _ => return Err(refused(format!("{} is no name of a new folder", folder.display()))),
        };
        match fs::read_dir(&folder).map(|mut entries| entries.next().is_none()) {
            Ok(true) => {}
            Ok(false) => return Err(refused(format!("the folder {} is not empty", folder.display()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(refused(format!("{} is a file, or goes through one", folder.display())));
            }
            Err(error) => return Err(unwritable(&folder, &error)),
        }
        if real(&folder)?.starts_with(real(data_dir)?) {
            return Err(refused(format!("the folder {} is inside the data folder", folder.display())));
        }
        Ok(Self { folder, parent })
    }

    /// A folder beside it for what is not finished, that its owner alone may read, and that goes when it is dropped.
    fn stage(&self) -> Result<tempfile::TempDir> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".must-tmp-backup-");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let made = fs::create_dir_all(&self.parent).and_then(|()| builder.tempdir_in(&self.parent));
        made.map_err(|error| unwritable(&self.parent, &error))
    }

    /// Gives what is finished its name, which nobody else may have taken meanwhile.
    fn publish(&self, staged: tempfile::TempDir) -> Result<()> {
        // An empty folder that was there already. With something in it, it stays.
        let named = match fs::remove_dir(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => fs::rename(staged.path(), &self.folder),
        };
        named.map_err(|error| unwritable(&self.folder, &error))?;
        // It is not there any more.
        let _ = staged.keep();
        Ok(sync_dir(&self.parent)?)
    }
}

/// The path without links, also when its last parts are not there yet.
fn real(path: &Path) -> Result<PathBuf> {
    for known in path.ancestors() {
        match known.canonicalize() {
            Ok(real) => {
                let missing = path.strip_prefix(known).unwrap_or(Path::new(""));
                if missing.components().all(|part| matches!(part, Component::Normal(_))) {
                    return Ok(real.join(missing));
                }
                return Err(refused(format!("{} goes back from a folder that is not there", path.display())));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unwritable(path, &error)),
        }
    }
    Err(refused(format!("there is nothing that {} is in", path.display())))
}

/// Makes the files of a folder and its names durable, without what is further down.
fn sync_files(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() {
            File::open(path)?.sync_all()?;
        }
    }
    Ok(sync_dir(folder)?)
}

fn refused(detail: impl Into<String>) -> Error {
    Error::validation(detail).with_action("Give a folder that does not exist yet, outside the data folder.")
}

fn unwritable(path: &Path, error: &io::Error) -> Error {
    let detail = format!("the backup cannot be written to {}: {error}", path.display());
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::new(ErrorCode::StorageFull, detail),
        _ => Error::new(ErrorCode::DependencyUnavailable, detail)
            .with_action("Give a folder whose parent this user can write to."),
    }
}
