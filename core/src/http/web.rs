//! The web UI: the page and its files, which are built in `web/` and embedded.
//!
//! The files have names that stay, so that a build changes only what they hold; a browser asks whether it has the present one.

use super::call::{Call, Reply};
use super::media::{etag, matches};
use crate::error::{Error, ErrorCode, Result};
use axum::body::Body;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderName, HeaderValue, StatusCode};

/// Nothing but our own files and calls, in no frame; pictures and clips may also be what a person has just chosen.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
    media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

const PAGE: &[u8] = include_bytes!("../../../web/dist/index.html");

/// What the page loads: name, kind, content.
const FILES: [(&str, &str, &[u8]); 3] = [
    ("app.js", "text/javascript; charset=utf-8", include_bytes!("../../../web/dist/assets/app.js")),
    ("style.css", "text/css; charset=utf-8", include_bytes!("../../../web/dist/assets/style.css")),
    ("icon.svg", "image/svg+xml", include_bytes!("../../../web/dist/assets/icon.svg")),
];

/// The page, whatever its query says.
pub(super) fn page(call: &Call) -> Result<Reply> {
    let reply = file(call, "text/html; charset=utf-8", PAGE)?;
    Ok(reply.with(OPENER_POLICY, HeaderValue::from_static("same-origin")))
}

/// A file that the page loads.
pub(super) fn asset(call: &Call) -> Result<Reply> {
    let name = call.part("file");
    let found = FILES.iter().find(|(known, ..)| *known == name);
    let (_, kind, bytes) = found.ok_or_else(|| Error::new(ErrorCode::NotFound, "the web UI has no such file"))?;
    file(call, kind, bytes)
}

fn file(call: &Call, kind: &'static str, bytes: &'static [u8]) -> Result<Reply> {
    let tag = etag(bytes);
    let known = call.header(IF_NONE_MATCH).is_some_and(|known| matches(known, &tag));
    let reply = match known {
        true => Reply::new(StatusCode::NOT_MODIFIED, Body::empty()),
        false => Reply::new(StatusCode::OK, Body::from(bytes)).with(CONTENT_TYPE, HeaderValue::from_static(kind)),
    };
    let tag = HeaderValue::from_str(&tag).map_err(|error| Error::internal(error.to_string()))?;
    Ok(reply
        .with(ETAG, tag)
        .with(CACHE_CONTROL, HeaderValue::from_static("no-cache"))
        .with(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)))
}
