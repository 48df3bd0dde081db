//! Why a model could not be read or run.

use std::fmt;
use std::sync::Arc;

/// The result of every fallible function of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The files are missing, damaged, or of a kind that cannot be run.
    ModelUnavailable,
    /// The model cannot make what was asked for.
    InvalidRequest,
    /// There is not enough memory.
    OutOfMemory,
    /// The [`Control`](crate::Control) of the caller ended it.
    Stopped,
    /// A file could not be read.
    Io,
    /// A fault of this crate.
    Internal,
}

/// What the caller of a generation gives as the reason to end it.
type Reason = Arc<dyn std::error::Error + Send + Sync>;

/// A failure: what kind, what happened, and what a person can do about it where there is more to say than the kind says.
#[derive(Debug, Clone)]
pub struct Error {
    kind: ErrorKind,
    detail: String,
    user_action: Option<String>,
    reason: Option<Reason>,
    source: Option<Reason>,
}

impl Error {
    /// An error without advice.
    pub fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), user_action: None, reason: None, source: None }
    }

    /// The same error with advice for the place where it happened.
    #[must_use]
    pub fn with_action(mut self, user_action: impl Into<String>) -> Self {
        self.user_action = Some(user_action.into());
        self
    }

    /// The same error with the one that it comes from.
    pub(crate) fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// The end that a [`Control`](crate::Control) asks for. The reason comes back from [`Error::reason`] as it is.
    pub fn stopped(reason: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self { reason: Some(Arc::new(reason)), ..Self::new(ErrorKind::Stopped, "the caller ended it") }
    }

    pub(crate) fn invalid_request(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidRequest, detail)
    }

    pub(crate) fn internal(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, detail)
    }

    /// What kind of failure it is.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What happened.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// What a person can do about it, where there is more to say than the kind says.
    #[must_use]
    pub fn user_action(&self) -> Option<&str> {
        self.user_action.as_deref()
    }

    /// What the caller's [`Control`](crate::Control) gave as the reason, when it ended the work.
    #[must_use]
    pub fn reason(&self) -> Option<&(dyn std::error::Error + Send + Sync + 'static)> {
        self.reason.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.reason.as_ref().or(self.source.as_ref()).map(|source| source.as_ref() as _)
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::new(ErrorKind::Io, format!("file operation failed: {error}")).with_source(error)
    }
}
