//! Results and previews: sent whole or in part, cached by clients with an ETag, and shown by browsers in a tab or in the pages of
//! allowed sites.

use super::call::{Call, Reply};
use super::route_access::{SIGNATURE, SIGNED};
use crate::error::Result;
use crate::task::Media;
use axum::body::Body;
use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, IF_RANGE, ORIGIN, RANGE, REFERER, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ring::digest::{SHA256, digest};
use std::fmt::Write as _;
use std::ops::Range;

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The characters of a file name that are percent-encoded: those that <https://www.rfc-editor.org/rfc/rfc8187#section-3.2.1> requires,
/// and a few more.
const NOT_IN_NAMES: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

pub(super) fn result(call: &Call) -> Result<Reply> {
    call.only(&SIGNED)?;
    call.admit(call.part("id"))?;
    serve(call, call.platform().result(call.part("id"))?)
}

pub(super) fn preview(call: &Call) -> Result<Reply> {
    call.only(&SIGNED)?;
    call.admit(call.part("id"))?;
    serve(call, call.platform().preview(call.part("id"))?)
}

/// Answers with the whole file, with the requested part, or with 304 when the client already has it.
pub(super) fn serve(call: &Call, media: Media) -> Result<Reply> {
    let etag = etag(&media.bytes);
    let bytes = Bytes::from(media.bytes);
    let header = |name: HeaderName| call.headers.get(name).and_then(|value| value.to_str().ok());
    let content_policy = content_policy(call)?;
    let common = |reply: Reply| -> Reply {
        reply
            .with(ETAG, text(&etag))
            .with(ACCEPT_RANGES, HeaderValue::from_static("bytes"))
            .with(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"))
            .with(CONTENT_DISPOSITION, text(&disposition(&media.file_name)))
            .with(CONTENT_SECURITY_POLICY, text(&content_policy))
            .with(RESOURCE_POLICY, HeaderValue::from_static(resource_policy(call)))
            .with(VARY, HeaderValue::from_static("referer"))
    };
    if header(IF_NONE_MATCH).is_some_and(|known| matches(known, &etag)) {
        return Ok(common(Reply::new(StatusCode::NOT_MODIFIED, Body::empty())));
    }
    let mime = HeaderValue::from_static(media.content_type);
    let length = bytes.len();
    Ok(match wanted(&call.headers, length, &etag) {
        Wanted::All => common(Reply::new(StatusCode::OK, Body::from(bytes)).with(CONTENT_TYPE, mime)),
        Wanted::Part(part) => {
            let range = format!("bytes {}-{}/{length}", part.start, part.end - 1);
            let reply = Reply::new(StatusCode::PARTIAL_CONTENT, Body::from(bytes.slice(part)));
            common(reply.with(CONTENT_TYPE, mime).with(CONTENT_RANGE, text(&range)))
        }
        Wanted::Unsatisfiable => {
            let error = crate::Error::validation(format!("the range lies beyond the end of the {length} bytes"));
            let mut reply = Reply::failure(&error);
            reply.status = StatusCode::RANGE_NOT_SATISFIABLE;
            reply.with(CONTENT_RANGE, text(&format!("bytes */{length}")))
        }
    })
}

/// Returns the content security policy of a result that a browser opens as a page of its own in a tab or a frame: it may show itself
/// with the browser's own style, and no script runs. The platform's own pages and those of allowed sites may frame it.
///
/// There is no `sandbox`: with one, a browser fetches a clip without the session's cookie.
fn content_policy(call: &Call) -> Result<String> {
    let mut policy =
        "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'self'"
            .to_owned();
    for origin in call.platform().access()?.origins() {
        policy.push(' ');
        policy.push_str(origin);
    }
    Ok(policy)
}

/// Returns which pages may show the file in an element that sends no origin, such as `<img>` and `<video>`.
///
/// Pages of allowed sites may; `Origin` or else `Referer` says which site a page belongs to. If the address itself contains the
/// credential, every page that has the address may.
fn resource_policy(call: &Call) -> &'static str {
    let origin = call.header(ORIGIN).or_else(|| call.header(REFERER).map(origin_of));
    let is_allowed =
        || call.platform().access().is_ok_and(|access| origin.is_some_and(|origin| access.allows_origin(origin)));
    let signed = call.query(SIGNATURE).is_ok_and(|signature| signature.is_some());
    let by_address = call.facts.header_keys.is_empty() && (signed || !call.facts.query_keys.is_empty());
    if by_address || is_allowed() { "cross-origin" } else { "same-site" }
}

/// Returns the origin of a URL.
fn origin_of(address: &str) -> &str {
    let host = address.find("://").map_or(0, |at| at + 3);
    let end = address.get(host..).and_then(|rest| rest.find(['/', '?', '#'])).map_or(address.len(), |at| host + at);
    address.get(..end).unwrap_or_default()
}

/// Returns `Content-Disposition`, with which a browser shows the file and saves it under this name
/// (<https://www.rfc-editor.org/rfc/rfc6266>). The name is given twice, first in ASCII for clients that support nothing else.
fn disposition(name: &str) -> String {
    let plain: Vec<&str> = name.split('-').filter(|part| part.is_ascii()).collect();
    let plain = plain.join("-").replace(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '.' | '_'), "_");
    format!("inline; filename=\"{plain}\"; filename*=UTF-8''{}", utf8_percent_encode(name, NOT_IN_NAMES))
}

fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static(""))
}

