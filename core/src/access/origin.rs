//! The browser origins that may call. Only exact matches are allowed. A request without an origin is allowed: browsers send one with
//! each call that changes something, and with each call whose answer a page of another site could read.
//!
//! Programs that show web pages have origins with schemes of their own: `tauri://localhost`, `app://obsidian.md`,
//! `chrome-extension://ID`, `capacitor://localhost`. These are compared letter by letter like any other.

use crate::error::{Error, Result};
use url::Url;

/// The origin of web views that show files from the disk; it has no host.
const FILES: &str = "file://";

/// The allow list.
pub(super) struct Origins(Vec<String>);

impl Origins {
    /// Parses the setting `frontend_origins`. Skips blank entries, which lists in environment variables often have.
    pub(super) fn new(settings: &[String]) -> Result<Self> {
        let given = settings.iter().map(|origin| origin.trim()).filter(|origin| !origin.is_empty());
        Ok(Self(given.map(exact).collect::<Result<_>>()?))
    }

    pub(super) fn all(&self) -> &[String] {
        &self.0
    }

    pub(super) fn allow(&self, origin: Option<&str>) -> bool {
        origin.is_none_or(|origin| self.0.iter().any(|allowed| allowed == origin))
    }
}

/// Checks an origin of the settings and returns it as browsers send it.
fn exact(origin: &str) -> Result<String> {
    if origin == "null" {
        return Err(Error::validation(
            "frontend_origins: \"null\" cannot be allowed: every sandboxed page and local file sends it",
        )
        .with_action(
            "Serve the page from an address, or give its web view a scheme of its own, and allow that origin.",
        ));
    }
    let found = match origin.split_once("://") {
        Some(("http" | "https", _)) => web_origin(origin),
        Some((scheme, host)) if is_scheme(scheme) && (is_host(host) || origin == FILES) => Some(origin.to_owned()),
        _ => None,
    };
    found.ok_or_else(|| {
        Error::validation(format!("frontend_origins: {origin:?} is not an exact origin")).with_action(
            "Write origins as browsers and web views send them, such as https://studio.example, http://localhost:5173, tauri://localhost or chrome-extension://ID, without a path or a wildcard.",
        )
    })
}

/// Parses a web origin. Browsers leave out the scheme's default port, so it is removed here.
fn web_origin(origin: &str) -> Option<String> {
    let sent = Url::parse(origin).ok()?.origin().ascii_serialization();
    let port = if origin.starts_with("https:") { ":443" } else { ":80" };
    (origin.strip_suffix(port).unwrap_or(origin) == sent && !origin.contains('*')).then_some(sent)
}

fn is_scheme(scheme: &str) -> bool {
    let rest = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+.-".contains(&byte);
    scheme.starts_with(|first: char| first.is_ascii_lowercase()) && scheme.bytes().all(rest)
}

/// Whether the text is the host and port of an origin with a scheme other than http or https; such hosts keep their case.
fn is_host(host: &str) -> bool {
    !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic() && !b"/*?#@\\,\"<>".contains(&byte))
}
