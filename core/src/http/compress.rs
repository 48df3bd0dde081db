//! Answers packed with gzip, for clients that take it.
//!
//! What is packed is text that is long enough to be worth it: JSON, metrics, and the files of the web UI, which are packed once.
//! Never packed are media (they are packed already, and their ranges count bytes), event streams (they would wait to be
//! packed), failures, and every answer of sessions and administration: a length that tells how well an answer packs tells
//! something of a secret that stands beside words of somebody else's (BREACH). `docs/decisions.md` has the reasons.

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

/// Bytes below which an answer goes out as it is: it is one packet either way.
const LEAST: u64 = 1024;

/// Fast: answers are made anew for every request.
const OF_ANSWERS: Compression = Compression::new(3);

/// Whether answers to calls with this access may be packed.
pub(super) const fn may_be_packed(access: RouteAccess) -> bool {
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

/// Whether a client takes gzip, and would not rather have the answer as it is
/// (<https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3>).
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
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

/// Says that the answer depends on what the client takes, so that no cache gives one client what another takes.
pub(super) fn varies(headers: &mut HeaderMap) {
    headers.append(VARY, HeaderValue::from_static("accept-encoding"));
}

/// Whether the answer is of a kind that is packed.
pub(super) fn is_worth_it(reply: &Reply) -> bool {
    let kind = reply.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let is_text = kind == "application/json" || (kind.starts_with("text/") && kind != "text/event-stream");
    let as_it_is = [CONTENT_ENCODING, ACCEPT_RANGES, ETAG].iter().all(|name| !reply.headers.contains_key(name));
    is_text && as_it_is && reply.status.is_success() && reply.body.size_hint().exact().is_some_and(|size| size >= LEAST)
}

/// The same answer, packed. Takes a few milliseconds for each megabyte.
pub(super) fn packed(mut reply: Reply) -> Reply {
    let Some(Ok(bytes)) = std::mem::take(&mut reply.body).collect().now_or_never() else { return reply };
    let bytes = bytes.to_bytes();
    match gzip(&bytes, OF_ANSWERS) {
        Some(smaller) => {
            reply.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            reply.body = Body::from(smaller);
        }
        None => reply.body = Body::from(bytes),
    }
    reply
}

/// None where packing saves nothing.
pub(super) fn gzip(bytes: &[u8], level: Compression) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 2), level);
    // A vector takes everything.
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
        takes_gzip(&headers)
    }

    #[test]
    fn clients_say_what_they_take() {
        assert!(!takes_gzip(&HeaderMap::new()));
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
    fn long_text_alone_is_packed() {
        let reply = |kind: &'static str, size: usize| {
            Reply::new(StatusCode::OK, Body::from(vec![b'a'; size])).with(CONTENT_TYPE, HeaderValue::from_static(kind))
        };
        assert!(is_worth_it(&reply("application/json", 1024)));
        assert!(is_worth_it(&reply("text/plain; version=0.0.4; charset=utf-8", 4096)));
        assert!(!is_worth_it(&reply("application/json", 1023)));
        for other in ["image/png", "video/mp4", "text/event-stream", "application/octet-stream"] {
            assert!(!is_worth_it(&reply(other, 4096)), "{other}");
        }
        let failed = Reply { status: StatusCode::CONFLICT, ..reply("application/json", 4096) };
        assert!(!is_worth_it(&failed));
        let ranged = reply("text/plain", 4096).with(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        assert!(!is_worth_it(&ranged));
    }

    #[test]
    fn what_is_packed_is_the_same() {
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
        assert!(!reply.headers.contains_key(CONTENT_ENCODING), "packing would make it longer");
        assert_eq!(reply.body.collect().now_or_never().unwrap().unwrap().to_bytes(), noise);
    }
}
