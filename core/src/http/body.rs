//! Bodies of requests: reads them within limits of size and pace, and decompresses gzip and deflate. A refused body is read and
//! thrown away, so that the client receives the error.

use crate::error::{Error, ErrorCode, Result};
use crate::pace::{Pace, Slow};
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use http_body::Body as _;
use http_body_util::BodyExt as _;
use std::io::Read;
use std::time::{Duration, Instant};

/// Largest number of bytes of a refused body that are read.
const MOST_DRAINED: usize = 64 << 20;

/// How long reading a refused body may take in all, and how long to wait for its next piece.
const DRAIN_TIME: Duration = Duration::from_secs(30);
const DRAIN_PAUSE: Duration = Duration::from_secs(5);

/// The compression of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ContentCoding {
    Gzip,
    Deflate,
}

impl ContentCoding {
    /// The known compressions, as `Accept-Encoding` names them.
    pub(super) const KNOWN: &'static str = "gzip, deflate";

    /// Reads `Content-Encoding`. Returns `None` for a body without compression, and an error that names an unknown one.
    pub(super) fn of(headers: &HeaderMap) -> std::result::Result<Option<Self>, Error> {
        let mut found = None;
        for line in headers.get_all(CONTENT_ENCODING) {
            let line = String::from_utf8_lossy(line.as_bytes());
            for name in line.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                let coding = match name.to_ascii_lowercase().as_str() {
                    "identity" => continue,
                    "gzip" | "x-gzip" => Self::Gzip,
                    "deflate" => Self::Deflate,
                    _ => {
                        let shown: String = name.chars().take(40).collect();
                        return Err(unknown(format!("a body in the Content-Encoding {shown:?} cannot be read")));
                    }
                };
                if found.replace(coding).is_some() {
                    return Err(unknown("a body that is compressed twice cannot be read".to_owned()));
                }
            }
        }
        Ok(found)
    }

    /// Decompresses a body to at most `limit` bytes.
    ///
    /// # Errors
    /// `payload_too_large`; `validation_error` for a body that is cut short or damaged.
    pub(super) fn decompress(self, packed: &[u8], limit: usize) -> Result<Bytes> {
        if packed.is_empty() {
            return Ok(Bytes::new());
        }
        let decompressed = match self {
            Self::Gzip => bounded(&mut MultiGzDecoder::new(packed), limit),
            // Some clients leave out the zlib header, although "deflate" means the zlib format.
            Self::Deflate if is_zlib(packed) => {
                let mut decoder = ZlibDecoder::new(packed);
                bounded(&mut decoder, limit).and_then(|bytes| to_the_end(bytes, decoder.into_inner(), limit))
            }
            Self::Deflate => {
                let mut decoder = DeflateDecoder::new(packed);
                bounded(&mut decoder, limit).and_then(|bytes| to_the_end(bytes, decoder.into_inner(), limit))
            }
        };
        let decompressed = decompressed.map_err(|_| {
            let name = if self == Self::Gzip { "gzip" } else { "deflate" };
            Error::validation(format!("the Content-Encoding is {name}, but the body is not valid {name} data"))
                .with_action("Compress the body again, or send it uncompressed, without a Content-Encoding.")
        })?;
        if decompressed.len() > limit { Err(too_large(limit)) } else { Ok(Bytes::from(decompressed)) }
    }
}

/// Reads at most one byte beyond the limit: a few compressed bytes may expand to gigabytes.
fn bounded(source: &mut impl Read, limit: usize) -> std::io::Result<Vec<u8>> {
    let mut decompressed = Vec::new();
    source.take(limit as u64 + 1).read_to_end(&mut decompressed)?;
    Ok(decompressed)
}

/// Checks that nothing follows the compressed data. Data beyond the limit was not read to its end and is not checked.
fn to_the_end(decompressed: Vec<u8>, rest: &[u8], limit: usize) -> std::io::Result<Vec<u8>> {
    if rest.is_empty() || decompressed.len() > limit {
        Ok(decompressed)
    } else {
        Err(std::io::ErrorKind::InvalidData.into())
    }
}

/// Whether these bytes begin with a zlib header (<https://www.rfc-editor.org/rfc/rfc1950#section-2.2>).
fn is_zlib(packed: &[u8]) -> bool {
    matches!(packed, [method, flags, ..]
        if method & 0x0f == 8 && (u16::from(*method) << 8 | u16::from(*flags)) % 31 == 0)
}

fn unknown(detail: String) -> Error {
    Error::validation(detail)
        .with_action(format!("Send the body uncompressed, or compressed with one of: {}.", ContentCoding::KNOWN))
}

