//! Results and previews: whole or in part, kept by their callers for as long as they want, and harmless in a browser.

use super::call::{Call, Reply};
use crate::error::Result;
use crate::task::Media;
use axum::body::Body;
use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, IF_RANGE, RANGE,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use ring::digest::{SHA256, digest};
use std::fmt::Write as _;
use std::ops::Range;

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

pub(super) fn result(call: &Call) -> Result<Reply> {
    call.only(&[])?;
    call.admit(call.part("id"))?;
    serve(call, call.platform().result(call.part("id"))?)
}

pub(super) fn preview(call: &Call) -> Result<Reply> {
    call.only(&[])?;
    call.admit(call.part("id"))?;
    serve(call, call.platform().preview(call.part("id"))?)
}

/// Answers with all of the media, with the part that is asked for, or with nothing when the caller has it.
pub(super) fn serve(call: &Call, media: Media) -> Result<Reply> {
    let etag = etag(&media.bytes);
    let bytes = Bytes::from(media.bytes);
    let header = |name: HeaderName| call.headers.get(name).and_then(|value| value.to_str().ok());
    let common = |reply: Reply| -> Reply {
        let disposition = format!("inline; filename=\"{}\"", media.file_name.replace(['"', '\\'], "_"));
        // A browser page of another site that was let in may show it: its origin was judged before.
        reply
            .with(ETAG, text(&etag))
            .with(ACCEPT_RANGES, HeaderValue::from_static("bytes"))
            .with(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"))
            .with(CONTENT_DISPOSITION, text(&disposition))
            .with(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"))
            .with(RESOURCE_POLICY, HeaderValue::from_static("same-site"))
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
        Wanted::Nothing => {
            let error = crate::Error::validation(format!("the range lies beyond the {length} bytes that there are"));
            let mut reply = Reply::failure(&error);
            reply.status = StatusCode::RANGE_NOT_SATISFIABLE;
            reply.with(CONTENT_RANGE, text(&format!("bytes */{length}")))
        }
    })
}

fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static(""))
}

/// A strong tag: it is the content's hash.
pub(super) fn etag(bytes: &[u8]) -> String {
    let hash = digest(&SHA256, bytes);
    let mut tag = String::from("\"");
    for byte in hash.as_ref().iter().take(16) {
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    tag
}

/// Whether a list of tags names this one. A weak tag does here: the content is the same.
pub(super) fn matches(list: &str, etag: &str) -> bool {
    list.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    All,
    Part(Range<usize>),
    Nothing,
}

/// What a request asks for by `Range` and `If-Range`: one range is honoured; several, and what is not a range, ask for everything
/// (<https://www.rfc-editor.org/rfc/rfc9110#section-14>).
fn wanted(headers: &HeaderMap, length: usize, etag: &str) -> Wanted {
    let mut lines = headers.get_all(RANGE).iter();
    let (Some(range), None) = (lines.next().and_then(|value| value.to_str().ok()), lines.next()) else {
        return Wanted::All;
    };
    // A date cannot be compared: only the tag says that the content is the same.
    if headers.get(IF_RANGE).is_some_and(|condition| condition.as_bytes() != etag.as_bytes()) {
        return Wanted::All;
    }
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|range| range.trim().split_once('-')) else {
        return Wanted::All;
    };
    let number = |text: &str| -> Option<usize> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // More digits than fit are beyond the end of anything.
        digits.then(|| text.parse().unwrap_or(usize::MAX))
    };
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last && first < length => {
            Wanted::Part(first..last.saturating_add(1).min(length))
        }
        (Some(first), Some(last)) if first <= last => Wanted::Nothing,
        (Some(first), None) if last.is_empty() && first < length => Wanted::Part(first..length),
        (Some(_), None) if last.is_empty() => Wanted::Nothing,
        (None, Some(count)) if first.is_empty() && count > 0 && length > 0 => {
            Wanted::Part(length - count.min(length)..length)
        }
        (None, Some(_)) if first.is_empty() => Wanted::Nothing,
        _ => Wanted::All,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_honoured_and_anything_else_is_everything() {
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
            ("bytes=100-", Wanted::Nothing),
            ("bytes=100-200", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=99999999999999999999999-", Wanted::Nothing),
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
    fn tags_are_compared_in_lists() {
        assert!(matches("\"a\", W/\"b\"", "\"b\"") && matches("*", "\"b\"") && !matches("\"a\"", "\"b\""));
    }
}
