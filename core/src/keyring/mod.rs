//! Keys that are never stored in the database: the master keys, which seal everything else, and the keys that sign the audit log.

mod secret_text;

pub use secret_text::SecretText;

use crate::error::{Error, ErrorCode, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::rand::{SecureRandom as _, SystemRandom};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// How long a replaced key stays valid by default.
pub const OVERLAP: Duration = Duration::from_secs(24 * 3600);

/// The longest time that a replaced key or secret may stay valid.
pub const LONGEST_OVERLAP: Duration = Duration::from_secs(7 * 24 * 3600);

/// A key of 32 bytes.
pub(crate) type Key = Zeroizing<[u8; 32]>;

/// Returns keys in the form of a key file. With this, a host's key management service can hold the keys.
///
/// ```
/// use must::secrets::SecretText;
/// use must::{Host, Platform, Settings};
/// use std::sync::Arc;
///
/// fn ask_key_store() -> Result<SecretText, String> {
///     // A line for each key: its version, then 32 bytes in base64.
///     Ok(SecretText::new("1 MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="))
/// }
///
/// # let folder = tempfile::tempdir()?;
/// # let data = folder.path().join("data");
/// let mut host = Host::default();
/// host.master_keys = Some(Arc::new(ask_key_store));
/// let platform = Platform::open_with(Settings::new(data), host)?;
/// platform.secrets()?.check()?;
/// # Ok::<(), must::Error>(())
/// ```
pub type KeyCallback = Arc<dyn Fn() -> std::result::Result<SecretText, String> + Send + Sync>;

/// The source of keys.
#[derive(Clone)]
pub(crate) enum KeySource {
    /// The text of a key file.
    Text(SecretText),
    /// A file that only its owner and groups of this process may read.
    File(PathBuf),
    /// A callback of the host.
    Host(KeyCallback),
}

/// Keys by their versions. The highest version encrypts or signs; the others only decrypt or verify.
///
/// As text: one key a line, `VERSION BASE64`, or a single line with the key alone, which is version 1.
pub(crate) struct KeyRing(BTreeMap<u32, Key>);

impl KeyRing {
    /// Returns the key that encrypts new values.
    pub(crate) fn current(&self) -> Result<(u32, &Key)> {
        self.0.last_key_value().map(|(version, key)| (*version, key)).ok_or_else(|| missing("there is no key"))
    }

    /// Returns the version of the key that encrypts new values.
    pub(crate) fn newest(&self) -> Result<u32> {
        self.current().map(|(version, _)| version)
    }

    /// Returns the key of this version.
    pub(crate) fn get(&self, version: u32) -> Result<&Key> {
        self.0.get(&version).ok_or_else(|| missing(format!("the key of version {version} is missing")))
    }

    /// Returns every version and its key.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Key)> {
        self.0.iter().map(|(version, key)| (*version, key))
    }

    /// Parses the text form.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let wrong =
            || missing("the keys must be lines of a version and 32 bytes in base64; a single key needs no version");
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
    /// Returns the path of the key file, if the keys come from a file.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Text(_) | Self::Host(_) => None,
        }
    }

    /// Reads the text of the keys. Makes a missing key file with one new key if `may_create`.
    pub(crate) fn read(&self, may_create: bool) -> Result<SecretText> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::Host(callback) => callback().map_err(|why| missing(format!("the host gave no key: {why}"))),
            Self::File(path) => read_file(path, may_create),
        }
    }
}

/// Adds a new key with the next version to a key file. The file is complete at every moment, and the same users and groups can read it
/// as before.
pub(crate) fn add_version(path: &Path) -> Result<()> {
    let text = read_file(path, false)?;
    let keys = KeyRing::parse(text.expose())?;
    let (newest, _) = keys.current()?;
    let next = newest.checked_add(1).ok_or_else(|| missing("the newest key has the highest possible version"))?;
    let mut lines = Zeroizing::new(String::new());
    for (version, key) in keys.iter() {
        lines.push_str(&format!("{version} {}\n", BASE64.encode(key.as_slice())));
    }
    lines.push_str(&format!("{next} {}\n", BASE64.encode(random_key()?.as_slice())));
    replace(path, &lines).map_err(|error| {
        missing(format!("the key file {} cannot be written: {error}", path.display())).with_action(format!(
            "In the place that the file comes from, add a line with version {next} and 32 random bytes in base64, keep the other lines, and rotate again."
        ))
    })
}

fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    // If the path is a link, the file that it points to is replaced.
    let path = std::fs::canonicalize(path)?;
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    #[cfg(unix)]
    keep_readers(file.as_file(), &std::fs::metadata(&path)?)?;
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

/// Gives a file the readers of the file that it replaces.
#[cfg(unix)]
fn keep_readers(file: &File, before: &std::fs::Metadata) -> std::io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
    if before.mode() & 0o070 != 0 && file.metadata()?.gid() != before.gid() {
        fchown(file, None, Some(before.gid()))?;
    }
    file.set_permissions(std::fs::Permissions::from_mode(before.mode() & 0o777))
}

/// Reads a key file. Makes a missing one with one new key if `may_create`.
fn read_file(path: &Path, may_create: bool) -> Result<SecretText> {
    let unreadable =
        |error: std::io::Error| missing(format!("the key file {} cannot be read: {error}", path.display()));
    let mut file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound && may_create => return create(path),
        opened => opened.map_err(unreadable)?,
    };
    #[cfg(unix)]
    check_readers(path, &file.metadata().map_err(unreadable)?)?;
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text).map_err(unreadable)?;
    Ok(SecretText::new(std::mem::take(&mut *text)))
}

/// Refuses a key file that anybody but its owner and groups of this process may read or change.
#[cfg(unix)]
fn check_readers(path: &Path, file: &std::fs::Metadata) -> Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let (mode, group) = (file.mode() & 0o777, file.gid());
    let refused = |who: &str| {
        missing(format!("the key file {} is open to {who} (mode {mode:04o}, group {group})", path.display())).with_action(
            "Run chmod 600 on it; or give it a group of this process and mode 0440 or 0640, as Kubernetes does with fsGroup and defaultMode 0440.",
        )
    };
    if mode & 0o007 != 0 {
        return Err(refused("everybody"));
    }
    if mode & 0o070 != 0 && !is_own_group(group) {
        return Err(refused("a group that this process is not in"));
    }
    Ok(())
}

/// Whether this process is in a group.
#[cfg(unix)]
fn is_own_group(group: u32) -> bool {
    if nix::unistd::getegid().as_raw() == group {
        return true;
    }
    // On Apple's systems this list may differ from the groups that the kernel checks.
    #[cfg(not(target_vendor = "apple"))]
    if let Ok(groups) = nix::unistd::getgroups() {
        return groups.iter().any(|own| own.as_raw() == group);
    }
    false
}

/// Makes a key file with one new key. The file gets its name only once it is complete.
fn create(path: &Path) -> Result<SecretText> {
    let key = random_key()?;
    let text = SecretText::new(format!("1 {}\n", BASE64.encode(key.as_slice())));
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let made = std::fs::create_dir_all(folder).and_then(|()| {
        // Temporary files are readable only by their owner.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.expose().as_bytes())?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path).map_err(|error| error.error)?;
        Ok(())
    });
    made.map_err(|error| missing(format!("the key file {} cannot be made: {error}", path.display())))?;
    Ok(text)
}

/// Returns 32 bytes from the system's random source.
pub(crate) fn random_key() -> Result<Key> {
    let mut key = Zeroizing::new([0; 32]);
    fill_random(key.as_mut_slice())?;
    Ok(key)
}

/// Fills a buffer from the system's random source.
pub(crate) fn fill_random(buffer: &mut [u8]) -> Result<()> {
    SystemRandom::new()
        .fill(buffer)
        .map_err(|_| Error::new(ErrorCode::DependencyUnavailable, "the system's random source cannot be read"))
}

fn missing(detail: impl Into<String>) -> Error {
    Error::new(ErrorCode::DependencyUnavailable, detail)
        .with_action("Give the platform the keys that this data folder was made with.")
}
