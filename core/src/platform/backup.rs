//! Backups: the whole data folder is copied while the platform runs. The copy opens as a data folder.

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

/// A finished backup: where it is and what it contains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Backup {
    /// The folder of the backup. It opens as a data folder.
    #[schemars(extend("format" = "path"))]
    pub folder: PathBuf,
    /// Size of the database in bytes.
    pub database_bytes: u64,
    /// Number of tasks, of every status.
    pub tasks: u64,
    /// Number of result and preview files.
    pub files: u64,
    /// Total size of these files in bytes.
    pub file_bytes: u64,
    /// Number of files that finished tasks refer to but that the platform no longer has.
    pub missing_files: u64,
    /// Number of events in the audit log.
    pub audit_events: u64,
    /// Whether the audit log in the backup is complete and unchanged.
    pub audit_ok: bool,
    /// Key files that the backup needs but does not contain. Empty if no key is kept in a file.
    #[schemars(extend("items" = {"type": "string", "format": "path"}))]
    pub key_files: Vec<PathBuf>,
}

impl Platform {
    /// Copies the data folder into a new or empty folder while the platform runs. The copy holds the database as it is at one
    /// moment, the result files that this database names, and the anchors of the audit log. It includes everything that was
    /// acknowledged before the call.
    ///
    /// The folder gets its name only after everything was written, made durable and checked. SQLite's `integrity_check` checks
    /// the database, hashes and signatures check the audit log, and the files are checked for presence and size. If the call
    /// fails, nothing exists under that name. To restore, open the folder as a data folder.
    ///
    /// The backup does not contain keys (see [`Backup::key_files`]), model weights, or results that are at workers. The audit log
    /// gets the event `backup` after the checks and before the folder gets its name. If the call fails after it has accepted the folder,
    /// the log gets this event with the outcome `failure`.
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
    /// `validation_error` for a folder that is not empty, is a file, or is inside the data folder; `storage_full`;
    /// `storage_corrupt` if the database is damaged; `dependency_unavailable` if the folder or the audit event cannot be written;
    /// `invalid_state`.
    pub fn backup(&self, folder: &Path, caller: &Caller) -> Result<Backup> {
        let parts = self.parts()?;
        parts.log.scope(|| parts.backup(folder, caller))
    }
}

impl Parts {
    fn backup(&self, folder: &Path, caller: &Caller) -> Result<Backup> {
        let target = Target::new(folder, &self.data_dir)?;
        self.audit.check()?;
        let event = || caller.event("backup", target.folder.display().to_string(), Outcome::Success);
        match self.write(&target, event()) {
            Ok(backup) => Ok(backup),
            Err(error) => {
                let failed = NewEvent { outcome: Outcome::Failure, ..event() };
                if let Err(unnoted) = self.audit.append(failed.with("code", error.code().as_str())) {
                    tracing::error!(
                        code = unnoted.code().as_str(),
                        "the audit event of a failed backup could not be written"
                    );
                }
                Err(error)
            }
        }
    }

    fn write(&self, target: &Target, event: NewEvent) -> Result<Backup> {
        let staged = target.stage()?;
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
            folder: target.folder.clone(),
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
        target.publish(staged)?;
        tracing::info!(folder = %target.folder.display(), tasks = backup.tasks, files = backup.files, "a backup was made");
        Ok(backup)
    }
}

/// The folder that a backup is written to, and its parent.
struct Target {
    folder: PathBuf,
    parent: PathBuf,
}

impl Target {
    fn new(folder: &Path, data_dir: &Path) -> Result<Self> {
        if folder.as_os_str().is_empty() {
            return Err(refused("the folder of the backup is empty"));
        }
        let folder = std::path::absolute(folder)?;
        let parent = match (folder.parent(), folder.file_name()) {
            (Some(parent), Some(_)) => parent.to_owned(),
            _ => return Err(refused(format!("{} cannot be the name of a new folder", folder.display()))),
        };
        match fs::read_dir(&folder).map(|mut entries| entries.next().is_none()) {
            Ok(true) => {}
            Ok(false) => return Err(refused(format!("the folder {} is not empty", folder.display()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(refused(format!("{} is a file, or a part of the path is one", folder.display())));
            }
            Err(error) => return Err(unwritable(&folder, &error)),
        }
        if resolve(&folder)?.starts_with(resolve(data_dir)?) {
            return Err(refused(format!("the folder {} is inside the data folder", folder.display())));
        }
        Ok(Self { folder, parent })
    }

    /// Makes a temporary folder beside the target for the unfinished backup. Only its owner may read it. It is removed on drop.
    fn stage(&self) -> Result<tempfile::TempDir> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".must-tmp-backup-");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let made = fs::create_dir_all(&self.parent).and_then(|()| builder.tempdir_in(&self.parent));
        made.map_err(|error| unwritable(&self.parent, &error))
    }

    /// Renames the finished backup to its name. Fails if that name was taken in the meantime.
    fn publish(&self, staged: tempfile::TempDir) -> Result<()> {
        // Removes an empty folder that was there already. A folder with content is not removed.
        let named = match fs::remove_dir(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => fs::rename(staged.path(), &self.folder),
        };
        named.map_err(|error| unwritable(&self.folder, &error))?;
        // The temporary folder was renamed, so there is nothing to remove on drop.
        let _ = staged.keep();
        Ok(sync_dir(&self.parent)?)
    }
}

/// Returns the path with links resolved. The last parts of the path need not exist.
fn resolve(path: &Path) -> Result<PathBuf> {
    for known in path.ancestors() {
        match known.canonicalize() {
            Ok(real) => {
                let missing = path.strip_prefix(known).unwrap_or(Path::new(""));
                if missing.components().all(|part| matches!(part, Component::Normal(_))) {
                    return Ok(real.join(missing));
                }
                return Err(refused(format!("{} has `..` after a folder that does not exist", path.display())));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unwritable(path, &error)),
        }
    }
    Err(refused(format!("no folder above {} exists", path.display())))
}

/// Makes the files directly in a folder durable, and the folder's list of names. Subfolders are not visited.
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
