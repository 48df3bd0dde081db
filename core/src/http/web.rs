//! The web UI: the page and its files. They are built from the sources in `web/` of the repository into `core/web`, and embedded.
//!
//! The files keep their names, so that a build changes only their contents; a browser asks whether its copy is current.
//! Each is compressed with gzip once, for browsers that accept it.

use super::call::{Call, Reply};
use super::compress;
use super::media::{etag, matches};
use crate::error::{Error, ErrorCode, Result};
use axum::body::Body;
use bytes::Bytes;
use flate2::Compression;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderName, HeaderValue, StatusCode};
use std::sync::OnceLock;

/// Allows only the platform's own files and calls, and no frames; pictures and clips may also be files that a person has just chosen.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
    media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// An embedded file.
struct File {
    name: &'static str,
    kind: &'static str,
    plain: &'static [u8],
    made: OnceLock<Prepared>,
}

/// The tags and the compressed form of a file, made at its first request.
struct Prepared {
    tag: HeaderValue,
    /// The compressed file with its own tag, since caches must tell the two apart.
    gzip: Option<(Bytes, HeaderValue)>,
}

static PAGE: File = File::new("index.html", "text/html; charset=utf-8", include_bytes!("../../web/index.html"));

/// The files that the page loads.
static FILES: [File; 3] = [
    File::new("app.js", "text/javascript; charset=utf-8", include_bytes!("../../web/assets/app.js")),
    File::new("style.css", "text/css; charset=utf-8", include_bytes!("../../web/assets/style.css")),
    File::new("icon.svg", "image/svg+xml", include_bytes!("../../web/assets/icon.svg")),
];

/// Answers with the page, whatever the query is.
pub(super) fn page(call: &Call) -> Result<Reply> {
    Ok(PAGE.answer(call).with(OPENER_POLICY, HeaderValue::from_static("same-origin")))
}

/// Answers with a file that the page loads.
pub(super) fn asset(call: &Call) -> Result<Reply> {
    let name = call.part("file");
    let found = FILES.iter().find(|file| file.name == name);
    let file = found.ok_or_else(|| Error::new(ErrorCode::NotFound, "the web UI has no such file"))?;
    Ok(file.answer(call))
}

impl File {
    const fn new(name: &'static str, kind: &'static str, plain: &'static [u8]) -> Self {
        Self { name, kind, plain, made: OnceLock::new() }
    }

    fn made(&self) -> &Prepared {
        self.made.get_or_init(|| {
            let tag = etag(self.plain);
            let value = |text: &str| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("\"\""));
            let packed_tag = value(&format!("{}-gzip\"", tag.trim_end_matches('"')));
            let gzip = compress::gzip(self.plain, Compression::best()).map(|packed| (packed, packed_tag));
            Prepared { tag: value(&tag), gzip }
        })
    }

    fn answer(&self, call: &Call) -> Reply {
        let made = self.made();
        let gzip = made.gzip.as_ref().filter(|_| compress::accepts_gzip(&call.headers));
        let (body, tag) = match gzip {
            Some((packed, tag)) => (packed.clone(), tag),
            None => (Bytes::from_static(self.plain), &made.tag),
        };
        let known = call.header(IF_NONE_MATCH).is_some_and(|list| tag.to_str().is_ok_and(|tag| matches(list, tag)));
        let mut reply = match known {
            true => Reply::new(StatusCode::NOT_MODIFIED, Body::empty()),
            false => {
                Reply::new(StatusCode::OK, Body::from(body)).with(CONTENT_TYPE, HeaderValue::from_static(self.kind))
            }
        };
        if gzip.is_some() && !known {
            reply = reply.with(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        compress::varies(&mut reply.headers);
        reply
            .with(ETAG, tag.clone())
            .with(CACHE_CONTROL, HeaderValue::from_static("no-cache"))
            .with(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY))
    }
}
