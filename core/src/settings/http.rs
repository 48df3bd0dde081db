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
    /// Whether session cookies are for HTTPS only. Browsers make an exception for `localhost`.
    pub session_cookie_secure: bool,
    /// Which requests from other sites carry session cookies.
    pub session_cookie_same_site: SameSite,
    /// Path of session cookies: `/` sends them with every request to the host; behind a proxy that serves the platform under a path
    /// of its own, that path keeps them from everything else that the host serves.
    pub session_cookie_path: String,
    /// Added to the names of session cookies after an underscore: `studio` makes `gg_session_studio`. Without it the names are
    /// `gg_session` and `gg_admin_session`, unless a request brings another platform's session in them. Platforms on one host need
    /// it where they cannot see each other's cookies: one over HTTPS and one over HTTP.
    pub session_cookie_suffix: Option<String>,
    /// Where clients reach the service, such as `https://example.com/must`: what absolute addresses in answers begin with.
    /// Without it they are made of what each request says.
    pub public_url: Option<String>,
    /// Opens `GET /metrics` to callers that send it as a bearer token; without it only an admin session does.
    pub scrape_token: Option<SecretText>,
    /// Bytes of a request's body.
    pub max_body_bytes: usize,
    /// Connections that are open at once; more wait.
    pub max_connections: usize,
    /// How long a request's headers may take to arrive, and a connection may wait for the next request.
    #[serde(rename = "header_timeout_seconds", with = "Seconds")]
    pub header_timeout: Duration,
    /// How long no piece of a request's body may come, and a client may take nothing of an answer.
    #[serde(rename = "body_timeout_seconds", with = "Seconds")]
    pub body_timeout: Duration,
    /// How long pictures that were asked for under an `Idempotency-Key` go on to be made when their caller has gone: the same call
    /// gets them until then. After that they are ended, and the same call makes new ones.
    #[serde(rename = "retry_window_seconds", with = "Seconds")]
    pub retry_window: Duration,
    /// Bytes of a body that have to come each second on average, beyond one `body_timeout` that is granted; 0 for any number.
    pub body_bytes_per_second: u64,
    /// How long a request's body may take as a whole.
    #[serde(rename = "body_time_limit_seconds", with = "Seconds")]
    pub body_time_limit: Duration,
    /// How often an idle event stream says that it lives.
    #[serde(rename = "event_keep_alive_seconds", with = "Seconds")]
    pub event_keep_alive: Duration,
}

/// The `SameSite` attribute of session cookies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// The path of session cookies without a slash at its end, which would keep them from the path itself.
    ///
    /// # Errors
    /// `validation_error` for what is no path.
    pub(crate) fn cookie_path(&self) -> Result<String> {
        let path = self.session_cookie_path.trim();
        let good = |byte: u8| byte.is_ascii_graphic() && !b";,\"\\?#".contains(&byte);
        if !path.is_empty() && (!path.starts_with('/') || !path.bytes().all(good)) {
            return Err(Error::validation(format!("http.session_cookie_path: {path:?} is not a path")).with_action(
                "Set the path that the platform is served under, such as /studio, or / for the whole host.",
            ));
        }
        match path.trim_end_matches('/') {
            "" => Ok("/".to_owned()),
            path => Ok(path.to_owned()),
        }
    }

    /// Where clients reach the HTTP service; `None` where that is blank.
    ///
    /// # Errors
    /// `validation_error` for what is not the address of a web server.
    pub(crate) fn public_url(&self) -> Result<Option<String>> {
        let Some(url) = self.public_url.as_deref().map(str::trim).filter(|url| !url.is_empty()) else {
            return Ok(None);
        };
        check_public_url(url)?;
        Ok(Some(url.to_owned()))
    }

    /// What is added to the names of session cookies.
    ///
    /// # Errors
    /// `validation_error` for what no cookie's name can have.
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
/// `validation_error` unless it is `http` or `https`, a host, and at most a port and a path.
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
    Err(Error::validation(format!("http.public_url: {text:?} is not the address of a web server"))
        .with_action("Give it as clients reach it, such as https://must.example or https://example.com/must."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_one_of_a_server() {
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
