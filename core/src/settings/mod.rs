//! What a host decides when it opens a platform. Read once; never changes while the platform is open, and means the same wherever
//! the process goes meanwhile: relative paths are fixed.
//!
//! The settings of Python, Node and C++ are made of these types by `cargo xtask regen`, with the first paragraph of each type's
//! comment, each field's comment and default. A name of another field between backticks becomes the name that it has there.

mod access;
mod http;
mod workers;

pub use access::AccessSettings;
pub(crate) use access::SESSIONS_PER_MINUTE;
pub use http::{HttpSettings, SameSite};
pub use workers::WorkerSettings;

use crate::audit::ANCHOR_FILE;
use crate::error::{Error, ErrorCode, Result};
use crate::json::{self, Seconds};
use crate::keyring::{KeySource, SecretText};
use crate::log::LogLevel;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// How a platform is set up.
///
/// A relative path is seen from the folder that the process works in when the platform is opened, and stays where it is when the
/// process goes to another folder later.
///
/// ```
/// use must::{DeviceChoice, Platform, Settings};
/// use std::time::Duration;
///
/// # let folder = tempfile::tempdir()?;
/// # let data = folder.path().join("data");
/// let mut settings = Settings::new(data);
/// settings.device = DeviceChoice::Cpu;
/// settings.queue_depth = 100;
/// settings.video_limit = Duration::from_secs(3600);
/// settings.http.max_body_bytes = 8 << 20;
/// let platform = Platform::open(settings)?;
/// # Ok::<(), must::Error>(())
/// ```
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Settings {
    /// Folder of the database and the results; made when absent. One process at a time.
    #[schemars(extend("format" = "path"))]
    pub data_dir: PathBuf,
    /// Folder with one folder of weights a model; `models` in the data folder when left out.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub models_dir: Option<PathBuf>,
    /// A catalog file that stands in for the built-in one.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub catalog: Option<PathBuf>,
    /// Whether inference runs on the CPU or on a GPU.
    #[serde(default)]
    pub device: DeviceChoice,
    /// Threads that inference on the CPU uses; 0 means one a core.
    #[serde(default)]
    pub threads: usize,
    /// Models that get a lane of their own, where their pipeline stays warm.
    #[serde(default)]
    pub lanes: Vec<String>,
    /// Whether tasks stay where they are: nothing runs until the folder is opened again without this.
    #[serde(default)]
    pub paused: bool,
    /// Whether the program `must` can reach this platform while it is open, over a socket in the data folder (`run/control.sock`) that
    /// only the folder's owner can open.
    #[serde(default = "defaults::control_socket")]
    pub control_socket: bool,
    /// Places in the shared queue.
    #[serde(default = "defaults::queue_depth")]
    pub queue_depth: usize,
    /// How long a submission waits for a place in a full queue before `queue_overloaded`.
    #[serde(rename = "queue_wait_seconds", default = "defaults::queue_wait", with = "Seconds")]
    pub queue_wait: Duration,
    /// How long a picture may run.
    #[serde(rename = "image_limit_seconds", default = "defaults::image_limit", with = "Seconds")]
    pub image_limit: Duration,
    /// How long a clip may run.
    #[serde(rename = "video_limit_seconds", default = "defaults::video_limit", with = "Seconds")]
    pub video_limit: Duration,
    /// When a picture that is still processing is given up.
    #[serde(rename = "image_stale_seconds", default = "defaults::image_stale", with = "Seconds")]
    pub image_stale: Duration,
    /// When a clip that is still processing is given up.
    #[serde(rename = "video_stale_seconds", default = "defaults::video_stale", with = "Seconds")]
    pub video_stale: Duration,
    /// How long an unused pipeline stays loaded.
    #[serde(rename = "idle_evict_seconds", default = "defaults::idle_evict", with = "Seconds")]
    pub idle_evict: Duration,
    /// Least important records that the host's log function hears.
    #[serde(default)]
    pub log_level: LogLevel,
    /// Master keys as the text of a key file; stands in for `master_key_file`.
    #[serde(default)]
    pub master_key: Option<SecretText>,
    /// File of the master keys; `keys/master.key` in the data folder when left out. Made at the first use; keep a copy, and
    /// better keep it elsewhere than the data.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub master_key_file: Option<PathBuf>,
    /// File of the keys that sign the audit log; `keys/audit.key` in the data folder when left out.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub audit_key_file: Option<PathBuf>,
    /// File that checkpoints of the audit log are appended to; `audit.anchors` in the data folder when left out. It protects best
    /// where nobody who can change the data folder can reach it.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub audit_anchor_file: Option<PathBuf>,
    /// The key that opens admin sessions, at least 16 characters.
    #[serde(default)]
    pub admin_key: Option<SecretText>,
    /// Origins of pages that may call from another site, exactly as browsers and web views send them:
    /// `https://studio.example:8443`, `tauri://localhost`.
    #[serde(default)]
    pub frontend_origins: Vec<String>,
    /// Addresses and networks of proxies whose `X-Forwarded-For` is believed: `10.0.0.7`, `fd00::/8`.
    #[serde(default)]
    pub trusted_proxies: Vec<String>,
    /// Generation sessions that one address may start in 60 seconds, 1 to 10,000; raise it where many people share one.
    #[serde(default = "defaults::sessions_per_minute")]
    pub sessions_per_minute: u32,
    /// Whether people sign in: a generation session then takes an access key, each task has an owner, and over HTTP each caller sees
    /// only its own tasks. Administrators and the host see all.
    #[serde(default)]
    pub sign_in_required: bool,
    /// Where this platform runs; provider tokens for another environment are refused.
    #[serde(default)]
    pub environment: Environment,
    /// An API key of the operator's own, at least 16 characters, good for as long as it is set.
    #[serde(default)]
    pub api_key: Option<SecretText>,
    /// Settings of the HTTP service: bodies, connections, cookies.
    #[serde(default)]
    pub http: HttpSettings,
    /// How workers that tasks may be sent to are reached and deployed.
    #[serde(default)]
    pub workers: WorkerSettings,
}

