//! The error type of this crate and of `must-media`.

use std::fmt;
use std::sync::Arc;

/// The result of every fallible function of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The kind of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The files are missing, damaged, or of a kind that cannot be run.
    ModelUnavailable,
    /// The model cannot make what was asked for, a setting of the catalog is not known, or a file or a picture cannot be used.
    InvalidRequest,
    /// A file has too many bytes, or there is not enough memory for the frames of a clip. Only `must-media` reports it.
    TooLarge,
    /// There is not enough memory.
    OutOfMemory,
    /// The caller's [`Control`](crate::Control) ended the generation, or its check ended the encoding.
    Stopped,
    /// A file could not be read, or there is no usable GPU.
    Io,
    /// A bug.
    Internal,
}

/// An error that is kept inside an [`Error`]: the caller's reason to end a generation, or the cause of a failure.
type Reason = Arc<dyn std::error::Error + Send + Sync>;

/// A failure: its kind, what happened, and what a person can do about it when there is more to say than the kind says.
#[derive(Debug, Clone)]
pub struct Error {
    kind: ErrorKind,
    detail: String,
    user_action: Option<String>,
    reason: Option<Reason>,
    source: Option<Reason>,
}

impl Error {
    /// Creates an error without advice.
    pub fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), user_action: None, reason: None, source: None }
    }

    /// Adds advice on what a person can do.
    #[must_use]
    pub fn with_action(mut self, user_action: impl Into<String>) -> Self {
        self.user_action = Some(user_action.into());
        self
    }

    /// Adds the error that caused this one.
    pub(crate) fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// Creates the error with which a [`Control`](crate::Control) ends a generation, or a check an encoding. [`Error::reason`]
    /// returns `reason` unchanged.
    pub fn stopped(reason: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self { reason: Some(Arc::new(reason)), ..Self::new(ErrorKind::Stopped, "the caller ended the work") }
    }

    /// Creates an error of the kind `InvalidRequest`.
    pub fn invalid_request(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidRequest, detail)
    }

    /// Creates an error of the kind `Internal`.
    pub fn internal(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, detail)
    }

    /// Returns the kind of the failure.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns what happened.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Returns what a person can do about the failure, when there is more to say than the kind says.
    #[must_use]
    pub fn user_action(&self) -> Option<&str> {
        self.user_action.as_deref()
    }

    /// Returns the reason that the caller's [`Control`](crate::Control) gave for ending the generation, if it did.
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
