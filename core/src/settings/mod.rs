//! The settings that a host gives when it opens a platform. They are read once and do not change while the platform is open.
//! Relative paths are made absolute, so they mean the same after the process has changed its working folder.
//!
//! `cargo xtask regen` makes the settings of Python, Node and C++ from these types: from the first paragraph of each type's comment,
//! and from the comment and default of each field. A field name between backticks is replaced by the field's name in that language.

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

/// The settings of a platform.
///
/// Relative paths are resolved against the working folder of the process when the platform is opened. They do not change when the
/// process changes its working folder later.
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
    /// Folder of the database and the results. It is made if it does not exist. Only one process can have it open at a time.
    #[schemars(extend("format" = "path"))]
    pub data_dir: PathBuf,
    /// Folder that contains one folder of weights for each model. The default is `models` in the data folder.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub models_dir: Option<PathBuf>,
    /// Catalog file to use instead of the built-in catalog.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub catalog: Option<PathBuf>,
    /// Whether inference runs on the CPU or on a GPU.
    #[serde(default)]
    pub device: DeviceChoice,
    /// Number of threads for inference on the CPU. 0 means one for each core.
    #[serde(default)]
    pub threads: usize,
    /// Models that get their own lane, so that no task of another model evicts their pipeline.
    #[serde(default)]
    pub lanes: Vec<String>,
    /// Whether tasks are kept without running. They run when the folder is opened again without this setting.
    #[serde(default)]
    pub paused: bool,
    /// Whether the program `must` can reach this platform while it is open, over a socket in the data folder (`run/control.sock`) that
    /// only the folder's owner can open.
    #[serde(default = "defaults::control_socket")]
    pub control_socket: bool,
    /// Number of places in the shared queue.
    #[serde(default = "defaults::queue_depth")]
    pub queue_depth: usize,
    /// How long a submission waits for a place in a full queue before it fails with `queue_overloaded`.
    #[serde(rename = "queue_wait_seconds", default = "defaults::queue_wait", with = "Seconds")]
    pub queue_wait: Duration,
    /// Time limit for generating a picture.
    #[serde(rename = "image_limit_seconds", default = "defaults::image_limit", with = "Seconds")]
    pub image_limit: Duration,
    /// Time limit for generating a clip.
    #[serde(rename = "video_limit_seconds", default = "defaults::video_limit", with = "Seconds")]
    pub video_limit: Duration,
    /// Time after which a picture that is still processing fails with `task_stale`.
    #[serde(rename = "image_stale_seconds", default = "defaults::image_stale", with = "Seconds")]
    pub image_stale: Duration,
    /// Time after which a clip that is still processing fails with `task_stale`.
    #[serde(rename = "video_stale_seconds", default = "defaults::video_stale", with = "Seconds")]
    pub video_stale: Duration,
    /// How long an unused pipeline stays loaded.
    #[serde(rename = "idle_evict_seconds", default = "defaults::idle_evict", with = "Seconds")]
    pub idle_evict: Duration,
    /// Least important level of log records that the host's log function receives.
    #[serde(default)]
    pub log_level: LogLevel,
    /// Master keys as the text of a key file. If given, `master_key_file` is not used.
    #[serde(default)]
    pub master_key: Option<SecretText>,
    /// File of the master keys. The default is `keys/master.key` in the data folder. It is made when it is first needed. Keep a copy of
    /// it, and preferably do not keep it in the same place as the data.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub master_key_file: Option<PathBuf>,
    /// File of the keys that sign the audit log. The default is `keys/audit.key` in the data folder.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub audit_key_file: Option<PathBuf>,
    /// File to which checkpoints of the audit log are appended. The default is `audit.anchors` in the data folder. It protects best if
    /// people who can change the data folder cannot change this file.
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
    /// Addresses and networks of proxies whose `X-Forwarded-For` is trusted: `10.0.0.7`, `fd00::/8`.
    #[serde(default)]
    pub trusted_proxies: Vec<String>,
    /// How many generation sessions one address may start in 60 seconds, 1 to 10,000. Raise it if many people share an address.
    #[serde(default = "defaults::sessions_per_minute")]
    pub sessions_per_minute: u32,
    /// Whether people must sign in. Starting a generation session then requires an API key, each task has an owner, and over HTTP each
    /// caller sees only its own tasks. Administrators and the host see all tasks.
    #[serde(default)]
    pub sign_in_required: bool,
    /// The environment that this platform runs in. Provider tokens for another environment are refused.
    #[serde(default)]
    pub environment: Environment,
    /// An API key that the operator chooses, at least 16 characters. It is valid as long as it is set.
    #[serde(default)]
    pub api_key: Option<SecretText>,
    /// Settings of the HTTP service: bodies, connections, cookies.
    #[serde(default)]
    pub http: HttpSettings,
    /// Settings of workers that tasks may be sent to: how they are reached and deployed.
    #[serde(default)]
    pub workers: WorkerSettings,
}

/// The environment that a platform runs in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// A developer's machine.
    #[default]
    Dev,
    /// A system for testing.
    Stage,
    /// The production system.
    Prod,
}

impl Environment {
    /// Returns the name that settings and provider tokens use.
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
    /// The first GPU that works. If there is none, the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The first NVIDIA GPU. Opening the platform fails if there is none.
    Cuda,
}

impl Settings {
    /// Returns the default settings with this data folder.
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

    /// Reads a JSON object with the fields of this struct. Only `data_dir` is required. A duration is a number of seconds, and its name
    /// ends in `_seconds`.
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
    /// `validation_error`, which names the invalid field.
    pub fn from_json(text: &str) -> Result<Self> {
        json::read(text, "the settings are not valid", &[("data_dir", "".into())])
            .map_err(|error| error.with_action("Correct the settings and open the platform again."))
    }

    /// Returns the settings with all paths absolute, resolved against the current working folder. Opening a platform does this. A host
    /// that opens the platform later or on another thread may do it first.
    ///
    /// ```
    /// let settings = must::Settings::new("data").with_fixed_paths()?;
    /// assert!(settings.data_dir.is_absolute());
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// `validation_error` if a path is empty; `dependency_unavailable` if a path is relative and the working folder cannot be found.
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
        // The command and its arguments may be paths too. A folder that is already set is kept.
        if self.workers.deploy_folder.is_none() {
            self.workers.deploy_folder = std::env::current_dir().ok();
        }
        Ok(self)
    }

    /// Cleans the settings: a blank path or key counts as not set, and blanks and line breaks at the ends of a key are removed. Files
    /// and environment variables often leave them there.
    ///
    /// # Errors
    /// `validation_error` for a key that no caller could send, and for a cookie path, a cookie suffix or a public URL that is not valid.
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
            .with_action("Give a path, or remove the setting if it is optional."));
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
    fn every_path_is_made_absolute() {
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
        assert_eq!(format!("{:?}", fixed.with_fixed_paths().unwrap()), before, "absolute paths are unchanged");
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
