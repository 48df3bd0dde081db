//! The reason why a request is refused.

use crate::error::{Error, ErrorCode};

/// The error that refuses a request, and who the request was from, as far as that was proven.
pub(crate) struct Refusal {
    pub(super) error: Error,
    pub(super) actor: Option<String>,
}

impl Refusal {
    pub(super) fn by(error: Error, actor: String) -> Self {
        Self { error, actor: Some(actor) }
    }

    pub(super) fn code(&self) -> ErrorCode {
        self.error.code()
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self { error, actor: None }
    }
}
