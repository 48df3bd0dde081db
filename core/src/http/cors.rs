//! CORS: answers to allowed origins have the CORS headers, which allow credentials; answers to all other origins do not have them.

use crate::access::{RequestFacts, RouteClass};
use crate::platform::Platform;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HOST, ORIGIN, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method};

/// The headers that a page may send. Those that begin with `openai` and `x-stainless` are sent by OpenAI's client in browsers.
const ALLOWED_HEADERS: &str = "authorization, content-type, idempotency-key, last-event-id, openai-beta, openai-organization, \
    openai-project, range, traceparent, x-admin-key, x-api-key, x-correlation-id, x-request-id, x-stainless-arch, \
    x-stainless-custom-poll-interval, x-stainless-helper-method, x-stainless-lang, x-stainless-os, x-stainless-package-version, \
    x-stainless-poll-helper, x-stainless-retry-count, x-stainless-runtime, x-stainless-runtime-version, x-stainless-timeout";

const EXPOSED_HEADERS: &str = "accept-ranges, content-disposition, content-length, content-range, etag, retry-after, x-request-id, x-should-retry";

/// Returns the origin that access has to check; `None` for a request from the platform's own pages or from no page.
///
/// The platform's own pages have the origin that the request is sent to. A browser that sends no `Origin` with a change from another
/// site still reports the other site in `Sec-Fetch-Site`.
pub(super) fn foreign_origin(parts: &Parts) -> Option<String> {
    let header = |name| parts.headers.get(name).map(|value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()));
    let site = header(http::HeaderName::from_static("sec-fetch-site"));
    match header(ORIGIN) {
        // The browser itself confirms that the page and the request have the same origin, even if a proxy changed Host.
        Some(_) if site.as_deref() == Some("same-origin") => None,
        Some(origin) => {
            let host = header(HOST).or_else(|| parts.uri.authority().map(|host| host.as_str().into()));
            // Behind a proxy the scheme of the platform's own pages is unknown, but it is http or https: `tauri://localhost` is foreign.
            let own = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            (own.is_none() || own != host.as_deref()).then(|| origin.into_owned())
        }
        None => {
            let foreign = matches!(site.as_deref(), Some("cross-site" | "same-site"));
            let changes = !matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
            (foreign && changes).then(|| "null".to_owned())
        }
    }
}

/// Whether a request is a preflight.
pub(super) fn is_preflight(parts: &Parts) -> bool {
    parts.method == Method::OPTIONS
        && parts.headers.contains_key(ORIGIN)
        && parts.headers.contains_key(http::header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Checks only the origin, for preflights and open calls.
pub(super) fn admit(platform: &Platform, facts: &RequestFacts) -> crate::Result<()> {
    debug_assert!(facts.route == RouteClass::Generation, "open calls are noted under this class");
    platform.access()?.admit(facts)
}

/// Adds the CORS headers to an answer. `origin` was allowed.
pub(super) fn decorate(headers: &mut HeaderMap, origin: Option<&str>) {
    headers.append(VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin.and_then(|origin| HeaderValue::from_str(origin).ok()) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED_HEADERS));
    }
}

/// Adds the headers of an answer to a preflight. `methods` are the methods of the path.
pub(super) fn preflight(headers: &mut HeaderMap, methods: &str) {
    if let Ok(methods) = HeaderValue::from_str(methods) {
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
    }
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(ALLOWED_HEADERS));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
}
