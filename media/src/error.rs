//! The error type of this crate.

use std::fmt;
use std::sync::Arc;

/// The result of every fallible function of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The kind of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The file cannot be read as a picture or clip, the picture has too many pixels, or the frames cannot be written in the format.
    InvalidInput,
    /// The file has too many bytes, or there is not enough memory for the frames of a clip.
    TooLarge,
    /// The check of the caller ended the encoding.
    Stopped,
    /// A bug in this crate, or frames whose bytes do not match their size.
    Internal,
}

/// The reason of a caller to end an encoding.
type Reason = Arc<dyn std::error::Error + Send + Sync>;

/// A failure: its kind, what happened, and what a person can do about it when there is more to say than the kind says.
#[derive(Debug, Clone)]
pub struct Error {
    kind: ErrorKind,
    detail: String,
    user_action: Option<String>,
    reason: Option<Reason>,
}

impl Error {
    fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), user_action: None, reason: None }
    }

    /// Adds advice on what a person can do.
    #[must_use]
    pub(crate) fn with_action(mut self, user_action: impl Into<String>) -> Self {
        self.user_action = Some(user_action.into());
        self
    }

    /// Creates the error with which a check ends an encoding. [`Error::reason`] returns `reason` unchanged.
    pub fn stopped(reason: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self { reason: Some(Arc::new(reason)), ..Self::new(ErrorKind::Stopped, "the caller ended the encoding") }
    }

    pub(crate) fn invalid_input(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, detail)
    }

    pub(crate) fn too_large(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::TooLarge, detail)
    }

    pub(crate) fn internal(detail: impl Into<String>) -> Self {
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

    /// Returns the reason that the caller's check gave for ending the encoding, if it did.
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
        self.reason.as_ref().map(|reason| reason.as_ref() as _)
    }
}
