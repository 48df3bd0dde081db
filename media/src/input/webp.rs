//! WebP: the number of frames, and the pixels.

use std::io::Cursor;

use image::codecs::webp::WebPDecoder;
use image::{DynamicImage, ImageDecoder};

use super::colour::Colour;
use super::{Decoded, ImageFormat, ImageLimits, animated, check_size, damaged};
use crate::Result;

/// Decodes a picture, or the only frame of an animated one.
///
/// # Errors
/// `InvalidRequest` for a damaged file, one over the limits, and one with several frames.
pub(super) fn decode(bytes: &[u8], limits: &ImageLimits) -> Result<Decoded> {
    let damage = |_| damaged(ImageFormat::Webp);
    let mut decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(damage)?;
    if decoder.has_animation() && frames(bytes) > 1 {
        return Err(animated(ImageFormat::Webp));
    }
    let (width, height) = decoder.dimensions();
    check_size(width, height, decoder.total_bytes(), limits)?;
    let colour = decoder.icc_profile().map_err(damage)?.and_then(|profile| Colour::from_profile(&profile));
    let orientation = decoder.orientation().map_err(damage)?;
    // The decoder composites a frame on a background, which changes its colours a little.
    let picture = match only_frame(bytes, width, height).filter(|_| decoder.has_animation()) {
        Some(still) => WebPDecoder::new(Cursor::new(&still)).and_then(DynamicImage::from_decoder),
        None => DynamicImage::from_decoder(decoder),
    };
    let picture = picture.map_err(damage)?;
    Ok(Decoded { picture: picture.into(), orientation, colour })
}

/// Counts the chunks that hold a frame.
fn frames(bytes: &[u8]) -> usize {
    chunks(bytes).filter(|(kind, _)| *kind == b"ANMF").count()
}

/// Returns the first frame as a file of its own, if it covers the whole picture and has no alpha channel.
fn only_frame(bytes: &[u8], width: u32, height: u32) -> Option<Vec<u8>> {
    let (_, frame) = chunks(bytes).find(|(kind, _)| *kind == b"ANMF")?;
    // The position in units of two pixels, the size minus one, the duration, and how the frame is blended.
    let (head, pixels) = frame.split_first_chunk::<16>()?;
    let number = |at: usize| {
        head.get(at..at + 3).map(|three| three.iter().rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
    };
    let fills = number(0)? == 0 && number(3)? == 0 && number(6)? + 1 == width && number(9)? + 1 == height;
    let plain = pixels.starts_with(b"VP8 ") || pixels.starts_with(b"VP8L");
    if !fills || !plain {
        return None;
    }
    let length = u32::try_from(pixels.len() + 4).ok()?.to_le_bytes();
    Some([b"RIFF", length.as_slice(), b"WEBP", pixels].concat())
}

/// Returns the chunks, which follow the twelve bytes at the start of every WebP.
fn chunks(bytes: &[u8]) -> impl Iterator<Item = (&[u8; 4], &[u8])> {
    let mut rest = bytes.get(12..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (kind, behind) = rest.split_first_chunk::<4>()?;
        let (length, behind) = behind.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length) as usize;
        rest = behind.get(length.next_multiple_of(2)..).unwrap_or_default();
        Some((kind, behind.get(..length).unwrap_or(behind)))
    })
}
