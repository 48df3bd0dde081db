//! Settings of workers.

use crate::json::Seconds;
use crate::keyring::SecretText;
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

/// Settings of workers: how they are reached and deployed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct WorkerSettings {
    /// Template for the address of an account that has none, such as `https://{workspace}--must.modal.run`. Without a template every
    /// account needs an address.
    pub address_template: Option<String>,
    /// Addresses and networks where workers may be, in addition to public addresses. `http://` is allowed only there.
    pub networks: Vec<String>,
    /// The API key that workers require. It is used for accounts without their own key.
    pub api_key: Option<SecretText>,
    /// Program and arguments that deploy a workspace. `{workspace}` and `{label}` are replaced. The program runs in the folder that was
    /// the working folder of the process when the platform was opened.
    pub deploy_command: Vec<String>,
    /// The folder that this program runs in.
    #[serde(skip)]
    pub(crate) deploy_folder: Option<PathBuf>,
    /// Time limit for a deployment.
    #[serde(rename = "deploy_limit_seconds", with = "Seconds")]
    pub deploy_limit: Duration,
    /// Time limit for connecting.
    #[serde(rename = "connect_timeout_seconds", with = "Seconds")]
    pub connect_timeout: Duration,
    /// Time limit for an answer. It must be longer than a submission may wait for a place in the queue of a worker.
    #[serde(rename = "answer_timeout_seconds", with = "Seconds")]
    pub answer_timeout: Duration,
    /// Time limit for the transfer of a result.
    #[serde(rename = "transfer_timeout_seconds", with = "Seconds")]
    pub transfer_timeout: Duration,
    /// Largest size of a result from a worker, in bytes.
    pub max_result_bytes: usize,
    /// How many times a worker is asked for its health after a deployment.
    pub health_tries: u32,
    /// Time between two of these requests.
    #[serde(rename = "health_pause_seconds", with = "Seconds")]
    pub health_pause: Duration,
    /// Longest time between two requests for the status of a task at a worker. The first requests follow each other faster.
    #[serde(rename = "poll_interval_seconds", with = "Seconds")]
    pub poll_interval: Duration,
    /// Time between two automatic checks of a failed account. 0 means that there are none.
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
