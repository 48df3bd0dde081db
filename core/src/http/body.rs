//! Bodies of requests: read within bounds of size and pace, taken out of gzip or deflate, and read to no use when refused, so that
//! the client comes to hear why.

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

/// How much of a body that is refused is still read.
const DRAINED: usize = 64 << 20;

/// How long that may take, and how long it is waited for more.
const DRAIN_TIME: Duration = Duration::from_secs(30);
const DRAIN_PAUSE: Duration = Duration::from_secs(5);

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Gzip,
    Deflate,
}

impl Packing {
    /// The packings that are known, as `Accept-Encoding` names them.
    pub(super) const KNOWN: &'static str = "gzip, deflate";

    /// What `Content-Encoding` says; none for a body as it is. The inner error says what is not known.
    pub(super) fn of(headers: &HeaderMap) -> std::result::Result<Option<Self>, Error> {
        let mut found = None;
        for line in headers.get_all(CONTENT_ENCODING) {
            let line = String::from_utf8_lossy(line.as_bytes());
            for name in line.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                let packing = match name.to_ascii_lowercase().as_str() {
                    "identity" => continue,
                    "gzip" | "x-gzip" => Self::Gzip,
                    "deflate" => Self::Deflate,
                    _ => {
                        let shown: String = name.chars().take(40).collect();
                        return Err(unknown(format!("a body in the Content-Encoding {shown:?} cannot be read")));
                    }
                };
                if found.replace(packing).is_some() {
                    return Err(unknown("a body that is packed twice cannot be read".to_owned()));
                }
            }
        }
        Ok(found)
    }

    /// What is packed, of at most `limit` bytes.
    ///
    /// # Errors
    /// `payload_too_large`; `validation_error` for what is cut short or damaged.
    pub(super) fn unpack(self, packed: &[u8], limit: usize) -> Result<Bytes> {
        if packed.is_empty() {
            return Ok(Bytes::new());
        }
        let unpacked = match self {
            Self::Gzip => bounded(&mut MultiGzDecoder::new(packed), limit),
            // Some clients leave out zlib's header, which the name stands for.
            Self::Deflate if is_zlib(packed) => {
                let mut decoder = ZlibDecoder::new(packed);
                bounded(&mut decoder, limit).and_then(|bytes| to_the_end(bytes, decoder.into_inner(), limit))
            }
            Self::Deflate => {
                let mut decoder = DeflateDecoder::new(packed);
                bounded(&mut decoder, limit).and_then(|bytes| to_the_end(bytes, decoder.into_inner(), limit))
            }
        };
        let unpacked = unpacked.map_err(|_| {
            let name = if self == Self::Gzip { "gzip" } else { "deflate" };
            Error::validation(format!("the body is not whole {name}, as its Content-Encoding says"))
                .with_action("Pack the body anew, or send it as it is, without a Content-Encoding.")
        })?;
        if unpacked.len() > limit { Err(too_large(limit)) } else { Ok(Bytes::from(unpacked)) }
    }
}

/// Reads one byte beyond the limit at most: a few bytes may stand for gigabytes.
fn bounded(source: &mut impl Read, limit: usize) -> std::io::Result<Vec<u8>> {
    let mut unpacked = Vec::new();
    source.take(limit as u64 + 1).read_to_end(&mut unpacked)?;
    Ok(unpacked)
}

/// Nothing may follow what was unpacked; what is too large was not read to its end.
fn to_the_end(unpacked: Vec<u8>, rest: &[u8], limit: usize) -> std::io::Result<Vec<u8>> {
    if rest.is_empty() || unpacked.len() > limit { Ok(unpacked) } else { Err(std::io::ErrorKind::InvalidData.into()) }
}

/// Whether these bytes begin as <https://www.rfc-editor.org/rfc/rfc1950#section-2.2> says.
fn is_zlib(packed: &[u8]) -> bool {
    matches!(packed, [method, flags, ..]
        if method & 0x0f == 8 && (u16::from(*method) << 8 | u16::from(*flags)) % 31 == 0)
}

