//! Reference images that callers send: decodes raw bytes or a data URI to one RGB frame.
//!
//! Owns the limits and the order of the checks: byte count, then the declared type against the real one, then dimensions
//! and memory, and only then pixels. Every refusal is `InvalidRequest` (or `TooLarge` over the byte limit) and tells
//! the caller what to do; it never repeats what the caller sent.
//!
//! The decoded picture is what a viewer shows: in sRGB, the right way up, on white.

mod colour;
mod foreign;
mod jpeg;
mod png;
mod webp;

use std::panic::{AssertUnwindSafe, catch_unwind};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::metadata::Orientation;
use image::{DynamicImage, Limits, RgbImage};

use self::colour::Colour;

use crate::{Error, ErrorKind, Result};
use must_diffusion::Frames;

const ACCEPTED: &str = "Send one PNG, JPEG or WebP picture.";

/// The source of a picture.
#[derive(Clone, Copy)]
pub enum ImageSource<'a> {
    /// The bytes of a PNG, JPEG or WebP file.
    Bytes(&'a [u8]),
    /// Exactly `data:image/png;base64,...`, `data:image/jpeg;base64,...` or `data:image/webp;base64,...`.
    DataUri(&'a str),
}

/// A picture can be large and private, so debug output shows only its size.
impl std::fmt::Debug for ImageSource<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Self::DataUri(text) => write!(f, "DataUri({} characters)", text.len()),
        }
    }
}

/// The limits of a picture; one that exceeds them is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageLimits {
    /// Largest number of bytes of the file.
    pub max_bytes: usize,
    /// Largest number of pixels of the longer side.
    pub max_side: u32,
    /// Largest number of pixels of the whole picture.
    pub max_pixels: u64,
    /// Largest number of bytes that decoding may allocate for pixels.
    pub max_alloc: u64,
}

impl Default for ImageLimits {
    fn default() -> Self {
        Self { max_bytes: 20 << 20, max_side: 8192, max_pixels: 40_000_000, max_alloc: 256 << 20 }
    }
}

/// The picture formats that are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImageFormat {
    /// PNG.
    Png,
    /// JPEG.
    Jpeg,
    /// WebP.
    Webp,
}

impl ImageFormat {
    /// Returns the format's name as people write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::Webp => "WebP",
        }
    }

    /// Returns the media type.
    #[must_use]
    pub const fn mime(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
        }
    }
}

/// Returns the real type of a file by its first bytes; `None` for a type that is not accepted.
#[must_use]
pub fn sniff(bytes: &[u8]) -> Option<ImageFormat> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some(ImageFormat::Png)
    } else if bytes.starts_with(&[0xFF, 0xD8, 0xFF]) {
        Some(ImageFormat::Jpeg)
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        Some(ImageFormat::Webp)
    } else {
        None
    }
}

/// Decodes one still picture into one RGB frame of its own size; `must::media::decode_image` says how.
///
/// # Errors
/// `TooLarge` over `limits.max_bytes`; `InvalidRequest` for everything else. For a known format that is not accepted, the
/// error names the format and a way to convert it.
pub fn decode_image(source: ImageSource<'_>, limits: &ImageLimits) -> Result<Frames> {
    match source {
        ImageSource::Bytes(bytes) => decode_bytes(bytes, None, limits),
        ImageSource::DataUri(uri) => {
            let (declared, bytes) = decode_data_uri(uri, limits)?;
            decode_bytes(&bytes, Some(declared), limits)
        }
    }
}

fn decode_data_uri(uri: &str, limits: &ImageLimits) -> Result<(ImageFormat, Vec<u8>)> {
    let (declared, text) = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Webp]
        .into_iter()
        .find_map(|format| {
            let text = uri.strip_prefix("data:")?.strip_prefix(format.mime())?.strip_prefix(";base64,")?;
            Some((format, text))
        })
        .ok_or_else(|| {
            foreign::of_data_uri(uri).unwrap_or_else(|| {
                Error::invalid_request("the image is not a data URI of an accepted type").with_action(
                    "Send data:image/png;base64, or the same with jpeg or webp, followed by the encoded file.",
                )
            })
        })?;
    if text.len() > limits.max_bytes.div_ceil(3).saturating_mul(4) {
        return Err(too_large(limits));
    }
    let bytes = STANDARD.decode(text).map_err(|_| {
        Error::invalid_request("the data of the image is not valid base64")
            .with_action("Encode the file as standard base64 with padding and without line breaks.")
    })?;
    Ok((declared, bytes))
}

