//! The common configuration of all HTTP clients of the library.
//!
//! Invariants: certificates are checked against Mozilla's roots; proxies of the environment are not used; redirects are not
//! followed. Each client sets its own time limits.

use crate::error::{Error, Result};
use reqwest::redirect::Policy;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;

/// Returns a builder with this configuration. The caller adds time limits.
///
/// # Errors
/// `internal` if TLS cannot be set up.
pub(crate) fn builder() -> Result<reqwest::ClientBuilder> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::internal(format!("TLS cannot be set up: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(Policy::none())
        .referer(false)
        .user_agent(concat!("must/", env!("CARGO_PKG_VERSION")))
        .http1_only())
}
