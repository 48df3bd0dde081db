//! What a host decides about its workers.

use crate::json::Seconds;
use crate::keyring::SecretText;
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

/// How workers are reached and deployed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct WorkerSettings {
    /// Where a workspace is when its account names no address: `https://{workspace}--must.modal.run`.
    pub address_template: Option<String>,
    /// Addresses and networks besides the public ones that workers may be at; only there `http://` will do.
    pub networks: Vec<String>,
    /// The API key that workers ask for, where an account has none of its own.
    pub api_key: Option<SecretText>,
    /// Program and arguments that deploy a workspace; `{workspace}` and `{label}` are filled in. It runs in the folder that the
    /// process worked in when the platform was opened.
    pub deploy_command: Vec<String>,
    /// Where that program runs: where the process worked when the platform was opened.
    #[serde(skip)]
    pub(crate) deploy_folder: Option<PathBuf>,
    /// How long a deployment may take.
    #[serde(rename = "deploy_limit_seconds", with = "Seconds")]
    pub deploy_limit: Duration,
    /// How long connecting may take.
    #[serde(rename = "connect_timeout_seconds", with = "Seconds")]
    pub connect_timeout: Duration,
    /// How long an answer may take: longer than workers let a submission wait for a place in their queue.
    #[serde(rename = "answer_timeout_seconds", with = "Seconds")]
    pub answer_timeout: Duration,
    /// How long the transfer of a result may take.
    #[serde(rename = "transfer_timeout_seconds", with = "Seconds")]
    pub transfer_timeout: Duration,
    /// Bytes of a result that is fetched from a worker.
    pub max_result_bytes: usize,
    /// How often health is asked for after a deployment.
    pub health_tries: u32,
    /// The time between two of these.
    #[serde(rename = "health_pause_seconds", with = "Seconds")]
    pub health_pause: Duration,
    /// How often a worker is asked how a task stands.
    #[serde(rename = "poll_interval_seconds", with = "Seconds")]
    pub poll_interval: Duration,
    /// How often a failed account is checked again by itself; 0 means never.
    #[serde(rename = "recheck_interval_seconds", with = "Seconds")]
    pub recheck_interval: Duration,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            address_template: None,
            networks: Vec::new(),
            api_key: None,
            deploy_command: Vec::new(),
            deploy_folder: None,
            deploy_limit: Duration::from_secs(300),
            connect_timeout: Duration::from_secs(3),
            answer_timeout: Duration::from_secs(40),
            transfer_timeout: Duration::from_secs(900),
            max_result_bytes: 256 << 20,
            health_tries: 12,
            health_pause: Duration::from_secs(5),
            poll_interval: Duration::from_secs(1),
            recheck_interval: Duration::from_secs(60),
        }
    }
}
