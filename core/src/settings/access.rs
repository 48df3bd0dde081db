//! Settings of access control.

use crate::keyring::SecretText;

/// Default number of generation sessions that one address may start in 60 seconds.
pub(crate) const SESSIONS_PER_MINUTE: u32 = 10;

/// Settings of access control. They are made from [`Settings`](super::Settings) when a platform is opened.
#[derive(Debug, Clone)]
pub struct AccessSettings {
    /// The key that opens admin sessions, at least 16 characters. Without it every admin login fails with `admin_misconfigured`.
    pub admin_key: Option<SecretText>,
    /// An API key chosen by the operator, at least 16 characters.
    pub api_key: Option<SecretText>,
    /// Origins of pages that may call from another site, exactly as browsers and web views send them:
    /// `https://studio.example:8443`, `tauri://localhost`.
    pub allowed_origins: Vec<String>,
    /// Addresses and networks of proxies whose `X-Forwarded-For` is trusted: `10.0.0.7`, `fd00::/8`.
    pub trusted_proxies: Vec<String>,
    /// Added to the names of session cookies after an underscore.
    pub cookie_suffix: Option<String>,
    /// How many generation sessions one address may start in 60 seconds, 1 to 10,000.
    pub sessions_per_minute: u32,
    /// Whether starting a generation session requires an API key. Results then belong to the key's owner.
    pub sign_in_required: bool,
}

impl Default for AccessSettings {
    fn default() -> Self {
        Self {
            admin_key: None,
            api_key: None,
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            cookie_suffix: None,
            sessions_per_minute: SESSIONS_PER_MINUTE,
            sign_in_required: false,
        }
    }
}
