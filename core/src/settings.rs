//! What a host decides when it opens a platform. Read once; never changes while the platform is open.

use crate::error::Result;
use crate::json;
use crate::log::LogLevel;
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

/// How a platform is set up. In JSON every field but `data_dir` may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Settings {
    /// Folder of the database and the results; made when absent. One process at a time.
    pub data_dir: PathBuf,
    /// Folder with one folder of weights a model; `models` in the data folder when absent.
    #[serde(default)]
    pub models_dir: Option<PathBuf>,
    /// A catalog file that stands in for the built-in one.
    #[serde(default)]
    pub catalog: Option<PathBuf>,
    /// Where inference runs.
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
    /// Places in the shared queue.
    #[serde(default = "defaults::queue_depth")]
    pub queue_depth: usize,
    /// How long a submission waits for a place in a full queue before `queue_overloaded`.
    #[serde(default = "defaults::queue_wait", deserialize_with = "seconds")]
    pub queue_wait: Duration,
    /// How long a picture may run.
    #[serde(default = "defaults::image_limit", deserialize_with = "seconds")]
    pub image_limit: Duration,
    /// How long a clip may run.
    #[serde(default = "defaults::video_limit", deserialize_with = "seconds")]
    pub video_limit: Duration,
    /// When a picture that is still processing is given up.
    #[serde(default = "defaults::image_stale", deserialize_with = "seconds")]
    pub image_stale: Duration,
    /// When a clip that is still processing is given up.
    #[serde(default = "defaults::video_stale", deserialize_with = "seconds")]
    pub video_stale: Duration,
    /// How long an unused pipeline stays loaded.
    #[serde(default = "defaults::idle_evict", deserialize_with = "seconds")]
    pub idle_evict: Duration,
    /// Least important records that the function given to [`Platform::open_with_log`](crate::Platform::open_with_log) hears.
    #[serde(default)]
    pub log_level: LogLevel,
}

/// Where inference runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
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
            queue_depth: defaults::queue_depth(),
            queue_wait: defaults::queue_wait(),
            image_limit: defaults::image_limit(),
            video_limit: defaults::video_limit(),
            image_stale: defaults::image_stale(),
            video_stale: defaults::video_stale(),
            idle_evict: defaults::idle_evict(),
            log_level: LogLevel::default(),
        }
    }

    /// Reads a JSON object with the fields of this struct; durations are seconds.
    ///
    /// # Errors
    /// `validation_error` that names the field at fault.
    pub fn from_json(text: &str) -> Result<Self> {
        json::read(text, "the settings are not valid", &[("data_dir", "".into())])
            .map_err(|error| error.with_action("Correct the settings and open the platform again."))
    }

    pub(crate) fn models_dir(&self) -> PathBuf {
        self.models_dir.clone().unwrap_or_else(|| self.data_dir.join("models"))
    }
}

fn seconds<'de, D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Duration, D::Error> {
    let seconds = f64::deserialize(deserializer)?;
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| serde::de::Error::custom("must be a number of seconds, 0 or more, and not too large"))
}

mod defaults {
    use std::time::Duration;

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
