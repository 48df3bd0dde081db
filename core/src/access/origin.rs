//! Which browser origins may call. Exact matches only; a request without an origin is not a browser's call from another site.

use crate::error::{Error, Result};

/// The allow list.
pub(super) struct Origins(Vec<String>);

impl Origins {
    pub(super) fn new(settings: &[String]) -> Result<Self> {
        for origin in settings {
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            let exact = host.is_some_and(|host| {
                !host.is_empty()
                    && !host.contains(['/', '*', '?', '#', '@', '\\', ','])
                    && host.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase())
            });
            if !exact {
                return Err(Error::validation(format!("allowed_origins: {origin:?} is not an exact origin"))
                    .with_action("Write origins as browsers send them, such as https://studio.example or http://localhost:5173, without a path or a wildcard."));
            }
        }
        Ok(Self(settings.to_vec()))
    }

    pub(super) fn allow(&self, origin: Option<&str>) -> bool {
        origin.is_none_or(|origin| self.0.iter().any(|allowed| allowed == origin))
    }
}
