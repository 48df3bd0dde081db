//! Pictures that a host gives as the path of a file.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use crate::error::{Error, ErrorCode, Result};
use crate::media::ImageLimits;

/// Largest number of characters of a path that an error shows.
const SHOWN: usize = 120;

/// Reads the bytes of a picture's file, at most as many as [`ImageLimits`] allow. The contents are not checked here.
///
/// Only for paths that the host's own code chose: a person who can choose a path can find out whether a file exists.
///
/// # Errors
/// `validation_error` when there is no such file, when it is a folder, a device or a pipe, or when it cannot be read;
/// `payload_too_large` when it is too large for a picture.
pub fn read_image_file(path: &Path) -> Result<Vec<u8>> {
    let most = ImageLimits::default().max_bytes;
    let failed = |error: &std::io::Error| unreadable(path, error.kind());
    // Checked before it is opened: opening a pipe would wait for its writer.
    let found = path.metadata().map_err(|error| failed(&error))?;
    if !found.is_file() {
        let kind = if found.is_dir() { "a folder" } else { "not a plain file" };
        return Err(Error::validation(format!("{} is {kind}", shown(path)))
            .with_action("Name the file of a PNG, JPEG or WebP picture."));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(most as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| failed(&error))?;
    if bytes.len() > most {
        return Err(Error::new(
            ErrorCode::PayloadTooLarge,
            format!("the image {} is larger than {most} bytes", shown(path)),
        )
        .with_action("Send a smaller picture."));
    }
    Ok(bytes)
}

fn unreadable(path: &Path, kind: ErrorKind) -> Error {
    let path = shown(path);
    match kind {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Error::validation(format!("there is no file {path}"))
            .with_action(
                "Check the path and the folder that it starts from, or give the picture as bytes or as a data URI.",
            ),
        // For example a picture's base64 text without the prefix of a data URI.
        ErrorKind::InvalidFilename | ErrorKind::InvalidInput => Error::validation(format!(
            "{path} is neither a data URI nor the path of a file"
        ))
        .with_action("Send data:image/png;base64, followed by the encoded file, or the path of a file, or its bytes."),
        kind => Error::validation(format!("the file {path} cannot be read: {kind}"))
            .with_action("Check the file and its permissions."),
    }
}

fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    let mut short: String = text.chars().take(SHOWN).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gives_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ein Bild.png");
        std::fs::write(&path, b"bytes").unwrap();
        assert_eq!(read_image_file(&path).unwrap(), b"bytes");
        #[cfg(unix)]
        {
            let link = folder.path().join("link");
            std::os::unix::fs::symlink(&path, &link).unwrap();
            assert_eq!(read_image_file(&link).unwrap(), b"bytes");
        }
    }

    #[test]
    fn paths_without_a_plain_file_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let long = "a".repeat(100_000);
        let cases = [
            (folder.path().join("missing.png"), "there is no file"),
            (folder.path().to_owned(), "is a folder"),
            (folder.path().join(&long), "neither a data URI nor"),
            (folder.path().join("a\0b"), "neither a data URI nor"),
            ("/dev/zero".into(), "is not a plain file"),
        ];
        for (path, said) in cases {
            let error = read_image_file(&path).unwrap_err();
            assert_eq!(error.code(), ErrorCode::ValidationError);
            assert!(error.detail().contains(said), "{error:?}");
            assert!(error.detail().len() < 400 && !error.detail().contains(['\0', '\n']), "{error:?}");
        }
    }

    #[test]
    fn a_file_that_is_too_large_is_not_read_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large.png");
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(read_image_file(&path).unwrap_err().code(), ErrorCode::PayloadTooLarge);
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_refused_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        assert!(read_image_file(&path).unwrap_err().detail().contains("not a plain file"));
    }
}
