//! Worker accounts: the record that administrators see, and its states.

use crate::error::{Error, Result};
use crate::keyring::SecretText;
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The state of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccountStatus {
    /// Registered, but never checked.
    Pending,
    /// Being deployed or checked.
    Checking,
    /// It gets tasks.
    Ready,
    /// It did not pass a check, or a task could not be sent to it.
    Failed,
    /// It gets no tasks until an administrator enables it.
    Disabled,
}

impl AccountStatus {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Checking, Self::Ready, Self::Failed, Self::Disabled];

    /// Returns the stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Checking => "checking",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Disabled => "disabled",
        }
    }

    /// Returns the state with this stable name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }

    /// Whether an account may change from this state to `next`. It becomes `ready` only by passing a check. A disabled account must be
    /// checked before it is used again. A trigger in the database enforces the same rules.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Pending | Self::Ready, Self::Checking | Self::Failed | Self::Disabled)
                | (Self::Checking, Self::Ready | Self::Failed | Self::Disabled)
                | (Self::Failed, Self::Checking | Self::Disabled)
                | (Self::Disabled, Self::Checking)
        )
    }
}

/// Why an account failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "AccountFailure")]
pub struct AccountError {
    /// Name of an error code, such as `remote_failed`.
    pub code: String,
    /// What happened.
    pub detail: String,
}

/// The last deployment of a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Deployment {
    /// When it began.
    pub started_at: Timestamp,
    /// When the command ended. Null while it runs.
    pub finished_at: Option<Timestamp>,
    /// Whether the command succeeded. False while it runs.
    pub ok: bool,
    /// The last part of the command's output, without the account's tokens.
    pub output: String,
}

/// An account, without its tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Account {
    /// Stable id.
    pub id: String,
    /// A name for people to read.
    pub label: String,
    /// Its workspace. The ids of its tasks begin with it.
    pub workspace: String,
    /// The base URL of the workspace.
    pub address: String,
    /// Its state.
    pub status: AccountStatus,
    /// Why it failed. Given only while the state is `failed`.
    pub error: Option<AccountError>,
    /// Ids of the models that the worker offers. Null while they are unknown.
    pub models: Option<Vec<String>>,
    /// Number of tasks at this worker or on their way to it that have not ended.
    pub active: u64,
    /// Number of tasks that this worker has ever accepted.
    pub dispatched: u64,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When the account last changed.
    pub updated_at: Timestamp,
    /// When the last check of the account ended.
    pub checked_at: Option<Timestamp>,
    /// When a task was last sent to it.
    pub used_at: Option<Timestamp>,
    /// Its last deployment.
    pub deployment: Option<Deployment>,
}

/// An account to register.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct NewAccount {
    /// A name for people to read: 1 to 64 characters.
    #[schemars(length(min = 1, max = 64))]
    pub label: String,
    /// Id of the provider's token.
    #[schemars(length(min = 1, max = 4096))]
    pub token_id: SecretText,
    /// The provider's token.
    #[schemars(length(min = 1, max = 4096))]
    pub token_secret: SecretText,
    /// Its workspace: 3 to 64 of the characters `a-z 0-9 -`. The ids of its tasks begin with it. The default is the label, which then
    /// must have this form.
    #[serde(default)]
    #[schemars(regex(pattern = r"^[a-z0-9-]{3,64}$"))]
    pub workspace: Option<String>,
    /// The base URL of the workspace. The default is made from the template of the settings.
    #[serde(default)]
    pub address: Option<String>,
    /// The API key that the worker requires. The default is the key of the settings.
    #[serde(default)]
    pub api_key: Option<SecretText>,
}

impl NewAccount {
    /// Returns an account whose workspace is its label.
    pub fn new(label: impl Into<String>, token_id: SecretText, token_secret: SecretText) -> Self {
        Self { label: label.into(), workspace: None, address: None, token_id, token_secret, api_key: None }
    }

    /// Returns the account with this workspace.
    #[must_use]
    pub fn workspace(mut self, workspace: impl Into<String>) -> Self {
        self.workspace = Some(workspace.into());
        self
    }

    /// Returns the account with this address.
    #[must_use]
    pub fn address(mut self, address: impl Into<String>) -> Self {
        self.address = Some(address.into());
        self
    }

    /// Returns the account with its own API key.
    #[must_use]
    pub fn api_key(mut self, api_key: SecretText) -> Self {
        self.api_key = Some(api_key);
        self
    }
}

/// The changes to an account. Everything that is not given stays as it is.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountChange {
    /// A name for people to read: 1 to 64 characters.
    #[serde(default)]
    #[schemars(length(min = 1, max = 64))]
    pub label: Option<String>,
    /// The base URL of the workspace.
    #[serde(default)]
    pub address: Option<String>,
    /// Id of the provider's token. It must be given together with `token_secret`.
    #[serde(default)]
    pub token_id: Option<SecretText>,
    /// The provider's token. It must be given together with `token_id`.
    #[serde(default)]
    pub token_secret: Option<SecretText>,
    /// The API key that the worker requires.
    #[serde(default)]
    pub api_key: Option<SecretText>,
}

impl AccountChange {
    /// Removes the id and the token from the change and returns them, if both are given.
    ///
    /// # Errors
    /// `validation_error` if only one is given.
    pub(super) fn take_token(&mut self) -> Result<Option<(SecretText, SecretText)>> {
        match (self.token_id.take(), self.token_secret.take()) {
            (Some(id), Some(secret)) => Ok(Some((id, secret))),
            (None, None) => Ok(None),
            _ => Err(Error::validation("token_id and token_secret must be changed together")),
        }
    }
}
