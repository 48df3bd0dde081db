//! The two kinds of session, and the errors for a caller without one.

use super::token::TokenKind;
use crate::error::{Error, ErrorCode};
use serde::{Deserialize, Serialize};

/// The purpose of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionKind {
    /// Generation and media.
    Generation,
    /// Administration.
    Admin,
}

impl SessionKind {
    /// Returns the plain name of the cookie that carries the session. The actual name has a suffix if the setting
    /// `session_cookie_suffix` is given, or if another platform's session is in the cookie with the plain name; see
    /// [`IssuedSession::cookie`](super::IssuedSession::cookie).
    #[must_use]
    pub const fn cookie_name(self) -> &'static str {
        match self {
            Self::Generation => "gg_session",
            Self::Admin => "gg_admin_session",
        }
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Generation => "generation",
            Self::Admin => "admin",
        }
    }

    pub(super) const fn token(self) -> TokenKind {
        match self {
            Self::Generation => TokenKind::Session,
            Self::Admin => TokenKind::AdminSession,
        }
    }

    pub(super) const fn is_admin(self) -> bool {
        matches!(self, Self::Admin)
    }
}

pub(super) fn required(kind: SessionKind, why: &str) -> Error {
    let code = if kind.is_admin() { ErrorCode::AdminSessionRequired } else { ErrorCode::SessionRequired };
    Error::new(code, why)
}

pub(super) fn ended(kind: SessionKind) -> Error {
    let code = if kind.is_admin() { ErrorCode::AdminSessionExpired } else { ErrorCode::SessionExpired };
    Error::new(code, "the session has ended")
}
