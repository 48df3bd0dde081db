//! Keys that never enter the database: the master keys, which everything else is sealed with, and those that sign the audit log.

use crate::error::{Error, ErrorCode, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::rand::{SecureRandom as _, SystemRandom};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// A key of 32 bytes.
pub(crate) type Key = Zeroizing<[u8; 32]>;

/// Hands over keys in the form of a key file, so that a host's key management service can hold them.
pub type KeyCallback = Arc<dyn Fn() -> std::result::Result<crate::secrets::SecretText, String> + Send + Sync>;

/// Where keys come from.
#[derive(Clone)]
pub(crate) enum KeySource {
    /// The text of a key file.
    Text(crate::secrets::SecretText),
    /// A file that only its owner may read.
    File(PathBuf),
    /// The host.
    Host(KeyCallback),
}

/// Keys by their versions. The highest version seals and signs; the others only open and verify.
///
/// As text: one key a line, `VERSION BASE64`, or a single line with the key alone, which is version 1.
pub(crate) struct KeyRing(BTreeMap<u32, Key>);

impl KeyRing {
    /// The key that new values are sealed with.
    pub(crate) fn current(&self) -> Result<(u32, &Key)> {
        self.0.last_key_value().map(|(version, key)| (*version, key)).ok_or_else(|| missing("there is no key"))
    }

    /// The version of the key that new values are sealed with.
    pub(crate) fn newest(&self) -> Result<u32> {
        self.current().map(|(version, _)| version)
    }

    /// The key of this version.
    pub(crate) fn get(&self, version: u32) -> Result<&Key> {
        self.0.get(&version).ok_or_else(|| missing(format!("the key of version {version} is missing")))
    }

    /// Every version and its key.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Key)> {
        self.0.iter().map(|(version, key)| (*version, key))
    }

    /// Reads the text form.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let wrong = || missing("a key is not 32 bytes in base64, with or without a version before it");
        let mut keys = BTreeMap::new();
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        for line in lines {
            let (version, encoded) = match line.split_once(char::is_whitespace) {
                Some((version, key)) => (version.parse().map_err(|_| wrong())?, key.trim()),
                None => (1, line),
            };
            let bytes = Zeroizing::new(BASE64.decode(encoded).map_err(|_| wrong())?);
            let key: [u8; 32] = bytes.as_slice().try_into().map_err(|_| wrong())?;
            if keys.insert(version, Zeroizing::new(key)).is_some() {
                return Err(missing(format!("the key of version {version} is given twice")));
            }
        }
        if keys.is_empty() { Err(wrong()) } else { Ok(Self(keys)) }
    }
}

impl KeySource {
    /// The file that the keys are in, where they are in one.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Text(_) | Self::Host(_) => None,
        }
    }

    /// The text of the keys. A file that is not there is made with a new key when `may_create`.
    pub(crate) fn read(&self, may_create: bool) -> Result<crate::secrets::SecretText> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::Host(callback) => callback().map_err(|why| missing(format!("the host has no key for us: {why}"))),
            Self::File(path) => match read_private(path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound && may_create => create(path),
                Err(error) => Err(missing(format!("the key file {} cannot be read: {error}", path.display()))),
                Ok(text) => Ok(text),
            },
        }
    }
}

/// Adds a new newest key to a key file; the file is whole at every moment.
pub(crate) fn add_version(path: &Path) -> Result<()> {
    let text = KeySource::File(path.to_owned()).read(false)?;
    let keys = KeyRing::parse(text.expose())?;
    let (newest, _) = keys.current()?;
    let mut lines = Zeroizing::new(String::new());
    for (version, key) in keys.iter() {
        lines.push_str(&format!("{version} {}\n", BASE64.encode(key.as_slice())));
    }
    lines.push_str(&format!("{} {}\n", newest + 1, BASE64.encode(random_key()?.as_slice())));
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let written = tempfile::NamedTempFile::new_in(folder).and_then(|mut file| {
        file.write_all(lines.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        std::fs::File::open(folder)?.sync_all()
    });
    written.map_err(|error| missing(format!("the key file {} cannot be written: {error}", path.display())))
}

/// Reads a file that nobody but its owner can read.
fn read_private(path: &Path) -> std::io::Result<crate::secrets::SecretText> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(path)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(std::io::Error::other(format!(
                "others may read it (mode {:03o}); run chmod 600",
                mode & 0o777
            )));
        }
    }
    std::fs::read_to_string(path).map(crate::secrets::SecretText::new)
}

/// Makes a key file with one new key, complete before it has its name.
fn create(path: &Path) -> Result<crate::secrets::SecretText> {
    let key = random_key()?;
    let text = crate::secrets::SecretText::new(format!("1 {}\n", BASE64.encode(key.as_slice())));
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let made = std::fs::create_dir_all(folder).and_then(|()| {
        // Temporary files are made for their owner alone.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.expose().as_bytes())?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path).map_err(|error| error.error)?;
        Ok(())
    });
    made.map_err(|error| missing(format!("the key file {} cannot be made: {error}", path.display())))?;
    Ok(text)
}

/// 32 bytes from the system's random source.
pub(crate) fn random_key() -> Result<Key> {
    let mut key = Zeroizing::new([0; 32]);
    fill_random(key.as_mut_slice())?;
    Ok(key)
}

/// Fills a buffer from the system's random source.
pub(crate) fn fill_random(buffer: &mut [u8]) -> Result<()> {
    SystemRandom::new()
        .fill(buffer)
        .map_err(|_| Error::new(ErrorCode::DependencyUnavailable, "the system has no random numbers to give"))
}

fn missing(detail: impl Into<String>) -> Error {
    Error::new(ErrorCode::DependencyUnavailable, detail)
        .with_action("Give the platform the keys that this data folder was made with.")
}