fn unknown(detail: String) -> Error {
    Error::validation(detail).with_action(format!("Send the body as it is, or in one of: {}.", Packing::KNOWN))
}

/// Reads a body.
///
/// # Errors
/// `payload_too_large`; `validation_error` when it comes too slowly or breaks off.
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

/// Reads what is refused, within bounds: a client that still sends would not hear the answer.
pub(super) async fn drain(mut body: Body) {
    if body.is_end_stream() {
        return;
    }
    let rest = async {
        let mut read = 0;
        while let Ok(Some(Ok(frame))) = tokio::time::timeout(DRAIN_PAUSE, body.frame()).await {
            read += frame.data_ref().map_or(0, Bytes::len);
            if read > DRAINED {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(DRAIN_TIME, rest).await;
}

/// That a body came too slowly.
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

    fn said(lines: &[&str]) -> std::result::Result<Option<Packing>, String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(CONTENT_ENCODING, HeaderValue::from_str(line).unwrap());
        }
        Packing::of(&headers).map_err(|error| format!("{} {}", error.detail(), error.user_action()))
    }

    #[test]
    fn what_is_known_is_named() {
        assert_eq!(said(&[]), Ok(None));
        assert_eq!(said(&["identity"]), Ok(None));
        assert_eq!(said(&["GZip"]), Ok(Some(Packing::Gzip)));
        assert_eq!(said(&["x-gzip"]), Ok(Some(Packing::Gzip)));
        assert_eq!(said(&["identity, deflate"]), Ok(Some(Packing::Deflate)));
        for unknown in ["br", "zstd", "compress", "gzip;q=1", "nonsense"] {
            let refused = said(&[unknown]).unwrap_err();
            assert!(refused.contains(unknown) && refused.contains("gzip, deflate"), "{refused}");
        }
        assert!(said(&["gzip, gzip"]).unwrap_err().contains("twice"));
        assert!(said(&["gzip", "deflate"]).unwrap_err().contains("twice"));
    }

    #[test]
    fn bodies_are_unpacked_within_their_limit() {
        let text = b"{\"prompt\": \"a red circle\"}".repeat(40);
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(&text).unwrap();
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::default());
        raw.write_all(&text).unwrap();
        let two = [gzip(&text), gzip(b"more")].concat();
        let (zlib, raw) = (zlib.finish().unwrap(), raw.finish().unwrap());
        assert_eq!(Packing::Gzip.unpack(&gzip(&text), text.len()).unwrap(), text);
        assert_eq!(Packing::Gzip.unpack(&two, 1 << 20).unwrap().len(), text.len() + 4, "several in a row are one");
        assert_eq!(Packing::Deflate.unpack(&zlib, text.len()).unwrap(), text);
        assert_eq!(Packing::Deflate.unpack(&raw, text.len()).unwrap(), text);
        for (packing, packed) in [(Packing::Gzip, gzip(&text)), (Packing::Deflate, zlib), (Packing::Deflate, raw)] {
            assert_eq!(packing.unpack(&packed, text.len() - 1).unwrap_err().code(), ErrorCode::PayloadTooLarge);
            let cut = packing.unpack(packed.get(..packed.len() / 2).unwrap(), 1 << 20).unwrap_err();
            assert_eq!(cut.code(), ErrorCode::ValidationError, "{cut}");
            let followed = packing.unpack(&[packed, b"more".to_vec()].concat(), 1 << 20).unwrap_err();
            assert_eq!(followed.code(), ErrorCode::ValidationError, "{followed}");
            assert_eq!(packing.unpack(b"\x07 is neither", 1 << 20).unwrap_err().code(), ErrorCode::ValidationError);
            assert!(packing.unpack(b"", 10).unwrap().is_empty());
        }
    }

    #[test]
    fn a_bomb_takes_no_more_than_the_limit() {
        let bomb = gzip(&vec![0; 256 << 20]);
        assert!(bomb.len() < 300_000, "{}", bomb.len());
        assert_eq!(Packing::Gzip.unpack(&bomb, 1 << 20).unwrap_err().code(), ErrorCode::PayloadTooLarge);
    }
}
