//! Writing a result to a path that the caller chooses.

use must::Result;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Writes `bytes` to `path`. They are first written to a temporary file beside it, so that a failure leaves no partial file and does not
/// change an old file.
///
/// An existing path that is not a regular file (a device, a pipe) is written to directly.
///
/// # Errors
/// `storage_full`, `dependency_unavailable`.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Ok(fs::write(path, bytes)?);
    }
    let (part, mut file) = create_part_file(path)?;
    let written = file.write_all(bytes).and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        drop(fs::remove_file(&part));
    }
    Ok(written?)
}

fn create_part_file(path: &Path) -> Result<(PathBuf, fs::File)> {
    let mut number = 0;
    loop {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}-{number}.part", std::process::id()));
        match fs::File::create_new(&name) {
            Ok(file) => return Ok((name.into(), file)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_a_file_and_leaves_nothing_beside_it() {
        let folder = std::env::temp_dir().join(format!("must-node-files-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("clip.mp4");
        write_whole(&path, b"one").unwrap();
        write_whole(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        assert!(write_whole(&folder.join("missing/clip.mp4"), b"x").is_err());
        fs::remove_dir_all(&folder).unwrap();
    }
}
