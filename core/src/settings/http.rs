//! Settings of the HTTP service.

use crate::error::{Error, Result};
use crate::json::Seconds;
use crate::keyring::SecretText;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Settings of the HTTP service.
///
/// ```
/// use must::http::SameSite;
/// use must::{Platform, Settings};
///
/// # let folder = tempfile::tempdir()?;
/// # let mut settings = Settings::new(folder.path());
/// settings.http.public_url = Some("https://example.com/must".to_owned());
/// settings.http.session_cookie_same_site = SameSite::Lax;
/// let platform = Platform::open(settings)?;
/// # Ok::<(), must::Error>(())
/// ```
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct HttpSettings {
    /// Whether session cookies are sent only over HTTPS. Browsers make an exception for `localhost`.
    pub session_cookie_secure: bool,
    /// Which requests from other sites carry session cookies.
    pub session_cookie_same_site: SameSite,
    /// Path of session cookies. With `/` browsers send them with every request to the host. If a proxy serves the platform under its
    /// own path, set that path, so that other services of the host do not receive the cookies.
    pub session_cookie_path: String,
    /// Text that is added to the names of session cookies after an underscore: `studio` gives `gg_session_studio`. Without it the
    /// names are `gg_session` and `gg_admin_session`, and the platform chooses others if a request has another platform's session
    /// in them. Platforms on one host need the suffix if they cannot see each other's cookies: one over HTTPS and one over HTTP.
    pub session_cookie_suffix: Option<String>,
    /// Where clients reach the service, such as `https://example.com/must`. Absolute addresses in answers begin with it. Without it
    /// they are made from the headers of each request.
    pub public_url: Option<String>,
    /// Callers that send this text as a bearer token may call `GET /metrics`. Without it only administrators may.
    pub scrape_token: Option<SecretText>,
    /// Largest size of a request's body in bytes.
    pub max_body_bytes: usize,
    /// Largest number of open connections. Further ones wait.
    pub max_connections: usize,
    /// Time limit for the headers of a request, and for an idle connection between two requests.
    #[serde(rename = "header_timeout_seconds", with = "Seconds")]
    pub header_timeout: Duration,
    /// Longest time during which no part of a request's body arrives, or the client reads no part of an answer.
    #[serde(rename = "body_timeout_seconds", with = "Seconds")]
    pub body_timeout: Duration,
    /// How long pictures that were requested with an `Idempotency-Key` are still made after their caller has disconnected. Until then
    /// the same call returns them. After that they are cancelled, and the same call makes new ones.
    #[serde(rename = "retry_window_seconds", with = "Seconds")]
    pub retry_window: Duration,
    /// Smallest average speed of a request's body in bytes per second. A body may take one `body_timeout` longer than this speed
    /// requires. 0 means no limit.
    pub body_bytes_per_second: u64,
    /// Time limit for the whole body of a request.
    #[serde(rename = "body_time_limit_seconds", with = "Seconds")]
    pub body_time_limit: Duration,
    /// Time between two keep-alive messages of an idle event stream.
    #[serde(rename = "event_keep_alive_seconds", with = "Seconds")]
    pub event_keep_alive: Duration,
}

/// The `SameSite` attribute of session cookies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SameSite {
    /// The cookies are never sent with requests from other sites.
    #[default]
    Strict,
    /// Of the requests from other sites, only those that follow a link carry the cookies.
    Lax,
    /// The cookies are always sent. This is for a user interface on another site, over HTTPS.
    None,
}

impl SameSite {
    /// Returns the value of the attribute.
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
            session_cookie_path: "/".to_owned(),
            session_cookie_suffix: None,
            public_url: None,
            scrape_token: None,
            max_body_bytes: 32 << 20,
            max_connections: 4096,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            retry_window: Duration::from_secs(60),
            body_bytes_per_second: 1024,
            body_time_limit: Duration::from_secs(3600),
            event_keep_alive: Duration::from_secs(15),
        }
    }
}

impl HttpSettings {
    /// Returns the path of session cookies without a slash at its end, except for `/`. With the slash, browsers would not send the
    /// cookies to the path itself.
    ///
    /// # Errors
    /// `validation_error` if it is not a path.
    pub(crate) fn cookie_path(&self) -> Result<String> {
        let path = self.session_cookie_path.trim();
        let good = |byte: u8| byte.is_ascii_graphic() && !b";,\"\\?#".contains(&byte);
        if !path.is_empty() && (!path.starts_with('/') || !path.bytes().all(good)) {
            return Err(Error::validation(format!("http.session_cookie_path: {path:?} is not a path"))
                .with_action("Set the path of the platform, such as /studio, or / for the whole host."));
        }
        match path.trim_end_matches('/') {
            "" => Ok("/".to_owned()),
            path => Ok(path.to_owned()),
        }
    }

    /// Returns the address at which clients reach the HTTP service, or `None` if the setting is blank.
    ///
    /// # Errors
    /// `validation_error` if it is not the address of a web server.
    pub(crate) fn public_url(&self) -> Result<Option<String>> {
        let Some(url) = self.public_url.as_deref().map(str::trim).filter(|url| !url.is_empty()) else {
            return Ok(None);
        };
        check_public_url(url)?;
        Ok(Some(url.to_owned()))
    }

    /// Returns the text that is added to the names of session cookies.
    ///
    /// # Errors
    /// `validation_error` if the name of a cookie cannot contain it.
    pub(crate) fn cookie_suffix(&self) -> Result<Option<String>> {
        let Some(suffix) = self.session_cookie_suffix.as_deref().map(str::trim).filter(|suffix| !suffix.is_empty())
        else {
            return Ok(None);
        };
        let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if suffix.len() > 32 || !suffix.bytes().all(good) {
            return Err(Error::validation(format!(
                "http.session_cookie_suffix: {suffix:?} is not 1 to 32 letters, digits, - and _"
            ))
            .with_action("Set a short name for this platform, such as studio, or leave it out."));
        }
        Ok(Some(suffix.to_owned()))
    }
}

/// Checks the setting `public_url`.
///
/// # Errors
/// `validation_error` unless it consists of `http` or `https`, a host, and optionally a port and a path.
fn check_public_url(text: &str) -> Result<()> {
    let plain = |url: url::Url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    };
    if text.bytes().all(|byte| byte.is_ascii_graphic()) && url::Url::parse(text).is_ok_and(plain) {
        return Ok(());
    }
    Err(Error::validation(format!("http.public_url: {text:?} is not the address of a web server")).with_action(
        "Give the address at which clients reach it, such as https://must.example or https://example.com/must.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_the_address_of_a_web_server() {
        for good in ["https://must.example", "http://localhost:8000/", "https://example.com/must"] {
            assert!(check_public_url(good).is_ok(), "{good}");
        }
        for bad in [
            "must.example",
            "/must",
            "ftp://a.example",
            "https://",
            "https://a:b@c.example",
            "https://a.example?x",
            "https://a .b",
            "https://a.example/#x",
        ] {
            assert_eq!(check_public_url(bad).unwrap_err().code(), crate::ErrorCode::ValidationError, "{bad}");
        }
    }
}