fn decode_bytes(bytes: &[u8], declared: Option<ImageFormat>, limits: &ImageLimits) -> Result<Frames> {
    if bytes.is_empty() {
        return Err(Error::invalid_request("the image is empty").with_action(ACCEPTED));
    }
    if bytes.len() > limits.max_bytes {
        return Err(too_large(limits));
    }
    let format = sniff(bytes).ok_or_else(|| foreign::of_bytes(bytes))?;
    if let Some(declared) = declared.filter(|&declared| declared != format) {
        return Err(Error::invalid_request(format!(
            "the image says it is {} but is {}",
            declared.name(),
            format.name()
        ))
        .with_action("Name the type that the file really has, or convert the file."));
    }
    // Decoders may panic on malicious files; none of their state is used after the call.
    catch_unwind(AssertUnwindSafe(|| decode_checked(bytes, format, limits))).unwrap_or_else(|_| Err(damaged(format)))
}

/// A decoded file.
struct Decoded {
    picture: Pixels,
    orientation: Orientation,
    /// The colour space, if it is not sRGB.
    colour: Option<Colour>,
}

/// Pixels as they are in the file.
enum Pixels {
    /// Grey or RGB, perhaps with alpha.
    Light(DynamicImage),
    /// CMYK, with 0 for no ink.
    Cmyk { width: u32, height: u32, cmyk: Vec<u8> },
}

impl From<DynamicImage> for Pixels {
    fn from(picture: DynamicImage) -> Self {
        Self::Light(picture)
    }
}

fn decode_checked(bytes: &[u8], format: ImageFormat, limits: &ImageLimits) -> Result<Frames> {
    let Decoded { picture, orientation, colour } = match format {
        ImageFormat::Png => png::decode(bytes, limits),
        ImageFormat::Jpeg => jpeg::decode(bytes, limits),
        ImageFormat::Webp => webp::decode(bytes, limits),
    }?;
    let mut picture = match (picture, colour) {
        (Pixels::Light(picture), Some(colour)) => colour.to_srgb(picture),
        (Pixels::Light(picture), None) => picture,
        (Pixels::Cmyk { width, height, cmyk }, colour) => {
            let rgb = colour.and_then(|colour| colour.cmyk_to_srgb(&cmyk)).unwrap_or_else(|| cmyk_to_rgb(&cmyk));
            RgbImage::from_raw(width, height, rgb).map(DynamicImage::from).ok_or_else(|| damaged(format))?
        }
    };
    picture.apply_orientation(orientation);
    let (width, height) = (picture.width(), picture.height());
    let rgb =
        if picture.color().has_alpha() { on_white(&picture.into_rgba8()) } else { picture.into_rgb8().into_raw() };
    Ok(Frames { width, height, rgb })
}

/// Converts CMYK without a profile: each ink removes its part of the light, and black removes part of all of it.
fn cmyk_to_rgb(cmyk: &[u8]) -> Vec<u8> {
    let mut rgb = Vec::with_capacity(cmyk.len() / 4 * 3);
    for [c, m, y, k] in cmyk.as_chunks().0 {
        // At most 255 * 255 + 127; the quotient is at most 255.
        rgb.extend([c, m, y].map(|ink| ((u32::from(255 - ink) * u32::from(255 - k) + 127) / 255) as u8));
    }
    rgb
}

fn decoder_limits(limits: &ImageLimits) -> Limits {
    let mut ours = Limits::default();
    ours.max_alloc = Some(limits.max_alloc);
    ours
}

pub(super) fn check_size(width: u32, height: u32, memory: u64, limits: &ImageLimits) -> Result<()> {
    let pixels = u64::from(width) * u64::from(height);
    let detail = if pixels == 0 {
        "the image has no pixels".to_owned()
    } else if width.max(height) > limits.max_side {
        format!("the image is {width}x{height} pixels; a side may have at most {}", limits.max_side)
    } else if pixels > limits.max_pixels {
        format!("the image is {width}x{height} pixels; at most {} are accepted altogether", limits.max_pixels)
    } else if memory > limits.max_alloc {
        format!("the image needs {} MiB to decode; at most {} are allowed", memory >> 20, limits.max_alloc >> 20)
    } else {
        return Ok(());
    };
    Err(Error::invalid_request(detail).with_action("Send a smaller picture."))
}

pub(super) fn on_white(picture: &image::RgbaImage) -> Vec<u8> {
    let mut rgb = Vec::with_capacity(picture.as_raw().len() / 4 * 3);
    for pixel in picture.pixels() {
        let [r, g, b, a] = pixel.0.map(u16::from);
        // At most 255 * 255 + 127, which fits; the quotient is at most 255.
        rgb.extend([r, g, b].map(|c| ((c * a + 255 * (255 - a) + 127) / 255) as u8));
    }
    rgb
}

fn too_large(limits: &ImageLimits) -> Error {
    Error::new(ErrorKind::TooLarge, format!("the image is larger than {} bytes", limits.max_bytes))
        .with_action("Send a smaller picture.")
}

fn animated(format: ImageFormat) -> Error {
    Error::invalid_request(format!("the {} image is animated", format.name()))
        .with_action("Send a still picture: one frame of it, saved as PNG.")
}

fn damaged(format: ImageFormat) -> Error {
    Error::invalid_request(format!("the {} image is damaged or cut short", format.name()))
        .with_action("Open the picture in a viewer to check it, save it again, and send that.")
}

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;
