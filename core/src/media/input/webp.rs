//! WebP: how many frames it has, and the pixels.

use std::io::Cursor;

use image::codecs::webp::WebPDecoder;
use image::{DynamicImage, ImageDecoder};

use super::colour::Colour;
use super::{Decoded, ImageFormat, ImageLimits, animated, check_size, damaged};
use crate::error::Result;

/// Decodes a picture, or the only frame of an animated one.
///
/// # Errors
/// `validation_error` for a damaged file, one over the limits, and one with several frames.
pub(super) fn decode(bytes: &[u8], limits: &ImageLimits) -> Result<Decoded> {
    let damage = |_| damaged(ImageFormat::Webp);
    let mut decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(damage)?;
    if decoder.has_animation() && frames(bytes) > 1 {
        return Err(animated(ImageFormat::Webp));
    }
    let (width, height) = decoder.dimensions();
    check_size(width, height, decoder.total_bytes(), limits)?;
    let colour = decoder.icc_profile().map_err(damage)?.and_then(|profile| Colour::of_profile(&profile));
    let orientation = decoder.orientation().map_err(damage)?;
    let picture = DynamicImage::from_decoder(decoder).map_err(damage)?;
    Ok(Decoded { picture: picture.into(), orientation, colour })
}

/// Counts the chunks that hold a frame. They follow the twelve bytes that every WebP begins with.
fn frames(bytes: &[u8]) -> usize {
    let mut rest = bytes.get(12..).unwrap_or_default();
    let mut count = 0;
    while let Some((kind, behind)) = rest.split_first_chunk::<4>() {
        let Some((length, behind)) = behind.split_first_chunk::<4>() else { break };
        count += usize::from(kind == b"ANMF");
        let padded = (u32::from_le_bytes(*length) as usize).next_multiple_of(2);
        rest = behind.get(padded..).unwrap_or_default();
    }
    count
}
