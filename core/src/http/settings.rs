//! What a host decides about the HTTP face.

use crate::secrets::SecretText;
use serde::Deserialize;
use std::time::Duration;

/// How the HTTP face is set up. In JSON every field may be left out; durations are seconds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct HttpSettings {
    /// Whether session cookies are for HTTPS only. Browsers make an exception for `localhost`.
    pub session_cookie_secure: bool,
    /// Which requests from other sites carry session cookies.
    pub session_cookie_same_site: SameSite,
    /// Opens `GET /metrics` to whoever sends it as a bearer token; without it only an admin session does.
    pub scrape_token: Option<SecretText>,
    /// Bytes of a request's body.
    pub max_body_bytes: usize,
    /// Connections that are open at once; more wait.
    pub max_connections: usize,
    /// How long a request's headers may take to arrive, and a connection may wait for the next request.
    #[serde(deserialize_with = "crate::settings::seconds")]
    pub header_timeout: Duration,
    /// How long a request's body may take to arrive, and a client may take nothing of an answer.
    #[serde(deserialize_with = "crate::settings::seconds")]
    pub body_timeout: Duration,
    /// How often an idle event stream says that it lives.
    #[serde(deserialize_with = "crate::settings::seconds")]
    pub event_keep_alive: Duration,
}

/// The `SameSite` attribute of session cookies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SameSite {
    /// Never with requests from other sites.
    #[default]
    Strict,
    /// Only when a link from another site is followed.
    Lax,
    /// Always: for a user interface on another site, over HTTPS.
    None,
}

impl SameSite {
    /// The attribute's value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "Strict",
            Self::Lax => "Lax",
            Self::None => "None",
        }
    }
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            session_cookie_secure: true,
            session_cookie_same_site: SameSite::default(),
            scrape_token: None,
            max_body_bytes: 32 << 20,
            max_connections: 4096,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            event_keep_alive: Duration::from_secs(15),
        }
    }
}