/// Where a platform runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// A developer's machine.
    #[default]
    Dev,
    /// For trying out.
    Stage,
    /// The real thing.
    Prod,
}

impl Environment {
    /// The name in settings and on provider tokens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Stage => "stage",
            Self::Prod => "prod",
        }
    }
}

/// Whether inference runs on the CPU or on a GPU.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeviceChoice {
    /// The first GPU that works, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The first NVIDIA GPU; opening fails without one.
    Cuda,
}

impl Settings {
    /// The defaults, in this data folder.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            models_dir: None,
            catalog: None,
            device: DeviceChoice::Auto,
            threads: 0,
            lanes: Vec::new(),
            paused: false,
            control_socket: defaults::control_socket(),
            queue_depth: defaults::queue_depth(),
            queue_wait: defaults::queue_wait(),
            image_limit: defaults::image_limit(),
            video_limit: defaults::video_limit(),
            image_stale: defaults::image_stale(),
            video_stale: defaults::video_stale(),
            idle_evict: defaults::idle_evict(),
            log_level: LogLevel::default(),
            master_key: None,
            master_key_file: None,
            audit_key_file: None,
            audit_anchor_file: None,
            admin_key: None,
            frontend_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            sessions_per_minute: defaults::sessions_per_minute(),
            sign_in_required: false,
            environment: Environment::Dev,
            api_key: None,
            http: HttpSettings::default(),
            workers: WorkerSettings::default(),
        }
    }

    /// Reads a JSON object with the fields of this struct, of which only `data_dir` must be there. A duration is a number of seconds,
    /// and its name ends in `_seconds`.
    ///
    /// ```
    /// use must::{ErrorCode, Settings};
    /// use std::time::Duration;
    ///
    /// let settings = Settings::from_json(r#"{"data_dir": "data", "queue_depth": 100, "video_limit_seconds": 3600}"#)?;
    /// assert_eq!(settings.video_limit, Duration::from_secs(3600));
    ///
    /// let error = Settings::from_json(r#"{"data_dir": "data", "queue": 100}"#).unwrap_err();
    /// assert_eq!(error.code(), ErrorCode::ValidationError);
    /// assert!(error.detail().contains("queue"));
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// `validation_error` that names the field at fault.
    pub fn from_json(text: &str) -> Result<Self> {
        json::read(text, "the settings are not valid", &[("data_dir", "".into())])
            .map_err(|error| error.with_action("Correct the settings and open the platform again."))
    }

    /// The same settings with every path absolute, seen from the folder that the process works in now. Opening a platform does
    /// this; a host that opens it later, on another thread, does it first.
    ///
    /// ```
    /// let settings = must::Settings::new("data").with_fixed_paths()?;
    /// assert!(settings.data_dir.is_absolute());
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// `validation_error` for a path that is empty; `dependency_unavailable` for a relative one when the folder that the process
    /// works in cannot be found.
    pub fn with_fixed_paths(mut self) -> Result<Self> {
        fix("data_dir", &mut self.data_dir)?;
        let others = [
            ("models_dir", &mut self.models_dir),
            ("catalog", &mut self.catalog),
            ("master_key_file", &mut self.master_key_file),
            ("audit_key_file", &mut self.audit_key_file),
            ("audit_anchor_file", &mut self.audit_anchor_file),
        ];
        for (name, path) in others {
            if let Some(path) = path {
                fix(name, path)?;
            }
        }
        // The command and its arguments may be paths too. Fixed already, it stays.
        if self.workers.deploy_folder.is_none() {
            self.workers.deploy_folder = std::env::current_dir().ok();
        }
        Ok(self)
    }

    /// Reads the settings as people give them: a path or a key that is blank is not set, and a key loses the blanks and line breaks at
    /// its ends, which files and variables leave there.
    ///
    /// # Errors
    /// `validation_error` for a key that no caller could send, and for the path or the suffix of cookies that cannot be one.
    pub(crate) fn tidied(mut self) -> Result<Self> {
        for path in [
            &mut self.models_dir,
            &mut self.catalog,
            &mut self.master_key_file,
            &mut self.audit_key_file,
            &mut self.audit_anchor_file,
        ] {
            path.take_if(|path| path.to_str().is_some_and(|text| text.trim().is_empty()));
        }
        for (name, key) in [
            ("admin_key", &mut self.admin_key),
            ("api_key", &mut self.api_key),
            ("http.scrape_token", &mut self.http.scrape_token),
            ("workers.api_key", &mut self.workers.api_key),
        ] {
            if let Some(text) = key.take() {
                *key = text.as_header_key(name)?;
            }
        }
        self.master_key.take_if(|key| key.expose().trim().is_empty());
        self.http.session_cookie_path = self.http.cookie_path()?;
        self.http.session_cookie_suffix = self.http.cookie_suffix()?;
        self.http.public_url = self.http.public_url()?;
        Ok(self)
    }

    pub(crate) fn access(&self) -> AccessSettings {
        AccessSettings {
            admin_key: self.admin_key.clone(),
            api_key: self.api_key.clone(),
            allowed_origins: self.frontend_origins.clone(),
            trusted_proxies: self.trusted_proxies.clone(),
            cookie_suffix: self.http.session_cookie_suffix.clone(),
            sessions_per_minute: self.sessions_per_minute,
            sign_in_required: self.sign_in_required,
        }
    }

    pub(crate) fn master_keys(&self) -> KeySource {
        match &self.master_key {
            Some(text) => KeySource::Text(text.clone()),
            None => KeySource::File(self.or_in_data(self.master_key_file.as_ref(), "keys/master.key")),
        }
    }

    pub(crate) fn audit_keys(&self) -> KeySource {
        KeySource::File(self.or_in_data(self.audit_key_file.as_ref(), "keys/audit.key"))
    }

    pub(crate) fn audit_anchors(&self) -> PathBuf {
        self.or_in_data(self.audit_anchor_file.as_ref(), ANCHOR_FILE)
    }

    fn or_in_data(&self, path: Option<&PathBuf>, name: &str) -> PathBuf {
        path.cloned().unwrap_or_else(|| self.data_dir.join(name))
    }

    pub(crate) fn models_dir(&self) -> PathBuf {
        self.models_dir.clone().unwrap_or_else(|| self.data_dir.join("models"))
    }
}