/// Reads a body.
///
/// # Errors
/// `payload_too_large`; `validation_error` when the body arrives too slowly or breaks off.
pub(super) async fn read(mut body: Body, limit: usize, pace: Pace) -> Result<Bytes> {
    let began = Instant::now();
    let mut last = began;
    let (mut first, mut rest) = (Bytes::new(), BytesMut::new());
    loop {
        let received = first.len() + rest.len();
        let wait = pace.wait(received as u64, began.elapsed(), last.elapsed()).map_err(too_slow)?;
        let Ok(frame) = tokio::time::timeout(wait, body.frame()).await else { continue };
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|_| Error::validation("the body ended before it was complete"))?;
        let Ok(data) = frame.into_data() else { continue };
        if data.is_empty() {
            continue;
        }
        if received + data.len() > limit {
            drain(body).await;
            return Err(too_large(limit));
        }
        last = Instant::now();
        if received == 0 {
            first = data;
        } else {
            if rest.is_empty() {
                let whole = body.size_hint().lower().saturating_add(received as u64 + data.len() as u64);
                rest.reserve(usize::try_from(whole).unwrap_or(limit).min(limit));
                rest.extend_from_slice(&std::mem::take(&mut first));
            }
            rest.extend_from_slice(&data);
        }
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

/// Reads a refused body within limits and throws it away: a client that is still sending would not receive the answer.
pub(super) async fn drain(mut body: Body) {
    if body.is_end_stream() {
        return;
    }
    let rest = async {
        let mut read = 0;
        while let Ok(Some(Ok(frame))) = tokio::time::timeout(DRAIN_PAUSE, body.frame()).await {
            read += frame.data_ref().map_or(0, Bytes::len);
            if read > MOST_DRAINED {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(DRAIN_TIME, rest).await;
}

/// Makes the error for a body that arrives too slowly.
pub(super) fn too_slow(slow: Slow) -> Error {
    Error::validation(slow.coming_in()).with_action("Send the request again over a faster connection.")
}

pub(super) fn too_large(limit: usize) -> Error {
    Error::new(ErrorCode::PayloadTooLarge, format!("the body is larger than {limit} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use http::HeaderValue;
    use std::io::Write as _;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn said(lines: &[&str]) -> std::result::Result<Option<ContentCoding>, String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(CONTENT_ENCODING, HeaderValue::from_str(line).unwrap());
        }
        ContentCoding::of(&headers).map_err(|error| format!("{} {}", error.detail(), error.user_action()))
    }

    #[test]
    fn known_compressions_are_recognised_and_others_refused() {
        assert_eq!(said(&[]), Ok(None));
        assert_eq!(said(&["identity"]), Ok(None));
        assert_eq!(said(&["GZip"]), Ok(Some(ContentCoding::Gzip)));
        assert_eq!(said(&["x-gzip"]), Ok(Some(ContentCoding::Gzip)));
        assert_eq!(said(&["identity, deflate"]), Ok(Some(ContentCoding::Deflate)));
        for unknown in ["br", "zstd", "compress", "gzip;q=1", "nonsense"] {
            let refused = said(&[unknown]).unwrap_err();
            assert!(refused.contains(unknown) && refused.contains("gzip, deflate"), "{refused}");
        }
        assert!(said(&["gzip, gzip"]).unwrap_err().contains("twice"));
        assert!(said(&["gzip", "deflate"]).unwrap_err().contains("twice"));
    }

    #[test]
    fn bodies_are_decompressed_within_the_limit() {
        let text = b"{\"prompt\": \"a red circle\"}".repeat(40);
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(&text).unwrap();
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::default());
        raw.write_all(&text).unwrap();
        let two = [gzip(&text), gzip(b"more")].concat();
        let (zlib, raw) = (zlib.finish().unwrap(), raw.finish().unwrap());
        assert_eq!(ContentCoding::Gzip.decompress(&gzip(&text), text.len()).unwrap(), text);
        assert_eq!(
            ContentCoding::Gzip.decompress(&two, 1 << 20).unwrap().len(),
            text.len() + 4,
            "several gzip members are one body"
        );
        assert_eq!(ContentCoding::Deflate.decompress(&zlib, text.len()).unwrap(), text);
        assert_eq!(ContentCoding::Deflate.decompress(&raw, text.len()).unwrap(), text);
        for (coding, packed) in
            [(ContentCoding::Gzip, gzip(&text)), (ContentCoding::Deflate, zlib), (ContentCoding::Deflate, raw)]
        {
            assert_eq!(coding.decompress(&packed, text.len() - 1).unwrap_err().code(), ErrorCode::PayloadTooLarge);
            let cut = coding.decompress(packed.get(..packed.len() / 2).unwrap(), 1 << 20).unwrap_err();
            assert_eq!(cut.code(), ErrorCode::ValidationError, "{cut}");
            let followed = coding.decompress(&[packed, b"more".to_vec()].concat(), 1 << 20).unwrap_err();
            assert_eq!(followed.code(), ErrorCode::ValidationError, "{followed}");
            assert_eq!(coding.decompress(b"\x07 is neither", 1 << 20).unwrap_err().code(), ErrorCode::ValidationError);
            assert!(coding.decompress(b"", 10).unwrap().is_empty());
        }
    }

    #[test]
    fn a_bomb_takes_no_more_than_the_limit() {
        let bomb = gzip(&vec![0; 256 << 20]);
        assert!(bomb.len() < 300_000, "{}", bomb.len());
        assert_eq!(ContentCoding::Gzip.decompress(&bomb, 1 << 20).unwrap_err().code(), ErrorCode::PayloadTooLarge);
    }
}
