//! Encodes the first frame as an 8-bit RGB PNG, JPEG or WebP.

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::codecs::webp::WebPEncoder;
use image::{DynamicImage, ExtendedColorType, ImageEncoder, RgbImage};

use crate::{Error, Result};
use must_diffusion::Frames;

/// JPEG quality of results. The encoder keeps colour at full resolution (4:4:4).
pub(super) const QUALITY: u8 = 92;
/// JPEG quality of previews.
pub(super) const PREVIEW_QUALITY: u8 = 85;

/// Encodes the first frame as PNG.
pub(super) fn png(frames: &Frames) -> Result<Vec<u8>> {
    let mut file = Vec::new();
    PngEncoder::new_with_quality(&mut file, CompressionType::Default, FilterType::Adaptive)
        .write_image(first(frames)?, frames.width, frames.height, ExtendedColorType::Rgb8)
        .map_err(|error| Error::internal(format!("the PNG encoder failed: {error}")))?;
    Ok(file)
}

/// Encodes the first frame as JPEG.
pub(super) fn jpeg(frames: &Frames, quality: u8) -> Result<Vec<u8>> {
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, quality)
        .write_image(first(frames)?, frames.width, frames.height, ExtendedColorType::Rgb8)
        .map_err(|error| Error::internal(format!("the JPEG encoder failed: {error}")))?;
    Ok(file)
}

/// Encodes the first frame as lossless WebP.
pub(super) fn webp(frames: &Frames) -> Result<Vec<u8>> {
    let mut file = Vec::new();
    WebPEncoder::new_lossless(&mut file)
        .write_image(first(frames)?, frames.width, frames.height, ExtendedColorType::Rgb8)
        .map_err(|error| Error::internal(format!("the WebP encoder failed: {error}")))?;
    Ok(file)
}

/// Returns the first frame, scaled down to fit into a square of `side` if it is larger.
pub(super) fn fit(frames: &Frames, side: u32) -> Result<Frames> {
    let frame = first(frames)?.to_vec();
    if frames.width.max(frames.height) <= side {
        return Ok(Frames { width: frames.width, height: frames.height, rgb: frame });
    }
    let picture = RgbImage::from_raw(frames.width, frames.height, frame)
        .ok_or_else(|| Error::internal("a frame does not fit its size"))?;
    let small = DynamicImage::ImageRgb8(picture).resize(side, side, image::imageops::FilterType::Lanczos3).into_rgb8();
    Ok(Frames { width: small.width(), height: small.height(), rgb: small.into_raw() })
}

fn first(frames: &Frames) -> Result<&[u8]> {
    let frame = frames.width as usize * frames.height as usize * 3;
    frames.rgb.get(..frame).ok_or_else(|| Error::internal("there is no first frame"))
}
