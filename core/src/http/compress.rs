//! Compresses answers with gzip, for clients that accept it.
//!
//! Texts that are long enough are compressed: JSON, metrics, and the files of the web UI, which are compressed only once. These answers
//! are never compressed: media (they are compressed already, and ranges count their bytes), event streams (their events would be
//! delayed), failures, and the answers of the routes for sessions and administration. If one answer contains a secret and text from
//! somebody else, its compressed length reveals something of the secret (BREACH). `docs/decisions.md` has the reasons.

use super::call::Reply;
use super::route_access::RouteAccess;
use axum::body::Body;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::FutureExt as _;
use http::header::{ACCEPT_ENCODING, ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_TYPE, ETAG, VARY};
use http::{HeaderMap, HeaderValue};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use std::io::Write as _;

/// Answers below this number of bytes are not compressed: they fit into one packet anyway.
const MIN_BYTES: u64 = 1024;

/// A fast level, since answers are made for each request.
const ANSWER_LEVEL: Compression = Compression::new(3);

/// Whether answers to calls with this access may be compressed.
pub(super) const fn may_be_compressed(access: RouteAccess) -> bool {
    match access {
        RouteAccess::Open
        | RouteAccess::Generation
        | RouteAccess::Media
        | RouteAccess::ApiKey
        | RouteAccess::Bearer
        | RouteAccess::Scrape => true,
        RouteAccess::Session | RouteAccess::AdminLogin | RouteAccess::Admin => false,
    }
}

/// Whether a client accepts gzip and does not prefer the uncompressed answer
/// (<https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3>).
pub(super) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let (mut gzip, mut any, mut plain) = (None, None, None);
    for line in headers.get_all(ACCEPT_ENCODING) {
        for entry in line.to_str().unwrap_or_default().split(',') {
            let mut parts = entry.split(';').map(str::trim);
            let slot = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
                "gzip" | "x-gzip" => &mut gzip,
                "*" => &mut any,
                "identity" => &mut plain,
                _ => continue,
            };
            let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
            *slot = Some(weight.map_or(1.0, |weight| weight.parse::<f32>().unwrap_or(0.0)));
        }
    }
    gzip.or(any).is_some_and(|weight| weight > 0.0 && weight >= plain.unwrap_or(0.0))
}

/// Marks the answer as depending on `Accept-Encoding`, so that caches keep the compressed and the uncompressed one apart.
pub(super) fn varies(headers: &mut HeaderMap) {
    headers.append(VARY, HeaderValue::from_static("accept-encoding"));
}

/// Whether the answer is of a kind that is compressed.
pub(super) fn is_compressible(reply: &Reply) -> bool {
    let kind = reply.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let is_text = kind == "application/json" || (kind.starts_with("text/") && kind != "text/event-stream");
    let as_it_is = [CONTENT_ENCODING, ACCEPT_RANGES, ETAG].iter().all(|name| !reply.headers.contains_key(name));
    is_text
        && as_it_is
        && reply.status.is_success()
        && reply.body.size_hint().exact().is_some_and(|size| size >= MIN_BYTES)
}

/// Returns the same answer, compressed. Takes a few milliseconds for each megabyte.
pub(super) fn packed(mut reply: Reply) -> Reply {
    let Some(Ok(bytes)) = std::mem::take(&mut reply.body).collect().now_or_never() else { return reply };
    let bytes = bytes.to_bytes();
    match gzip(&bytes, ANSWER_LEVEL) {
        Some(smaller) => {
            reply.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            reply.body = Body::from(smaller);
        }
        None => reply.body = Body::from(bytes),
    }
    reply
}

/// Compresses bytes. Returns `None` if that does not make them fewer.
pub(super) fn gzip(bytes: &[u8], level: Compression) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 2), level);
    // Writing to a vector cannot fail.
    encoder.write_all(bytes).ok()?;
    let packed = encoder.finish().ok()?;
    (packed.len() < bytes.len()).then(|| Bytes::from(packed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;
    use std::io::Read as _;

    fn takes(line: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_str(line).unwrap());
        accepts_gzip(&headers)
    }

    #[test]
    fn the_accepted_encodings_are_read_from_the_header() {
        assert!(!accepts_gzip(&HeaderMap::new()));
        for line in [
            "gzip",
            "GZIP",
            "gzip, deflate, br, zstd",
            "br;q=1, gzip;q=0.5",
            "*",
            "x-gzip",
            "identity;q=0.2, gzip;q=0.3",
        ] {
            assert!(takes(line), "{line}");
        }
        for line in [
            "",
            "br",
            "deflate",
            "gzip;q=0",
            "gzip; q=0.000",
            "*;q=0",
            "gzip;q=0, *",
            "gzip;q=0.5, identity",
            "gzip;q=x",
        ] {
            assert!(!takes(line), "{line}");
        }
    }

    #[test]
    fn only_long_text_is_compressed() {
        let reply = |kind: &'static str, size: usize| {
            Reply::new(StatusCode::OK, Body::from(vec![b'a'; size])).with(CONTENT_TYPE, HeaderValue::from_static(kind))
        };
        assert!(is_compressible(&reply("application/json", 1024)));
        assert!(is_compressible(&reply("text/plain; version=0.0.4; charset=utf-8", 4096)));
        assert!(!is_compressible(&reply("application/json", 1023)));
        for other in ["image/png", "video/mp4", "text/event-stream", "application/octet-stream"] {
            assert!(!is_compressible(&reply(other, 4096)), "{other}");
        }
        let failed = Reply { status: StatusCode::CONFLICT, ..reply("application/json", 4096) };
        assert!(!is_compressible(&failed));
        let ranged = reply("text/plain", 4096).with(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        assert!(!is_compressible(&ranged));
    }

    #[test]
    fn a_compressed_answer_expands_to_the_same_bytes() {
        let text = br#"{"id": "a", "prompt": "a red circle"}, "#.repeat(100);
        let reply = packed(Reply::new(StatusCode::OK, Body::from(text.clone())));
        assert_eq!(reply.headers.get(CONTENT_ENCODING).unwrap(), "gzip");
        let bytes = reply.body.collect().now_or_never().unwrap().unwrap().to_bytes();
        assert!(bytes.len() < text.len() / 10);
        let mut back = Vec::new();
        flate2::read::GzDecoder::new(bytes.as_ref()).read_to_end(&mut back).unwrap();
        assert_eq!(back, text);

        let noise: Vec<u8> = ring::digest::digest(&ring::digest::SHA256, b"noise").as_ref().to_vec();
        let reply = packed(Reply::new(StatusCode::OK, Body::from(noise.clone())));
        assert!(!reply.headers.contains_key(CONTENT_ENCODING), "compression would make it longer");
        assert_eq!(reply.body.collect().now_or_never().unwrap().unwrap().to_bytes(), noise);
    }
}
