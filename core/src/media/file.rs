//! Files on disk. A file that has its final name is complete.
//!
//! Invariants: bytes are written under a temporary name in the same folder, flushed to the device, and only then renamed;
//! the rename is flushed, too. After a failure the temporary file is removed. A temporary file that a crash leaves is in the folder
//! of an unfinished run. `task::sweep` removes this folder at the first start after the task of the run has ended.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorCode, Result};

/// The beginning of temporary names.
const PREFIX: &str = ".must-tmp-";

/// Writes `dir/name` atomically and durably, replacing an existing file. Returns its path.
///
/// # Errors
/// `validation_error` for a name that is not a plain file name; `storage_full` when there is no room;
/// `dependency_unavailable` for every other failure of the disk, such as a read-only folder.
pub(crate) fn write_atomic(dir: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf> {
    if !is_plain(name) {
        return Err(Error::validation("a file name may not be empty, look like a temporary file, or contain a path"));
    }
    let path = dir.join(name);
    let written = || -> io::Result<()> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(PREFIX);
        // The usual mode of a new file, reduced by the umask; the default of `tempfile` is readable only by the owner.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut temporary = builder.tempfile_in(dir)?;
        temporary.write_all(bytes)?;
        temporary.as_file().sync_all()?;
        temporary.persist(&path).map_err(|failed| failed.error)?;
        sync_dir(dir)
    };
    written().map_err(|error| storage_error(&error))?;
    Ok(path)
}

fn is_plain(name: &str) -> bool {
    !name.starts_with(PREFIX)
        && !name.contains(['/', '\\', '\0'])
        && Path::new(name).file_name().is_some_and(|plain| plain == name)
}

/// Makes the names in a folder durable.
#[cfg(unix)]
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    // `join` takes an empty path as the current folder, but `open` refuses it.
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    File::open(dir)?.sync_all()
}

/// Makes the names in a folder durable.
#[cfg(not(unix))]
pub(crate) fn sync_dir(_: &Path) -> io::Result<()> {
    Ok(())
}

fn storage_error(error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Error::new(ErrorCode::StorageFull, format!("there is no room for the file: {}", error.kind()))
        }
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            Error::new(ErrorCode::DependencyUnavailable, format!("the folder cannot be written to: {}", error.kind()))
                .with_action("Make the folder writable for this user, or use another folder.")
        }
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            Error::new(ErrorCode::DependencyUnavailable, "the folder does not exist")
                .with_action("Create the folder, or use another one.")
        }
        kind => Error::new(ErrorCode::DependencyUnavailable, format!("the file could not be written: {kind}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_write_replaces_the_file_and_leaves_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = write_atomic(dir.path(), "a.bin", b"one").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one");
        write_atomic(dir.path(), "a.bin", b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn files_have_the_usual_mode() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let usual = dir.path().join("usual");
        fs::write(&usual, "").unwrap();
        let ours = write_atomic(dir.path(), "ours", b"").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&usual));
    }

    #[test]
    fn names_stay_inside_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["", ".", "..", "../a", "a/b", "/a", "a/", "a\0b", "a\\b", ".must-tmp-a"] {
            let error = write_atomic(dir.path(), name, b"x").unwrap_err();
            assert_eq!(error.code(), ErrorCode::ValidationError, "{name:?}");
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn failures_have_their_codes_and_leave_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let missing = write_atomic(&dir.path().join("missing"), "a", b"x").unwrap_err();
        assert_eq!(missing.code(), ErrorCode::DependencyUnavailable);
        // The file's name is that of a folder: the rename fails after everything was written.
        fs::create_dir(dir.path().join("taken")).unwrap();
        let taken = write_atomic(dir.path(), "taken", b"x").unwrap_err();
        assert_eq!(taken.code(), ErrorCode::DependencyUnavailable);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn full_and_read_only_disks_have_their_codes() {
        let code = |number| storage_error(&io::Error::from_raw_os_error(number)).code();
        let (enospc, edquot, efbig, erofs, eacces, eio) = (28, 122, 27, 30, 13, 5);
        for full in [enospc, edquot, efbig] {
            assert_eq!(code(full), ErrorCode::StorageFull);
        }
        for refused in [erofs, eacces, eio] {
            assert_eq!(code(refused), ErrorCode::DependencyUnavailable);
        }
    }
}