fn fix(name: &str, path: &mut PathBuf) -> Result<()> {
    if path.as_os_str().is_empty() {
        return Err(Error::validation(format!("the setting {name} is empty"))
            .with_action("Give a path, or leave the setting out where it may be."));
    }
    *path = std::path::absolute(&*path).map_err(|error| {
        let detail = format!("the setting {name} is relative to a working folder that cannot be found: {error}");
        Error::new(ErrorCode::DependencyUnavailable, detail).with_action("Give an absolute path.")
    })?;
    Ok(())
}

mod defaults {
    use std::time::Duration;

    pub(super) const fn sessions_per_minute() -> u32 {
        super::SESSIONS_PER_MINUTE
    }
    pub(super) const fn control_socket() -> bool {
        true
    }
    pub(super) const fn queue_depth() -> usize {
        25
    }
    pub(super) const fn queue_wait() -> Duration {
        Duration::from_secs(30)
    }
    pub(super) const fn image_limit() -> Duration {
        Duration::from_secs(300)
    }
    pub(super) const fn video_limit() -> Duration {
        Duration::from_secs(900)
    }
    pub(super) const fn image_stale() -> Duration {
        Duration::from_secs(600)
    }
    pub(super) const fn video_stale() -> Duration {
        Duration::from_secs(1800)
    }
    pub(super) const fn idle_evict() -> Duration {
        Duration::from_secs(300)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_is_fixed() {
        let given = r#"{"data_dir": "d", "models_dir": "m", "catalog": "c", "master_key_file": "k/1", "audit_key_file": "../k/2",
            "audit_anchor_file": "/absolute/a", "workers": {"deploy_command": ["./deploy"]}}"#;
        let fixed = Settings::from_json(given).unwrap().with_fixed_paths().unwrap();
        let here = std::env::current_dir().unwrap();
        assert_eq!(fixed.data_dir, here.join("d"));
        assert_eq!(fixed.models_dir(), here.join("m"));
        assert_eq!(fixed.catalog, Some(here.join("c")));
        assert_eq!(fixed.master_key_file, Some(here.join("k/1")));
        assert_eq!(fixed.audit_key_file, Some(here.join("../k/2")));
        assert_eq!(fixed.audit_anchors(), PathBuf::from("/absolute/a"));
        assert_eq!(fixed.workers.deploy_folder, Some(here));
        let before = format!("{fixed:?}");
        assert_eq!(format!("{:?}", fixed.with_fixed_paths().unwrap()), before, "what is fixed stays");
    }

    #[test]
    fn an_empty_path_is_refused() {
        for field in ["models_dir", "catalog", "master_key_file", "audit_key_file", "audit_anchor_file"] {
            let settings = Settings::from_json(&format!(r#"{{"data_dir": "d", "{field}": ""}}"#)).unwrap();
            let error = settings.with_fixed_paths().unwrap_err();
            assert!(error.detail().contains(field) && !error.user_action().is_empty(), "{error}");
        }
        assert_eq!(Settings::new("").with_fixed_paths().unwrap_err().code(), ErrorCode::ValidationError);
    }
}