/// Returns a strong tag, made of the content's hash.
pub(super) fn etag(bytes: &[u8]) -> String {
    let hash = digest(&SHA256, bytes);
    let mut tag = String::from("\"");
    for byte in hash.as_ref().iter().take(16) {
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    tag
}

/// Whether a list of tags contains this one. Weak tags match, too: the content is the same.
pub(super) fn matches(list: &str, etag: &str) -> bool {
    list.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    All,
    Part(Range<usize>),
    Unsatisfiable,
}

/// Returns what a request asks for with `Range` and `If-Range`. A single range is honoured; several ranges, or a malformed one, mean
/// the whole file (<https://www.rfc-editor.org/rfc/rfc9110#section-14>).
fn wanted(headers: &HeaderMap, length: usize, etag: &str) -> Wanted {
    let mut lines = headers.get_all(RANGE).iter();
    let (Some(range), None) = (lines.next().and_then(|value| value.to_str().ok()), lines.next()) else {
        return Wanted::All;
    };
    // A date in If-Range cannot be compared; only the tag shows that the content is the same.
    if headers.get(IF_RANGE).is_some_and(|condition| condition.as_bytes() != etag.as_bytes()) {
        return Wanted::All;
    }
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|range| range.trim().split_once('-')) else {
        return Wanted::All;
    };
    let number = |text: &str| -> Option<usize> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // A number with too many digits lies beyond the end of any file.
        digits.then(|| text.parse().unwrap_or(usize::MAX))
    };
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last && first < length => {
            Wanted::Part(first..last.saturating_add(1).min(length))
        }
        (Some(first), Some(last)) if first <= last => Wanted::Unsatisfiable,
        (Some(first), None) if last.is_empty() && first < length => Wanted::Part(first..length),
        (Some(_), None) if last.is_empty() => Wanted::Unsatisfiable,
        (None, Some(count)) if first.is_empty() && count > 0 && length > 0 => {
            Wanted::Part(length - count.min(length)..length)
        }
        (None, Some(_)) if first.is_empty() => Wanted::Unsatisfiable,
        _ => Wanted::All,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_honoured_and_anything_else_means_the_whole_file() {
        let ask = |range: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RANGE, HeaderValue::from_str(range).unwrap());
            wanted(&headers, 100, "\"t\"")
        };
        for (range, expected) in [
            ("bytes=0-9", Wanted::Part(0..10)),
            ("bytes=90-", Wanted::Part(90..100)),
            ("bytes=-10", Wanted::Part(90..100)),
            ("bytes=-1000", Wanted::Part(0..100)),
            ("bytes=50-1000", Wanted::Part(50..100)),
            ("bytes=99-99999999999999999999999", Wanted::Part(99..100)),
            ("bytes=100-", Wanted::Unsatisfiable),
            ("bytes=100-200", Wanted::Unsatisfiable),
            ("bytes=-0", Wanted::Unsatisfiable),
            ("bytes=99999999999999999999999-", Wanted::Unsatisfiable),
            ("bytes=9-0", Wanted::All),
            ("bytes=0-1,3-4", Wanted::All),
            ("bytes=+1-2", Wanted::All),
            ("bytes=", Wanted::All),
            ("bytes=-", Wanted::All),
            ("items=0-9", Wanted::All),
        ] {
            assert_eq!(ask(range), expected, "{range}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, HeaderValue::from_static("bytes=0-9"));
        headers.insert(IF_RANGE, HeaderValue::from_static("\"other\""));
        assert_eq!(wanted(&headers, 100, "\"t\""), Wanted::All);
        headers.insert(IF_RANGE, HeaderValue::from_static("\"t\""));
        assert_eq!(wanted(&headers, 100, "\"t\""), Wanted::Part(0..10));
    }

    #[test]
    fn names_are_sent_in_ascii_and_in_full() {
        assert_eq!(
            disposition("tiny-image-5-красный-круг-1a2b3c4d.png"),
            "inline; filename=\"tiny-image-5-1a2b3c4d.png\"; filename*=UTF-8''tiny-image-5-\
             %D0%BA%D1%80%D0%B0%D1%81%D0%BD%D1%8B%D0%B9-%D0%BA%D1%80%D1%83%D0%B3-1a2b3c4d.png"
        );
        for name in ["a\"; filename=evil.exe", "a\r\nSet-Cookie: b", "a\0b", "a/b\\c", "a%2fb", "a'b;c", "\u{202e}gnp"]
        {
            let header = disposition(name);
            assert!(HeaderValue::from_str(&header).is_ok(), "{name:?}");
            let (plain, full) =
                header.strip_prefix("inline; filename=\"").unwrap().split_once("\"; filename*=UTF-8''").unwrap();
            let harmless = |text: &str, more: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c));
            assert!(harmless(plain, "-._") && harmless(full, "-._%"), "{header}");
        }
    }

    #[test]
    fn the_origin_of_a_referer_is_found() {
        for (address, origin) in [
            ("https://studio.example/page?x=1#y", "https://studio.example"),
            ("https://studio.example:444", "https://studio.example:444"),
            ("https://studio.example?https://other.example/", "https://studio.example"),
            ("tauri://localhost/index.html", "tauri://localhost"),
            ("", ""),
        ] {
            assert_eq!(origin_of(address), origin);
        }
    }

    #[test]
    fn tags_are_compared_in_lists() {
        assert!(matches("\"a\", W/\"b\"", "\"b\"") && matches("*", "\"b\"") && !matches("\"a\"", "\"b\""));
    }
}
