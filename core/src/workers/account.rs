//! What an account is: the record that administrators see, and the states that it goes through.

use crate::error::{Error, Result};
use crate::keyring::SecretText;
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where an account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccountStatus {
    /// Registered, and never checked.
    Pending,
    /// Being deployed or asked for its health.
    Checking,
    /// Gets tasks.
    Ready,
    /// Did not pass a check, or failed a task on its way.
    Failed,
    /// Gets nothing until an administrator enables it.
    Disabled,
}

impl AccountStatus {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Checking, Self::Ready, Self::Failed, Self::Disabled];

    /// The stable name.
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

    /// The state with this stable name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }

    /// Whether an account may go from this state to that. `ready` is reached by a passed check alone, and a disabled account
    /// comes back by way of one. A trigger of the database keeps the same.
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
    /// When the command ended; none while it runs.
    pub finished_at: Option<Timestamp>,
    /// Whether the command succeeded.
    pub ok: bool,
    /// The end of what it wrote, without the account's tokens.
    pub output: String,
}

/// An account, without its tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Account {
    /// Stable id.
    pub id: String,
    /// What people call it.
    pub label: String,
    /// Its workspace: what ids of its tasks begin with.
    pub workspace: String,
    /// Where the workspace is reached.
    pub address: String,
    /// Where it stands.
    pub status: AccountStatus,
    /// Why it failed; only while it is `failed`.
    pub error: Option<AccountError>,
    /// Ids of the models that the worker offers; none while that is unknown.
    pub models: Option<Vec<String>>,
    /// Tasks that have not ended there.
    pub active: u64,
    /// Tasks that were ever accepted there.
    pub dispatched: u64,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When anything last changed.
    pub updated_at: Timestamp,
    /// When its health was last asked for.
    pub checked_at: Option<Timestamp>,
    /// When a task was last sent to it.
    pub used_at: Option<Timestamp>,
    /// Its last deployment.
    pub deployment: Option<Deployment>,
}

/// An account to be registered.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct NewAccount {
    /// What people call it: 1 to 64 characters.
    #[schemars(length(min = 1, max = 64))]
    pub label: String,
    /// Id of the provider's token.
    #[schemars(length(min = 1, max = 4096))]
    pub token_id: SecretText,
    /// The provider's token.
    #[schemars(length(min = 1, max = 4096))]
    pub token_secret: SecretText,
    /// What ids of its tasks begin with: 3 to 64 of `a-z 0-9 -`. When left out it is the label, which then must be such a name.
    #[serde(default)]
    #[schemars(regex(pattern = r"^[a-z0-9-]{3,64}$"))]
    pub workspace: Option<String>,
    /// Where the workspace is reached, a base URL; made by the template of the settings when left out.
    #[serde(default)]
    pub address: Option<String>,
    /// The API key that the worker asks for; the one of the settings when left out.
    #[serde(default)]
    pub api_key: Option<SecretText>,
}

impl NewAccount {
    /// An account whose workspace is its label.
    pub fn new(label: impl Into<String>, token_id: SecretText, token_secret: SecretText) -> Self {
        Self { label: label.into(), workspace: None, address: None, token_id, token_secret, api_key: None }
    }

    /// The same account with a workspace of another name.
    #[must_use]
    pub fn workspace(mut self, workspace: impl Into<String>) -> Self {
        self.workspace = Some(workspace.into());
        self
    }

    /// The same account at this address.
    #[must_use]
    pub fn address(mut self, address: impl Into<String>) -> Self {
        self.address = Some(address.into());
        self
    }

    /// The same account with an API key of its own.
    #[must_use]
    pub fn api_key(mut self, api_key: SecretText) -> Self {
        self.api_key = Some(api_key);
        self
    }
}

/// What is to be changed about an account; the rest stays.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountChange {
    /// What people call it: 1 to 64 characters.
    #[serde(default)]
    #[schemars(length(min = 1, max = 64))]
    pub label: Option<String>,
    /// Where the workspace is reached, a base URL.
    #[serde(default)]
    pub address: Option<String>,
    /// Id of the provider's token; together with `token_secret`.
    #[serde(default)]
    pub token_id: Option<SecretText>,
    /// The provider's token; together with `token_id`.
    #[serde(default)]
    pub token_secret: Option<SecretText>,
    /// The API key that the worker asks for.
    #[serde(default)]
    pub api_key: Option<SecretText>,
}

impl AccountChange {
    /// Takes the id and the token itself out, where both are there.
    ///
    /// # Errors
    /// `validation_error` for one without the other.
    pub(super) fn take_token(&mut self) -> Result<Option<(SecretText, SecretText)>> {
        match (self.token_id.take(), self.token_secret.take()) {
            (Some(id), Some(secret)) => Ok(Some((id, secret))),
            (None, None) => Ok(None),
            _ => Err(Error::validation("token_id and token_secret are changed together")),
        }
    }
}
